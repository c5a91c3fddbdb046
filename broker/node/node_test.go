package node_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/lease"
	"github.com/hb-mesh/hb-mesh/broker/node"
	"github.com/hb-mesh/hb-mesh/broker/peer/link"
	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// homed is a store whose home is a region.
func homed(r beat.Region) beat.StoreID {
	for i := 0; ; i++ {
		id := beat.StoreID(fmt.Sprintf("shop%d", i))
		if presence.Home(id, []beat.Region{east, west}) == r {
			return id
		}
	}
}

func find[T node.Out](outs []node.Out) (found T, ok bool) {
	for _, o := range outs {
		if t, is := o.(T); is {
			found, ok = t, true
		}
	}
	return found, ok
}

func TestABirthIsAckedWithItsHome(t *testing.T) {
	w := newTown(t)
	e := w.start(east, "e1")
	if !e.n.Ready() || e.n.Term() != 1 {
		t.Fatalf("blocked: %q", e.n.Blocked())
	}
	w.shop(homed(west), e)
	if a, ok := find[*presence.Acked](e.outs); !ok || a.Ack.Home != west {
		t.Errorf("acked %+v", a)
	}
}

// A store that both regions lost is told once, by its home, whether HTTPS
// works or not.
func TestALossIsToldOnce(t *testing.T) {
	for _, cut := range []bool{false, true} {
		w := newTown(t)
		e, v := w.start(east, "e1"), w.start(west, "w1")
		s := w.shop(homed(east), e, v)
		w.run(2*time.Minute, s)
		w.cut = cut
		w.run(time.Minute, s)
		w.want()
		s.leave()
		w.run(40 * time.Second)
		w.want("us-east-1: store-down open " + string(s.id))
		w.run(time.Minute, s)
		w.want("us-east-1: store-down recovered " + string(s.id))
	}
}

// A path that is cut is no outage, whether HTTPS works or not.
func TestACutPathIsNoOutage(t *testing.T) {
	for _, cut := range []bool{false, true} {
		w := newTown(t)
		e, v := w.start(east, "e1"), w.start(west, "w1")
		s := w.shop(homed(east), e, v)
		w.run(2*time.Minute, s)
		w.cut = cut
		s.to = []*proc{e}
		s.leave()
		s.to = []*proc{v}
		w.run(5*time.Minute, s)
		w.want()
	}
}

// A standby counts nothing; it takes over from a node that was killed, and
// goes on where that one stopped.
func TestAStandbyGoesOn(t *testing.T) {
	w := newTown(t)
	e, v := w.start(east, "e1"), w.start(west, "w1")
	standby := w.start(east, "e2")
	s := w.shop(homed(east), e, v)
	w.run(2*time.Minute, s)
	if standby.n.Blocked() != node.Reason(lease.Held) {
		t.Fatalf("the standby: %q", standby.n.Blocked())
	}
	s.leave()
	w.run(40 * time.Second)
	w.want("us-east-1: store-down open " + string(s.id))
	e.dead = true
	w.run(20 * time.Second)
	if !standby.n.Ready() || standby.n.Term() != 2 {
		t.Fatalf("the standby: %q, term %d", standby.n.Blocked(), standby.n.Term())
	}
	s.to = []*proc{standby, v}
	w.run(2*time.Minute, s)
	w.want("us-east-1: store-down recovered " + string(s.id))
}

// A node that stood still reads the lease before it counts anything, and
// settles; one whose lease another took meanwhile is over.
func TestAStalledNode(t *testing.T) {
	w := newTown(t)
	e, v := w.start(east, "e1"), w.start(west, "w1")
	s := w.shop(homed(east), e, v)
	w.run(2*time.Minute, s)
	e.stalled = true
	w.run(30*time.Second, s)
	e.outs = nil
	w.wake(e)
	if woke, ok := find[*node.Woke](e.outs); !ok || woke.For < 10*time.Second {
		t.Fatalf("it did not notice: %v", e.outs)
	}
	if e.n.Blocked() != "" {
		t.Fatalf("it has read the lease, and is blocked: %q", e.n.Blocked())
	}
	w.run(3*time.Minute, s)
	w.want()

	standby := w.start(east, "e2")
	w.run(10*time.Second, s)
	e.stalled = true
	w.run(30*time.Second, s)
	if !standby.n.Ready() {
		t.Fatal("nobody took over")
	}
	w.wake(e)
	if e.over == nil || e.over.Clean {
		t.Fatalf("it goes on: %+v", e.over)
	}
}

// What is queued when a node wakes is dropped until the lease is read.
func TestAWakingNodeCountsNothing(t *testing.T) {
	w := newTown(t)
	e := w.start(east, "e1")
	s := w.shop("demo", e)
	w.run(2*time.Minute, s)
	w.now += 40 * time.Second
	outs := e.n.Step(w.at(), &presence.Direct{Store: "demo", Beat: beat.Beat{Host: "till"}}, nil)
	if _, counted := find[*presence.Adopted](outs); counted || e.n.Blocked() != node.Waking {
		t.Errorf("blocked %q, %v", e.n.Blocked(), outs)
	}
	// No answer of the table: after its time the node goes on without.
	w.now += lease.DefaultAnswer
	e.n.Step(w.at(), nil, nil)
	if e.n.Blocked() != "" {
		t.Errorf("blocked for ever: %q", e.n.Blocked())
	}
}

