package presence

import (
	"bytes"
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// conflict is two relays that live with one identity (P14).
type conflict struct {
	// a and b are their boots, the lesser first; equal for a copy of a running
	// one.
	a, b beat.Boot
	// lastAt is when the last CONNECT was refused, or when it was proven.
	lastAt time.Duration
}

const (
	// conflictLasts is how long after the last refused CONNECT a conflict is over.
	conflictLasts = 10 * time.Minute
	// rivalLives is how long after its last CONNECT the other relay is thought
	// to live: twice the longest wait of a relay that reconnects. That long a store
	// without a session is not lost, and is no second view for the other region,
	// which may know of no conflict: neither's end opens "down" while the other
	// lives.
	rivalLives = 60 * time.Second
	// keepBoots is how many boots of a relay are remembered.
	keepBoots = 4
)

func (c *conflict) cause() Cause {
	return Cause{Node: c.a.String() + "+" + c.b.String()}
}

// proves says whether a birth proves two relays: its boot, or its boot's
// incarnation, was accepted before another one was; its boot's clock went back;
// or its epoch was used on another connection.
func (s *store) proves(conn Conn, r *beat.Report) bool {
	if s.relay != r.Relay || s.boot.IsZero() {
		return false
	}
	if r.Boot == s.boot {
		return s.session != sessionNone && (r.MonoMs < s.lastMonoMs || r.Incarnation == s.renewed || s.reused(conn, r))
	}
	return slices.Contains(s.boots, r.Boot)
}

// reused says whether a birth comes under the boot and the epoch of the session
// here, on another connection: a relay raises its epoch before every CONNECT,
// and so one of the two is a copy of the running other, whose clock is in step.
func (s *store) reused(conn Conn, r *beat.Report) bool {
	return s.conn != 0 && s.conn != conn && r.Boot == s.boot && r.Epoch == s.epoch
}

// clash takes a birth that proves a conflict, or that comes while one is open.
// It says whether the birth is refused: the incumbent keeps its session.
func (p *Presence) clash(conn Conn, r *beat.Report, s *store) bool {
	if s.conflict == nil {
		if !s.proves(conn, r) {
			return false
		}
		a, b := s.boot, r.Boot
		if bytes.Compare(a[:], b[:]) > 0 {
			a, b = b, a
		}
		s.conflict, s.saveNow = &conflict{a: a, b: b, lastAt: p.now.Mono}, true
		p.touch(s)
		v := Verdict{
			Store: s.id, Condition: StoreConflict, Reason: TwoRelays, Cause: s.conflict.cause(),
			At: p.now.Wall, Since: p.now.Wall, SeenFrom: []beat.Region{p.opt.Region},
		}
		p.emit(&Decided{Verdict: v})
	}
	if !s.rival(r.Boot) || s.conn == conn {
		return false
	}
	s.conflict.lastAt = p.now.Mono
	p.touch(s)
	p.emit(&Close{Conn: conn, Reason: Clash})
	p.emit(&Refused{ID: r.Identity(), Reason: Clash})
	return true
}

// rival says whether a boot is not the one that holds the open session of a
// store in conflict; of two of one boot each is the other's rival.
func (s *store) rival(boot beat.Boot) bool {
	return s.conflict != nil && s.session == sessionOpen && (boot != s.boot || s.conflict.a == s.conflict.b)
}

// clashed takes a CONNECT that Admit refused.
func (p *Presence) clashed(e *Clashed) {
	s := p.stores[e.ID.Store]
	if s == nil || s.conflict == nil || s.relay != e.ID.Relay {
		p.emit(&Refused{ID: e.ID, Reason: UnknownSubject})
		return
	}
	s.conflict.lastAt = p.now.Mono
	p.touch(s)
}

// judgeConflict ends a conflict whose other relay came no more.
func (p *Presence) judgeConflict(s *store) {
	c := s.conflict
	if c == nil || p.now.Mono < c.lastAt+conflictLasts {
		return
	}
	s.conflict, s.saveNow = nil, true
	s.boots = s.boots[:0]
	p.emit(&Decided{Verdict: Verdict{
		Store: s.id, Condition: ConflictOver, Reason: OneRelay, Cause: c.cause(),
		At: p.now.Wall, Since: p.now.Wall, SeenFrom: []beat.Region{p.opt.Region},
	}})
}

// rememberBoot keeps the boot, or the boot's incarnation, that a birth replaces.
func (s *store) rememberBoot(r *beat.Report) {
	switch {
	case s.boot != r.Boot:
		s.renewed = beat.Incarnation{}
	case s.incarnation != r.Incarnation:
		s.renewed = s.incarnation
	}
	if s.boot.IsZero() || s.boot == r.Boot || slices.Contains(s.boots, s.boot) {
		return
	}
	if len(s.boots) >= keepBoots {
		s.boots = slices.Delete(s.boots, 0, 1)
	}
	s.boots = append(s.boots, s.boot)
}
