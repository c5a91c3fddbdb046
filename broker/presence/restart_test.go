package presence_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// restart starts another node of the region, which loads what the last one saved.
func (w *world) restart(items ...presence.StoreItem) {
	o := presence.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Term = regionNames[0], regionNames, "n2", 2
	w.p = presence.New(o, w.now)
	w.do(&presence.Loaded{Stores: items})
}

// saved are the items that a step wants saved.
func saved(outs []presence.Out) (items []presence.StoreItem) {
	for _, o := range outs {
		if s, ok := o.(*presence.Save); ok {
			items = append(items, s.Item)
		}
	}
	return items
}

// What the table remembers is shown at once, before anything is heard.
func TestANodeThatStartsShowsWhatItLoaded(t *testing.T) {
	w := newWorld(t, regionNames...)
	items := saved(w.birth(1, 7))
	w.restart(items...)
	st, ok := w.p.Status(w.now, "demo")
	if !ok || st.State != presence.Unknown || st.Reason != presence.Settling {
		t.Errorf("it shows %+v", st)
	}
}

// An item that cannot be read is set aside, and said to be.
func TestABrokenItemIsSaid(t *testing.T) {
	w := newWorld(t, regionNames...)
	store := saved(w.birth(1, 7))[0]
	direct := saved(w.do(&presence.Direct{Store: "solo", Beat: beat.Beat{Host: "till", Interval: time.Minute}}))[0]
	for name, item := range map[string]presence.StoreItem{
		"no document": {Region: regionNames[0], Store: "demo", Doc: []byte("?")},
		"a store's, of no relay": {Region: regionNames[0], Store: "demo", Doc: []byte(
			`{"v":1,"relay":"","incarnation":"01000000000000000000000000000000","boot":"01000000000000000000000000000000","epoch":1,"view":"open"}`)},
		"a host's, of a state that has no evidence": {Region: regionNames[0], Store: "solo", Host: "till", Doc: []byte(`{"v":1,"state":"covered","intervalMs":60000,"number":1}`)},
		"a host's, of a promise that is too long":   {Region: regionNames[0], Store: "solo", Host: "till", Doc: []byte(`{"v":1,"state":"up","intervalMs":43200001,"number":1}`)},
		"a host's, of a promise below nothing":      {Region: regionNames[0], Store: "solo", Host: "till", Doc: []byte(`{"v":1,"state":"up","intervalMs":-1,"number":1}`)},
	} {
		w.restart(store, direct, item)
		refused, ok := find[*presence.Refused](w.out)
		if !ok || refused.Reason != presence.BadItem {
			t.Errorf("%s: %+v", name, w.out)
		}
	}
	w.restart(store, direct)
	if refused, ok := find[*presence.Refused](w.out); ok {
		t.Errorf("what it wrote itself: %+v", refused)
	}
}

// What does not come back is lost as the node has settled, not before: without
// an answer of the other region it is told blind later (P6, P3a).
func TestBlindCountsFromTheSettling(t *testing.T) {
	w := newWorld(t, regionNames...)
	items := saved(w.birth(1, 7))
	w.restart(items...)
	began := w.now.Mono
	for w.state() != presence.Down && w.now.Mono < began+time.Hour {
		w.at(w.now.Mono + time.Second)
		if ask, ok := find[*presence.Ask](w.out); ok {
			w.do(&presence.Unanswered{ID: ask.ID})
		}
		r := report(beat.Birth, 1, 1, w.now.Mono) // of another store: the region is not deaf
		r.Store, r.Epoch = "calm", beat.Epoch(w.now.Mono/time.Second)
		w.do(&presence.Report{Conn: 2, Report: r})
	}
	if after := w.now.Mono - began; after < presence.DefaultSettle+presence.DefaultBlind || after > presence.DefaultSettle+presence.DefaultBlind+2*time.Second {
		t.Errorf("down %v after the start", after)
	}
}

// A node that stood still settles from its waking on, however long it stood (P6).
func TestANodeThatStoodStillSettlesAnew(t *testing.T) {
	w := newWorld(t, regionNames...)
	w.birth(1, 7)
	w.now = w.now.Add(5 * time.Minute)
	w.do(&presence.Woke{})
	w.at(w.now.Mono + presence.DefaultSettle - time.Second)
	if w.p.Settled() {
		t.Error("settled before its time")
	}
	w.want(presence.Unknown)
	w.at(w.now.Mono + 2*time.Second)
	if !w.p.Settled() {
		t.Error("not settled after its time")
	}
}

