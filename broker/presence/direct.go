package presence

import (
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// directBeat takes a beat that reached this region without a relay. A beat of
// a host that is up costs two look-ups and a store.
func (p *Presence) directBeat(e *Direct) {
	s := p.store(e.Store)
	h := s.lookup(e.Beat.Host)
	if h == nil && len(s.hosts) >= maxDirectHosts {
		p.emit(&Refused{ID: beat.Identity{Store: e.Store}, Reason: TooMany})
		return
	}
	if h == nil || !h.known() {
		h = p.host(s, e.Beat.Host)
		p.emit(&Adopted{Store: s.id, Host: h.id, Via: ByDirect})
	}
	h.dLast = p.now.Mono
	h.dIntervalMs = uint32(min(max(e.Beat.Interval, 0), beat.MaxInterval).Milliseconds()) //nolint:gosec // within its bounds
	if h.dIntervalMs == 0 {
		h.dIntervalMs = uint32(p.declaredInterval(s, h).Milliseconds()) //nolint:gosec // within its bounds
	}
	state := beat.Up
	switch {
	case e.Beat.Status == beat.Fail, e.Beat.KeepStatus && h.direct == beat.Failing:
		state = beat.Failing
	}
	if n := h.notes(); !e.Beat.KeepStatus && n.direct != e.Beat.Message {
		n.direct = e.Beat.Message
		h.say(n)
	}
	if state == h.direct && h.state == state {
		return
	}
	if h.direct == beat.Unknown {
		if !h.relayed {
			h.cond = 0 // what was thought of it was the other region's word
		}
		p.emit(&Tell{News: []News{{Store: s.id, Host: h.id}}})
	}
	if state != h.direct {
		if !h.direct.Alive() {
			p.direct++
			h.dNumber, h.origin = p.direct, 0
		}
		h.direct, h.dirty = state, true
	}
	p.touch(s)
}

// origin is a start of a node that numbered direct ups.
type origin struct {
	node string
	term int64
}

// maxOrigins bounds them: what comes after counts as this node's.
const maxOrigins = 1_000

func (p *Presence) originOf(node string, term int64) uint16 {
	o := origin{node, term}
	i := slices.Index(p.origins, o)
	if i < 0 && node != "" && len(p.origins) < maxOrigins {
		i = len(p.origins)
		p.origins = append(p.origins, o)
	}
	return uint16(max(i, 0)) //nolint:gosec // at most maxOrigins
}

// ownCause names a host's last direct up here; its Number is 0 where it had none.
func (p *Presence) ownCause(h *host) Cause {
	o := p.origins[h.origin]
	return Cause{Node: o.node, Term: o.term, Number: h.dNumber}
}

// directCause is the cause of an incident of a direct host: home's last up,
// where home had one, wherever it is computed (I1).
func (p *Presence) directCause(s *store, h *host) Cause {
	mine := p.ownCause(h)
	if h.wait == nil || h.wait.cause.Number == 0 || s.home && mine.Number != 0 {
		return mine
	}
	if !s.home || mine.Number == 0 {
		return h.wait.cause
	}
	return mine
}

func (p *Presence) endDirect(h *host) {
	h.theirWay = false
	if h.direct != beat.Unknown && h.direct != beat.Stopped {
		h.direct, h.dirty = beat.Stopped, true
	}
}

// declaredInterval is what a host promises whose beats do not say.
func (p *Presence) declaredInterval(s *store, h *host) time.Duration {
	if d := s.declared.Declared(h.id); d != nil && d.Interval > 0 {
		return min(d.Interval, beat.MaxInterval)
	}
	return beat.DefaultInterval
}

// expires is when the direct way of a host that is up breaks its promise.
func (p *Presence) expires(h *host) time.Duration {
	return max(h.dLast, p.freshFrom) + h.dInterval() + beat.HostGrace(h.dInterval())
}

// judgeDirect ends the direct ways whose promise is broken. A node that
// settles opens nothing from silence.
func (p *Presence) judgeDirect(s *store) {
	if !p.settled {
		return
	}
	for i := range s.hosts {
		if h := &s.hosts[i]; h.direct.Alive() && p.now.Mono >= p.expires(h) {
			h.direct, h.dirty = beat.Missing, true
		}
	}
}

func (s *store) aliveDirect() bool {
	for i := range s.hosts {
		if s.hosts[i].direct.Alive() {
			return true
		}
	}
	return false
}

// judgedByHosts says whether a lost store is one whose relay alone is dead: a
// host beats directly, here or as the other region said, or did when that was decided. It is not called down when
// the last of them falls silent, which is told of each (P5).
func (s *store) judgedByHosts() bool {
	if s.state == RelayDead || s.bypassed || s.aliveDirect() {
		return true
	}
	if !s.lossSaved || s.session != sessionNone {
		return false
	}
	for i := range s.hosts { // as the node before this one knew them
		if s.hosts[i].livedAt(s.suspectAt) {
			return true
		}
	}
	return false
}

// livedAt says whether its direct way had not expired at an instant.
func (h *host) livedAt(at time.Duration) bool {
	return h.direct != beat.Unknown && h.dLast+h.dInterval()+beat.HostGrace(h.dInterval()) > at
}
