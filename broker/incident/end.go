package incident

import (
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
)

// end ends an incident: v is the word that does.
func (b *Book) end(inc *incident, v *presence.Verdict) {
	delete(b.open, inc.subject())
	inc.Open, inc.EndedAt = false, b.now.Wall.UTC().Truncate(time.Millisecond)
	b.ended[inc.subject()] = inc.EndedAt
	inc.Ended, inc.endedBy = ending(v.Condition), v.Cause
	inc.K++
	inc.recovery = &step{inc: inc, k: inc.K, change: Recovered, seenFrom: v.SeenFrom}
	b.emit(&Happened{Incident: inc.Incident, Change: Recovered})
	b.changed(inc)
	b.recover(inc)
	b.saveEnd(inc)
	b.uncover(inc)
	id := inc.ID
	b.after(keepEnded, func() { b.purge(id) })
	for _, other := range inc.also {
		if other.Open {
			b.end(other, v)
		}
	}
	inc.also = nil
}

// ending is how a condition ends an incident, where the host does not come back.
func ending(c presence.Condition) Ending {
	switch c {
	case presence.HostForgotten:
		return Retired
	case presence.HostStopped:
		return Stopped
	default:
		return ""
	}
}

// purge forgets an incident that ended long ago, once nothing of it is on its
// way.
func (b *Book) purge(id ID) {
	inc := b.byID[id]
	if inc == nil || inc.Open || b.now.Wall.Sub(inc.EndedAt) < keepEnded {
		return // it was opened again: its next end comes back
	}
	if inc.fault.final() && inc.recovery.final() {
		delete(b.byID, id)
		if b.ended[inc.subject()].Equal(inc.EndedAt) {
			delete(b.ended, inc.subject())
		}
		return
	}
	b.after(keepEnded, func() { b.purge(id) })
}

// recover decides what becomes of a recovery: one whose fault nobody was told
// of is not told, and neither is the fault any more (I5). Programs may know of a
// fault that people were not told of.
func (b *Book) recover(inc *incident) {
	switch f := inc.fault; f.phase {
	case told:
		b.start(inc.recovery, inc.doubtful)
	case hushed, cancelled, frozen, gathering, digesting:
		b.cancel(f)
		b.endAside(inc)
	case leaving, checking:
		inc.recovery.phase = waiting
	case held:
		// The other region may have told the fault: it is asked about both, also
		// where home moved here meanwhile.
		b.start(inc.recovery, true)
	}
}

// resolve goes on with a recovery that waited for its fault.
func (b *Book) resolve(inc *incident) {
	r := inc.recovery
	if r == nil || r.phase != waiting {
		return
	}
	if inc.fault.phase == told {
		b.start(r, inc.doubtful)
		return
	}
	b.endAside(inc)
}

// endAside goes on with the end of a fault that people are not told of. Where
// programs know the fault, its end goes to them as any other goes to people: by
// its teller, and asked for where the other region may have told it.
func (b *Book) endAside(inc *incident) {
	if b.known(inc.fault) {
		b.start(inc.recovery, inc.doubtful)
	} else {
		b.cancel(inc.recovery)
	}
}

// mayTellToo says whether the other region may tell the end of a fault that was
// told from here: it is home; or, of a region's fault, it tells where both do, and
// a channel did not get that from here.
func (b *Book) mayTellToo(inc *incident) bool {
	if inc.Region == "" {
		return b.home(inc.Store) != b.opt.Region
	}
	o := inc.fault.notice
	return !b.breaksTies(inc) && (o == nil || slices.ContainsFunc(b.opt.Channels, func(ch Channel) bool { return o.notice.SentAt[ch].IsZero() }))
}

// known says whether a channel has a fault, or may have it.
func (b *Book) known(f *step) bool {
	return f.phase == told || len(f.on) > 0 || b.leftPerhaps(f)
}

// leftPerhaps says whether a channel may still get a fault from this region.
func (b *Book) leftPerhaps(f *step) bool {
	return slices.ContainsFunc(b.opt.Channels, func(ch Channel) bool { return b.onItsWay(f, ch) })
}

// owes says whether a recovery is this region's to tell: it told the fault, or
// may have.
func (b *Book) owes(s *step) bool {
	f := s.inc.fault
	return s.change == Recovered && (b.leftPerhaps(f) || s.inc.Teller == b.opt.Region && b.known(f))
}

func (b *Book) cancel(s *step) {
	if s.final() {
		return
	}
	s.phase = cancelled
	s.inc.Waits = ""
	if s.change == Recovered && s.inc.Untold { // nobody will be told
		s.inc.Untold = false
		b.save(s.inc)
	}
}

// saveEnd saves the end of an incident that this region told, before it tells
// that: the node that comes after this one owes it, and takes the next loss for
// another outage.
func (b *Book) saveEnd(inc *incident) {
	if inc.Teller == b.opt.Region && len(inc.Told) > 0 {
		inc.Untold = !inc.recovery.final()
		b.save(inc)
	}
}

// endThere tells a channel of the end of a fault that it got just now, where
// the other region told others of it.
func (b *Book) endThere(s *step, ch Channel) {
	r := s.inc.recovery
	if r == nil || r == s || s != s.inc.fault || r.phase != told || r.notice != nil || len(r.on) == 0 || slices.Contains(r.on, ch) || !b.opt.Reaches(ch) {
		return
	}
	s.inc.Teller = b.opt.Region
	b.gather(r)
}