// A stall says nothing of the link: it is cut when a question after it finds no
// answer.
func TestALinkThatIsCutAfterAStallIsCut(t *testing.T) {
	w := newWorld(t, regionNames...)
	w.birth(1, 7)
	w.now = w.now.Add(5 * time.Minute)
	w.do(&presence.Woke{})
	if _, asks := find[*presence.Ask](w.out); asks || w.p.Peer() != presence.PeerLives {
		t.Fatalf("it is %v, and %+v", w.p.Peer(), w.out)
	}
	for end := w.now.Mono + 3*time.Minute; w.now.Mono < end; {
		w.at(w.now.Mono + time.Second)
		if ask, ok := find[*presence.Ask](w.out); ok {
			w.do(&presence.Unanswered{ID: ask.ID})
		}
	}
	if w.p.Peer() != presence.PeerCut {
		t.Errorf("the other region %v", w.p.Peer())
	}
}

// A relay that died before the node did is called dead after the restart too, where
// hosts of its store beat by themselves then (P5).
func TestARelayIsDeadOverARestart(t *testing.T) {
	w := newWorld(t, regionNames[0])
	w.birth(1, 7)
	w.do(ended(1, 7))
	direct := saved(w.do(&presence.Direct{Store: "demo", Beat: beat.Beat{Host: "pos1", Interval: 12 * time.Hour}}))
	w.at(w.now.Mono + presence.DefaultGrace)
	w.want(presence.RelayDead)
	w.restart(append(saved(w.out), direct...)...)
	w.at(w.now.Mono + presence.DefaultSettle - time.Second)
	w.want(presence.Unknown)
	w.do(&presence.Direct{Store: "demo", Beat: beat.Beat{Host: "pos1", Interval: 12 * time.Hour}})
	for range 100 {
		w.at(w.now.Mono + time.Second)
		if ask, ok := find[*presence.Ask](w.out); ok {
			w.do(&presence.Answered{ID: ask.ID, Answer: presence.Answer{Node: "n2", Term: 1, Stores: []presence.StoreView{{Store: "demo", View: presence.ViewLost}}}})
		}
	}
	w.want(presence.RelayDead)
}

// A store whose last host fell silent before it was lost is down, and no relay alone
// is dead, though that host beat after the relay did.
func TestAStoreThatDiesAsAWholeIsDown(t *testing.T) {
	w := newWorld(t, regionNames[0])
	w.birth(1, 7)
	w.at(w.now.Mono + 3*time.Second)
	w.do(&presence.Direct{Store: "demo", Beat: beat.Beat{Host: "pos1", Interval: 40 * time.Second}}) // until 2 s after the session
	w.at(w.now.Mono + 60*time.Second)
	w.want(presence.Down)
}

// A goodbye promises a return at the next opening, as operators say now; where a
// store does not open for long, after a month.
func TestAPromiseFollowsTheHours(t *testing.T) {
	hours := func(span string) *presence.Settings {
		d := setting.Declaration{Timezone: "UTC", Hours: map[string][]string{}}
		for _, day := range []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} {
			if d.Hours[day] = []string{}; span != "closed" {
				d.Hours[day] = []string{span}
			}
		}
		doc := setting.Setting{Kind: setting.Declared, ID: "demo", Version: 1, Store: &d}
		if err := setting.NewCompiler().Validate(&doc); err != nil {
			t.Fatal(err)
		}
		return &presence.Settings{Fleet: setting.Join([]setting.Item{{Region: regionNames[0], Setting: doc}})}
	}
	for _, c := range []struct {
		before, after string
		stays, back   time.Duration
	}{
		{"09:00-18:00", "06:00-18:00", 18 * time.Hour, 18*time.Hour + 11*time.Minute},
		{"06:00-18:00", "09:00-18:00", 21 * time.Hour, 21*time.Hour + 11*time.Minute},
		{"09:00-18:00", "closed", 30 * 24 * time.Hour, 32 * 24 * time.Hour},
	} {
		w := newWorld(t, regionNames[0])
		w.do(hours(c.before))
		w.birth(1, 7)
		w.do(&presence.Report{Conn: 1, Report: report(beat.Goodbye, 7, 2, w.now.Mono)})
		w.do(hours(c.after))
		w.at(c.stays)
		w.want(presence.Stopped)
		w.at(c.back)
		w.want(presence.Down)
	}
}
