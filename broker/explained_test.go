package broker // what a node knows of a store has no exported face

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/dashboard"
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

var update = flag.Bool("update", false, "write testdata/explanation.json anew")

// half is what one region decides with, in virtual time.
type half struct {
	t      *testing.T
	region beat.Region
	p      *presence.Presence
	b      *incident.Book
	fleet  *setting.Fleet
}

func newHalf(t *testing.T, region beat.Region, now beat.Now, said ...setting.Setting) *half {
	t.Helper()
	regions := []beat.Region{"us-east-1", "us-west-2"}
	p, b := presence.DefaultOptions(), incident.DefaultOptions()
	p.Region, p.Regions, p.Node, p.Term = region, regions, "node-1", 17
	b.Region, b.Regions, b.Node, b.Term, b.Channels = region, regions, "node-1", 17, []incident.Channel{"sns", "webhook"}
	h := &half{t: t, region: region, p: presence.New(p, now), b: incident.New(b)}
	items := make([]setting.Item, 0, len(said))
	for i := range said {
		if err := setting.NewCompiler().Validate(&said[i]); err != nil {
			t.Fatal(err)
		}
		items = append(items, setting.Item{Region: region, Setting: said[i]})
	}
	h.fleet = setting.Join(items)
	h.b.Step(now, &incident.Loaded{}, nil)
	h.b.Step(now, &incident.Settings{Fleet: h.fleet}, nil)
	h.b.Step(now, &incident.Lease{Until: time.Hour}, nil)
	h.p.Step(now, &presence.Settings{Fleet: h.fleet}, nil)
	return h
}

// do steps presence, and the book by its verdicts; the table and the channels
// take all.
func (h *half) do(now beat.Now, e presence.Event) {
	for _, o := range h.p.Step(now, e, nil) {
		if d, ok := o.(*presence.Decided); ok {
			h.tell(now, &incident.Decided{Verdict: d.Verdict})
		}
	}
	h.tell(now, nil)
}

func (h *half) tell(now beat.Now, e incident.Event) {
	for _, o := range h.b.Step(now, e, nil) {
		switch o := o.(type) {
		case *incident.Write:
			h.tell(now, &incident.Wrote{Op: o.Op, Result: incident.Done})
		case *incident.Publish:
			h.tell(now, &incident.Published{Op: o.Op, Result: incident.Done})
		}
	}
}

// known is core.known of it.
func (h *half) known(now beat.Now, store beat.StoreID, host beat.HostID) known {
	k := known{now: now.Wall, region: h.region, node: "node-1", term: 17, settled: h.p.Settled(), other: "us-west-2", peer: presence.PeerLives}
	if h.region == k.other {
		k.other = "us-east-1"
	}
	if s := h.fleet.Store(store); s != nil {
		k.pin = s.Pin
	}
	k.home = k.pin
	if k.pin == "" {
		k.home = presence.Home(store, []beat.Region{h.region, k.other})
	}
	k.look(now, h.p, h.b, store, host)
	return k
}

// The committed explanation, which the tests of hbctl and of the page show, is
// what the code says: of a host that is missing for both regions, in a store
// whose pin has reached one of them. Each region shows its own view of the home.
func TestTheCommittedExplanationIsWhatTheCodeSays(t *testing.T) {
	now := beat.Now{Mono: time.Second, Wall: time.Date(2026, 3, 1, 11, 40, 0, 0, time.UTC)}
	place := setting.Setting{Kind: setting.Declared, ID: "demo", Version: 1, At: now.Wall, By: "anna", Store: &setting.Declaration{Timezone: "Europe/Berlin"}}
	pin := setting.Setting{Kind: setting.Pin, ID: "demo", Version: 1, At: now.Wall, By: "anna", Pin: "us-west-2"}
	east, west := newHalf(t, "us-east-1", now, place), newHalf(t, "us-west-2", now, place, pin)
	report := func(h *half, kind beat.Kind, epoch beat.Epoch, seq beat.Seq, pos3 beat.HostState, number beat.Number, age time.Duration) {
		p := &beat.Picture{Hosts: []beat.HostReport{
			{Host: "pos1", State: beat.Up, Number: 1, IntervalMs: 30_000, AgeMs: 1500},
			{Host: "pos3", State: pos3, Number: number, IntervalMs: 30_000, AgeMs: uint64(age.Milliseconds())}, //nolint:gosec // small
		}}
		if pos3 == beat.Missing {
			p.Hosts[1].Reason = beat.ConnectionLost
		}
		there := []beat.Witness{{Region: "us-west-2", Session: true, AckAgeMs: 900}}
		if h == west {
			there[0].Region = "us-east-1"
		}
		h.do(now, &presence.Report{Conn: 1, Report: &beat.Report{
			V: beat.Wire, Kind: kind, Store: "demo", Relay: "r1", Incarnation: beat.Incarnation{1}, Boot: beat.Boot{1}, Epoch: epoch, Seq: seq,
			MonoMs: uint64(now.Mono.Milliseconds()), ReportEveryMs: 15_000, KeepaliveMs: 20_000, Software: "0.1.0", Picture: p, Hash: p.Hash(), Others: there, //nolint:gosec // small
		}})
	}
	seq := beat.Seq(1)
	both := func(d time.Duration, kind beat.Kind, pos3 beat.HostState, number beat.Number, age time.Duration) {
		now = now.Add(d)
		report(east, kind, 812, seq, pos3, number, age)
		report(west, kind, 640, seq, pos3, number, age)
		seq++
	}
	both(2*time.Second, beat.Birth, beat.Up, 2, time.Second)
	for range 48 { // 12 minutes
		both(15*time.Second, beat.Steady, beat.Up, 2, time.Second)
	}
	both(2*time.Second, beat.Steady, beat.Missing, 3, 3*time.Second)
	for i := range 31 {
		both(15*time.Second, beat.Steady, beat.Missing, 3, time.Duration(i+1)*15*time.Second+3*time.Second)
	}
	now = now.Add(2 * time.Second)
	east.do(now, nil)
	west.do(now, nil)

	there := west.known(now, "demo", "pos3")
	theirs := there.word()
	here := east.known(now, "demo", "pos3")
	e := here.explain(east.fleet, "demo", "pos3", &theirs)
	for i, want := range []string{"us-east-1", "us-west-2, pinned by an operator"} {
		if got := fact(&e.Evidence[i], "home"); got != want {
			t.Errorf("%s shows the home as %q, want %q", e.Evidence[i].Region, got, want)
		}
	}
	golden(t, "explanation.json", &e)
}

func fact(e *dashboard.Evidence, name string) string {
	for _, f := range e.Facts {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

func golden(t *testing.T, name string, v any) {
	t.Helper()
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetIndent("", " ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s differs; go test -update accepts it\n--- got\n%s--- want\n%s", path, got.Bytes(), want)
	}
}