// A channel's answer that comes as a node wakes counts once it has read the lease:
// nothing is sent again.
func TestAnAnswerThatWaitedForTheLeaseCounts(t *testing.T) {
	w := newTown(t)
	e, v := w.start(east, "e1"), w.start(west, "w1")
	s := w.shop(homed(east), e, v)
	w.run(2*time.Minute, s)
	e.mute = true
	s.leave()
	w.run(40 * time.Second)
	if len(e.owed) != 1 {
		t.Fatalf("%d publishes", len(e.owed))
	}
	e.mute = false
	w.now += 40 * time.Second
	e.n.Step(w.at(), &incident.Published{Op: e.owed[0]}, nil)
	if e.n.Blocked() != node.Waking {
		t.Fatalf("blocked: %q", e.n.Blocked())
	}
	w.now += lease.DefaultAnswer // the table does not answer
	e.step(nil)
	w.run(20 * time.Minute)
	w.want("us-east-1: store-down open " + string(s.id))
}

// A standby that is asked says that it is none to ask.
func TestAStandbyAnswersThatItIsBlocked(t *testing.T) {
	w := newTown(t)
	w.start(east, "e1")
	standby := w.start(east, "e2")
	standby.step(&node.Received{Token: 7, Request: &wire.Request{Kind: wire.Heard}})
	if r := standby.respond; r == nil || r.Token != 7 || r.Blocked != node.Reason(lease.Held) || r.Response != nil {
		t.Errorf("it answers %+v", r)
	}
}

// The other region is asked at once about what it is to tell while it settles: its
// node knows nothing of it (I3).
func TestARegionThatSettlesIsAskedAtOnce(t *testing.T) {
	w := newTown(t)
	e, v := w.start(east, "e1"), w.start(west, "w1")
	s := w.shop(homed(west), e)
	w.run(2*time.Minute, s)
	v.dead = true
	next := w.start(west, "w2")
	for !next.n.Ready() {
		w.run(time.Second, s)
	}
	w.run(10*time.Second, s)
	s.seq++
	r := s.report(beat.Steady, s.born[e])
	r.Picture = &beat.Picture{Hosts: []beat.HostReport{{Host: "pos1", State: beat.Missing, Number: 2, IntervalMs: 60_000}}}
	r.Hash = r.Picture.Hash()
	e.outs = nil
	e.step(&presence.Report{Conn: presence.Conn(s.born[e]), Report: r})
	w.run(10 * time.Second)
	asked := slices.ContainsFunc(e.outs, func(o node.Out) bool {
		c, ok := o.(*link.Call)
		return ok && c.Request.Kind == wire.Told
	})
	if !asked {
		t.Error("it was not asked")
	}
	w.want("us-west-2: host-missing open " + string(s.id))
}

// The ends of a stopping node's sessions are no evidence, nor is its silence
// while it takes long, and its lease is free.
func TestAStopIsNoEvidence(t *testing.T) {
	w := newTown(t)
	e := w.start(east, "e1")
	s := w.shop("demo", e)
	w.run(2*time.Minute, s)
	e.step(&node.Drain{})
	e.outs = nil
	s.leave()
	if len(e.outs) != 0 {
		t.Errorf("the ends did something: %v", e.outs)
	}
	w.run(4 * time.Minute)
	if d, ok := find[*presence.Decided](e.outs); ok {
		t.Errorf("it decided: %+v", d.Verdict)
	}
	e.step(&node.Leave{})
	if e.over == nil || !e.over.Clean {
		t.Fatalf("over: %+v", e.over)
	}
	if again := w.start(east, "e2"); !again.n.Ready() {
		t.Errorf("the lease is not free: %q", again.n.Blocked())
	}
}

// One Step over many deadlines equals many Steps: what comes out is the same,
// however coarse the shell's clock is.
func TestOneStepEqualsMany(t *testing.T) {
	play := func(every time.Duration) string {
		w := newTown(t)
		e, v := w.start(east, "e1"), w.start(west, "w1")
		s := w.shop(homed(east), e, v)
		w.run(2*time.Minute, s)
		s.leave()
		e.outs = nil
		var outs string
		for stop := w.now + 20*time.Second; w.now < stop; {
			w.now += every
			for _, o := range e.n.Step(w.at(), nil, nil) {
				switch o := o.(type) {
				case *presence.Decided:
					outs += fmt.Sprintf("%s %v; ", o.Verdict.Condition, o.Verdict.At)
				case *lease.Write, *lease.Look:
				default:
					outs += fmt.Sprintf("%T; ", o)
				}
			}
		}
		return outs
	}
	fine, coarse := play(250*time.Millisecond), play(5*time.Second)
	if fine != coarse || fine == "" {
		t.Errorf("fine:   %s\ncoarse: %s", fine, coarse)
	}
}

// A steady report, the hottest path of all, allocates nothing.
func TestASteadyReportAllocatesNothing(t *testing.T) {
	w := newTown(t)
	e := w.start(east, "e1")
	s := w.shop("demo", e)
	w.run(2*time.Minute, s)
	r := &presence.Report{Conn: presence.Conn(s.born[e]), Report: s.report(beat.Steady, s.born[e])}
	out := make([]node.Out, 0, 8)
	seq := s.seq
	if n := testing.AllocsPerRun(200, func() {
		seq++
		r.Report.Seq = seq
		r.Report.MonoMs += 1
		out = e.n.Step(w.at(), r, out[:0])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSteadyReport(b *testing.B) {
	w := newTown(&testing.T{})
	e := w.start(east, "e1")
	s := w.shop("demo", e)
	w.run(2*time.Minute, s)
	r := &presence.Report{Conn: presence.Conn(s.born[e]), Report: s.report(beat.Steady, s.born[e])}
	out, seq := make([]node.Out, 0, 8), s.seq
	for b.Loop() {
		seq++
		r.Report.Seq = seq
		out = e.n.Step(w.at(), r, out[:0])
	}
}
