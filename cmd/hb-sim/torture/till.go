package torture

import (
	"net/netip"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

// way is how a till beats.
type way uint8

const (
	byMQTT way = iota
	byHTTP
	byDirect // to region 0 first
	byOther  // to region 1 first
	byNobody // it is not there
)

func (y way) direct() bool { return y >= byDirect }

// till is one register, kiosk or display.
type till struct {
	w        *world
	store    *store
	index    int
	id       beat.HostID
	way      way
	interval time.Duration
	addr     netip.Addr

	prefers int           // the region that a direct one tries first
	next    time.Duration // when it beats
	arrives time.Duration // when what it sent last reaches its relay
	tick    func()        // ticks, once and for all
	alive   bool
	life    int      // what an older life began ends in nothing
	conn    uint64   // its MQTT connection; 0: none
	cut     bool     // its cable
	held    bool     // a beat waits in its socket
	past    []uint64 // its last connections that are over
	// shadow: it is a second computer with another's name.
	shadow bool
	// failing: it says that it is unwell.
	failing bool
	// delay is what its packets take longer, of which none overtakes another until
	// last; twice: its beats arrive twice; half: nothing gets back to it.
	delay, last time.Duration
	twice, half bool
}

func (t *till) source() roster.Source { return roster.Source{Conn: t.conn, Addr: t.addr} }

// start lets the till live: it beats at once.
func (t *till) start() {
	if t.way == byNobody {
		return
	}
	t.life++
	t.alive = true
	t.w.truth.hostUp(t)
	t.loop(0)
}

// loop beats after d, and then within its promise.
func (t *till) loop(d time.Duration) {
	if t.tick == nil {
		t.tick = t.ticks
	}
	t.next = t.w.now + d
	t.w.at(t.next, t.tick)
}

func (t *till) ticks() {
	if !t.alive || t.next != t.w.now {
		return // it died meanwhile, or beats at another instant
	}
	t.beat()
	t.loop(t.interval - t.w.rng.between(0, t.interval/20))
}

// beat is one sign of life, on the way that the till has.
func (t *till) beat() {
	r := t.store.relay
	switch {
	case t.way.direct():
		t.post(t.prefers, true)
	case t.cut:
		t.held = t.conn != 0
	case r == nil || !r.up:
		t.conn = 0
	case t.way == byMQTT:
		t.publish(r)
	default:
		t.lan(r, &roster.Beat{From: t.source(), Beat: t.word()})
	}
}

func (t *till) word() beat.Beat {
	b := beat.Beat{Host: t.id, Interval: t.interval}
	if t.failing {
		b.Status, b.Message = beat.Fail, "no paper"
	}
	return b
}

// publish beats over MQTT, on a new connection if there is none.
func (t *till) publish(r *relay) {
	if t.conn == 0 {
		t.w.lastLan++
		t.conn = t.w.lastLan
		if t.past = append(t.past, t.conn); len(t.past) > 2 {
			t.past = append(t.past[:0], t.past[1:]...)
		}
		t.lan(r, &roster.Connected{From: t.source(), Host: t.id})
	}
	t.lan(r, &roster.Beat{From: t.source(), Beat: t.word()})
}

// lan brings an event to the relay. A goodbye overtakes nothing: it is said when the
// last beat was answered.
func (t *till) lan(r *relay, e roster.Event) {
	d := t.takes(t.w.rng.between(500*time.Microsecond, 4*time.Millisecond))
	if _, last := e.(*roster.Bye); last {
		d = max(d, t.arrives-t.w.now)
	}
	t.arrives = t.w.now + d
	r.later(d, func() { r.deliver(e) })
	if _, ok := e.(*roster.Beat); ok && t.twice {
		r.later(t.takes(t.w.rng.between(5*time.Millisecond, 50*time.Millisecond)), func() { r.deliver(e) })
	}
}

// post beats to a region, and to the other if that is no answer: at once where
// nobody listens, else when it waited for a while.
func (t *till) post(region int, again bool) {
	w := t.w
	p := w.active(region)
	mute := t.cut || t.store.wan[region] || p != nil && p.stalled
	if again && !t.cut && (p == nil || mute) {
		t.postElsewhere(region, mute)
	}
	if p == nil || t.cut || t.store.wan[region] {
		return
	}
	life, mine := p.life, t.life // of one that stands still, what it gets waits in its socket
	w.after(w.rng.between(20*time.Millisecond, 60*time.Millisecond), func() {
		if p.life == life {
			p.run(func() {
				if p.life == life {
					p.step(&presence.Direct{Store: t.store.id, Beat: t.word()})
				}
			})
		} else if again && !mute && t.life == mine { // it died with the beat in its socket
			t.postElsewhere(region, true)
		}
	})
}

// postElsewhere beats to the other region, as one gave no answer.
func (t *till) postElsewhere(region int, mute bool) {
	life := t.life
	wait := 50 * time.Millisecond
	if mute {
		wait = min(time.Second, t.interval/16) // it has promised
	}
	t.prefers = 1 - region
	t.w.after(wait, func() {
		if t.life == life {
			t.post(1-region, false)
		}
	})
}

// die ends the till: crash says that its sockets close.
func (t *till) die(crash bool) {
	if !t.alive {
		return
	}
	t.alive = false
	t.life++
	t.w.truth.hostDown(t)
	t.hangUp(crash)
}

// hangUp ends its connection: at once, or by keepalive.
func (t *till) hangUp(crash bool) {
	r, from := t.store.relay, t.source()
	conn := t.conn
	t.conn = 0
	if conn == 0 || r == nil || !r.up {
		return
	}
	d := t.w.rng.between(time.Millisecond, 10*time.Millisecond)
	if crash && !t.alive && !t.cut && !r.stalled && !t.shadow {
		t.w.truth.sudden(t.store, t.index)
	}
	if !crash {
		d = t.interval * 3 / 2 // its keepalive is its interval
	}
	r.later(t.takes(d), func() { r.deliver(&roster.Closed{From: from}) })
}

// bye stops the till on purpose.
func (t *till) bye() {
	if !t.alive {
		return
	}
	t.alive = false
	t.life++
	t.w.truth.hostBye(t)
	r := t.store.relay
	if r == nil || !r.up || t.way.direct() || t.cut {
		return
	}
	from := t.source()
	t.lan(r, &roster.Bye{From: from, Host: t.id})
	if t.conn != 0 {
		r.later(t.takes(5*time.Millisecond), func() { r.deliver(&roster.Closed{From: from, Clean: true}) })
		t.conn = 0
	}
}

// move changes the till's way: by DISCONNECT, within its promise.
func (t *till) move(to way) {
	t.w.truth.hostMoves(t, to)
	if r := t.store.relay; t.conn != 0 && r != nil && r.up {
		from := t.source()
		r.later(t.takes(time.Millisecond), func() { r.deliver(&roster.Closed{From: from, Clean: true}) })
	}
	t.conn, t.way = 0, to
	t.prefers = int(to & 1)
	if t.alive {
		t.life++
		t.loop(t.w.rng.between(0, time.Second)) // within its promise: grace is 2 s at least
	}
}
