package dashboard_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/dashboard"
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/operator"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/cloud/local"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// withDesk is a server whose operators' settings are in a table in memory, as
// the region us-east-1 of two has it; settings are written in home.
func withDesk(t *testing.T, f *fake, home beat.Region) *dashboard.Server {
	t.Helper()
	lo := local.DefaultOptions("", "us-east-1", "us-west-2")
	lo.InMemory = true
	store, err := local.Open(lo)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	o := operator.DefaultOptions()
	o.Region, o.SettingsRegion, o.Regions = "us-east-1", home, []beat.Region{"us-east-1", "us-west-2"}
	o.Table = store.Region("us-east-1")
	desk, err := operator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := desk.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return newServer(t, f, func(o *dashboard.Options) { o.Declarations, o.Rules, o.Explainer = desk, desk, explainer{} })
}

// because is a reason that names other stores in what its operator wrote.
const because = "silenced by secret agent until 14:00 UTC: works at secret-7"

type explainer struct{}

func (explainer) Explain(_ context.Context, store beat.StoreID, host beat.HostID) (dashboard.Explanation, error) {
	if store != "demo" {
		return dashboard.Explanation{}, dashboard.ErrNotFound
	}
	return dashboard.Explanation{
		Region: "us-east-1", Store: store, Host: host, State: "missing", Says: []string{"demo/pos3 is missing."},
		Evidence: []dashboard.Evidence{{Region: "us-east-1", Facts: []dashboard.Fact{{Name: "host-missing", Value: "FBI68NC9TI6NGFHJ3BGLOFH3AG, k 1, not told: " + because}}}},
		Next:     []dashboard.Expected{{What: "demo is not told to people yet: then it is " + because}},
	}, nil
}

func TestAStoreIsDeclared(t *testing.T) {
	s := withDesk(t, demo(time.Now()), "us-east-1")
	wantProblem(t, call(s, "GET", "/v1/stores/alex", ""), 404, "not declared")
	body := `{"by":"anna","timezone":"Europe/Berlin","tags":{"city":"Berlin"},"pin":"us-west-2","hosts":{"pos1":{"interval":"30s"}}}`
	w := call(s, "PUT", "/v1/stores/alex", body, "x-api-key", "admin")
	d := decode[operator.Declared](t, w)
	if w.Code != 200 || d.Version != 1 || d.By != "anna" || d.Pin != "us-west-2" || d.Hosts["pos1"].Interval != "30s" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if again := call(s, "GET", "/v1/stores/alex", ""); again.Body.String() != w.Body.String() {
		t.Errorf("got %s, want %s", again.Body, w.Body)
	}
	if w := call(s, "PUT", "/v1/stores/alex/pin", `{"region":"none"}`, "x-api-key", "admin"); w.Code != 204 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	p := decode[dashboard.Page[operator.Declared]](t, call(s, "GET", "/v1/declared", ""))
	if len(p.Items) != 1 || p.Items[0].Pin != "" || p.Items[0].Tags["city"] != "Berlin" {
		t.Errorf("%+v", p)
	}
}

func TestAFileIsApplied(t *testing.T) {
	s := withDesk(t, demo(time.Now()), "us-east-1")
	body := `{"stores":{"alex":{"tags":{"a":"b"}},"bob":{}},"dryRun":true}`
	dry := decode[operator.Applied](t, call(s, "POST", "/v1/stores:apply", body, "x-api-key", "admin"))
	if !dry.DryRun || len(dry.Changes) != 2 || dry.Changes[0].Action != "create" {
		t.Errorf("%+v", dry)
	}
	wantProblem(t, call(s, "POST", "/v1/stores:apply", `{"stores":{"alex":{"hours":{"mon":["x"]},"timezone":"UTC"}}}`, "x-api-key", "admin"), 422, "stores.alex: hours: sun is not said")
	wantProblem(t, call(s, "POST", "/v1/stores:apply", `{"stores":{}}`, "x-api-key", "admin"), 422, "1 to 50000 stores")
	wantProblem(t, call(s, "POST", "/v1/stores:apply", `{"shops":{}}`, "x-api-key", "admin"), 400, "shops")
	wantProblem(t, call(s, "POST", "/v1/stores:apply", body, "x-api-key", "store-admin"), 403, "key of the fleet")
	wantProblem(t, call(s, "POST", "/v1/stores:apply", body, "x-api-key", "reader"), 403, "admin")
}

