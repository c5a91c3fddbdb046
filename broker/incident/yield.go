package incident

import (
	"slices"
	"time"
)

// yielding is a fault that the other region tells, though it is not known here.
type yielding struct {
	id    ID
	since time.Time // the last proof of life before it
	at    time.Duration
	// byRelay: both regions have its id from the store's relay.
	byRelay bool
}

// yield remembers that the other region tells of a fault that is not known
// here yet: its word of it is on its way.
func (b *Book) yield(item ToldItem) {
	c := classOf(item.Kind)
	if c == 0 || b.checkSubject(item.Store, item.Host, item.Region) != "" || len(b.yielded) >= maxYielded {
		return
	}
	sub := subject{item.Store, item.Host, item.Region, c}
	y := yielding{item.Incident, item.Since, b.now.Mono, item.ByRelay}
	b.yielded[sub] = y
	b.after(b.opt.Takeover, func() {
		if b.yielded[sub] == y {
			delete(b.yielded, sub)
		}
	})
}

// hasYielded says whether the other region was told to tell of a fault that is
// opened here now: by its id, or where each region made one, by its time.
func (b *Book) hasYielded(inc *incident) bool {
	y, ok := b.yielded[inc.subject()]
	return ok && (y.id == inc.ID || (!y.byRelay || !inc.ByRelay) && inc.Since.Sub(y.since).Abs() < b.opt.Takeover)
}

// maxYielded bounds what is remembered of the other region's questions.
const maxYielded = 100_000

// leave leaves a transition to the other region, which took it over while the
// table or the channels refused this region's notice of it, and holds it back for
// long: with a table that fails as well it would have said so by then. What a
// channel may have taken from here stays this region's.
func (b *Book) leave(s *step) bool {
	o := s.carrier()
	if o == nil || !b.stuck(o, 3*b.opt.Takeover) {
		return false
	}
	for _, perhaps := range o.perhaps {
		if perhaps {
			return false
		}
	}
	o.drop(s)
	if s.aside {
		s.side, s.queued = nil, false
	}
	b.cede(s)
	return true
}

// cede makes the other region the teller of a transition that nobody was told of.
func (b *Book) cede(s *step) {
	s.phase, s.inc.Teller, s.inc.Waits = held, b.other(), "is told by "+string(b.other())
	b.hold(s)
}

// stuck says whether nobody could be told of the notice for d.
func (b *Book) stuck(o *outgoing, d time.Duration) bool {
	return !b.told(o) && o.refused && b.now.Mono-o.refusedAt >= d
}

// lacks says whether a channel that reaches somebody waits for the notice.
func (b *Book) lacks(o *outgoing) bool {
	return slices.ContainsFunc(b.opt.Channels, func(ch Channel) bool {
		m, has := o.notice.Marks[ch]
		return has && m == Unsent && (o.side || b.opt.Reaches(ch))
	})
}

// unfinished is the notice of a transition that such a channel waits for, nil where
// there is none: people's, or what programs are told meanwhile.
func (b *Book) unfinished(s *step) *outgoing {
	for _, o := range [...]*outgoing{s.notice, s.side} {
		if o != nil && !o.done && b.lacks(o) {
			return o
		}
	}
	return nil
}

// lags says whether such a channel, or the table, refused for so long that the
// other region may try: each channel is told by itself (I3, I5).
func (b *Book) lags(o *outgoing) bool {
	return b.lacks(o) && o.refused && b.now.Mono-o.refusedAt >= b.opt.Takeover
}

// gives says whether the other region is told to try a notice now: not while a
// channel, or the table, may still take it from here, or its fault.
func (b *Book) gives(o *outgoing) bool {
	return b.lags(o) && len(o.inflight) == 0 && !o.awaits && (o.claimed || !o.writing)
}

// tryAgain tries a notice again after a question about it, unless the other
// region tells it, or was told to since the question.
func (b *Book) tryAgain(o *outgoing, theirs bool) {
	if theirs || o.given {
		b.retryIn(o, b.opt.AskAgain)
	} else {
		b.attempt(o)
	}
}

// giveUp leaves a transition to the other region, which was told to tell it: what
// was asked about it before counts no more, and it is asked after Takeover.
func (b *Book) giveUp(s *step) {
	switch s.phase {
	case held, checking, gathering, digesting:
	default:
		return // it is final, or asked about before another try
	}
	if s.given && s.phase == held {
		if s.askAt <= b.now.Mono {
			b.askAfter(s, b.opt.AskAgain)
		}
		return
	}
	s.phase, s.given, s.inc.Teller = held, true, b.other()
	s.inc.Waits = "is told by " + string(s.inc.Teller)
	b.hold(s)
}
