package incident

import "slices"

// finish ends a notice that has nothing left to do.
func (b *Book) finish(o *outgoing) {
	if o.done {
		return
	}
	for _, m := range o.notice.Marks {
		if m == Unsent {
			b.mark(o)
			return
		}
	}
	o.done = true
	delete(b.outbox, o.notice.ID)
	for _, s := range o.steps {
		switch {
		case s.phase != leaving || s.carrier() != o:
		case o.side:
			b.cancel(s)
		default:
			b.leftUnsent(s)
		}
	}
	b.mark(o)
	b.remember(o.copied())
}

// unmarked says whether the table does not know yet that a fault was sent, whose
// end the notice tells. The mark goes first: a node that comes after this one
// would send the fault behind its end.
func (b *Book) unmarked(o *outgoing) bool {
	missing := false
	for _, s := range o.steps {
		for _, f := range [...]*outgoing{s.inc.fault.notice, s.inc.fault.side} {
			if f != nil && f != o && s.change == Recovered && f.claimed && (f.dirty || f.writing) {
				b.mark(f)
				missing = true
			}
		}
	}
	return missing
}

// leftUnsent ends a transition whose notice this node sent nowhere: others may
// have told it.
func (b *Book) leftUnsent(s *step) {
	if slices.ContainsFunc(b.opt.Channels, func(ch Channel) bool { return b.opt.Reaches(ch) && b.knows(s, ch) }) {
		s.phase, s.inc.Waits, s.inc.Told = told, "", union(s.inc.Told, s.on)
	} else {
		b.cancel(s)
	}
	b.resolve(s.inc)
}

// knows says whether a channel got a transition, and not as one that people are
// not told of.
func (b *Book) knows(s *step, ch Channel) bool {
	return slices.Contains(s.heard(), ch) && (s.side == nil || !b.isProgram(ch))
}

// keepRecent and keepItems bound the notices that are kept for people, and what
// they list together.
const (
	keepRecent = 200
	keepItems  = 5 * maxItems
)

func (b *Book) remember(n Notice) {
	b.recent = append(b.recent, n)
	b.recentItems += len(n.Items)
	old := 0
	for len(b.recent)-old > keepRecent || b.recentItems > keepItems && old < len(b.recent)-1 {
		b.recentItems -= len(b.recent[old].Items)
		old++
	}
	b.recent = slices.Delete(b.recent, 0, old)
}
