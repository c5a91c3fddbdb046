package presence

import (
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// expectation is what ought to be in a store and never came (P11).
type expectation struct {
	version int64
	store   bool      // the store itself was never seen
	since   time.Time // since when it is waited for
	until   time.Time // by when it should have come
	askAt   time.Duration
	never   bool // the other region never saw the store either
}

// takeSettings takes what operators say.
func (p *Presence) takeSettings(e *Settings) {
	p.settings = e.Fleet
	if e.Changed != nil {
		for _, id := range e.Changed {
			p.declare(id)
		}
		return
	}
	var ids []beat.StoreID
	for id := range p.stores {
		ids = append(ids, id)
	}
	for d := range e.Fleet.Stores() {
		if p.stores[d.ID] == nil {
			ids = append(ids, d.ID)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		p.declare(id)
	}
}

// declare takes what operators say of one store. A declared one, and its
// declared hosts, are known from then on.
func (p *Presence) declare(id beat.StoreID) {
	d := p.settings.Store(id)
	s := p.stores[id]
	if s == nil {
		if d == nil || d.Version == 0 {
			return
		}
		s = p.store(id)
	}
	s.declared, s.home, s.adopts = d, p.isHome(id), p.settings.Adopts(id)
	s.days.ends = 0 // its zone may be another one
	if s.stopped {
		p.promise(s)
	}
	for i := range s.hosts {
		s.hosts[i].declared = d.Declared(s.hosts[i].id) != nil
	}
	if d != nil && d.Version > 0 {
		for i := range d.Hosts {
			if len(s.hosts) < maxDirectHosts {
				p.host(s, d.Hosts[i].ID).declared = true
			}
		}
	}
	p.touch(s)
}

// unadopted says whether a host pages nobody: it is neither declared nor
// adopted, and was not seen on enough days.
func (p *Presence) unadopted(s *store, h *host) bool {
	return !s.adopts && !h.declared && !h.seen.regular()
}

// version is that of a store's declaration; 0: there is none.
func (s *store) version() int64 {
	if s.declared == nil {
		return 0
	}
	return s.declared.Version
}

func (s *store) comeUp() time.Duration {
	if s.declared == nil {
		return setting.DefaultComeUp
	}
	return s.declared.ComeUp
}

// seenOnce says whether anything of a store was ever seen here.
func (s *store) seenOnce() bool {
	if s.relay != "" {
		return true
	}
	for i := range s.hosts {
		if s.hosts[i].known() {
			return true
		}
	}
	return false
}

// absent says whether a host is expected, and no way of it was seen though the
// store can be looked into.
func (s *store) absent(h *host) bool {
	return h.state == beat.Unknown && !h.relayed && h.direct == beat.Unknown && !h.theirWay &&
		(h.declared || h.number != 0 && h.seen.regular())
}

// await notes which hosts are absent, and says whether any is, and whether one is
// that was not: a relay with an empty disk lists nobody, and who was there is waited
// for as long as who never came.
func (s *store) await() (hosts, more bool) {
	for i := range s.hosts {
		h := &s.hosts[i]
		absent := s.absent(h)
		hosts, more = hosts || absent, more || absent && !h.awaited
		h.awaited = absent
	}
	return hosts, more
}

// judgeExpected says what ought to have come by now, and never did. Where there
// is another region, it never came there either.
func (p *Presence) judgeExpected(s *store) {
	p.withdraw(s)
	store := s.version() > 0 && !s.seenOnce()
	if !store && s.session != sessionOpen && s.relay != "" {
		return // nobody can look into it now
	}
	hosts, more := false, false
	if !store {
		hosts, more = s.await()
	}
	if !p.settled || !store && !hosts {
		if p.settled {
			s.expect = nil
		}
		return
	}
	if e := s.expect; e == nil || e.version != s.version() || e.store != store || more {
		s.expect = &expectation{version: s.version(), store: store, since: p.now.Wall, askAt: p.now.Mono}
		s.expect.until = s.comesUp(p.now.Wall, s.comeUp())
	}
	if p.now.Wall.Before(s.expect.until) {
		return
	}
	if store {
		p.neverStore(s)
		return
	}
	for _, i := range s.order {
		if h := &s.hosts[i]; s.absent(h) && h.cond != HostNeverSeen && h.cond != HostMissing {
			p.neverHost(s, h)
		}
	}
}

func (p *Presence) neverStore(s *store) {
	e := s.expect
	switch {
	case s.cond == HostNeverSeen:
	case p.other() == "" || e.never:
		s.cond = HostNeverSeen
		p.emit(&Decided{Verdict: p.neverVerdict(s, nil)})
	case s.asking == 0 && p.now.Mono >= e.askAt:
		p.wantAsking(s)
	}
}

// takeNever takes the other region's word about a store that was never seen
// here.
func (p *Presence) takeNever(s *store, v View) {
	if s.expect == nil {
		return
	}
	s.expect.never = v == ViewNever
	s.expect.askAt = p.now.Mono + downReask*p.opt.Reask
	p.touch(s)
}

func (p *Presence) neverHost(s *store, h *host) {
	if p.other() != "" {
		if h.wait == nil {
			h.wait = &waiting{since: p.now.Mono, askAt: p.now.Mono}
		}
		switch theirs := h.wait.theirs; {
		case theirs == ViewNever, theirs == ViewLost && h.wait.cause.Number == 0: // no beat reached it there
		case theirs == "", theirs == ViewSettling:
			if h.wait.asking == 0 && p.now.Mono >= h.wait.askAt {
				p.wantAsking(s)
			}
			return
		default:
			h.wait, h.theirWay = nil, true // it was seen there
			return
		}
	}
	h.wait = nil
	h.cond, h.unadopted = HostNeverSeen, false
	p.emit(&Decided{Verdict: p.neverVerdict(s, h)})
}

// neverVerdict is about a host, or about a store where h is nil.
func (p *Presence) neverVerdict(s *store, h *host) Verdict {
	v := Verdict{
		Store: s.id, Condition: HostNeverSeen, Reason: NeverCame, At: p.now.Wall, Since: s.expect.since,
		Cause: Cause{Number: uint64(max(s.version(), 0))}, SeenFrom: p.seenFrom(p.other() == ""),
	}
	if h != nil {
		v.Host = h.id
		if !h.declared {
			v.Cause = Cause{Incarnation: s.pictured, Number: uint64(h.number)}
		}
	}
	return v
}

// withdraw ends what was said of hosts and stores that are expected no more.
func (p *Presence) withdraw(s *store) {
	if s.cond == HostNeverSeen && s.version() == 0 {
		s.cond = 0
		v := p.forgotten(s)
		p.emit(&Decided{Verdict: v})
	}
	var gone []beat.HostID
	for _, i := range s.order {
		h := &s.hosts[i]
		if h.declared || h.relayed || h.known() {
			continue
		}
		gone = append(gone, h.id)
		if h.cond == HostNeverSeen {
			v := p.forgotten(s)
			v.Host = h.id
			p.emit(&Decided{Verdict: v})
		}
	}
	for _, id := range gone {
		s.drop(id)
	}
}

func (p *Presence) forgotten(s *store) Verdict {
	return Verdict{
		Store: s.id, Condition: HostForgotten, Reason: Operator, At: p.now.Wall, Since: p.now.Wall,
		SeenFrom: []beat.Region{p.opt.Region},
	}
}

// expectDue is when something that was never seen is looked at again.
func (p *Presence) expectDue(s *store) time.Duration {
	e := s.expect
	switch {
	case e == nil:
		return never
	case p.now.Wall.Before(e.until):
		return p.mono(e.until)
	case e.store && s.cond != HostNeverSeen && s.asking == 0:
		return e.askAt
	default:
		return never
	}
}
