package torture

import (
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/schedule"
	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/journal"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

const (
	// keepalive is the relays'.
	keepalive = 20 * time.Second
	// syncAfter is how long a disk takes to make a write durable.
	syncAfter = 3 * time.Millisecond
	// stalledTick is a step so late that the relay says it stood still, as its
	// core does.
	stalledTick = 3 * time.Second
)

// relay is one appliance: the twin of package relay around the roster and the
// uplinks.
type relay struct {
	w     *world
	store *store
	who   beat.Identity
	disk  *disk
	// backup is a copy of the disk that somebody kept.
	backup *disk
	paths  [2]*path

	up, stalled bool
	life        int
	boot        beat.Boot
	began       time.Duration // when this boot did, for its monotonic clock
	skew        time.Duration // what its wall clock is wrong by
	leaving     bool          // it says goodbye, and stops
	roster      *roster.Roster
	links       uplinks
	ticked      time.Duration // when it looked at its clock last, if it stood still since; else 0
	armed       time.Duration
	wake        func()        // woken, once and for all
	wrote       time.Duration // its last entry
	inbox       []func()
	outs        []roster.Out
}

// clock is the relay's own: its monotonic one starts with each boot.
func (r *relay) clock() beat.Now {
	return beat.Now{Mono: r.w.now - r.began + time.Second, Wall: r.w.wall().Add(r.skew)}
}

func (r *relay) virtual(mono time.Duration) time.Duration { return mono + r.began - time.Second }

// start boots the relay.
func (r *relay) start() {
	w := r.w
	r.life++
	r.up, r.stalled, r.leaving = true, false, false
	r.boot, r.began = beat.Boot(w.rng.bits()), w.now
	r.armed, r.inbox, r.ticked = never, r.inbox[:0], 0
	r.roster = roster.New(w.rosterOptions)
	r.disk.Kill()
	r.links.start(r)
	r.deliver(r.load())
	r.numbers(0, false)
	w.truth.relayStarts(r)
	w.truth.relay(r.store)
}

// stop ends the process: kill says that its sockets close, else there is no
// power, and nobody hears of it.
func (r *relay) stop(kill bool) {
	if !r.up {
		return
	}
	r.up, r.stalled = false, false
	r.life++
	r.links.drop(kill)
	if r == r.store.relay { // no till is connected to a copy
		r.store.relayGone(kill)
		if kill && !r.leaving && len(r.store.twins) == 0 {
			r.w.truth.sudden(r.store, -1)
		}
	}
	r.w.truth.relay(r.store)
}

func (r *relay) later(d time.Duration, f func()) {
	r.w.queue.add(r.w.now+d, slot{do: f, relay: r, life: r.life})
}

func (r *relay) run(f func()) {
	if r.stalled {
		r.inbox = append(r.inbox, f)
		return
	}
	f()
}

func (r *relay) resume() {
	if !r.up || !r.stalled {
		return
	}
	r.stalled = false
	r.w.truth.relay(r.store)
	inbox := r.inbox
	r.inbox = nil
	life := r.life
	for _, f := range inbox {
		if r.life != life {
			return
		}
		f()
	}
	r.deliver(nil)
	r.links.tick()
}

// receive takes what arrives on one of its connections.
func (r *relay) receive(c *conn, k packet) {
	if !r.up {
		return
	}
	life := r.life
	r.run(func() {
		if r.life == life {
			r.links.receive(c, k)
		}
	})
}

// deliver steps the roster, as package relay's core does.
func (r *relay) deliver(e roster.Event) {
	if !r.up || r.stalled || r.leaving {
		return
	}
	r.w.steps++
	now := r.clock()
	outs := r.outs[:0]
	if r.ticked != 0 && now.Mono-r.ticked > stalledTick { // a process that runs looks at its clock once a second
		outs = r.roster.Step(now, &roster.Woke{}, outs)
	}
	r.ticked = 0
	outs = r.roster.Step(now, e, outs)
	if next, ok := r.roster.Next(); ok && next <= now.Mono {
		outs = r.roster.Step(now, nil, outs)
	}
	r.outs = outs
	if len(outs) > 0 {
		r.handle(outs)
		clear(outs)
	}
	r.arm()
}

// handle does what the roster asks for.
func (r *relay) handle(outs []roster.Out) {
	var entries []journal.Entry
	changed := false
	for _, o := range outs {
		switch o := o.(type) {
		case *roster.Changed:
			o.Transition.Boot = r.boot
			entries = append(entries, journal.Entry{Transition: o.Transition, Record: o.Record})
			changed = true
			if o.Transition.State == beat.Missing {
				r.w.truth.vanished(r.store, o.Transition.Host)
			}
			if r.w.tracing {
				r.w.tracef("%s: %s is %v (%v, number %d)", r.who, o.Transition.Host, o.Transition.State, o.Transition.Reason, o.Transition.Number)
			}
		case *roster.Forgot:
			o.Transition.Boot = r.boot
			entries = append(entries, journal.Entry{Transition: o.Transition, Forget: true})
			changed = true
		case *roster.Noted:
			entries = append(entries, journal.Entry{Record: o.Record})
		case *roster.Lan:
			o.Transition.Boot = r.boot
			entries = append(entries, journal.Entry{Transition: o.Transition, Lan: &o.Record})
			changed = true
		case *roster.Shown, *roster.Flaps, *roster.Calm:
			changed = true
		case *roster.NeedNumbers:
			r.later(syncAfter, func() { r.numbers(0, false) })
		}
	}
	if len(entries) > 0 {
		r.wrote = r.w.now
		r.later(syncAfter, func() {
			r.reaches(schedule.Syncs, 0, func() {
				_ = r.disk.Append(entries) // a full disk counts what it refuses
				r.links.written()
			})
		})
	}
	if changed {
		r.reaches(schedule.Changes, 0, r.links.changed)
	}
}

func (r *relay) numbers(above beat.Number, jump bool) {
	r.reaches(schedule.Reserves, 0, func() { r.reserve(above, jump) })
}

func (r *relay) reserve(above beat.Number, jump bool) {
	from, to, err := r.disk.ReserveNumbers(above)
	if err != nil {
		r.later(2*time.Second, func() { r.numbers(above, jump) })
		return
	}
	r.deliver(&roster.Numbers{From: from, To: to, Jump: jump})
}

// arm wakes the relay when the roster has something to do; once a second a
// process looks that did not stand still.
func (r *relay) arm() {
	mono, ok := r.roster.Next()
	at := never
	if ok {
		at = max(r.virtual(mono), r.w.now)
	}
	if at >= r.armed {
		return
	}
	r.armed = at
	if r.wake == nil {
		r.wake = r.woken
	}
	r.w.at(at, r.wake)
}

// woken looks whether something is due.
func (r *relay) woken() {
	if r.armed != r.w.now || !r.up {
		return // it was armed for another instant, or in another life
	}
	r.armed = never
	if r.stalled {
		return
	}
	if next, ok := r.roster.Next(); ok && r.virtual(next) <= r.w.now {
		r.deliver(nil)
		return
	}
	r.arm()
}
