package peer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/peer"
	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

var (
	since  = time.Date(2025, 11, 24, 8, 12, 9, 0, time.UTC)
	secret = []byte("0123456789abcdef")
	quiet  = slog.New(slog.DiscardHandler)
)

// core is the other region's, in memory.
type core struct {
	mu        sync.Mutex
	questions []presence.Question
	tolds     []incident.ToldQuestion
	news      []presence.News
	term      int64
	verdicts  []presence.Verdict
	fails     error
	answers   chan struct{} // nil: at once
	entered   chan struct{} // where answers is not nil: a question waits
}

func (c *core) Received(ctx context.Context, r *wire.Request) (*wire.Response, error) {
	if c.answers != nil {
		c.entered <- struct{}{}
		select {
		case <-c.answers:
		case <-ctx.Done():
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &wire.Response{State: wire.State{Node: "n1", Settled: true, Sessions: 3, TableOK: true}}
	switch r.Kind {
	case wire.Ask:
		c.questions = append(c.questions, *r.Ask)
		a.Ask = &presence.Answer{Node: "w1", Term: 7, Stores: r.Ask.Stores, Hosts: r.Ask.Hosts}
	case wire.Told:
		c.tolds = append(c.tolds, *r.Told)
		a.Told = &incident.ToldAnswer{Node: "w1", Term: 7, Words: []incident.Telling{incident.TellingSent}}
	case wire.Heard:
		c.news = append(c.news, r.News...)
	case wire.Forward:
		c.verdicts = append(c.verdicts, r.Verdicts...)
	}
	return a, c.fails
}

func (c *core) Explain(_ context.Context, store beat.StoreID, host beat.HostID) (json.RawMessage, error) {
	return json.RawMessage(fmt.Sprintf(`{"of":"%s/%s"}`, store, host)), c.fails
}

func (c *core) Superseded(term int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.term = term
}

// hold lets requests wait until answers is closed.
func (c *core) hold() { c.answers, c.entered = make(chan struct{}), make(chan struct{}, 8) }

func ask(t *testing.T, c *peer.Client, q presence.Question) (presence.Answer, error) {
	t.Helper()
	a, err := c.Call(t.Context(), &wire.Request{Kind: wire.Ask, Ask: &q})
	if err != nil {
		return presence.Answer{}, err
	}
	return *a.Ask, nil
}

// link is a server of us-west-2, and a client of us-east-1.
type link struct {
	*core
	server  *peer.Server
	http    *httptest.Server
	client  *peer.Client
	metrics *peer.Metrics
}

func newLink(t *testing.T, client func(*peer.ClientOptions), server func(*peer.ServerOptions)) *link {
	t.Helper()
	l := &link{core: &core{}, metrics: peer.NewMetrics(prometheus.NewRegistry())}
	so := peer.DefaultServerOptions()
	so.Region, so.Peer, so.Secret = "us-west-2", "us-east-1", secret
	if server != nil {
		server(&so)
	}
	var err error
	if l.server, err = peer.NewServer(so, l.core, quiet, peer.NewMetrics(prometheus.NewRegistry())); err != nil {
		t.Fatal(err)
	}
	l.http = httptest.NewServer(l.server)
	t.Cleanup(l.http.Close)
	co := peer.DefaultClientOptions()
	co.Region, co.Peer, co.Secret, co.URL = "us-east-1", "us-west-2", secret, l.http.URL
	if client != nil {
		client(&co)
	}
	if l.client, err = peer.NewClient(co, quiet, l.metrics); err != nil {
		t.Fatal(err)
	}
	return l
}

func question() presence.Question {
	return presence.Question{
		From: "us-east-1", Node: "e1", Term: 3,
		Stores: []presence.StoreView{{Store: "demo", View: presence.ViewLost, Incarnation: beat.Incarnation{1, 2}, Epoch: 9, Since: since}},
		Hosts:  []presence.HostView{{Store: "demo", Host: "pos1", View: presence.ViewNever}},
	}
}

func verdict(i int) presence.Verdict {
	return presence.Verdict{
		Store: "demo", Host: beat.HostID(fmt.Sprintf("pos%d", i)), Condition: presence.HostMissing,
		Cause: presence.Cause{Incarnation: beat.Incarnation{1}, Number: uint64(i)}, Since: since,
		SeenFrom: []beat.Region{"us-east-1"}, Reason: presence.RelaySays, Message: "no paper",
	}
}

func TestWhatIsAskedAndToldArrivesWhole(t *testing.T) {
	l := newLink(t, nil, nil)
	a, err := ask(t, l.client, question())
	if err != nil {
		t.Fatal(err)
	}
	want := presence.Answer{Node: "w1", Term: 7, Stores: question().Stores, Hosts: question().Hosts}
	if !reflect.DeepEqual(a, want) || !reflect.DeepEqual(l.questions, []presence.Question{question()}) {
		t.Errorf("asked %v, answered %v", l.questions, a)
	}
	told := incident.ToldQuestion{From: "us-east-1", Node: "e1", Term: 3, Items: []incident.ToldItem{
		{Incident: "abc", K: 1, Kind: incident.StoreDown, Change: incident.Opened, Store: "demo"},
	}}
	ta, err := l.client.Call(t.Context(), &wire.Request{Kind: wire.Told, Told: &told})
	if err != nil || !reflect.DeepEqual(*ta.Told, incident.ToldAnswer{Node: "w1", Term: 7, Words: []incident.Telling{incident.TellingSent}}) {
		t.Errorf("told %v, %v", ta, err)
	}
	if !reflect.DeepEqual(l.tolds, []incident.ToldQuestion{told}) {
		t.Errorf("asked who tells: %v", l.tolds)
	}
	for _, r := range []*wire.Request{
		{Kind: wire.Heard, News: []presence.News{{Store: "demo", Host: "pos1"}, {Store: "demo", Host: "pos2", Forgotten: true}}},
		{Kind: wire.Forward, Verdicts: []presence.Verdict{verdict(1), verdict(2)}},
	} {
		if a, err := l.client.Call(t.Context(), r); err != nil || a.State.Node != "n1" {
			t.Errorf("%s: %+v, %v", r.Kind, a, err)
		}
	}
	if len(l.news) != 2 || !l.news[1].Forgotten || !reflect.DeepEqual(l.verdicts, []presence.Verdict{verdict(1), verdict(2)}) {
		t.Errorf("news %v, verdicts %v", l.news, l.verdicts)
	}
	why, err := l.client.Explain(t.Context(), "demo", "pos1")
	if err != nil || string(why) != `{"of":"demo/pos1"}` {
		t.Errorf("explained %s, %v", why, err)
	}
	if h := l.client.Health(); h.Problem != "" || h.LastAnswer.IsZero() {
		t.Errorf("health %v", h)
	}
}

func TestNoAnswerSaysWhy(t *testing.T) {
	for _, tt := range []struct {
		says   string
		client func(*peer.ClientOptions)
		server func(*peer.ServerOptions)
		core   func(*core)
		want   error
	}{
		{"a closed port does not answer", func(o *peer.ClientOptions) { o.URL = "http://127.0.0.1:1" }, nil, nil, peer.ErrUnanswered},
		{
			"a region behind a cut link does not answer",
			func(o *peer.ClientOptions) {
				o.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("cut") }
			}, nil, nil, peer.ErrUnanswered,
		},
		{
			"a silent region does not answer",
			func(o *peer.ClientOptions) { o.Timeout = 50 * time.Millisecond }, nil, (*core).hold, peer.ErrUnanswered,
		},
		{"another secret is refused", func(o *peer.ClientOptions) { o.Secret = []byte("fedcba9876543210") }, nil, nil, peer.ErrRefused},
		{"a region that is not the peer is refused", func(o *peer.ClientOptions) { o.Region = "eu-west-1" }, nil, nil, peer.ErrRefused},
		{"a call for another region is refused", func(o *peer.ClientOptions) { o.Peer = "eu-west-1" }, nil, nil, peer.ErrRefused},
		{
			"a clock that is 2 minutes slow is refused",
			func(o *peer.ClientOptions) { o.Now = func() time.Time { return time.Now().Add(-2 * time.Minute) } }, nil, nil, peer.ErrRefused,
		},
		{
			"so is one that is 2 minutes fast",
			nil, func(o *peer.ServerOptions) { o.Now = func() time.Time { return time.Now().Add(-2 * time.Minute) } }, nil, peer.ErrRefused,
		},
		{"a node that is not ready gives no answer", nil, nil, func(c *core) { c.fails = errors.New("standby") }, peer.ErrUnanswered},
	} {
		t.Run(tt.says, func(t *testing.T) {
			l := newLink(t, tt.client, tt.server)
			if tt.core != nil {
				tt.core(l.core)
			}
			if _, err := ask(t, l.client, question()); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if l.client.Health().Problem == "" {
				t.Error("the link's health has no problem")
			}
			result := map[error]string{peer.ErrRefused: "refused", peer.ErrUnanswered: "unanswered"}[tt.want]
			if got := testutil.ToFloat64(l.metrics.Calls.WithLabelValues("ask", result)); got != 1 {
				t.Errorf("%v calls were counted as %s", got, result)
			}
		})
	}
}

func TestAnAnswerThatIsNotTheRegionsIsNone(t *testing.T) {
	for says, answer := range map[string]http.HandlerFunc{
		"an answer without a signature": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"node":"x","term":99,"stores":[{"store":"demo","view":"open"}]}`)
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
	} {
		srv := httptest.NewServer(answer)
		l := newLink(t, func(o *peer.ClientOptions) { o.URL = srv.URL }, nil)
		if _, err := ask(t, l.client, question()); !errors.Is(err, peer.ErrRefused) {
			t.Errorf("%s: got %v, want ErrRefused", says, err)
		}
		srv.Close()
	}
}

func TestAPeerThatRestartedIsAskedAtOnce(t *testing.T) {
	l := newLink(t, nil, nil)
	if _, err := ask(t, l.client, question()); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		l.http.CloseClientConnections() // what a restart does to a kept connection
		if _, err := ask(t, l.client, question()); err != nil {
			t.Fatalf("a connection that the peer closed is no missing answer: %v", err)
		}
	}
}

func TestConnectionsAreKept(t *testing.T) {
	dials := 0
	l := newLink(t, func(o *peer.ClientOptions) {
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			dials++
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		}
	}, nil)
	for range 20 {
		if _, err := ask(t, l.client, question()); err != nil {
			t.Fatal(err)
		}
	}
	if dials != 1 {
		t.Errorf("%d connections for 20 questions, one after another", dials)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for says, change := range map[string]func(*peer.ClientOptions){
		"a short secret":  func(o *peer.ClientOptions) { o.Secret = []byte("short") },
		"no region":       func(o *peer.ClientOptions) { o.Region = "" },
		"two of one name": func(o *peer.ClientOptions) { o.Peer = o.Region },
		"no url":          func(o *peer.ClientOptions) { o.URL = "" },
		"another scheme":  func(o *peer.ClientOptions) { o.URL = "ftp://a" },
		"no time":         func(o *peer.ClientOptions) { o.Timeout = 0 },
	} {
		o := peer.DefaultClientOptions()
		o.Region, o.Peer, o.Secret, o.URL = "us-east-1", "us-west-2", secret, "http://127.0.0.1:1"
		change(&o)
		if _, err := peer.NewClient(o, quiet, peer.NewMetrics(prometheus.NewRegistry())); err == nil {
			t.Errorf("a client with %s is accepted", says)
		}
	}
	so := peer.DefaultServerOptions()
	so.Region, so.Peer, so.Secret = "us-east-1", "us-west-2", secret[:15]
	if _, err := peer.NewServer(so, &core{}, quiet, peer.NewMetrics(prometheus.NewRegistry())); err == nil {
		t.Error("a server with a short secret is accepted")
	}
}

// People see of the other region what it says of itself.
func TestHealthKnowsTheOtherRegionsState(t *testing.T) {
	l := newLink(t, nil, nil)
	if _, err := l.client.Call(t.Context(), &wire.Request{Kind: wire.Heard}); err != nil {
		t.Fatal(err)
	}
	if s := l.client.Health().State; !s.Settled || s.Sessions != 3 || !s.TableOK {
		t.Errorf("it knows %+v", s)
	}
	l.http.Close()
	if _, err := l.client.Call(t.Context(), &wire.Request{Kind: wire.Heard}); err == nil || l.client.Health().Problem == "" {
		t.Errorf("a region that is gone: %v", err)
	}
}

// Only a node of the same region may say that it took over.
func TestDrainIsForTheOwnRegion(t *testing.T) {
	l := newLink(t, nil, nil)
	if err := l.client.Drain(t.Context(), l.http.URL, 9); !errors.Is(err, peer.ErrRefused) || l.term != 0 {
		t.Errorf("the other region drained this node: %v, term %d", err, l.term)
	}
	o := peer.DefaultClientOptions()
	o.Region, o.Secret = "us-west-2", secret
	c, err := peer.NewClient(o, quiet, l.metrics)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Drain(t.Context(), l.http.URL, 9); err != nil || l.term != 9 {
		t.Errorf("%v, term %d", err, l.term)
	}
	if _, err := ask(t, c, question()); !errors.Is(err, peer.ErrUnanswered) {
		t.Errorf("a lone region was answered: %v", err)
	}
}
