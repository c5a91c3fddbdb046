package presence

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// directBeat takes a beat that reached this region without a relay. A beat of
// a host that is up costs two look-ups and a store.
func (p *Presence) directBeat(e *Direct) {
	s := p.store(e.Store)
	i, known := s.index[e.Beat.Host]
	if !known {
		if len(s.hosts) >= maxDirectHosts {
			p.emit(&Refused{ID: beat.Identity{Store: e.Store}, Reason: TooMany})
			return
		}
		p.host(s, e.Beat.Host)
		i = s.index[e.Beat.Host]
		p.emit(&Adopted{Store: s.id, Host: e.Beat.Host, Via: ByDirect})
	}
	h := &s.hosts[i]
	h.dLast = p.now.Mono
	h.dInterval = e.Beat.Interval
	if h.dInterval == 0 {
		h.dInterval = beat.DefaultInterval
	}
	state := beat.Up
	switch {
	case e.Beat.Status == beat.Fail, e.Beat.KeepStatus && h.direct == beat.Failing:
		state = beat.Failing
	}
	if !e.Beat.KeepStatus {
		h.dMessage = e.Beat.Message
	}
	if state == h.direct && h.state == state {
		return
	}
	if h.direct == beat.Unknown {
		p.emit(&Tell{News: []News{{Store: s.id, Host: h.id}}})
	}
	if state != h.direct {
		if !h.direct.Alive() {
			p.direct++
			h.dNumber = p.direct
		}
		h.direct, h.dirty = state, true
	}
	p.touch(s)
}

func (p *Presence) endDirect(h *host) {
	h.theirWay = false
	if h.direct != beat.Unknown && h.direct != beat.Stopped {
		h.direct, h.dirty = beat.Stopped, true
	}
}

// expires is when the direct way of a host that is up breaks its promise.
func (h *host) expires() time.Duration {
	return h.dLast + h.dInterval + beat.HostGrace(h.dInterval)
}

// judgeDirect ends the direct ways whose promise is broken. A node that
// settles opens nothing from silence.
func (p *Presence) judgeDirect(s *store) {
	if !p.settled {
		return
	}
	for i := range s.hosts {
		if h := &s.hosts[i]; h.direct.Alive() && p.now.Mono >= h.expires() {
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
