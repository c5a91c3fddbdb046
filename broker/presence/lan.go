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
		v.Condition, v.Reason, v.Since = StoreLan, LanDead, p.now.At(s.lan.since)
		v.Old = s.lan.since < p.started.Mono
	}
	p.emit(&Decided{Verdict: v})
}
