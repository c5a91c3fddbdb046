package dashboard_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/dashboard"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// call does one request on localhost; headers are pairs.
func call(s http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "localhost:8080"
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func decode[T any](t *testing.T, w *httptest.ResponseRecorder) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %q", err, w.Body)
	}
	return v
}

func wantProblem(t *testing.T, w *httptest.ResponseRecorder, status int, detail string) {
	t.Helper()
	if ct := w.Header().Get("Content-Type"); w.Code != status || ct != "application/problem+json" {
		t.Fatalf("got %d, %s: %s; want problem %d", w.Code, ct, w.Body, status)
	}
	p := decode[dashboard.Problem](t, w)
	if p.Status != status || p.Title != http.StatusText(status) || !strings.Contains(p.Detail, detail) {
		t.Fatalf("got %+v, want %d with %q", p, status, detail)
	}
}

func TestAHostHasTheFieldsOfTheContract(t *testing.T) {
	now := time.Date(2026, 1, 31, 3, 12, 7, 500e6, time.UTC)
	f := demo(now)
	w := call(newServer(t, f, nil), "GET", "/v1/hosts?store=demo&limit=1", "")
	want := `{"items":[{"store":"demo","host":"pos1","state":"up","intervalMs":5000,"lastBeat":"2026-01-31T03:12:07.5Z",` +
		`"via":"relay","since":"2026-01-31T00:12:07.5Z"}],"next":"ZGVtbwBwb3Mx"}`
	if got := strings.TrimSpace(w.Body.String()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestListsGoOnWhereTheTokenSays(t *testing.T) {
	now := time.Now()
	f := demo(now)
	f.set(func(f *fake) {
		for i := range 30 {
			id := beat.StoreID(fmt.Sprintf("s%02d", i))
			f.stores = append(f.stores, store(now, id, 2))
			f.stores[i+1].Hosts.Missing = 1
			f.hosts[id] = []dashboard.Host{{Store: id, Host: "b"}, {Store: id, Host: "a"}, {Store: id, Host: "a.b", State: beat.Missing}}
		}
	})
	s := newServer(t, f, nil)
	for _, list := range []struct {
		url  string
		want int
	}{
		{"/v1/hosts?limit=7", 98}, {"/v1/hosts?limit=1", 98}, {"/v1/hosts?limit=1000", 98}, {"/v1/hosts?limit=4&state=missing", 30},
		{"/v1/stores?limit=4", 31}, {"/v1/stores?limit=4&q=s1", 10}, {"/v1/stores?state=down&limit=3", 0},
	} {
		got, last, next := 0, "", ""
		for {
			w := call(s, "GET", list.url+"&next="+next, "")
			p := decode[dashboard.Page[map[string]any]](t, w)
			for _, item := range p.Items {
				name := fmt.Sprint(item["store"], "\x00", item["host"])
				if name <= last {
					t.Fatalf("%s: %q after %q", list.url, name, last)
				}
				last = name
				got++
			}
			if next = p.Next; next == "" {
				break
			}
		}
		if got != list.want {
			t.Errorf("%s: got %d items, want %d", list.url, got, list.want)
		}
	}
}

func TestIncidentsAreTheNewestFirstAndCanBeOpenOnes(t *testing.T) {
	now := time.Now()
	f := demo(now)
	f.lose(now, 2, 5)
	f.set(func(f *fake) { f.overview.Incidents[0].Open = false })
	s := newServer(t, f, nil)
	all := decode[dashboard.Page[dashboard.Incident]](t, call(s, "GET", "/v1/incidents", ""))
	open := decode[dashboard.Page[dashboard.Incident]](t, call(s, "GET", "/v1/incidents?open=true&store=demo", ""))
	if len(all.Items) != 2 || all.Items[0].Host != "pos6" || len(open.Items) != 1 || open.Items[0].Host != "pos6" || open.Items[0].Home != "us-east-1" {
		t.Errorf("got %+v and %+v", all, open)
	}
}

func TestEveryListAnswersInTheSameForm(t *testing.T) {
	f := demo(time.Now())
	f.set(func(f *fake) { f.overview.Activity, f.overview.Incidents = nil, nil })
	s := newServer(t, f, nil)
	for _, path := range []string{"regions", "stores", "hosts", "incidents", "notices", "activity", "history?store=demo", "keys"} {
		w := call(s, "GET", "/v1/"+path, "", "x-api-key", "admin")
		var page struct {
			Items *[]any  `json:"items"`
			Next  *string `json:"next"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || page.Items == nil || page.Next == nil {
			t.Errorf("%s: got %d %s", path, w.Code, w.Body)
		}
		if w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got headers %v", path, w.Header())
		}
	}
}

func TestBadQuestionsGetAProblemThatSaysWhatIsWrong(t *testing.T) {
	f := demo(time.Now())
	s := newServer(t, f, nil)
	for _, bad := range []struct {
		url    string
		status int
		detail string
	}{
		{"/v1/stores?limit=0", 400, "limit"}, {"/v1/stores?limit=1001", 400, "limit"}, {"/v1/stores?limit=x", 400, "limit"},
		{"/v1/stores?next=%25", 400, "next"}, {"/v1/hosts?store=Demo", 400, "store id"}, {"/v1/hosts?store=", 400, "store id"},
		{"/v1/hosts?store=other", 404, "no such store"}, {"/v1/hosts?state=dead", 400, "host state"}, {"/v1/incidents?open=yes", 400, "open"}, {"/v1/stores?state=dwn", 400, "unknown, up, suspect, down"},
		{"/v1/history", 400, "store id"}, {"/v1/history?store=demo&day=today", 400, "date"},
	} {
		wantProblem(t, call(s, "GET", bad.url, ""), bad.status, bad.detail)
	}
}

func TestHistoryIsReadByDayAndPage(t *testing.T) {
	day := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	f := demo(day)
	for i := range 5 {
		f.history = append(f.history, dashboard.Entry{At: day.Add(time.Duration(i) * time.Hour), Store: "demo", Host: "pos1", State: beat.Missing, Number: beat.Number(i + 1)})
	}
	s := newServer(t, f, nil)
	first := decode[dashboard.Page[dashboard.Entry]](t, call(s, "GET", "/v1/history?store=demo&day=2026-01-31&limit=3", ""))
	rest := decode[dashboard.Page[dashboard.Entry]](t, call(s, "GET", "/v1/history?store=demo&day=2026-01-31&limit=3&next="+first.Next, ""))
	if len(first.Items) != 3 || len(rest.Items) != 2 || rest.Items[0].Number != 4 || rest.Next != "" {
		t.Errorf("got %+v and %+v", first, rest)
	}
	f.quietly(func(f *fake) { f.err = fmt.Errorf("query: %w", dashboard.ErrUnavailable) })
	wantProblem(t, call(s, "GET", "/v1/history?store=demo", ""), 503, "try again")
	f.quietly(func(f *fake) { f.err = errors.New("secret detail") })
	if w := call(s, "GET", "/v1/history?store=demo", ""); w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestAHostIsForgottenByAnAdminOnly(t *testing.T) {
	f := demo(time.Now())
	s := newServer(t, f, nil)
	const path = "/v1/stores/demo/hosts/pos3"
	wantProblem(t, call(s, "DELETE", path, "", "x-api-key", "reader"), 403, "role admin")
	wantProblem(t, call(s, "DELETE", path, "", "x-api-key", "guess"), 403, "")
	wantProblem(t, call(s, "DELETE", "/v1/stores/demo/hosts/nobody", "", "x-api-key", "admin"), 404, "nobody")
	wantProblem(t, call(s, "DELETE", "/v1/stores/demo/hosts/-", "", "x-api-key", "admin"), 400, "host id")
	wantProblem(t, call(s, "DELETE", "/v1/stores/other/hosts/pos3", "", "x-api-key", "store-admin"), 403, "bound to store demo")
	for _, key := range []string{"admin", "store-admin"} {
		if w := call(s, "DELETE", path, "", "x-api-key", key); w.Code != 204 {
			t.Errorf("%s: got %d %s", key, w.Code, w.Body)
		}
	}
	if got := strings.Join(f.forgot, "; "); got != "demo/pos3 by admin; demo/pos3 by store-admin" {
		t.Errorf("forgot %s", got)
	}
}

func TestKeysAreMadeShownOnceAndRevoked(t *testing.T) {
	s := newServer(t, demo(time.Now()), nil)
	w := call(s, "POST", "/v1/keys", `{"name":"till 3","roles":["beat"],"store":"demo"}`, "x-api-key", "admin")
	made := decode[dashboard.NewKey](t, w)
	if w.Code != 201 || made.Secret != "s3cret" || made.ID != "k1-by-admin" || made.Store != "demo" {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	if list := call(s, "GET", "/v1/keys", "", "x-api-key", "admin").Body.String(); !strings.Contains(list, "till 3") || strings.Contains(list, "s3cret") {
		t.Errorf("got %s", list)
	}
	if w := call(s, "DELETE", "/v1/keys/"+made.ID, "", "x-api-key", "admin"); w.Code != 204 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	wantProblem(t, call(s, "DELETE", "/v1/keys/"+made.ID, "", "x-api-key", "admin"), 404, "")
	wantProblem(t, call(s, "GET", "/v1/keys", "", "x-api-key", "reader"), 403, "role admin")
	wantProblem(t, call(s, "POST", "/v1/keys", `{"roles":["admin"]}`, "x-api-key", "store-admin"), 403, "fleet")
	for _, bad := range []struct {
		body   string
		status int
	}{
		{``, 400}, {`{`, 400}, {`{"roles":["beat"],"rolls":1}`, 400}, {`{"roles":["beat"]} x`, 400}, {`{"roles":[]}`, 422},
		{`{"roles":["beat"],"store":"A"}`, 422}, {`{"roles":["relay"],"store":"a","relay":"B"}`, 422}, {`{"name":"` + strings.Repeat("x", 5000) + `"}`, 400},
	} {
		wantProblem(t, call(s, "POST", "/v1/keys", bad.body, "x-api-key", "admin"), bad.status, "")
	}
}

func TestTheDoorIsShutToStrangers(t *testing.T) {
	f := demo(time.Now())
	s := newServer(t, f, func(o *dashboard.Options) { o.Names = []string{"Mesh.Example"} })
	for _, name := range []string{"localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "10.0.0.7", "mesh.example:443", "MESH.example."} {
		if w := call(s, "GET", "/v1/stores", "", "Host", name); w.Code != 200 {
			t.Errorf("%s: got %d", name, w.Code)
		}
	}
	wantProblem(t, call(s, "GET", "/v1/stores", "", "Host", "rebound.attacker.example"), 421, "localhost")
	if w := call(s, "GET", "/v1/stores", "", "Host", "lb.example", "x-api-key", "reader"); w.Code != 200 {
		t.Errorf("a key needs no name: got %d", w.Code)
	}

	shut := newServer(t, f, func(o *dashboard.Options) { o.Authorize = keyed })
	wantProblem(t, call(shut, "GET", "/v1/stores", ""), 401, "x-api-key")
	wantProblem(t, call(shut, "GET", "/v1/events", ""), 401, "x-api-key")
	wantProblem(t, call(shut, "GET", "/v1/stores", "", "x-api-key", "guess"), 403, "not valid")
	if w := call(shut, "GET", "/", ""); w.Code != 200 {
		t.Errorf("the page itself is open: got %d", w.Code)
	}
}

func TestAStrangersPageChangesNothingWithOurVisitorsRights(t *testing.T) {
	all := func(*http.Request) dashboard.Access { return dashboard.Access{Admin: true} }
	f := demo(time.Now())
	s := newServer(t, f, func(o *dashboard.Options) { o.Authorize = all })
	const path = "/v1/stores/demo/hosts/pos3"
	wantProblem(t, call(s, "DELETE", path, ""), 403, dashboard.RequestHeader)
	wantProblem(t, call(s, "DELETE", path, "", dashboard.RequestHeader, "1", "Sec-Fetch-Site", "cross-site"), 403, "another site")
	wantProblem(t, call(s, "DELETE", path, "", dashboard.RequestHeader, "1", "Origin", "http://attacker.example"), 403, "another site")
	if len(f.forgot) != 0 {
		t.Fatalf("forgot %v", f.forgot)
	}
	if w := call(s, "DELETE", path, "", dashboard.RequestHeader, "1", "Sec-Fetch-Site", "same-origin"); w.Code != 204 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestAKeyOfOneStoreSeesThatStoreOnly(t *testing.T) {
	now := time.Now()
	f := demo(now)
	f.lose(now, 2)
	f.set(func(f *fake) {
		f.stores = append(f.stores, dashboard.Store{Store: "other", State: "down"})
		f.hosts["other"] = []dashboard.Host{{Store: "other", Host: "x"}}
		f.overview.Activity = append(f.overview.Activity, dashboard.Activity{Store: "other", Text: "secret"})
		n := f.overview.Notices[0]
		n.ID += "2"
		n.Items = append(n.Items[:1:1], n.Items[0])
		n.Items[1].Store = "other"
		f.overview.Notices = append(f.overview.Notices, n)
	})
	s := newServer(t, f, func(o *dashboard.Options) { o.Authorize = keyed })
	key := []string{"x-api-key", "store-admin"}
	for path, want := range map[string]int{"stores": 1, "hosts": 8, "incidents": 1, "notices": 1, "activity": 2} {
		if got := decode[dashboard.Page[any]](t, call(s, "GET", "/v1/"+path, "", key...)); len(got.Items) != want {
			t.Errorf("%s: got %d items, want %d", path, len(got.Items), want)
		}
	}
	wantProblem(t, call(s, "GET", "/v1/hosts?store=other", "", key...), 404, "no such store")
	wantProblem(t, call(s, "GET", "/v1/history?store=other", "", key...), 403, "bound")
	if got := decode[dashboard.Summary](t, call(s, "GET", "/v1/summary", "", key...)); got.Headline != "1 host missing" || got.Stores.Total != 1 {
		t.Errorf("got %+v", got)
	}
}

// What a reader asks costs no more than the answer: a search is cut as the
// page's is, and only the stores that have such hosts are asked for them.
func TestAQuestionIsBounded(t *testing.T) {
	now := time.Now()
	f := demo(now)
	f.lose(now, 2)
	f.set(func(f *fake) {
		for i := range 30 {
			f.stores = append(f.stores, store(now, beat.StoreID(fmt.Sprintf("s%02d", i)), 2), store(now, beat.StoreID(fmt.Sprintf("empty%02d", i)), 0))
		}
	})
	o := &countingSource{fake: f}
	s := newServer(t, f, func(opt *dashboard.Options) { opt.Source = o })
	if got := decode[dashboard.Page[dashboard.Host]](t, call(s, "GET", "/v1/hosts?state=missing", "")); len(got.Items) != 1 || o.asked != 1 {
		t.Errorf("%d hosts, %d stores were asked", len(got.Items), o.asked)
	}
	o.asked = 0
	if got := decode[dashboard.Page[dashboard.Host]](t, call(s, "GET", "/v1/hosts?limit=1000", "")); len(got.Items) != 8 || o.asked != 31 {
		t.Errorf("all: %d hosts, %d stores were asked", len(got.Items), o.asked)
	}
	o.asked = 0
	if w := call(s, "GET", "/v1/hosts?store=empty07", ""); w.Code != 200 || o.asked != 1 {
		t.Errorf("one store: %d, %d stores were asked", w.Code, o.asked)
	}
	long := strings.Repeat("demo+", 50) + "nothing"
	if got := decode[dashboard.Page[dashboard.Store]](t, call(s, "GET", "/v1/stores?q="+long, "")); len(got.Items) != 1 {
		t.Errorf("%d stores answer a search of which only the beginning counts", len(got.Items))
	}
}

// countingSource counts the stores that are asked for their hosts.
type countingSource struct {
	*fake
	asked int
}

func (s *countingSource) Hosts(store beat.StoreID) ([]dashboard.Host, bool) {
	s.asked++
	return s.fake.Hosts(store)
}

// A reading that took long for a reason that is not its own, a lock or a process
// that was stopped, is not shown for minutes.
func TestAReadingIsNotKeptForLong(t *testing.T) {
	for what, slow := range map[string]func(reads int) time.Duration{
		"the Source is waited for": func(int) time.Duration { return 10 * time.Second },
		"the process is stopped":   func(int) time.Duration { return 0 },
	} {
		now, pause, reads := time.Now(), time.Duration(0), 0
		f := demo(now)
		o := &slowSource{fake: f, read: func() { reads++; now = now.Add(slow(reads)) }}
		clock := func() time.Time { now = now.Add(pause); return now }
		s := newServer(t, f, func(opt *dashboard.Options) { opt.Source, opt.Now = o, clock })
		if what == "the process is stopped" {
			pause = 20 * time.Second
		}
		call(s, "GET", "/v1/summary", "")
		pause = 0
		f.set(func(f *fake) { f.stores = append(f.stores, dashboard.Store{Store: "new", State: "down"}) })
		now = now.Add(5 * time.Second)
		if got := decode[dashboard.Summary](t, call(s, "GET", "/v1/summary", "")); got.Stores.Total != 2 {
			t.Errorf("%s: a reading of %d stores is shown 5 s later", what, got.Stores.Total)
		}
	}
}

// slowSource moves the clock while it is read.
type slowSource struct {
	*fake
	read func()
}

func (s *slowSource) Stores() []dashboard.Store {
	s.read()
	return s.fake.Stores()
}

// A backup holds all stores and all keys: a key of one store does not get it.
func TestABackupTakesAKeyOfTheFleet(t *testing.T) {
	f := demo(time.Now())
	s := newServer(t, f, func(o *dashboard.Options) {
		o.Backup = func(w io.Writer) error {
			_, err := io.WriteString(w, "all of it")
			return err
		}
	})
	for _, key := range []string{"store-admin", "reader"} {
		wantProblem(t, call(s, "GET", "/v1/backup", "", "x-api-key", key), 403, "admin")
	}
	wantProblem(t, call(s, "GET", "/v1/backup", "", dashboard.RequestHeader, "1"), 401, "x-api-key")
	if w := call(s, "GET", "/v1/backup", "", "x-api-key", "admin"); w.Code != 200 || w.Body.String() != "all of it" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	none := newServer(t, f, nil)
	wantProblem(t, call(none, "GET", "/v1/backup", "", "x-api-key", "admin"), 404, "backup")
}

func TestWhatANodeHasNotIsSaid(t *testing.T) {
	s := newServer(t, demo(time.Now()), func(o *dashboard.Options) { o.Archive, o.Keys, o.Operator = nil, nil, nil })
	wantProblem(t, call(s, "GET", "/v1/history?store=demo", ""), 501, "history")
	wantProblem(t, call(s, "GET", "/v1/keys", ""), 501, "keys")
	wantProblem(t, call(s, "DELETE", "/v1/stores/demo/hosts/pos1", "", "x-api-key", "admin"), 501, "")
}

func TestThePageIsServedWithItsScriptsAndStrictHeaders(t *testing.T) {
	s := newServer(t, demo(time.Now()), func(o *dashboard.Options) { o.Scripts = []string{"/demo/switches.js"} })
	w := call(s, "GET", "/", "")
	body := w.Body.String()
	app, extra := strings.Index(body, `src="/assets/app.js"`), strings.Index(body, `<script type="module" src="/demo/switches.js"></script>`)
	if w.Code != 200 || app < 0 || extra < app {
		t.Errorf("got %d %s", w.Code, body)
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'self';") || strings.Contains(csp, "unsafe") {
		t.Errorf("got policy %q", csp)
	}
	js := call(s, "GET", "/assets/app.js", "")
	if js.Code != 200 || !strings.HasPrefix(js.Header().Get("Content-Type"), "text/javascript") || js.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("got %d %v", js.Code, js.Header())
	}
	if again := call(s, "GET", "/assets/app.js", "", "If-None-Match", js.Header().Get("ETag")); again.Code != 304 {
		t.Errorf("got %d", again.Code)
	}
	if w := call(s, "GET", "/assets/none.js", ""); w.Code != 404 {
		t.Errorf("got %d", w.Code)
	}
}

func TestWrongOptionsAreRefused(t *testing.T) {
	for what, change := range map[string]func(*dashboard.Options){
		"source":    func(o *dashboard.Options) { o.Source = nil },
		"authorize": func(o *dashboard.Options) { o.Authorize = nil },
		"logger":    func(o *dashboard.Options) { o.Logger = nil },
		"coalesce":  func(o *dashboard.Options) { o.Coalesce = 0 },
		"streams":   func(o *dashboard.Options) { o.MaxStreams = 0 },
		"script":    func(o *dashboard.Options) { o.Scripts = []string{"https://cdn.example/x.js"} },
		"host":      func(o *dashboard.Options) { o.Scripts = []string{"//cdn.example/x.js"} },
	} {
		o := dashboard.DefaultOptions()
		o.Source, o.Authorize, o.Logger = demo(time.Now()), open, discard()
		change(&o)
		if _, err := dashboard.New(o); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}
