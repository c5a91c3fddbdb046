package presence

import "time"

// comebacks counts the stores that come back while a node settles, by the
// second. The node has settled when they are few.
type comebacks struct {
	from    time.Duration // when the settling began
	buckets [comebackWindow]uint32
	last    int // the second of the newest bucket, since from
	window  int // over how many seconds they are counted, at most comebackWindow
}

// newComebacks counts from an instant on, over a quarter of the shortest
// settling.
func newComebacks(from, settle time.Duration) comebacks {
	return comebacks{from: from, window: min(max(int(settle/(4*time.Second)), 1), comebackWindow)}
}

const (
	// comebackWindow is over how many seconds comebacks are counted at most, and
	// comebackShare the part of the expected stores that is few: one of so many.
	comebackWindow = 15
	comebackShare  = 1_000
)

func (c *comebacks) roll(now time.Duration) {
	sec := int((now - c.from) / time.Second)
	for c.last < sec {
		c.last++
		c.buckets[c.last%comebackWindow] = 0
		if sec-c.last > comebackWindow {
			c.last = sec - comebackWindow
		}
	}
}

func (c *comebacks) add(now time.Duration) {
	c.roll(now)
	c.buckets[c.last%comebackWindow]++
}

// few is when the comebacks of the last seconds are few of the expected
// stores, if no more come: now or later.
func (c *comebacks) few(now time.Duration, expected int) time.Duration {
	c.roll(now)
	most := uint32(expected) / comebackShare
	if expected%comebackShare == 0 && most > 0 {
		most-- // under, not at
	}
	var sum uint32
	for i := range c.window {
		sec := c.last - i
		if sec < 0 {
			break
		}
		if sum += c.buckets[sec%comebackWindow]; sum > most {
			return c.from + time.Duration(sec+c.window)*time.Second
		}
	}
	return now
}

// trySettle ends the settling if it is time, and else says when to look again
// (P6).
func (p *Presence) trySettle() {
	at := max(p.back.from+p.opt.Settle, p.back.few(p.now.Mono, p.fleet.expected))
	p.settleAt = min(at, p.back.from+max(p.opt.Settle, p.opt.SettleMax))
	if p.now.Mono >= p.settleAt {
		p.settle()
	}
}

// settle ends the settling: what did not come back is lost now, not later.
func (p *Presence) settle() {
	p.settled, p.settleAt = true, never
	all := p.sorted()
	for _, s := range all {
		if s.session != sessionOpen && s.relay != "" && !s.stopped {
			s.suspectAt = max(s.suspectAt, p.now.Mono-p.opt.Grace)
		}
		p.count(s) // before any is judged: many at once are suspicious
	}
	p.recount = true
	p.stepFleet()
	for _, s := range all {
		p.touch(s)
	}
}

// woke takes that the node's loop stood still: the node settles again, and
// freshness counts from now. Sessions stay. What the other region said before,
// and what was unanswered, is no evidence any more.
func (p *Presence) woke() {
	p.settled, p.settleAt, p.back = false, p.now.Mono+p.opt.Settle, newComebacks(p.now.Mono, p.opt.Settle)
	p.freshFrom = p.now.Mono
	for _, s := range p.sorted() {
		s.back = s.session == sessionOpen
		s.deafSince, s.lostThere = 0, 0
		if s.theirs.View == ViewOpen || s.theirs.View == ViewSettling {
			s.theirs, s.opens, s.askAt = StoreView{}, 0, 0
		}
		for i := range s.hosts {
			if w := s.hosts[i].wait; w != nil {
				w.since, w.deafSince = p.now.Mono, 0
			}
		}
		p.touch(s)
	}
	p.stepPeer(func(m *peer) { m.woke(p.now.Mono) })
}

// backHere says whether the session of a store is evidence: a node that settles
// has heard of it since its start or its waking.
func (p *Presence) backHere(s *store) bool {
	return p.settled || s.lastReport >= p.freshFrom
}

// backDirect says the same of a host's direct way that was alive.
func (p *Presence) backDirect(h *host) bool {
	return p.settled || h.dLast > p.freshFrom
}

// cameBack counts a store's first birth while the node settles.
func (p *Presence) cameBack(s *store) {
	if p.settled || s.back {
		return
	}
	s.back = true
	if s.tally&tallyExpected == 0 {
		return // it was not expected
	}
	p.back.add(p.now.Mono)
	p.trySettle()
}