func TestTheOtherRegionSaysWhereSettingsAreWritten(t *testing.T) {
	s := withDesk(t, demo(time.Now()), "us-west-2")
	wantProblem(t, call(s, "PUT", "/v1/stores/alex", `{}`, "x-api-key", "admin"), 409, "written in us-west-2, and this is us-east-1")
	// A silence is taken by either.
	if w := call(s, "POST", "/v1/silences", `{"stores":["alex"],"for":"2h"}`, "x-api-key", "admin"); w.Code != 201 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// A key of one store sees the rules that are about it, and of none which other
// stores there are; of the regions it sees that they work.
func TestAKeyOfOneStoreReadsNothingOfOthers(t *testing.T) {
	f := demo(time.Now())
	f.lose(time.Now(), 2)
	f.set(func(f *fake) {
		f.overview.Incidents[0].Waits = "not told: " + because
		f.overview.Incidents[0].Held = &dashboard.Held{Kind: "silence", Why: because}
		f.overview.Notices = []dashboard.Notice{{
			ID: "N1", Title: "Hosts missing [pos3]", Text: "People are not told: " + because + ".\n\nHosts missing in store demo: pos3.\n",
			Items: []incident.Item{{Kind: incident.HostMissing, Change: incident.Opened, Store: "demo", Host: "pos3"}},
		}}
	})
	s := withDesk(t, f, "us-east-1")
	for path, body := range map[string]string{"PUT /v1/stores/demo": `{"tags":{"brand":"burger"}}`, "PUT /v1/stores/other": `{"tags":{"brand":"pizza"}}`} {
		method, url, _ := strings.Cut(path, " ")
		if w := call(s, method, url, body, "x-api-key", "admin"); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	for _, body := range []string{
		`{"stores":["demo","secret-*","other"],"for":"1h","why":"secret works"}`, `{"tags":{"brand":"burger"},"for":"1h","why":"secret works","by":"secret agent"}`,
		`{"kinds":["host-missing"],"hosts":["secret-*","pos?"],"for":"1h","why":"secret works"}`, `{"stores":["demo"],"for":"1h","why":"floor works","by":"anna"}`, `{"stores":["other"],"for":"1h","why":"theirs"}`,
		`{"tags":{"brand":"pizza"},"for":"1h","why":"theirs"}`, `{"stores":["demo"],"hosts":["secret-pos"],"for":"1h","why":"theirs"}`,
	} {
		if w := call(s, "POST", "/v1/silences", body, "x-api-key", "admin"); w.Code != 201 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	w := call(s, "GET", "/v1/silences", "", "x-api-key", "store-admin")
	rules := decode[dashboard.Page[setting.Rule]](t, w)
	if text := w.Body.String(); len(rules.Items) != 4 || strings.Count(text, "floor works") != 1 || !strings.Contains(text, `"by":"anna"`) || !strings.Contains(text, `"hosts":["pos?"]`) || strings.Contains(text, "secret") || strings.Contains(text, "other") || strings.Contains(text, "pizza") {
		t.Errorf("%s", w.Body)
	}
	for path, want := range map[string]string{
		"/v1/incidents?open=true": "silenced", "/v1/notices": "People are not told: silenced", "/v1/explain?store=demo": "then it is silenced", "/v1/summary": "1 host missing",
	} {
		w := call(s, "GET", path, "", "x-api-key", "store-admin")
		if text := w.Body.String(); w.Code != 200 || !strings.Contains(text, want) || strings.Contains(text, "secret") {
			t.Errorf("%s: %d %s", path, w.Code, text)
		}
		if full := call(s, "GET", path, "", "x-api-key", "reader").Body.String(); path != "/v1/summary" && !strings.Contains(full, "secret-7") {
			t.Errorf("%s: a key of the fleet: %s", path, full)
		}
	}
	regions := call(s, "GET", "/v1/regions", "", "x-api-key", "store-admin").Body.String()
	for _, of := range []string{"sessions", "channels", `"node"`, "url"} {
		if strings.Contains(regions, of) {
			t.Errorf("%s is shown: %s", of, regions)
		}
	}
	if full := call(s, "GET", "/v1/regions", "", "x-api-key", "reader").Body.String(); !strings.Contains(full, "sessions") {
		t.Errorf("a key of the fleet: %s", full)
	}
}

func TestRulesBeginAndEnd(t *testing.T) {
	now := time.Now()
	f := demo(now)
	f.lose(now, 2, 3)
	s := withDesk(t, f, "us-east-1")
	for _, c := range []struct{ list, begin, end, body string }{
		{"/v1/silences", "/v1/silences", "/v1/silences/", `{"stores":["demo"],"hosts":["pos3"],"for":"2h","why":"floor works","by":"anna"}`},
		{"/v1/maintenance", "/v1/maintenance", "/v1/maintenance/", `{"stores":["demo"],"for":"2h","by":"anna"}`},
		{"/v1/pauses", "/v1/pauses", "/v1/pauses/", `{"for":"1h","by":"anna"}`},
		{"/v1/acks", "/v1/incidents/I-POS3/ack", "/v1/acks/", `{"why":"on it","by":"anna"}`},
	} {
		w := call(s, "POST", c.begin, c.body, "x-api-key", "admin")
		made := decode[setting.Rule](t, w)
		if w.Code != 201 || made.By != "anna" || made.ID == "" {
			t.Fatalf("%s: %d %s", c.begin, w.Code, w.Body)
		}
		list := decode[dashboard.Page[setting.Rule]](t, call(s, "GET", c.list, ""))
		if len(list.Items) != 1 || list.Items[0].ID != made.ID {
			t.Errorf("%s: %+v", c.list, list)
		}
		if w := call(s, "DELETE", c.end+made.ID+"?by=bob", "", "x-api-key", "admin"); w.Code != 204 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		wantProblem(t, call(s, "DELETE", c.end+made.ID, "", "x-api-key", "admin"), 404, "over")
	}
	for body, want := range map[string]string{
		`{"for":"2h"}`: "a pause is for everything", `{"stores":["demo"]}`: "needs an end",
		`{"stores":["demo"],"for":"soon"}`: "duration", `{"stores":["demo"],"for":"1h","until":"2030-01-01T00:00:00Z"}`: "without until",
		`{"stores":["demo"],"kinds":["host-mising"],"for":"1h"}`: `"host-mising" is no kind of incident; there are host-missing, host-failing`,
	} {
		wantProblem(t, call(s, "POST", "/v1/silences", body, "x-api-key", "admin"), 422, want)
	}
	wantProblem(t, call(s, "POST", "/v1/incidents/other/ack", `{}`, "x-api-key", "admin"), 404, "not open")
	for name, want := range map[string]string{
		"i-po": `"i-po" begins the ids of 2 open incidents: i-pos3 (host-missing demo/pos3), i-pos4 (host-missing demo/pos4)`,
		"i-p":  "not open",
	} {
		p := decode[dashboard.Problem](t, call(s, "POST", "/v1/incidents/"+name+"/ack", `{}`, "x-api-key", "admin"))
		if !strings.Contains(p.Detail, want) {
			t.Errorf("%s: %q, want %q", name, p.Detail, want)
		}
	}
	audit := decode[dashboard.Page[operator.Audit]](t, call(s, "GET", "/v1/audit", ""))
	if len(audit.Items) != 8 || audit.Items[0].Action != "end ack" || audit.Items[0].Who != "bob" || audit.Items[0].Key != "admin" || audit.Items[0].From == "" {
		t.Errorf("%+v", audit)
	}
}

func TestExplain(t *testing.T) {
	s := withDesk(t, demo(time.Now()), "us-east-1")
	e := decode[dashboard.Explanation](t, call(s, "GET", "/v1/explain?store=demo&host=pos3", ""))
	if e.Host != "pos3" || len(e.Says) != 1 || e.Evidence == nil || e.Next == nil {
		t.Errorf("%+v", e)
	}
	wantProblem(t, call(s, "GET", "/v1/explain?store=other", ""), 404, "not found")
	wantProblem(t, call(s, "GET", "/v1/explain", ""), 400, "store id")
	wantProblem(t, call(s, "GET", "/v1/explain?store=demo&host=%20", ""), 400, "host id")
	none := newServer(t, demo(time.Now()), nil)
	for _, path := range []string{"explain?store=demo", "declared", "stores/demo", "silences", "audit"} {
		if w := call(none, "GET", "/v1/"+path, ""); w.Code != 501 {
			t.Errorf("%s: %d %s", path, w.Code, strings.TrimSpace(w.Body.String()))
		}
	}
}

// A rule of nothing that is there is taken, since its store may be still to come,
// and answered with a warning, since its name may be mistyped.
func TestARuleOfNothingIsWarnedOf(t *testing.T) {
	s := withDesk(t, demo(time.Now()), "us-east-1")
	if w := call(s, "PUT", "/v1/stores/alex", `{"tags":{"city":"Berlin"},"hosts":{"kds1":{"tags":{"kind":"kds"}}}}`, "x-api-key", "admin"); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for body, want := range map[string]string{
		`"stores":["dmeo"]`: "it matches no store now", `"stores":["demo"]`: "", `"stores":["alex"]`: "", `"stores":["*"]`: "",
		`"stores":["demo"],"hosts":["pos9"]`: "it matches no host now", `"stores":["demo"],"hosts":["pos*"]`: "", `"stores":["alex"],"hosts":["kds1"]`: "",
		`"tags":{"city":"Berln"}`: "it matches no store now", `"tags":{"city":"Berlin"}`: "", `"tags":{"kind":"kds"}`: "",
		`"kinds":["host-*"]`: "",
	} {
		w := call(s, "POST", "/v1/silences", `{`+body+`,"for":"1h"}`, "x-api-key", "admin")
		got := decode[struct{ Warning string }](t, w)
		if w.Code != 201 || got.Warning != want {
			t.Errorf("%s: %d %q, want 201 %q", body, w.Code, got.Warning, want)
		}
	}
}
