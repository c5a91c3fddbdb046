package peer_test

import (
	"context"
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
	from      beat.Region
	verdicts  []presence.Verdict
	fails     error
	answers   chan struct{} // nil: at once
	entered   chan struct{} // where answers is not nil: a question waits
}

func (c *core) Asked(ctx context.Context, q presence.Question) (presence.Answer, error) {
	if c.answers != nil {
		c.entered <- struct{}{}
		select {
		case <-c.answers:
		case <-ctx.Done():
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.questions = append(c.questions, q)
	return presence.Answer{Node: "w1", Term: 7, Stores: q.Stores, Hosts: q.Hosts}, c.fails
}

// hold lets questions wait until answers is closed.
func (c *core) hold() { c.answers, c.entered = make(chan struct{}), make(chan struct{}, 8) }

func (c *core) Told(_ context.Context, q incident.ToldQuestion) (incident.ToldAnswer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tolds = append(c.tolds, q)
	return incident.ToldAnswer{Node: "w1", Term: 7, Words: []incident.Telling{incident.TellingSent}}, c.fails
}

func (c *core) Heard(news []presence.News) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.news = append(c.news, news...)
	return c.fails
}

func (c *core) State() peer.State {
	return peer.State{Node: "n1", Settled: true, Sessions: 3, TableOK: true}
}

func (c *core) Forwarded(from beat.Region, verdicts []presence.Verdict) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.from = from
	c.verdicts = append(c.verdicts, verdicts...)
	return c.fails
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
	co.Backoff, co.BackoffCap = time.Millisecond, 5*time.Millisecond
	if client != nil {
		client(&co)
	}
	if l.client, err = peer.NewClient(co, quiet, l.metrics); err != nil {
		t.Fatal(err)
	}
	return l
}

// run runs the client until the test ends.
func (l *link) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := l.client.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

// eventually polls until it holds, for 10 s.
func (l *link) eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		l.mu.Lock()
		ok := holds()
		l.mu.Unlock()
		if ok {
			return
		}
	}
	t.Fatalf("%s: not within 10 s", what)
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
	l.run(t)
	a, err := l.client.Ask(t.Context(), question())
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
	ta, err := l.client.Told(t.Context(), told)
	if err != nil || !reflect.DeepEqual(ta, incident.ToldAnswer{Node: "w1", Term: 7, Words: []incident.Telling{incident.TellingSent}}) {
		t.Errorf("told %v, %v", ta, err)
	}
	if !reflect.DeepEqual(l.tolds, []incident.ToldQuestion{told}) {
		t.Errorf("asked who tells: %v", l.tolds)
	}
	l.client.Tell([]presence.News{{Store: "demo", Host: "pos1"}, {Store: "demo", Host: "pos2", Forgotten: true}})
	l.client.Forward([]presence.Verdict{verdict(1), verdict(2)})
	l.eventually(t, "news and verdicts arrive", func() bool { return len(l.news) == 2 && len(l.verdicts) == 2 })
	if !l.news[1].Forgotten || l.from != "us-east-1" || !reflect.DeepEqual(l.verdicts, []presence.Verdict{verdict(1), verdict(2)}) {
		t.Errorf("news %v, verdicts of %s %v", l.news, l.from, l.verdicts)
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
			if _, err := l.client.Ask(t.Context(), question()); !errors.Is(err, tt.want) {
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
		if _, err := l.client.Ask(t.Context(), question()); !errors.Is(err, peer.ErrRefused) {
			t.Errorf("%s: got %v, want ErrRefused", says, err)
		}
		srv.Close()
	}
}

func TestVerdictsAreForwardedUntilAcknowledged(t *testing.T) {
	var mu sync.Mutex
	failures := 5
	l := newLink(t, func(o *peer.ClientOptions) {
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			if failures--; failures >= 0 {
				return nil, errors.New("cut")
			}
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		}
	}, nil)
	const n = 2*peer.MaxBatch + 10
	var all []presence.Verdict
	for i := range n {
		all = append(all, verdict(i))
	}
	l.client.Forward(all)
	l.run(t)
	l.eventually(t, "the verdicts arrive", func() bool { return len(l.verdicts) == n })
	if !reflect.DeepEqual(l.verdicts, all) {
		t.Error("they are out of order")
	}
}

