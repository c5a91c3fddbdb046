package lease_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/lease"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// world is one region's replica, and the nodes that want its lease.
type world struct {
	t    *testing.T
	now  time.Duration
	item *lease.Item
	rev  int64
	// down refuses every call; lost does it and loses the answer.
	down, lost bool
	nodes      []*proc
	lives      int
	// calls are those that a standby made, by address.
	calls []string
}

// proc is one process.
type proc struct {
	name    string
	l       *lease.Lease
	stalled bool
	dead    bool
	active  bool
	until   time.Duration
	over    lease.Reason
	late    []lease.Event // what a stalled node will find
}

func (w *world) start(name string, yields bool) *proc {
	w.lives++
	o := lease.DefaultOptions()
	o.Node, o.Life, o.Address, o.Yields = name, fmt.Sprint(name, w.lives), "http://"+name, yields
	p := &proc{name: name, l: lease.New(o, beat.Now{Mono: w.now})}
	w.nodes = append(w.nodes, p)
	w.step(p, nil)
	return p
}

func (w *world) step(p *proc, e lease.Event) {
	if p.dead {
		return
	}
	if p.stalled {
		if e != nil {
			p.late = append(p.late, e)
		}
		return
	}
	for _, o := range p.l.Step(beat.Now{Mono: w.now}, e, nil) {
		switch o := o.(type) {
		case *lease.Look:
			r := &lease.Read{Op: o.Op, Failed: w.down}
			if w.item != nil && !w.down {
				i := *w.item
				r.Own = &i
			}
			w.step(p, r)
		case *lease.Write:
			w.step(p, &lease.Wrote{Op: o.Op, Result: w.write(o)})
		case *lease.Call:
			w.calls = append(w.calls, o.Address)
			for _, q := range w.nodes {
				if "http://"+q.name == o.Address && q != p {
					w.step(q, &lease.Superseded{Term: o.Term})
				}
			}
			w.step(p, &lease.Called{Op: o.Op})
		case *lease.Active:
			p.active = true
		case *lease.Until:
			p.until = o.Until
		case *lease.Over:
			p.over, p.active = o.Reason, false
		}
	}
}

func (w *world) write(o *lease.Write) lease.Result {
	if w.down {
		return lease.Failed
	}
	ok := o.If == table.IfAbsent && w.item == nil || o.If == table.IfRev && w.item != nil && w.rev == o.Rev
	if ok {
		if w.rev > o.Item.Term {
			w.t.Errorf("%v: the term went back from %d to %d", w.now, w.rev, o.Item.Term)
		}
		i := o.Item
		w.item, w.rev = &i, i.Term
	}
	switch {
	case w.lost:
		return lease.Uncertain
	case ok:
		return lease.Done
	default:
		return lease.Refused
	}
}

// run lets time pass, in steps of 100 ms.
func (w *world) run(d time.Duration) {
	for end := w.now + d; w.now < end; {
		w.now += 100 * time.Millisecond
		for _, p := range w.nodes {
			if at, ok := p.l.Next(); ok && at <= w.now {
				w.step(p, nil)
			}
		}
		w.check()
	}
}

// check: no two nodes may claim at one instant. Of two processes of one name
// the older is taken for dead: only its term fences it.
func (w *world) check() {
	claims := ""
	for _, p := range w.nodes {
		if p.until > w.now && p.over == "" && !p.dead {
			if claims != "" && claims != p.name {
				w.t.Fatalf("%v: %s and %s may both claim", w.now, claims, p.name)
			}
			claims = p.name
		}
	}
}

func (w *world) wake(p *proc) {
	p.stalled = false
	late := p.late
	p.late = nil
	w.step(p, &lease.Woke{})
	for _, e := range late {
		w.step(p, e)
	}
	w.step(p, nil)
}

