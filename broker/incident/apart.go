package incident

import (
	"maps"
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
)

// What this region tells while it cannot ask the other one, which may live and be
// about to tell the same: the marks decide, and they may be on their way.

// unanswered: the other region is silent. What it told before, its marks in
// the table know.
func (b *Book) unanswered(id uint64) {
	q := b.asks[id]
	delete(b.asks, id)
	if len(q.steps) == 0 {
		return
	}
	b.readMarks(q)
}

// marksRead takes over what no mark calls sent. A table that cannot be read
// says nothing: better told twice than never.
func (b *Book) marksRead(e *MarksRead) {
	q := b.asks[e.ID]
	delete(b.asks, e.ID)
	for i, s := range q.steps {
		if q.asksAside(i) && i < len(e.Known) {
			s.on = union(s.on, e.Known[i].On)
		}
		switch {
		case !q.asks(i):
		case e.Failed || i >= len(e.Known):
			if s.carrier() == nil {
				b.takeApart(s)
			}
		default:
			b.learn(s, &e.Known[i], true)
			switch {
			case len(s.on) > 0 && b.everywhere(s):
				b.toldThere(s)
			case s.carrier() == nil && b.toldFaultThere(s, &e.Known[i]):
				b.cede(s) // who told the fault tells its end, unless that takes too long (I3)
			case s.carrier() == nil: // what is left of it, too
				b.takeApart(s)
			}
		}
	}
	for _, o := range q.notices {
		b.tryAgain(o, false)
	}
}

// takeApart takes over without an answer: a host's fault, or a dead LAN, only while
// this region sees whether it lasts, and a store's only while it does not suspect itself
// (P4, I7). The other one may have told its end.
func (b *Book) takeApart(s *step) {
	if s.change == Opened && s.inc.Open && b.outOfSight(s.inc) {
		s.inc.Waits = "this region does not see it now: it waits for that, or for an answer"
		b.askAfter(s, b.opt.AskAgain)
		return
	}
	s.apart = true
	b.take(s)
}

func (b *Book) outOfSight(inc *incident) bool {
	switch c := classOf(inc.Kind); {
	case b.opt.Sees == nil:
		return false
	case inc.Host != "", c == lanClass:
		return !b.opt.Sees(inc.Store, inc.Host)
	case c == storeClass:
		return !b.opt.Sees("", "") // it suspects itself: each store needs an answer
	}
	return false
}

// toldFaultThere says whether a mark is the first word that the other region alone
// told the fault that an end is of: it is the teller, and lives.
func (b *Book) toldFaultThere(s *step, k *Known) bool {
	lives := b.peer != presence.PeerDead && b.peer != presence.PeerSettles
	return lives && s.change == Recovered && s.inc.Teller != b.other() && len(k.Fault) > 0 && !b.toldFromHere(s.inc)
}

// goesSecond is how long the second of two regions waits for the marks of the first:
// a claim, a publish, its mark, and the mark's replication. It is no longer than a
// part of takeover: who told the fault, and tells its end, is not to wait until the
// other one takes that over.
const goesSecond = 5 * time.Second

// lookLast reads the marks once more before a notice is claimed whose telling this
// region took over without an answer: what gathers for seconds may be told by the
// other region meanwhile. Of two that live and take over at once the first by name
// goes first, and the other one sees its marks.
func (b *Book) lookLast(o *outgoing) {
	o.looks = true
	look := func() {
		if !o.looks || o.done {
			return
		}
		q := asking{steps: slices.Clone(o.steps), notices: []*outgoing{o}}
		for _, s := range q.steps {
			q.rounds = append(q.rounds, s.asked)
		}
		b.readMarks(q)
	}
	if b.peer == presence.PeerDead || b.opt.Region == slices.Min(b.opt.Regions) {
		look()
		return
	}
	b.after(min(goesSecond, b.opt.Takeover/4), look)
}

// woke takes that this node stood still: what it was to tell then, and the ends of
// what it told, the other region may have told. They are asked about first, as
// after a start (I3).
func (b *Book) woke() {
	b.loadedAt = b.now.Mono
	if len(b.opt.Regions) < 2 {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(b.byID)) {
		inc := b.byID[id]
		inc.doubtful = true
		for _, s := range [...]*step{inc.fault, inc.recovery} {
			if s != nil && (s.phase == gathering || s.phase == digesting) {
				b.check(s)
			}
		}
	}
}
