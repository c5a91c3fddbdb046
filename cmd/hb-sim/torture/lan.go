package torture

import (
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/schedule"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

// mostLanDelay is less than a host's grace: a slow LAN breaks no promise.
const mostLanDelay = 1500 * time.Millisecond

// takes is how long a packet takes that takes d else: none overtakes one that is
// late.
func (t *till) takes(d time.Duration) time.Duration {
	at := max(t.w.now+t.delay+d, t.last)
	if t.delay > 0 {
		t.last = at
	}
	return at - t.w.now
}

// ail lets a till's way to the relay be slow, half-open, or say things twice.
func (t *till) ail(f *schedule.Fault) {
	switch f.Kind { //nolint:exhaustive // of a till's way
	case schedule.LanDelay:
		t.delay = min(f.For/8, mostLanDelay)
	case schedule.LanTwice:
		t.twice = true
	default:
		t.half = true
		t.halves()
	}
}

// mend undoes that.
func (t *till) mend(k schedule.Kind) {
	switch k { //nolint:exhaustive // of a till's way
	case schedule.LanDelay:
		t.delay = 0
	case schedule.LanTwice:
		t.twice = false
	default:
		if t.half {
			t.half = false
			t.plug()
		}
	}
}

// halves: what the till sends arrives, and no answer. It gives up its connection
// after its keepalive, and gets no other; who has none cannot begin one.
func (t *till) halves() {
	conn, life := t.conn, t.life
	give := time.Duration(0)
	if conn != 0 {
		give = t.interval * 3 / 2
	}
	t.w.after(give, func() {
		if !t.half || t.cut || t.life != life && conn != 0 {
			return
		}
		r, from := t.store.relay, t.source()
		t.conn, t.held, t.cut = 0, false, true
		t.w.truth.cable(t, true)
		if from.Conn != 0 && r != nil && r.up {
			r.later(t.takes(time.Millisecond), func() { r.deliver(&roster.Closed{From: from}) })
		}
	})
}