func TestALoneNodeStartsAtOnce(t *testing.T) {
	w := &world{t: t}
	a := w.start("a", false)
	if !a.active || a.l.Term() != 1 || a.until != lease.DefaultFor {
		t.Fatalf("active %v, term %d, until %v", a.active, a.l.Term(), a.until)
	}
	w.run(time.Minute)
	if w.item.Counter < 19 || a.until <= w.now {
		t.Errorf("after a minute: counter %d, until %v", w.item.Counter, a.until)
	}
	a.dead = true
	b := w.start("a", false) // the same node, restarted
	if !b.active || b.l.Term() != 2 {
		t.Errorf("restarted: active %v, term %d", b.active, b.l.Term())
	}
}

func TestAStandbyTakesOver(t *testing.T) {
	w := &world{t: t}
	a := w.start("a", false)
	b := w.start("b", false)
	w.run(time.Minute)
	if b.active || b.l.Reason() != lease.Held {
		t.Fatalf("two are active: %q", b.l.Reason())
	}
	a.dead = true
	killed := w.now
	for !b.active && w.now < killed+time.Minute {
		w.run(100 * time.Millisecond)
	}
	if took := w.now - killed; took > 16*time.Second || took < 7*time.Second {
		t.Errorf("it took %v", took)
	}
	if b.l.Term() != 2 || len(w.calls) != 1 {
		t.Errorf("term %d, calls %v", b.l.Term(), w.calls)
	}
}

func TestACleanStopFreesTheLease(t *testing.T) {
	w := &world{t: t}
	a := w.start("a", false)
	b := w.start("b", false)
	w.run(20 * time.Second)
	w.step(a, &lease.Leave{})
	if a.over != lease.Released || a.until != 0 {
		t.Fatalf("over %q, until %v", a.over, a.until)
	}
	w.run(3 * time.Second)
	if !b.active {
		t.Error("the standby waits for what is free")
	}
}

// A node that stood still learns of the other one before it claims anything.
func TestAStalledNodeIsOver(t *testing.T) {
	w := &world{t: t}
	a := w.start("a", false)
	b := w.start("b", false)
	w.run(20 * time.Second)
	a.stalled = true
	w.run(30 * time.Second)
	if !b.active {
		t.Fatal("nobody took over")
	}
	w.wake(a)
	if a.over != lease.Outbid {
		t.Errorf("it goes on: %q", a.over)
	}
}

// A table that is down ends no node, and lets it claim nothing.
func TestATableThatIsDownFencesClaimsOnly(t *testing.T) {
	w := &world{t: t}
	a := w.start("a", false)
	w.run(20 * time.Second)
	w.down = true
	w.run(30 * time.Second)
	if a.over != "" || !a.active || a.until > w.now {
		t.Fatalf("over %q, until %v at %v", a.over, a.until, w.now)
	}
	w.down = false
	w.run(3 * time.Second)
	if a.until <= w.now {
		t.Error("it may not claim, though the table is well")
	}
}

// Two processes of one name do not fight for ever: who lost waits.
func TestOneNameTwice(t *testing.T) {
	w := &world{t: t}
	a := w.start("a", false)
	w.run(5 * time.Second)
	b := w.start("a", false)
	w.run(10 * time.Second)
	if a.over != lease.Outbid || !b.active {
		t.Fatalf("the older %q, the newer active %v", a.over, b.active)
	}
	c := w.start("a", true)
	w.run(time.Minute)
	if c.active || b.over != "" {
		t.Error("they fight")
	}
}

// A table that was restored from before the term has it again.
func TestARestoredTable(t *testing.T) {
	w := &world{t: t}
	w.start("a", false).dead = true
	b := w.start("a", false)
	w.run(10 * time.Second)
	for _, before := range []*lease.Item{{Node: "a", Term: 1}, nil} {
		w.item, w.rev = before, 0
		if before != nil {
			w.rev = before.Term
		}
		w.run(10 * time.Second)
		if b.over != "" || b.until <= w.now || w.rev != 2 {
			t.Errorf("over %q, until %v, term %d", b.over, b.until, w.rev)
		}
	}
}

