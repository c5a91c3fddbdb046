package gate_test

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/hb-mesh/hb-mesh/broker/credential"
	"github.com/hb-mesh/hb-mesh/broker/gate"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/cloud/local"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// core records what the gate hands over.
type core struct {
	mu      sync.Mutex
	admits  []admitted
	reports []reported
	ends    []ended
	directs []direct
	order   []string // "report" and "ended" as they came
	mute    bool     // keep no reports: a benchmark has millions

	admit  func(beat.Identity, beat.Death) error
	count  func(beat.StoreID, beat.Beat) error
	status func() error
}

type (
	admitted struct {
		id beat.Identity
		d  beat.Death
	}
	reported struct {
		conn presence.Conn
		r    beat.Report
	}
	ended struct {
		conn presence.Conn
		id   beat.Identity
		d    beat.Death
	}
	direct struct {
		store beat.StoreID
		b     beat.Beat
	}
)

func (c *core) Admit(id beat.Identity, d beat.Death) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.admits = append(c.admits, admitted{id, d})
	if c.admit != nil {
		return c.admit(id, d)
	}
	return nil
}

func (c *core) Report(conn presence.Conn, r *beat.Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mute {
		return
	}
	c.reports = append(c.reports, reported{conn, *r})
	c.order = append(c.order, "report")
}

func (c *core) Ended(conn presence.Conn, id beat.Identity, d beat.Death) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends = append(c.ends, ended{conn, id, d})
	c.order = append(c.order, "ended")
}

func (c *core) Direct(store beat.StoreID, b beat.Beat) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count != nil {
		if err := c.count(store, b); err != nil {
			return err
		}
	}
	c.directs = append(c.directs, direct{store, b})
	return nil
}

func (c *core) Status() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status != nil {
		return c.status()
	}
	return nil
}

func (c *core) seen() (reports []reported, ends []ended) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]reported(nil), c.reports...), append([]ended(nil), c.ends...)
}

func (c *core) lastDirect() (direct, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.directs) == 0 {
		return direct{}, 0
	}
	return c.directs[len(c.directs)-1], len(c.directs)
}

// door is a gate that runs, on loopback.
type door struct {
	*gate.Gate
	core    *core
	keys    *credential.Keyring
	metrics *gate.Metrics
	stop    func()
}

const password = "a-fleet's-password"

func memory(t testing.TB) *credential.Keyring {
	t.Helper()
	o := local.DefaultOptions("", "us-east-1")
	o.InMemory = true
	s, err := local.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	k := credential.DefaultOptions()
	k.Region, k.Table = "us-east-1", s.Region("us-east-1")
	static := func(text string, store beat.StoreID, roles ...credential.Role) {
		k.Static = append(k.Static, credential.Static{Text: text, Request: credential.Request{Roles: roles, Store: store}})
	}
	static(password, "", credential.Relay)
	static("demo-key", "demo", credential.Beat)
	static("fleet-key", "", credential.Beat)
	static("admin-key", "", credential.Admin)
	keys, err := credential.New(k)
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return keys
}

func options(keys *credential.Keyring) gate.Options {
	o := gate.DefaultOptions()
	o.MQTTAddr, o.HTTPAddr, o.Keys = "127.0.0.1:0", "127.0.0.1:0", keys
	o.Metrics = gate.NewMetrics(nil)
	o.Logger = slog.New(slog.DiscardHandler)
	return o
}

// open runs a gate; change may be nil.
func open(t testing.TB, change func(*gate.Options), mounts ...func(*gate.Gate)) *door {
	t.Helper()
	o := options(memory(t))
	if change != nil {
		change(&o)
	}
	c := &core{}
	g, err := gate.New(o, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mounts {
		m(g)
	}
	return serve(t, g, c, o)
}

func serve(t testing.TB, g *gate.Gate, c *core, o gate.Options) *door {
	t.Helper()
	if err := g.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for name, run := range map[string]func(context.Context) error{"MQTT": g.RunMQTT, "HTTP": g.RunHTTP} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	d := &door{Gate: g, core: c, keys: o.Keys, metrics: o.Metrics, stop: sync.OnceFunc(func() { cancel(); running.Wait() })}
	t.Cleanup(d.stop)
	return d
}

func (d *door) url(path string) string { return "http://" + d.HTTPAddr().String() + path }

// patience is how long anything may take that takes a moment: the machine may
// be busy with other tests.
const patience = 30 * time.Second

// late is a delay that is no pause of a busy machine.
const late = 3 * time.Second

func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

var demo = beat.Identity{Store: "demo", Relay: "r1"}

func death(epoch beat.Epoch) beat.Death {
	return beat.Death{V: beat.Wire, Incarnation: beat.Incarnation{1}, Boot: beat.Boot{2}, Epoch: epoch}
}

func report(id beat.Identity, k beat.Kind, epoch beat.Epoch, seq beat.Seq) *beat.Report {
	r := &beat.Report{
		V: beat.Wire, Kind: k, Store: id.Store, Relay: id.Relay,
		Incarnation: beat.Incarnation{1}, Boot: beat.Boot{2}, Epoch: epoch, Seq: seq,
		ReportEveryMs: 15000, KeepaliveMs: 20000,
	}
	if k == beat.Birth {
		r.Picture = &beat.Picture{Hosts: []beat.HostReport{{Host: "pos1", State: beat.Up, Number: 1, IntervalMs: 5000}}}
		r.Hash = r.Picture.Hash()
	}
	return r
}

// relayOptions is paho by the recipe that hb-relay uses.
func (d *door) relayOptions(id beat.Identity) *mqtt.ClientOptions {
	return mqtt.NewClientOptions().AddBroker("tcp://" + d.MQTTAddr().String()).
		SetClientID(id.String()).SetUsername(id.String()).SetPassword(password).
		SetProtocolVersion(4).SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false).
		SetKeepAlive(20 * time.Second).SetConnectTimeout(patience).SetWriteTimeout(patience)
}

func (d *door) withWill(id beat.Identity, epoch beat.Epoch) *mqtt.ClientOptions {
	return d.relayOptions(id).SetBinaryWill(id.DeathTopic(), death(epoch).Encode(), 1, false)
}

// wait ends a token, or fails the test.
func wait(t testing.TB, tok mqtt.Token) error {
	t.Helper()
	if !tok.WaitTimeout(patience) {
		t.Fatalf("no answer within %v", patience)
	}
	return tok.Error()
}

func dial(t testing.TB, o *mqtt.ClientOptions) mqtt.Client {
	t.Helper()
	c := mqtt.NewClient(o)
	if err := wait(t, c.Connect()); err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { c.Disconnect(0) })
	return c
}

// pulled is a client whose socket can be cut.
func pulled(t testing.TB, o *mqtt.ClientOptions) (c mqtt.Client, pull func()) {
	t.Helper()
	var conn net.Conn
	o.SetCustomOpenConnectionFn(func(_ *url.URL, _ mqtt.ClientOptions) (net.Conn, error) {
		var err error
		conn, err = net.Dial("tcp", o.Servers[0].Host)
		return conn, err
	})
	c = dial(t, o)
	return c, func() { _ = conn.Close() }
}

func get(t testing.TB, method, target, key string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("x-api-key", key)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// client trusts any certificate: the tests' are their own.
var client = &http.Client{
	Timeout:   patience,
	Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
}