func TestNewsAreSentOnce(t *testing.T) {
	var mu sync.Mutex
	cut := true
	l := newLink(t, func(o *peer.ClientOptions) {
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			if cut {
				return nil, errors.New("cut")
			}
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		}
	}, nil)
	l.run(t)
	l.client.Tell([]presence.News{{Store: "demo", Host: "late"}})
	l.eventually(t, "news that cannot be sent are dropped", func() bool { return testutil.ToFloat64(l.metrics.Dropped.WithLabelValues("heard")) == 1 })
	mu.Lock()
	cut = false
	mu.Unlock()
	l.client.Tell([]presence.News{{Store: "demo", Host: "fresh"}})
	l.eventually(t, "fresh news arrive", func() bool { return len(l.news) > 0 })
	if l.news[0].Host != "fresh" {
		t.Errorf("got %v", l.news)
	}
}

func TestAFullQueueDropsItsOldest(t *testing.T) {
	l := newLink(t, func(o *peer.ClientOptions) { o.Queue = 3 }, nil)
	for i := range 5 {
		l.client.Forward([]presence.Verdict{verdict(i)})
	}
	if got := testutil.ToFloat64(l.metrics.Dropped.WithLabelValues("forward")); got != 2 {
		t.Errorf("%v were dropped, want 2", got)
	}
	l.run(t)
	l.eventually(t, "the rest arrives", func() bool { return len(l.verdicts) == 3 })
	if l.verdicts[0].Host != "pos2" {
		t.Errorf("got %v, want the newest 3", l.verdicts)
	}
}

func TestAPeerThatRestartedIsAskedAtOnce(t *testing.T) {
	l := newLink(t, nil, nil)
	if _, err := l.client.Ask(t.Context(), question()); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		l.http.CloseClientConnections() // what a restart does to a kept connection
		if _, err := l.client.Ask(t.Context(), question()); err != nil {
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
		if _, err := l.client.Ask(t.Context(), question()); err != nil {
			t.Fatal(err)
		}
	}
	if dials != 1 {
		t.Errorf("%d connections for 20 questions, one after another", dials)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for says, change := range map[string]func(*peer.ClientOptions){
		"a short secret":     func(o *peer.ClientOptions) { o.Secret = []byte("short") },
		"no region":          func(o *peer.ClientOptions) { o.Region = "" },
		"two of one name":    func(o *peer.ClientOptions) { o.Peer = o.Region },
		"no url":             func(o *peer.ClientOptions) { o.URL = "" },
		"another scheme":     func(o *peer.ClientOptions) { o.URL = "ftp://a" },
		"a queue of nothing": func(o *peer.ClientOptions) { o.Queue = 0 },
		"no backoff":         func(o *peer.ClientOptions) { o.Backoff = 0 },
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

func TestHealthIsKnownThoughThereIsNothingToSay(t *testing.T) {
	l := newLink(t, func(o *peer.ClientOptions) { o.ProbeEvery = 5 * time.Millisecond }, nil)
	l.run(t)
	l.eventually(t, "the other region answers", func() bool { h := l.client.Health(); return !h.LastAnswer.IsZero() && h.Problem == "" })
	l.http.Close()
	l.eventually(t, "the other region is known to be gone", func() bool { return l.client.Health().Problem != "" })
	if len(l.news) != 0 {
		t.Errorf("the probes brought news: %v", l.news)
	}
}

// People see of the other region what it says of itself.
func TestHealthKnowsTheOtherRegionsState(t *testing.T) {
	l := newLink(t, func(o *peer.ClientOptions) { o.ProbeEvery = 10 * time.Millisecond }, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.client.Run(ctx) }()
	for end := time.Now().Add(5 * time.Second); l.client.Health().State.Node == "" && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	if s := l.client.Health().State; !s.Settled || s.Sessions != 3 || !s.TableOK {
		t.Errorf("it knows %+v", s)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