// Whatever happens, two nodes never may claim at one instant, and terms only
// rise; when all is well again, one is active within 20 s.
func TestNeverTwo(t *testing.T) {
	for seed := range uint64(300) {
		w := &world{t: t}
		r := rand.New(rand.NewPCG(seed, 1))
		names := []string{"a", "b", "c"}
		slot := make([]*proc, len(names))
		for i := range slot {
			slot[i] = w.start(names[i], false)
		}
		for range 60 {
			w.run(time.Duration(r.IntN(80)) * 100 * time.Millisecond)
			i := r.IntN(len(slot))
			switch r.IntN(8) {
			case 0:
				slot[i].dead = true
				slot[i] = w.start(names[i], false)
			case 1:
				slot[i].stalled = true
			case 2:
				w.wake(slot[i])
			case 3:
				w.down = !w.down
			case 4:
				w.lost = !w.lost
			case 5:
				w.step(slot[i], &lease.Leave{})
			case 6:
				w.step(slot[i], &lease.Doubt{})
			}
			for i, p := range slot {
				if p.over != "" {
					slot[i] = w.start(names[i], true)
				}
			}
			w.check()
		}
		w.down, w.lost = false, false
		for i, p := range slot {
			w.wake(p)
			if p.over != "" {
				slot[i] = w.start(names[i], true)
			}
		}
		w.run(20 * time.Second)
		active := 0
		for _, p := range w.nodes {
			if p.active && !p.dead && p.over == "" {
				active++
			}
		}
		if active != 1 {
			t.Fatalf("seed %d: %d are active in the end", seed, active)
		}
	}
}

// A table that was restored from before: the other region knows a higher term,
// and one new life is enough to be above it.
func TestARestoredTableUnderAHigherTerm(t *testing.T) {
	w := &world{t: t}
	w.item, w.rev = &lease.Item{Node: "a", Term: 3, Counter: 7}, 3
	a := w.start("a", false)
	w.step(a, &lease.Superseded{Term: 9})
	if a.over != lease.Outbid {
		t.Fatalf("over: %q", a.over)
	}
	o := lease.DefaultOptions()
	o.Node, o.Life, o.Yields, o.Above = "a", "later", true, 9
	b := &proc{name: "a", l: lease.New(o, beat.Now{Mono: w.now})}
	w.nodes = append(w.nodes, b)
	w.run(15 * time.Second)
	if !b.active || b.l.Term() != 10 {
		t.Errorf("active %v, term %d", b.active, b.l.Term())
	}
}

// A node that stood still has not read the lease before the table answers, however
// lately it had looked.
func TestANodeThatWakesReadsTheLease(t *testing.T) {
	o := lease.DefaultOptions()
	o.Node, o.Life, o.Other = "a", "a1", true
	now := beat.Now{}
	l := lease.New(o, now)
	var mine lease.Item
	look := uint64(0)
	var step func(e lease.Event)
	step = func(e lease.Event) {
		for _, out := range l.Step(now, e, nil) {
			switch out := out.(type) {
			case *lease.Write:
				mine = out.Item
				step(&lease.Wrote{Op: out.Op})
			case *lease.Look:
				look = out.Op
			}
		}
	}
	step(nil)
	step(&lease.Read{Op: look})
	step(&lease.Read{Op: look, Own: &mine})
	if !l.Holds() || l.Waking() {
		t.Fatal("it does not hold the lease")
	}
	now.Mono = 15 * time.Second
	before := look
	step(&lease.Woke{})
	if !l.Waking() || look == before {
		t.Errorf("waking %v, looked %v", l.Waking(), look != before)
	}
	step(&lease.Read{Op: look, Own: &mine})
	if l.Waking() {
		t.Error("it has read the lease, and does not go on")
	}
}

// A node that holds a lease by a write whose answer was lost renews at once: until
// then it may claim nothing.
func TestALeaseWhoseAnswerWasLostIsRenewedAtOnce(t *testing.T) {
	w := &world{t: t, lost: true}
	p := w.start("a", false)
	w.lost = false
	for !p.active && w.now < time.Minute {
		w.run(100 * time.Millisecond)
	}
	held := w.now
	for p.until <= w.now && w.now < time.Minute {
		w.run(100 * time.Millisecond)
	}
	if w.now-held > 1500*time.Millisecond {
		t.Errorf("it claims %v after it was active", w.now-held)
	}
}
