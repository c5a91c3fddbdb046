package broker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hb-mesh/hb-mesh/broker"
	"github.com/hb-mesh/hb-mesh/broker/credential"
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cloud/cloudtest"
	"github.com/hb-mesh/hb-mesh/cloud/local"
	"github.com/hb-mesh/hb-mesh/relay"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// wires are the network of a bubble: listeners by address, and pipes.
type wires struct {
	mu        sync.Mutex // guards listeners
	listeners map[string]*pipeListener
}

type pipeListener struct {
	addr   pipeAddr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

type pipeAddr string

func (a pipeAddr) Network() string { return "tcp" }
func (a pipeAddr) String() string  { return string(a) }

func (w *wires) listen(_, address string) (net.Listener, error) {
	l := &pipeListener{addr: pipeAddr(address), conns: make(chan net.Conn), closed: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listeners[address] = l
	return l, nil
}

func (w *wires) dial(ctx context.Context, _, address string) (net.Conn, error) {
	w.mu.Lock()
	l := w.listeners[address]
	w.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("dial %s: refused", address)
	}
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, fmt.Errorf("dial %s: refused", address)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return l.addr }

// keeper is a channel that remembers the titles of what it took.
type keeper struct {
	mu     sync.Mutex // guards what follows
	titles []string
	fails  bool
}

func (k *keeper) fail(fails bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fails = fails
}

func (k *keeper) Name() incident.Channel { return "kept" }

func (k *keeper) Publish(_ context.Context, m notice.Message) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fails {
		return errors.New("out of order")
	}
	k.titles = append(k.titles, m.Title)
	return nil
}

func (k *keeper) take() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := strings.Join(k.titles, "; ")
	k.titles = nil
	return out
}

const (
	mqttDoor, httpDoor = "127.0.0.1:1883", "127.0.0.1:8080"
	lanMQTT, lanHTTP   = "127.0.0.1:2883", "127.0.0.1:8090"
)

// uncounted is a table whose lease is not counted: it is renewed every 3 s,
// whatever beats.
type uncounted struct {
	*cloudtest.Counter
	plain table.Table
}

func (u uncounted) Write(ctx context.Context, w table.Write) error {
	if w.Item.PK == table.LeaseKey("").PK {
		return u.plain.Write(ctx, w)
	}
	return u.Counter.Write(ctx, w)
}

// An hour of steady beats, by a relay and directly, writes nothing to the
// table. A host's loss and return writes its notices, incident and history.
func TestSteadyBeatsWriteNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wires{listeners: map[string]*pipeListener{}}
		lo := local.DefaultOptions("", "us-east-1")
		lo.InMemory = true
		store, err := local.Open(lo)
		if err != nil {
			t.Fatal(err)
		}
		counter := cloudtest.NewCounter(store.Region("us-east-1"))
		kept := &keeper{}
		defer func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		}()
		defer run(t, w, counter, store.Region("us-east-1"), kept)()
		client := &http.Client{Transport: &http.Transport{DialContext: w.dial}}
		defer client.CloseIdleConnections()
		beats := func(from, to int) {
			for i := from; i <= to; i++ {
				post(t, client, lanHTTP, fmt.Sprintf(`{"hostId":"pos%d","intervalMs":60000}`, i))
			}
			post(t, client, httpDoor, `{"hostId":"till","intervalMs":60000}`)
		}
		minutes := func(n, from, to int) {
			for range n {
				beats(from, to)
				time.Sleep(time.Minute)
			}
		}
		minutes(3, 1, 20) // adopted, settled, saved
		counter.Reset()
		minutes(60, 1, 20)
		if c := counter.Reset(); c.Written() != 0 {
			t.Errorf("an hour of steady beats wrote %d items", c.Written())
		}
		minutes(3, 2, 20)
		if got := kept.take(); got != "Hosts missing [pos1]" {
			t.Errorf("told %q", got)
		}
		lost := counter.Reset()
		// The claim, its mark, the incident, the history entry, and the picture.
		if n := lost.Written(); n < 4 || n > 6 {
			t.Errorf("a loss wrote %d items: %+v", n, lost)
		}
		minutes(3, 1, 20)
		if got := kept.take(); got != "Hosts registered [pos1]" {
			t.Errorf("told %q", got)
		}
		back := counter.Reset()
		if n := back.Written(); n < 4 || n > 6 {
			t.Errorf("a return wrote %d items: %+v", n, back)
		}
	})
}

func post(t *testing.T, client *http.Client, door, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+door+"/v1/heartbeat", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-api-key", "key")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", door, resp.Status)
	}
}

// run starts one region and one store's relay; the function that it returns
// stops both.
func run(t *testing.T, w *wires, counter *cloudtest.Counter, plain table.Table, ch notice.Channel) func() {
	t.Helper()
	bo := broker.DefaultOptions()
	bo.Region, bo.Table, bo.Channels = "us-east-1", uncounted{counter, plain}, []notice.Channel{ch}
	bo.MQTTAddr, bo.HTTPAddr, bo.Listen, bo.Dial = mqttDoor, httpDoor, w.listen, w.dial
	bo.Keys = []credential.Static{
		{Request: credential.Request{Roles: []credential.Role{credential.Beat, credential.Admin}}, Text: "key"},
		{Request: credential.Request{Roles: []credential.Role{credential.Relay}}, Text: "word"},
	}
	b, err := broker.New(bo)
	if err != nil {
		t.Fatal(err)
	}
	ro := relay.DefaultOptions()
	ro.Store, ro.Relay, ro.DataDir, ro.MQTTAddr, ro.HTTPAddr = "demo", "r1", t.TempDir(), lanMQTT, lanHTTP
	ro.Regions = []relay.Region{{Name: beat.Region("us-east-1"), Address: "tcp://" + mqttDoor, Password: "word"}}
	ro.Listen, ro.Dial = w.listen, w.dial
	ro.NewHostsPerHour = 0 // all hosts come from one address here
	r, err := relay.New(ro)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := b.Run(ctx); err != nil {
			t.Errorf("broker: %v", err)
		}
	})
	<-b.Ready()
	wg.Go(func() {
		if err := r.Run(ctx); err != nil {
			t.Errorf("relay: %v", err)
		}
	})
	<-r.Ready()
	return func() {
		cancel()
		wg.Wait()
	}
}
