package presence

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// lan is the relay's word about the LAN of its store: it is dead when the hosts
// vanish together, and that is one fault, and none of the hosts (L3).
type lan struct {
	dead   bool
	said   bool // as it was said last
	again  bool // by another node: this one says once what it finds
	reason beat.Reason
	number beat.Number
	since  time.Duration // on our clock
}

func (p *Presence) takeLan(s *store, r *beat.Report, mono time.Duration) {
	l := r.Picture.Lan
	if l == nil {
		s.lan.dead = false
		return
	}
	age := time.Duration(l.AgeMs) * time.Millisecond
	s.lan.dead, s.lan.reason, s.lan.number = l.Dead, l.Reason, l.Number
	s.lan.since = s.clock.date(mono - age)
}

// sayLan says that the LAN died or is back; a node that starts says once more that
// it is dead, as it does of hosts, for the incident may wait for evidence. It comes
// before the word about hosts: while it is dead, of those that are missing nothing more is said.
func (p *Presence) sayLan(s *store) {
	l := &s.lan
	switch {
	case s.session != sessionOpen, l.dead == l.said && !l.again, l.dead && !l.said && !p.vanished(s):
		return
	case l.dead != l.said:
		l.said, s.saveNow = l.dead, true
	}
	l.again = false
	v := Verdict{
		Store: s.id, Condition: LanWell, Reason: RelaySays, At: p.now.Wall, Since: p.now.Wall,
		Cause:    Cause{Incarnation: s.incarnation, Number: uint64(s.lan.number)},
		SeenFrom: []beat.Region{p.opt.Region},
	}
	if s.lan.dead {
		last := s.lastOnLan()
		v.Condition, v.Reason, v.Since, v.Uncertainty = StoreLan, LanDead, p.now.At(last), s.lan.since-last
		v.Old = s.lan.since < p.started.Mono
	}
	p.emit(&Decided{Verdict: v})
}

// lanFewest is how many hosts vanish with a LAN at least, as relays count (L3).
const lanFewest = 3

// vanished says whether the hosts that a relay misses with its LAN are gone: one
// that beats to a region by itself since was not lost with it (P13). Its relay
// cannot know; what is left without those is too few for a LAN, or it stands.
func (p *Presence) vanished(s *store) bool {
	gone, moved := 0, 0
	for _, i := range s.order {
		h := &s.hosts[i]
		if !h.relayed || h.relay != beat.Missing {
			continue
		}
		if state, _, _ := p.judgeHost(s, h); state == beat.Missing {
			gone++
		} else {
			moved++
		}
	}
	return moved == 0 || gone >= lanFewest || s.lan.reason == beat.LanUnplugged
}

// lastOnLan is the last beat, on our clock, of the hosts that vanished with the
// LAN; when the relay found that it is dead, where none is known.
func (s *store) lastOnLan() time.Duration {
	last, known := s.lan.since, false
	for i := range s.hosts {
		h := &s.hosts[i]
		if h.relayed && h.relay == beat.Missing && h.lastSeen < s.lan.since && h.lastSeen != 0 && (!known || h.lastSeen > last) {
			last, known = h.lastSeen, true
		}
	}
	return last
}
