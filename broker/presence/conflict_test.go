package presence_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// born is a birth of one of several relays that connect as one.
func (w *world) born(conn presence.Conn, boot byte, epoch beat.Epoch) []presence.Out {
	r := report(beat.Birth, epoch, 1, w.now.Mono)
	r.Boot = beat.Boot{boot}
	return w.do(&presence.Report{Conn: conn, Report: r})
}

func (w *world) admit(boot byte) presence.Refusal {
	return w.p.Admit(beat.Identity{Store: "demo", Relay: "r1"}, beat.Death{V: 1, Incarnation: beat.Incarnation{1}, Boot: beat.Boot{boot}, Epoch: 999})
}

func (w *world) gone(conn presence.Conn, boot byte, epoch beat.Epoch) {
	w.do(&presence.Ended{Conn: conn, ID: beat.Identity{Store: "demo", Relay: "r1"}, Death: beat.Death{
		V: 1, Incarnation: beat.Incarnation{1}, Boot: beat.Boot{boot}, Epoch: epoch,
	}})
}

func verdict(outs []presence.Out, c presence.Condition) (v presence.Verdict, ok bool) {
	for _, o := range outs {
		if d, is := o.(*presence.Decided); is && d.Verdict.Condition == c {
			return d.Verdict, true
		}
	}
	return v, false
}

// A copy of a relay's disk starts: its epochs run ahead, and each ends the
// other's session. The boot that comes again proves it; the incumbent stays.
func TestTwoBootsOfOneRelayAreAConflict(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.born(1, 1, 100)
	w.born(2, 2, 165)
	if r, ok := find[*presence.Rebirth](w.born(3, 1, 101)); !ok || r.Exceed != 165 {
		t.Fatalf("want a rebirth above 165, got %v", w.out)
	}
	outs := w.born(3, 1, 166)
	v, ok := verdict(outs, presence.StoreConflict)
	if c, closed := find[*presence.Close](outs); !ok || !closed || c.Conn != 3 || c.Reason != presence.Clash {
		t.Fatalf("want a conflict, and the newcomer refused, got %v", outs)
	}
	w.want(presence.Conflict)
	if w.admit(1) != presence.Clash || w.admit(2) != presence.NotRefused {
		t.Fatalf("admitted %v and %v", w.admit(1), w.admit(2))
	}
	if _, ok := find[*presence.Rebirth](w.born(4, 1, 170)); ok {
		t.Fatal("a rebirth without end")
	}

	// The order in which a region saw them does not matter to the cause.
	x := newWorld(t, "us-west-2")
	x.born(1, 2, 1)
	x.born(2, 1, 2)
	if u, ok := verdict(x.born(3, 2, 3), presence.StoreConflict); !ok || u.Cause != v.Cause {
		t.Fatalf("one region says %+v, the other %+v", v.Cause, u.Cause)
	}
}

// Neither's end is an outage while the other one lives; it is over ten minutes
// after the last refused CONNECT.
func TestAConflictHoldsAndEnds(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.born(1, 1, 1)
	w.born(2, 2, 2)
	w.born(3, 1, 3)
	w.at(w.now.Mono + 20*time.Second)
	w.do(&presence.Clashed{ID: beat.Identity{Store: "demo", Relay: "r1"}, Death: beat.Death{Boot: beat.Boot{1}}})
	w.gone(2, 2, 2)
	w.at(w.now.Mono + 30*time.Second)
	w.want(presence.Suspect)
	if w.admit(1) != presence.NotRefused {
		t.Fatal("the other one is refused, and there is no incumbent")
	}
	w.born(4, 1, 4)
	w.want(presence.Conflict)
	for s := beat.Seq(2); s < 39; s++ {
		w.at(w.now.Mono + 15*time.Second)
		r := report(beat.Steady, 4, s, w.now.Mono)
		r.Boot = beat.Boot{1}
		w.do(&presence.Report{Conn: 4, Report: r})
	}
	w.want(presence.Conflict)
	w.at(w.now.Mono + 16*time.Second)
	if _, ok := verdict(w.out, presence.ConflictOver); !ok {
		t.Fatalf("want it over, got %v", w.out)
	}
	w.want(presence.Up)
	if w.admit(2) != presence.NotRefused {
		t.Fatal("who is over is refused")
	}
}

// The other relay is thought to live for a minute after its last CONNECT: then a
// store in conflict whose session ended is down.
func TestARivalThatComesNoMoreIsDown(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.born(1, 1, 1)
	w.born(2, 2, 2)
	w.born(3, 1, 3)
	w.gone(2, 2, 2)
	w.at(w.now.Mono + 59*time.Second)
	w.want(presence.Suspect)
	w.at(w.now.Mono + 2*time.Second)
	w.want(presence.Down)
}

// The last boots of a relay are remembered, however often each connected: one that
// comes again is a copy's.
func TestABootIsRememberedOverManyConnects(t *testing.T) {
	w := newWorld(t, "us-east-1")
	for i := range 8 {
		w.born(presence.Conn(1+i), byte(1+i/2), beat.Epoch(1+i))
	}
	if _, ok := verdict(w.born(20, 1, 20), presence.StoreConflict); !ok {
		t.Fatalf("want a conflict, got %v", w.out)
	}
}

// One boot whose monotonic clock went back is a copy of a running relay.
func TestAClockThatWentBackIsAConflict(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.born(1, 1, 1)
	w.at(w.now.Mono + 15*time.Second)
	r := report(beat.Birth, 2, 1, w.now.Mono-30*time.Second)
	if _, ok := verdict(w.do(&presence.Report{Conn: 2, Report: r}), presence.StoreConflict); !ok {
		t.Fatalf("want a conflict, got %v", w.out)
	}
}

// An epoch is used for one CONNECT, and an incarnation is made once in a boot: a
// boot that comes twice under one epoch, or again under an older incarnation,
// was copied while it ran.
func TestABootThatWasCopiedWhileItRanIsAConflict(t *testing.T) {
	for name, second := range map[string]func(*world) []presence.Out{
		"the same epoch on another connection": func(w *world) []presence.Out { return w.born(2, 1, 1) },
		"an incarnation that comes again": func(w *world) []presence.Out {
			r := report(beat.Birth, 2, 1, w.now.Mono)
			r.Incarnation = beat.Incarnation{2}
			if _, ok := verdict(w.do(&presence.Report{Conn: 2, Report: r}), presence.StoreConflict); ok {
				t.Fatal("a new incarnation proved a conflict")
			}
			return w.born(3, 1, 3)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "us-east-1")
			w.born(1, 1, 1)
			outs := second(w)
			if _, ok := verdict(outs, presence.StoreConflict); !ok {
				t.Fatalf("want a conflict, got %v", outs)
			}
			if c, ok := find[*presence.Close](outs); !ok || c.Reason != presence.Clash {
				t.Fatalf("want the newcomer refused, got %v", outs)
			}
			w.want(presence.Conflict)
		})
	}
}

// A birth that comes once more on its own connection is one relay's.
func TestADuplicateBirthIsNoConflict(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.born(1, 1, 1)
	if _, ok := verdict(w.born(1, 1, 1), presence.StoreConflict); ok {
		t.Fatal("a duplicate proved a conflict")
	}
	w.want(presence.Up)
}

// A relay that restarts, and whose older connection's birth comes late, is one.
func TestALateBirthOfAnOlderBootIsNoConflict(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.born(1, 1, 100)
	w.born(2, 2, 165)
	if _, ok := verdict(w.born(1, 1, 100), presence.StoreConflict); ok {
		t.Fatal("a late birth proved a conflict")
	}
	w.want(presence.Up)
}
