package torture

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/roster"
)

// reset makes the LAN drop every connection of a till.
func (t *till) reset() {
	if t.conn != 0 {
		t.hangUp(true)
		if t.alive {
			t.life++
			t.loop(t.w.rng.between(100*time.Millisecond, time.Second)) // it connects again
		}
	}
}

// unplug cuts the till's cable: its connection ends by keepalive.
func (t *till) unplug() {
	if t.cut {
		return
	}
	t.cut = true
	t.w.truth.cable(t, true)
	conn := t.conn
	if conn == 0 {
		return
	}
	r, from := t.store.relay, t.source()
	if r == nil || !r.up {
		return
	}
	relayLife := r.life
	t.w.after(t.interval*3/2, func() {
		if t.cut && t.conn == conn && r.life == relayLife {
			t.conn, t.held = 0, false
			r.run(func() { r.deliver(&roster.Closed{From: from}) })
		}
	})
}

// plug mends the cable: what waited in its socket arrives.
func (t *till) plug() {
	if !t.cut {
		return
	}
	t.cut = false
	t.w.truth.cable(t, false)
	if t.held && t.alive {
		t.held = false
		t.w.after(t.w.rng.between(0, 2*time.Second), func() {
			if t.alive && !t.cut {
				t.beat()
			}
		})
	}
}

// power switches a whole store off, or on again.
func (s *store) power(on bool) {
	if !on {
		for _, t := range s.tills {
			t.die(false)
		}
		for _, r := range s.twins {
			r.stop(false)
		}
		if s.relay != nil {
			s.relay.stop(false)
		}
		return
	}
	w := s.w
	if s.relay != nil && !s.relay.up {
		s.relay.start()
	}
	for _, t := range s.tills {
		if !t.alive {
			w.after(w.rng.between(time.Second, 5*time.Second), func() {
				if !t.alive {
					t.start()
				}
			})
		}
	}
}
