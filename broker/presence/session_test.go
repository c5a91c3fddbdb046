package presence_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// The same (boot, epoch, seq) again is a duplicate, also when the session went
// on or is lost: it asks for no rebirth and restarts no grace (P2).
func TestDuplicatesAreInert(t *testing.T) {
	w := newWorld(t, "us-east-1")
	first := report(beat.Birth, 7, 1, w.now.Mono)
	second := report(beat.Steady, 7, 2, w.now.Mono)
	w.do(&presence.Report{Conn: 1, Report: first})
	w.do(&presence.Report{Conn: 1, Report: second})
	for range 2 {
		for _, r := range []*beat.Report{first, second} {
			outs := w.do(&presence.Report{Conn: 1, Report: r})
			if refused, ok := find[*presence.Refused](outs); !ok || refused.Reason != presence.Duplicate || len(outs) != 1 {
				t.Fatalf("want a duplicate and nothing else, got %v", outs)
			}
		}
		w.at(w.now.Mono + 100*time.Second)
		w.want(presence.Down)
	}
}

// A late report of an older connection restarts no grace (P2, P1).
func TestALateReportRestartsNoGrace(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.birth(1, 7)
	w.birth(2, 8)
	w.at(w.now.Mono + 50*time.Second)
	w.want(presence.Suspect)
	w.do(&presence.Report{Conn: 1, Report: report(beat.Steady, 7, 9, w.now.Mono)})
	w.at(w.now.Mono + 6*time.Second)
	w.want(presence.Down)
}

// What a boot sends that nobody knows is a sign of life where its disk is new: the
// epochs of one that came later are higher (P2).
func TestWhichUnknownBootRestartsGrace(t *testing.T) {
	for _, c := range []struct {
		name string
		disk beat.Incarnation
		want presence.State
	}{
		{"one of the same disk came before", report(beat.Birth, 5, 1, 0).Incarnation, presence.Down},
		{"one of a new disk", beat.Incarnation{9}, presence.Suspect},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "us-east-1")
			w.birth(1, 7)
			w.at(200 * time.Second)
			w.want(presence.Down)
			r := report(beat.Birth, 5, 1, w.now.Mono)
			r.Boot, r.Incarnation = beat.Boot{9}, c.disk
			w.do(&presence.Report{Conn: 2, Report: r})
			if b, ok := find[*presence.Rebirth](w.out); !ok || b.Exceed != 7 {
				t.Fatalf("no rebirth above 7: %v", w.out)
			}
			w.want(c.want)
		})
	}
}

// What this region has no evidence of now it does not see (P4, I7).
func TestWhatIsSeen(t *testing.T) {
	w := newWorld(t, "us-east-1", "us-west-2")
	w.birth(1, 7)
	if !w.p.Sees("demo", "pos1") || !w.p.Sees("demo", "") || !w.p.Sees("elsewhere", "pos1") {
		t.Fatal("a store that is up is not seen")
	}
	w.at(w.now.Mono + 50*time.Second) // silent: this region, which has no other store, suspects itself
	if w.p.Sees("demo", "pos1") || w.p.Sees("demo", "") {
		t.Fatal("a store that is lost is seen")
	}
}

// Epochs near the end of their range, and reports that claim them, move nobody
// there.
func TestEpochsFromTheFuture(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.birth(1, 7)
	for _, r := range []*beat.Report{
		report(beat.Birth, beat.MaxCounter-1, 1, w.now.Mono), report(beat.Birth, 8+1<<32, 1, w.now.Mono),
	} {
		if c, ok := find[*presence.Close](w.do(&presence.Report{Conn: 2, Report: r})); !ok || c.Reason != presence.FutureEpoch {
			t.Fatalf("epoch %d: %v", r.Epoch, w.out)
		}
	}
	w.do(ended(1, 7))
	outs := w.do(&presence.Report{Conn: 1, Report: report(beat.Steady, beat.MaxCounter-1, 2, w.now.Mono)})
	if _, ok := find[*presence.Rebirth](outs); ok {
		t.Fatalf("a liar moves the epoch: %v", outs)
	}
	w.birth(3, 7+1<<32)
	w.want(presence.Up)
}

