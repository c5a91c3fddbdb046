package broker_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hb-mesh/hb-mesh/broker"
	"github.com/hb-mesh/hb-mesh/broker/credential"
	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cloud/local"
)

// region is one region's processes in a bubble: each node has doors of its own.
type region struct {
	t     *testing.T
	wires *wires
	table *local.Store
	kept  *keeper
}

func newRegion(t *testing.T) *region {
	t.Helper()
	lo := local.DefaultOptions("", "us-east-1")
	lo.InMemory = true
	store, err := local.Open(lo)
	if err != nil {
		t.Fatal(err)
	}
	return &region{t: t, wires: &wires{listeners: map[string]*pipeListener{}}, table: store, kept: &keeper{}}
}

// running is one process; stop ends it, and says how it ended.
type running struct {
	b    *broker.Broker
	door string
	stop func() error
}

func (r *region) start(name, mqtt, web string, tb table.Table) *running {
	r.t.Helper()
	o := broker.DefaultOptions()
	o.Region, o.Node, o.Table, o.Channels = "us-east-1", name, tb, []notice.Channel{r.kept}
	o.MQTTAddr, o.HTTPAddr, o.Listen, o.Dial, o.NodeURL = mqtt, web, r.wires.listen, r.wires.dial, "http://"+web
	o.PeerSecret = []byte("0123456789abcdef")
	o.Keys = []credential.Static{{Request: credential.Request{Roles: []credential.Role{credential.Beat, credential.Admin}}, Text: "key"}}
	b, err := broker.New(o)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	var once sync.Once
	var end error
	go func() { done <- b.Run(ctx) }()
	return &running{b: b, door: web, stop: func() error {
		once.Do(func() {
			cancel()
			end = <-done
		})
		return end
	}}
}

func (r *region) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: r.wires.dial, DisableKeepAlives: true}}
}

// status is what a node's door says of itself.
func (r *region) status(n *running) (int, string) {
	r.t.Helper()
	client := r.client()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://"+n.door+"/v1/status", http.NoBody)
	if err != nil {
		r.t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	var said struct{ Message string }
	if err := json.Unmarshal(body, &said); err != nil {
		r.t.Fatalf("%s: %v", body, err)
	}
	return resp.StatusCode, said.Message
}

// pair is an active node and its standby.
func (r *region) pair() (active, standby *running) {
	active = r.start("a", "127.0.0.1:1", "127.0.0.1:2", r.table.Region("us-east-1"))
	<-active.b.Ready()
	standby = r.start("b", "127.0.0.1:3", "127.0.0.1:4", r.table.Region("us-east-1"))
	time.Sleep(time.Minute)
	return active, standby
}

// A standby says so, and shuts the relays' door; a clean stop hands over at
// once, and so does the way back.
func TestStandbyTakesOverFromACleanStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegion(t)
		defer func() { _ = r.table.Close() }()
		a, b := r.pair()
		if code, said := r.status(b); code != http.StatusServiceUnavailable || said != "standby" {
			t.Errorf("the standby says %d %q", code, said)
		}
		if code, said := r.status(a); code != http.StatusOK || said != "OK" {
			t.Errorf("the active one says %d %q", code, said)
		}
		if _, err := r.wires.dial(t.Context(), "tcp", "127.0.0.1:3"); err == nil {
			t.Error("the standby's MQTT door is open")
		}
		if err := a.stop(); err != nil {
			t.Fatal(err)
		}
		stopped := time.Now()
		<-b.b.Ready()
		if took := time.Since(stopped); took > 4*time.Second {
			t.Errorf("the standby took over after %v", took)
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// held is a replica that a node can be cut from.
type held struct {
	table.Table
	mu  sync.Mutex // guards cut
	cut bool
}

func (h *held) set(cut bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cut = cut
}

func (h *held) Write(ctx context.Context, w table.Write) error {
	h.mu.Lock()
	cut := h.cut
	h.mu.Unlock()
	if cut {
		return table.ErrUnavailable
	}
	return h.Table.Write(ctx, w)
}

// A node that cannot renew its lease is replaced after 10 s; the standby tells
// it so, and it ends.
func TestANodeThatCannotRenewIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegion(t)
		defer func() { _ = r.table.Close() }()
		h := &held{Table: r.table.Region("us-east-1")}
		a := r.start("a", "127.0.0.1:1", "127.0.0.1:2", h)
		<-a.b.Ready()
		b := r.start("b", "127.0.0.1:3", "127.0.0.1:4", r.table.Region("us-east-1"))
		time.Sleep(30 * time.Second)
		h.set(true)
		cut := time.Now()
		<-b.b.Ready()
		if took := time.Since(cut); took < 7*time.Second || took > 17*time.Second {
			t.Errorf("the standby took over after %v", took)
		}
		time.Sleep(time.Second)
		if err := a.stop(); !errors.Is(err, broker.ErrSuperseded) {
			t.Errorf("the older node ended with %v", err)
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// A process that starts under the name of the active node takes over at once:
// it is the same node, restarted.
func TestTheSameNodeRestartsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegion(t)
		defer func() { _ = r.table.Close() }()
		a := r.start("a", "127.0.0.1:1", "127.0.0.1:2", r.table.Region("us-east-1"))
		<-a.b.Ready()
		time.Sleep(5 * time.Second)
		began := time.Now()
		again := r.start("a", "127.0.0.1:3", "127.0.0.1:4", r.table.Region("us-east-1"))
		<-again.b.Ready()
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("it took %v", took)
		}
		time.Sleep(5 * time.Second)
		if err := a.stop(); !errors.Is(err, broker.ErrSuperseded) {
			t.Errorf("the older one ended with %v", err)
		}
		if err := again.stop(); err != nil {
			t.Fatal(err)
		}
	})
}
