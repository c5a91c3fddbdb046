package dashboard_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/dashboard"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// event is one server-sent event; a comment has no name.
type event struct{ name, id, data string }

// listener reads the events of one stream into a channel, which is closed at
// the stream's end.
func listen(t *testing.T, url string, headers ...string) <-chan event {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("got %d %v", res.StatusCode, res.Header)
	}
	out := make(chan event, 1000)
	go func() {
		defer close(out)
		defer func() { _ = res.Body.Close() }()
		var e event
		for lines := bufio.NewReader(res.Body); ; {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			switch key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); key {
			case "event":
				e.name = value
			case "id":
				e.id = value
			case "data":
				e.data = value
			case "":
				out <- e
				e = event{}
			}
		}
	}()
	return out
}

// next waits for the next event of a name, past all others.
func next(t *testing.T, events <-chan event, name string) event {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case e, ok := <-events:
			if !ok {
				t.Fatalf("the stream ended before %q", name)
			}
			if e.name == name {
				return e
			}
		case <-deadline:
			t.Fatalf("no event %q", name)
		}
	}
}

func viewOf(t *testing.T, e event) dashboard.View {
	t.Helper()
	var v dashboard.View
	if err := json.Unmarshal([]byte(e.data), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// fast makes a server's stream quick enough for a test.
func fast(o *dashboard.Options) {
	o.Coalesce, o.Fresh, o.Heartbeat, o.Recheck = 10*time.Millisecond, 20*time.Millisecond, 50*time.Millisecond, 20*time.Millisecond
}

func serve(t *testing.T, s http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return srv.URL + "/v1/events"
}

func TestAStreamBringsTheViewAndThenEachChange(t *testing.T) {
	now := time.Now()
	f := demo(now)
	events := listen(t, serve(t, newServer(t, f, fast)))
	first := viewOf(t, next(t, events, "view"))
	if first.Summary.Headline != "1 store up · 8 hosts up" || !first.Stores[0].Open || len(first.Stores[0].Members) != 8 || !first.Stores[0].LastReport.IsZero() {
		t.Errorf("got %+v", first)
	}
	times := next(t, events, "times")
	var got dashboard.Times
	if err := json.Unmarshal([]byte(times.data), &got); err != nil || got.Stores["demo"].Report.IsZero() || len(got.Stores["demo"].Beats) != 8 {
		t.Errorf("got %v %s", err, times.data)
	}
	f.lose(now, 0)
	if v := viewOf(t, next(t, events, "view")); v.Summary.Headline != "1 host missing" || len(v.Incidents) != 1 || len(v.Notices) != 1 {
		t.Errorf("got %+v", v)
	}
}

func TestTimesAloneAreNoView(t *testing.T) {
	f := demo(time.Now())
	events := listen(t, serve(t, newServer(t, f, fast)))
	next(t, events, "view")
	for i := range 3 {
		f.quietly(func(f *fake) {
			f.stores[0].LastReport = time.Now().Add(time.Duration(i) * time.Second)
			f.overview.Regions[1].HeardAt = time.Now()
		})
		for {
			e := <-events
			if e.name == "view" {
				t.Fatal("a view for times alone")
			}
			if e.name == "times" {
				break
			}
		}
	}
}

func TestAStormOfChangesIsCoalesced(t *testing.T) {
	f := demo(time.Now())
	events := listen(t, serve(t, newServer(t, f, func(o *dashboard.Options) {
		fast(o)
		o.Coalesce, o.Fresh, o.Heartbeat = 100*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
	})))
	next(t, events, "view")
	stop := time.Now().Add(500 * time.Millisecond)
	for i := 0; time.Now().Before(stop); i++ {
		f.set(func(f *fake) { f.hosts["demo"][0].Message = fmt.Sprint(i) })
		time.Sleep(time.Millisecond)
	}
	f.set(func(f *fake) { f.hosts["demo"][0].Message = "last" })
	views := 0
	for {
		v := viewOf(t, next(t, events, "view"))
		views++
		if v.Stores[0].Members[0].Message == "last" {
			break
		}
	}
	if views > 8 {
		t.Errorf("got %d views of about 500 changes in 500 ms", views)
	}
}

func TestAQuietStreamShowsThatItLives(t *testing.T) {
	events := listen(t, serve(t, newServer(t, demo(time.Now()), fast)))
	next(t, events, "times")
	next(t, events, "")
	next(t, events, "")
}

func TestAStreamThatComesBackGetsNothingTwice(t *testing.T) {
	now := time.Now()
	f := demo(now)
	url := serve(t, newServer(t, f, fast))
	had := next(t, listen(t, url), "view").id
	events := listen(t, url, "Last-Event-ID", had)
	for e := range events {
		if e.name == "view" {
			t.Fatal("the same view twice")
		}
		if e.name == "same" {
			break
		}
	}
	f.lose(now, 1)
	if e := next(t, listen(t, url, "Last-Event-ID", had), "view"); e.id == had {
		t.Error("a changed view with the old id")
	}
}

func TestPicturesAreWantedOfWhatIsSeenAndNotTooOften(t *testing.T) {
	now := time.Now()
	f := demo(now)
	f.set(func(f *fake) {
		for i := range 9 {
			id := beat.StoreID(fmt.Sprintf("s%d", i))
			f.stores = append(f.stores, store(now, id, 1))
			f.hosts[id] = []dashboard.Host{{Store: id, Host: "a"}}
		}
	})
	var clock atomic.Int64
	url := serve(t, newServer(t, f, func(o *dashboard.Options) {
		fast(o)
		o.Now = func() time.Time { return now.Add(time.Duration(clock.Load())) }
	}))
	one, two := listen(t, url+"?open=s3"), listen(t, url+"?open=s3")
	for range 5 {
		f.set(func(f *fake) { f.overview.Activity[0].Text += "." })
		clock.Add(int64(time.Second / 2))
		next(t, one, "view")
		next(t, two, "view")
	}
	if got := fmt.Sprint(f.wanted()); got != "[[s3]]" {
		t.Errorf("in 2.5 s: wanted %s", got)
	}
	clock.Add(int64(3 * time.Second))
	f.set(func(f *fake) { f.overview.Activity[0].Text += "." })
	next(t, one, "view")
	next(t, two, "view")
	if got := fmt.Sprint(f.wanted()); got != "[[s3] [s3]]" {
		t.Errorf("after 5.5 s: wanted %s", got)
	}
}

func TestAViewIsBoundedAndProblemsComeFirst(t *testing.T) {
	now := time.Now()
	f := fleet(now)
	url := serve(t, newServer(t, f, func(o *dashboard.Options) { fast(o); o.MaxStores = 10 }))
	v := viewOf(t, next(t, listen(t, url+"?open=store-1150"), "view"))
	got := ""
	for _, s := range v.Stores {
		got += string(s.Store.Store)[6:] + " "
	}
	if v.Found != 1200 || v.Summary.Stores.Total != 1200 || !strings.HasPrefix(got, "0017 0401 0090 0120 0140 0130 0099 ") || len(v.Stores) != 11 {
		t.Errorf("found %d, listed %s", v.Found, got)
	}
	if last := v.Stores[10]; last.Store.Store != "store-1150" || !last.Open || len(last.Members) != 8 {
		t.Errorf("got %+v", last)
	}
	v = viewOf(t, next(t, listen(t, url+"?q=STORE-007+up"), "view"))
	if v.Found != 10 || len(v.Stores) != 10 || v.Stores[0].Open {
		t.Errorf("found %d: %+v", v.Found, v.Stores)
	}
}

func TestAStreamEndsWithItsKeyAndWithTheNode(t *testing.T) {
	var revoked atomic.Bool
	s := newServer(t, demo(time.Now()), func(o *dashboard.Options) {
		fast(o)
		o.Authorize = func(r *http.Request) dashboard.Access {
			return dashboard.Access{Read: !revoked.Load() || r.Header.Get("X-Api-Key") == "other"}
		}
	})
	url := serve(t, s)
	mine, other := listen(t, url, "x-api-key", "mine"), listen(t, url, "x-api-key", "other")
	next(t, mine, "view")
	next(t, other, "view")
	revoked.Store(true)
	if e := next(t, mine, "end"); !strings.Contains(e.data, "no longer valid") {
		t.Errorf("got %s", e.data)
	}
	s.Close()
	if e := next(t, other, "end"); !strings.Contains(e.data, "stops") {
		t.Errorf("got %s", e.data)
	}
	wantProblem(t, call(s, "GET", "/v1/events", "", "x-api-key", "other"), 503, "stops")
}

func TestLivePagesAreCountedAndBounded(t *testing.T) {
	s := newServer(t, demo(time.Now()), func(o *dashboard.Options) { fast(o); o.MaxStreams = 1 })
	url := serve(t, s)
	next(t, listen(t, url), "view")
	w := call(s, "GET", "/v1/events", "")
	wantProblem(t, w, 503, "too many")
	if w.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestAStreamOutlivesTheServersTimeouts(t *testing.T) {
	srv := httptest.NewUnstartedServer(newServer(t, demo(time.Now()), fast))
	srv.Config.ReadTimeout, srv.Config.WriteTimeout = 50*time.Millisecond, 50*time.Millisecond
	srv.Start()
	t.Cleanup(srv.Close)
	events := listen(t, srv.URL+"/v1/events")
	next(t, events, "view")
	for range 6 {
		next(t, events, "") // a heartbeat comes each 50 ms
	}
}
