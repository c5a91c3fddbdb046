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
	s.lan.since = s.clock.date(mono - min(mono, age))
}

// sayLan says that the LAN died or is back. It comes before the word about
// hosts: while it is dead, of those that are missing nothing more is said.
func (p *Presence) sayLan(s *store) {
	if s.session != sessionOpen || s.lan.dead == s.lan.said {
		return
	}
	s.lan.said, s.saveNow = s.lan.dead, true
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

// lastOnLan is the last beat, on our clock, of the hosts that vanished with the
// LAN; when the relay found that it is dead, where none is known.
func (s *store) lastOnLan() time.Duration {
	var last time.Duration
	for i := range s.hosts {
		if h := &s.hosts[i]; h.relayed && h.relay == beat.Missing && h.lastSeen < s.lan.since {
			last = max(last, h.lastSeen)
		}
	}
	if last == 0 {
		return s.lan.since
	}
	return last
}