// A goodbye without opening hours lasts a day; a node that starts meanwhile
// knows it from the table.
func TestAByeLastsADayOverARestart(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.birth(1, 7)
	w.do(&presence.Report{Conn: 1, Report: report(beat.Goodbye, 7, 2, w.now.Mono)})
	save, ok := find[*presence.Save](w.out)
	if !ok {
		t.Fatal("a goodbye is saved")
	}
	w.at(w.now.Mono + 12*time.Hour)
	o := presence.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Term = "us-east-1", []beat.Region{"us-east-1"}, "n2", 2
	w.p = presence.New(o, w.now)
	w.do(&presence.Loaded{Stores: []presence.StoreItem{save.Item}})
	w.at(w.now.Mono + 12*time.Hour - time.Minute)
	w.want(presence.Stopped)
	w.at(w.now.Mono + 2*time.Minute)
	w.want(presence.Down)
}

// What the table calls alive as a node starts may be missing since long, and told:
// who does not beat to that node is said to be missing since before it.
func TestAHostThatANodeNeverHeardIsOldNews(t *testing.T) {
	w := newWorld(t, "us-east-1")
	till := &presence.Direct{Store: "demo", Beat: beat.Beat{Host: "till", Interval: 30 * time.Second}}
	save, ok := find[*presence.Save](w.do(till))
	if !ok {
		t.Fatal("a host that beats directly is saved")
	}
	for _, beats := range []bool{false, true} {
		o := presence.DefaultOptions()
		o.Region, o.Regions, o.Node, o.Term = "us-east-1", []beat.Region{"us-east-1"}, "n2", 2
		w.p = presence.New(o, w.now)
		w.do(&presence.Loaded{Stores: []presence.StoreItem{save.Item}})
		w.at(w.now.Mono + time.Second)
		if beats {
			w.do(till)
		}
		w.at(w.now.Mono + 2*o.Settle)
		d, ok := find[*presence.Decided](w.out)
		if !ok || d.Verdict.Condition != presence.HostMissing || d.Verdict.Old == beats {
			t.Errorf("it beats to the node: %v, and %+v", beats, w.out)
		}
	}
}

// What its journal tells a relay that starts was so before it: people read since
// when, on the relay's word, and not since its start.
func TestAHostIsMissingSinceBeforeItsRelaysStart(t *testing.T) {
	w := newWorld(t, "us-east-1")
	r := report(beat.Birth, 7, 1, time.Second,
		beat.HostReport{Host: "pos1", State: beat.Missing, Number: 4, IntervalMs: 5000, AgeMs: 600_000})
	v := w.do(&presence.Report{Conn: 1, Report: r})
	for _, o := range v {
		if d, ok := o.(*presence.Decided); ok && d.Verdict.Condition == presence.HostMissing {
			if since := w.now.Wall.Sub(d.Verdict.Since); since != 10*time.Minute {
				t.Errorf("it is missing since %v ago", since)
			}
			return
		}
	}
	t.Fatalf("nothing is said of a host that is missing: %v", v)
}

// An answer below the term of the other region's lease is none: its node is
// not the active one any more.
func TestAnAnswerBelowTheLeaseIsNone(t *testing.T) {
	w := newWorld(t, "us-east-1", "us-west-2")
	w.birth(1, 7)
	w.birth(2, 8)
	w.do(&presence.Lease{Term: 6, Counter: 1})
	w.do(ended(2, 8))
	w.at(w.now.Mono + 10*time.Second)
	ask, ok := find[*presence.Ask](w.out)
	if !ok {
		t.Fatalf("not asked: %v", w.out)
	}
	lost := []presence.StoreView{{Store: "demo", View: presence.ViewLost}}
	w.do(&presence.Answered{ID: ask.ID, Answer: presence.Answer{Node: "old", Term: 5, Stores: lost}})
	w.want(presence.Suspect)
}

// Explain says what comes next, in the order of time.
func TestExplainSaysWhatComes(t *testing.T) {
	w := newWorld(t, "us-east-1", "us-west-2")
	w.birth(1, 7, beat.HostReport{Host: "pos1", State: beat.Up, Number: 1, IntervalMs: 5000})
	w.do(ended(1, 7))
	e, ok := w.p.Explain(w.now, "demo")
	if !ok || e.State != presence.Suspect || e.Session.View != presence.ViewOpen || len(e.Hosts) != 1 || len(e.Next) == 0 {
		t.Fatalf("%+v", e)
	}
	if n := e.Next[0]; n.What != presence.ComesLoss || n.At.Sub(w.now.Wall) != 10*time.Second {
		t.Errorf("next is %+v", n)
	}
	if _, ok := w.p.Explain(w.now, "nobody"); ok {
		t.Error("it explains a store that nobody knows")
	}
}
