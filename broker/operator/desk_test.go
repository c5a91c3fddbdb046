package operator_test

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/operator"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cloud/local"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

var anna = operator.Actor{Key: "k1", Name: "anna", From: "10.0.0.7"}

// pair is two regions' desks on one store, and a clock that the test moves.
type pair struct {
	east, west *operator.Desk
	mu         sync.Mutex // guards now while a desk works
	now        time.Time
	changed    []beat.StoreID
	store      *local.Store
}

func newPair(t *testing.T) *pair {
	t.Helper()
	o := local.DefaultOptions("", "us-east-1", "us-west-2")
	o.InMemory = true
	store, err := local.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	p := &pair{now: time.Date(2126, 6, 1, 12, 0, 0, 0, time.UTC), store: store}
	p.east, p.west = p.desk(t, "us-east-1", store.Region("us-east-1")), p.desk(t, "us-west-2", store.Region("us-west-2"))
	return p
}

func (p *pair) desk(t *testing.T, region beat.Region, tb table.Table) *operator.Desk {
	t.Helper()
	o := operator.DefaultOptions()
	o.Region, o.SettingsRegion, o.Regions, o.Table = region, "us-east-1", []beat.Region{"us-east-1", "us-west-2"}, tb
	o.Now = func() time.Time {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.now = p.now.Add(time.Microsecond)
		return p.now
	}
	o.OnFleet = func(_ *setting.Fleet, changed []beat.StoreID, _ bool) { p.changed = changed }
	d, err := operator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

// refresh lets the regions' items arrive, and the desk's time come.
func (p *pair) refresh(t *testing.T, d *operator.Desk) {
	t.Helper()
	for p.store.Pending() > 0 {
		runtime.Gosched()
	}
	p.now = p.now.Add(10 * time.Second)
	if err := d.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func entry(tags string) setting.Entry {
	return setting.Entry{Declaration: setting.Declaration{Tags: map[string]string{"city": tags}}}
}

func TestWhatIsAppliedHereIsKnownThere(t *testing.T) {
	p := newPair(t)
	plan := operator.Plan{Stores: map[beat.StoreID]setting.Entry{"alex": entry("Berlin"), "bob": entry("Bonn")}}
	plan.DryRun = true
	dry, err := p.east.Apply(t.Context(), anna, plan)
	if err != nil || len(dry.Changes) != 2 || p.east.Fleet().Len() != 0 {
		t.Fatalf("dry run: %+v, %v", dry, err)
	}
	plan.DryRun = false
	did, err := p.east.Apply(t.Context(), anna, plan)
	if err != nil || !reflect.DeepEqual(did.Changes, dry.Changes) || did.Failed != 0 {
		t.Fatalf("%+v, %v", did, err)
	}
	p.refresh(t, p.west)
	if s := p.west.Fleet().Store("alex"); s == nil || s.Tags["city"] != "Berlin" || s.Version != 1 || !reflect.DeepEqual(p.changed, []beat.StoreID{"alex", "bob"}) {
		t.Fatalf("%+v, changed %v", s, p.changed)
	}
	plan.Stores = map[beat.StoreID]setting.Entry{"alex": entry("Ulm"), "carl": {Pin: "us-west-2"}}
	plan.Prune = true
	did, err = p.east.Apply(t.Context(), anna, plan)
	want := []operator.Change{
		{Store: "alex", Action: "update", Keys: []string{"tags"}}, {Store: "carl", Action: "create", Keys: []string{"pin"}}, {Store: "bob", Action: "remove"},
	}
	if err != nil || !reflect.DeepEqual(did.Changes, want) {
		t.Fatalf("%+v, %v", did.Changes, err)
	}
	p.refresh(t, p.west)
	f := p.west.Fleet()
	if f.Store("bob") != nil || f.Store("alex").Tags["city"] != "Ulm" || f.Store("alex").Version != 2 || f.Store("carl").Pin != "us-west-2" {
		t.Errorf("%+v %+v %+v", f.Store("bob"), f.Store("alex"), f.Store("carl"))
	}
	// Without a word about its pin a store keeps it, and once more changes nothing.
	did, err = p.east.Apply(t.Context(), anna, operator.Plan{Stores: map[beat.StoreID]setting.Entry{"carl": {}, "alex": entry("Ulm")}})
	if err != nil || len(did.Changes) != 0 || did.Same != 2 {
		t.Errorf("%+v, %v", did, err)
	}
	is, ok := p.west.Declared("carl")
	if !ok || is.Pin != "us-west-2" || is.Version != 1 || is.By != "anna" {
		t.Errorf("%+v", is)
	}
}

func TestStoresAreWrittenThroughOneRegion(t *testing.T) {
	p := newPair(t)
	if _, err := p.west.Apply(t.Context(), anna, operator.Plan{}); !errors.Is(err, operator.ErrElsewhere) || !strings.Contains(err.Error(), "us-east-1") {
		t.Errorf("apply: %v", err)
	}
	if err := p.west.SetPin(t.Context(), anna, "alex", "us-west-2"); !errors.Is(err, operator.ErrElsewhere) {
		t.Errorf("pin: %v", err)
	}
	if err := p.east.SetPin(t.Context(), anna, "alex", "mars"); !errors.Is(err, operator.ErrInvalid) {
		t.Errorf("pin to an unknown region: %v", err)
	}
}

func TestASilenceBeginsInOneRegionAndEndsInTheOther(t *testing.T) {
	p := newPair(t)
	r, err := p.west.Begin(t.Context(), anna, setting.Rule{
		Kind: setting.Silence, Match: setting.Match{Stores: []string{"alex"}}, Until: p.now.Add(2 * time.Hour), Why: "floor works",
	})
	if err != nil {
		t.Fatal(err)
	}
	p.refresh(t, p.east)
	about := setting.Subject{Store: "alex", Host: "pos1"}
	if h := p.east.Fleet().Hush(about, p.now); h.Why != "silenced by anna until 14:00 UTC: floor works" {
		t.Fatalf("%+v", h)
	}
	if err := p.east.End(t.Context(), anna, setting.Silence, r.ID); err != nil {
		t.Fatal(err)
	}
	p.refresh(t, p.west)
	if h := p.west.Fleet().Hush(about, p.now); h.Held() || len(p.west.Rules()) != 0 {
		t.Errorf("%+v", h)
	}
	if err := p.west.End(t.Context(), anna, setting.Silence, r.ID); !errors.Is(err, operator.ErrNotFound) {
		t.Errorf("a second end: %v", err)
	}
	for _, bad := range []setting.Rule{
		{Kind: setting.Silence, Until: p.now.Add(time.Hour)},
		{Kind: setting.Pause, Until: p.now.Add(-time.Hour), From: p.now.Add(-2 * time.Hour)},
		{Kind: setting.Pause, Until: p.now.AddDate(0, 0, 8)},
	} {
		if _, err := p.west.Begin(t.Context(), anna, bad); !errors.Is(err, operator.ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	lines, err := p.west.Audited(t.Context(), p.now)
	if err != nil || len(lines) != 2 || lines[0].Action != "end silence" || lines[0].Region != "us-east-1" || lines[1].Who != "anna" || lines[1].From != "10.0.0.7" ||
		!strings.Contains(lines[1].What[0], "floor works") {
		t.Errorf("%+v, %v", lines, err)
	}
}

// Who got no answer asks again, in either region: it is one rule by the id that the
// caller gave it.
func TestARuleThatIsMadeTwiceIsOne(t *testing.T) {
	p := newPair(t)
	rule := setting.Rule{ID: "01m8", Kind: setting.Silence, Match: setting.Match{Stores: []string{"alex"}}, Until: p.now.Add(2 * time.Hour)}
	first, err := p.west.Begin(t.Context(), anna, rule)
	if err != nil || first.ID != "01m8" {
		t.Fatal(first, err)
	}
	later := rule
	later.Until = later.Until.Add(time.Second) // "for 2h", said a moment later
	if again, err := p.west.Begin(t.Context(), anna, later); err != nil || !again.Until.Equal(first.Until) {
		t.Errorf("again: %+v, %v", again, err)
	}
	if _, err := p.east.Begin(t.Context(), anna, later); err != nil { // it has not heard of the first yet
		t.Error(err)
	}
	p.refresh(t, p.east)
	p.refresh(t, p.west)
	for _, d := range []*operator.Desk{p.east, p.west} {
		if rules := d.Rules(); len(rules) != 1 {
			t.Errorf("%+v", rules)
		}
	}
	other := rule
	other.Stores = []string{"bob"}
	if _, err := p.west.Begin(t.Context(), anna, other); !errors.Is(err, operator.ErrConflict) {
		t.Errorf("another rule of that id: %v", err)
	}
	if err := p.east.End(t.Context(), anna, setting.Silence, rule.ID); err != nil {
		t.Fatal(err)
	}
	p.refresh(t, p.west)
	if _, err := p.west.Begin(t.Context(), anna, rule); !errors.Is(err, operator.ErrConflict) || len(p.west.Rules()) != 0 {
		t.Errorf("one that was ended: %v", err)
	}
	rule.ID = "../x"
	if _, err := p.west.Begin(t.Context(), anna, rule); !errors.Is(err, operator.ErrInvalid) {
		t.Errorf("an id that is none: %v", err)
	}
}

// A node that was away reads what it missed, and a newer document is set aside.
func TestANewNodeKnowsAll(t *testing.T) {
	p := newPair(t)
	if _, err := p.east.Declare(t.Context(), anna, "alex", entry("Berlin")); err != nil {
		t.Fatal(err)
	}
	newer := table.Item{Key: table.OperatorKey("us-east-1", "store", "zoe"), Doc: []byte(`{"v":9}`), Rev: 1}
	if err := p.store.Region("us-east-1").Write(t.Context(), table.Write{Item: newer}); err != nil {
		t.Fatal(err)
	}
	again := p.desk(t, "us-east-1", p.store.Region("us-east-1"))
	if again.Fleet().Store("alex") == nil || again.Fleet().Len() != 1 {
		t.Errorf("%d stores", again.Fleet().Len())
	}
	// Two nodes of a region: the one that did not read the other's change is refused.
	if _, err := again.Declare(t.Context(), anna, "alex", entry("Ulm")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.east.Declare(t.Context(), anna, "alex", entry("Bonn")); !errors.Is(err, operator.ErrConflict) {
		t.Errorf("a change over another: %v", err)
	}
	p.refresh(t, p.east)
	if is, err := p.east.Declare(t.Context(), anna, "alex", entry("Bonn")); err != nil || is.Version != 3 {
		t.Errorf("after a look: %+v, %v", is, err)
	}
}

// counted counts the queries of a table.
type counted struct {
	table.Table
	queries atomic.Int64
	lose    bool
}

func (c *counted) Query(ctx context.Context, pk, prefix, start string, limit int) (table.Page, error) {
	c.queries.Add(1)
	return c.Table.Query(ctx, pk, prefix, start, limit)
}

func (c *counted) Write(ctx context.Context, w table.Write) error {
	err := c.Table.Write(ctx, w)
	if c.lose && err == nil {
		c.lose = false
		return table.ErrUnknown
	}
	return err
}

func TestASteadyDeskReadsOneSmallItem(t *testing.T) {
	p := newPair(t)
	tb := &counted{Table: p.store.Region("us-east-1")}
	d := p.desk(t, "us-east-1", tb)
	tb.queries.Store(0)
	for range 60 {
		p.now = p.now.Add(10 * time.Second)
		if err := d.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if tb.queries.Load() != 60 {
		t.Errorf("%d queries in 10 minutes", tb.queries.Load())
	}
	tb.lose = true // the write happens, its answer does not come
	if _, err := d.Declare(t.Context(), anna, "alex", entry("Berlin")); err != nil {
		t.Errorf("a write whose answer was lost: %v", err)
	}
}
