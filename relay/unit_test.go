package relay_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/hb-mesh/hb-mesh/relay"
	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/guard"
)

// patience is how long anything may take that takes a moment: the machine may
// be busy with other tests.
const patience = 30 * time.Second

// startRegion opens a region's door on a spare port, or on addr.
func startRegion(t testing.TB, name beat.Region, addr string) *region {
	t.Helper()
	g := &region{t: t, name: name, news: make(chan struct{})}
	g.open(addr)
	t.Cleanup(func() { g.stop() })
	return g
}

func (g *region) open(addr string) {
	g.t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		g.t.Fatal(err)
	}
	o := guard.DefaultOptions()
	o.PacketsPerSecond, o.MaxPerAddress = 0, 0
	if g.door, err = guard.New(o, g, nil, nil); err != nil {
		g.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = g.door.Serve(ctx, ln) })
	g.addr, g.stop = ln.Addr().String(), func() { cancel(); wg.Wait() }
}

// unit is a relay under test, with its sockets.
type unit struct {
	t          testing.TB
	r          *relay.Relay
	mqtt, http string
	log        *logBook
	stop       func() error
}

// options are short times, and two regions.
func options(t testing.TB, regions ...*region) relay.Options {
	o := relay.DefaultOptions()
	o.Store, o.Relay, o.DataDir = "demo", "r1", t.TempDir()
	o.MQTTAddr, o.HTTPAddr = "127.0.0.1:0", "127.0.0.1:0"
	for _, g := range regions {
		o.Regions = append(o.Regions, relay.Region{Name: g.name, Address: "tcp://" + g.addr, Password: "geheim"})
	}
	o.ReportEvery, o.Keepalive, o.AckTimeout = time.Second, 2*time.Second, time.Second
	o.ReconnectFirst, o.ReconnectCap, o.Handshake = 50*time.Millisecond, 200*time.Millisecond, time.Second
	o.Grace, o.Blip, o.WarmUp, o.Coalesce = 2*time.Second, 50*time.Millisecond, time.Second, 10*time.Millisecond
	o.ExemptLoopback = true
	return o
}

func start(t testing.TB, o relay.Options) *unit {
	t.Helper()
	u := &unit{t: t, log: &logBook{}}
	o.Logger = slog.New(slog.NewTextHandler(u.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	listen, addrs := net.Listen, []string{}
	o.Listen = func(network, address string) (net.Listener, error) {
		ln, err := listen(network, address)
		if err == nil {
			addrs = append(addrs, ln.Addr().String())
		}
		return ln, err
	}
	var err error
	if u.r, err = relay.New(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- u.r.Run(ctx) }()
	select {
	case <-u.r.Ready():
	case err := <-done:
		t.Fatalf("the relay did not start: %v\n%s", err, u.log)
	case <-time.After(patience):
		t.Fatalf("the relay is not ready\n%s", u.log)
	}
	u.mqtt, u.http = addrs[0], addrs[1]
	u.stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(patience):
			return fmt.Errorf("the relay does not stop")
		}
	})
	t.Cleanup(func() {
		if err := u.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
		if t.Failed() {
			t.Log(u.log)
		}
	})
	return u
}

// logBook is a log that tests can read.
type logBook struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// register is a till with a stock MQTT client, and its plug.
type register struct {
	t      testing.TB
	host   string
	client mqtt.Client
	socket net.Conn
}

func (u *unit) register(host string) *register {
	u.t.Helper()
	g := &register{t: u.t, host: host}
	o := mqtt.NewClientOptions().AddBroker("tcp://"+u.mqtt).SetClientID(host).SetProtocolVersion(4).
		SetAutoReconnect(false).SetConnectRetry(false).SetWill(beat.TopicGone+host, "", 1, false).
		SetCustomOpenConnectionFn(func(_ *url.URL, _ mqtt.ClientOptions) (net.Conn, error) {
			var err error
			g.socket, err = net.Dial("tcp", u.mqtt)
			return g.socket, err
		})
	g.client = mqtt.NewClient(o)
	wait(u.t, "connect", g.client.Connect())
	u.t.Cleanup(func() { g.client.Disconnect(0) })
	return g
}

func (g *register) beat(payload string) { g.publish(beat.TopicBeat+g.host, payload) }
func (g *register) publish(topic, payload string) {
	g.t.Helper()
	wait(g.t, "publish "+topic, g.client.Publish(topic, 1, false, payload))
}

// pull pulls the plug: a reset, no DISCONNECT.
func (g *register) pull() {
	_ = g.socket.(*net.TCPConn).SetLinger(0)
	_ = g.socket.Close()
}

func wait(t testing.TB, what string, tok mqtt.Token) {
	t.Helper()
	if !tok.WaitTimeout(patience) || tok.Error() != nil {
		t.Fatalf("%s: %v", what, tok.Error())
	}
}

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s", what)
		}
	}
}

func (u *unit) get(path string) (int, string) {
	u.t.Helper()
	resp, err := http.Get("http://" + u.http + path)
	if err != nil {
		u.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

func (u *unit) post(path, key, body string) (int, string) {
	u.t.Helper()
	req, _ := http.NewRequest(http.MethodPost, "http://"+u.http+path, strings.NewReader(body))
	req.Header.Set("x-api-key", key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		u.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	got, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, strings.TrimSpace(string(got))
}
