package roster

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	// lanWindow is how close together the hosts of a LAN vanish: a switch that
	// dies takes all connections at once, and silence follows within it.
	lanWindow = 60 * time.Second
	// lanFewest and lanPercent are how many hosts that is at least, and what
	// part of those that were alive.
	lanFewest  = 3
	lanPercent = 80
	// lanSettle is how long the hosts have to come back once one is back: what
	// is still missing then is a fault of its own.
	lanSettle = 60 * time.Second
)

// lan is the store's LAN as a whole. It is dead when the hosts vanish together,
// or when the relay's port has no carrier for a blip and nobody beats. It is
// well again when a host that vanished with it came back: a minute later, or as
// soon as all are back. A dead LAN is one fault; the hosts' states are as ever.
type lan struct {
	dead   bool
	number beat.Number // of its last transition; 0: it never died
	from   beat.Number // the first transition of a host that vanished with it
	why    beat.Reason
	since  time.Duration
	wall   int64 // Unix ms of since, where it was before this start; else 0

	// unplugged says that the port has no carrier since unplugAt.
	unplugged bool
	unplugAt  time.Duration
	// any says that whoever beats ends it: nobody vanished with it.
	any bool
	// backAt is when it is well if it stays as it is; never: nobody is back.
	backAt time.Duration

	// waits says that want is not yet numbered.
	waits   bool
	want    bool // dead
	wantWhy beat.Reason
}

// due is when the LAN changes by the passing of time.
func (l *lan) due(blip time.Duration) time.Duration {
	switch {
	case l.waits:
		return never // Numbers looks again
	case l.dead:
		return l.backAt
	case l.unplugged:
		return l.unplugAt + blip
	default:
		return never
	}
}

// carrier takes the state of the LAN port.
func (r *Roster) carrier(now beat.Now, e *Carrier) {
	switch {
	case e.Up:
		r.lan.unplugged = false
	case !r.lan.unplugged:
		r.lan.unplugged, r.lan.unplugAt = true, now.Mono
		r.next = min(r.next, r.lan.due(r.o.Blip))
	}
}

// expireLan takes the LAN's deadline at.
func (r *Roster) expireLan(now beat.Now, at time.Duration, out []Out) []Out {
	switch {
	case r.lan.dead && !r.anyBack():
		r.lan.backAt = never // who was back is gone again
	case r.lan.dead:
		return r.turnLan(now, at, false, beat.LanBack, out)
	case r.heardSince(r.lan.unplugAt):
		r.lan.unplugged = false // the hosts come in by another way
	default:
		return r.turnLan(now, at, true, beat.LanUnplugged, out)
	}
	return out
}

// vanished looks, after a host went missing at an instant, whether all did.
func (r *Roster) vanished(now beat.Now, at time.Duration, out []Out) []Out {
	if r.lan.dead || r.lan.waits || !r.together(at) {
		return out
	}
	return r.turnLan(now, at, true, beat.LanDead, out)
}

// together says whether the hosts vanished together in the window before at.
func (r *Roster) together(at time.Duration) bool {
	gone, alive := 0, 0
	for _, h := range r.order {
		switch c := &r.hosts[h]; {
		case c.state.Alive():
			alive++
		case c.vanishedAfter(at - lanWindow):
			gone++
		}
	}
	return gone >= lanFewest && gone*100 >= lanPercent*(gone+alive)
}

// vanishedAfter says whether the host was alive, and went missing after at.
func (c *host) vanishedAfter(at time.Duration) bool {
	return c.state == beat.Missing && c.reason != beat.DidNotReturn && c.since > at && c.seenMissing
}

// heardSince says whether a host beat from the LAN after at.
func (r *Roster) heardSince(at time.Duration) bool {
	for _, h := range r.order {
		if c := &r.hosts[h]; c.fresh && r.hot[h].last > at && !c.owner.Addr.IsLoopback() {
			return true
		}
	}
	return false
}

// under is how many hosts are missing that vanished with the LAN.
func (r *Roster) under() int {
	n := 0
	for _, h := range r.order {
		if c := &r.hosts[h]; c.state == beat.Missing && c.number >= r.lan.from {
			n++
		}
	}
	return n
}

// anyBack says whether a host that vanished with the LAN is back.
func (r *Roster) anyBack() bool {
	for _, h := range r.order {
		if c := &r.hosts[h]; c.back && c.state != beat.Missing {
			return true
		}
	}
	return false
}

// lanHeard is told that a host is back at an instant, whose last transition was
// number, or that one beats that never left.
func (r *Roster) lanHeard(now beat.Now, at time.Duration, h int, number beat.Number, out []Out) []Out {
	if !r.lan.dead || r.lan.waits || number < r.lan.from && !r.lan.any {
		return out
	}
	r.hosts[h].back, r.lan.any = true, false
	if r.under() == 0 {
		return r.turnLan(now, at, false, beat.LanBack, out)
	}
	r.lan.backAt = min(r.lan.backAt, at+lanSettle)
	r.next = min(r.next, r.lan.backAt)
	return out
}

// lanRetired ends a dead LAN whose last host was retired.
func (r *Roster) lanRetired(now beat.Now, out []Out) []Out {
	if r.lan.dead && !r.lan.waits && r.lan.why == beat.LanDead && r.under() == 0 {
		return r.turnLan(now, now.Mono, false, beat.LanBack, out)
	}
	return out
}

// turnLan puts the LAN into a state, or remembers to as soon as there is a
// number.
func (r *Roster) turnLan(now beat.Now, at time.Duration, dead bool, why beat.Reason, out []Out) []Out {
	var n beat.Number
	l := &r.lan
	if n, out = r.number(out); n == 0 {
		l.waits, l.want, l.wantWhy = true, dead, why
		return out
	}
	l.dead, l.number, l.why, l.since, l.wall = dead, n, why, at, 0
	l.waits, l.backAt, l.from = false, never, 0
	for _, h := range r.order {
		r.hosts[h].back = false
	}
	if dead {
		l.from = n
		for _, h := range r.order {
			if c := &r.hosts[h]; c.vanishedAfter(at - lanWindow) {
				l.from = min(l.from, c.number)
			}
		}
		l.any = r.under() == 0
	} else {
		l.unplugged, l.any = false, false // until the port says again that it has no carrier
	}
	r.version++
	state := beat.Up
	if dead {
		state = beat.Missing
	}
	return append(out, &Lan{
		Transition: beat.Transition{Number: n, State: state, Reason: why, MonoMs: ms(at), WallMs: now.At(at).UnixMilli()},
		Record:     LanRecord{Dead: dead, Number: n, From: l.from, Reason: why, SinceMs: now.At(at).UnixMilli()},
	})
}

// loadLan takes what the journal remembers of the LAN.
func (r *Roster) loadLan(now beat.Now, rec *LanRecord) {
	if rec == nil || rec.Number == 0 {
		return
	}
	r.lan = lan{
		dead: rec.Dead, number: rec.Number, from: rec.From, why: rec.Reason,
		since: now.Mono, wall: rec.SinceMs, backAt: never,
	}
	r.lan.any = rec.Dead && r.under() == 0
	r.version++
}

// lanSince is for how long the LAN has been in its state.
func (r *Roster) lanSince(now beat.Now) time.Duration {
	age := now.Mono - r.lan.since
	if r.lan.wall == 0 {
		return age
	}
	return min(max(age, now.Wall.Sub(time.UnixMilli(r.lan.wall))), beat.MaxAge)
}

// Lan is the store's LAN at now, or nil while it never died.
func (r *Roster) Lan(now beat.Now) *beat.Lan {
	if r.lan.number == 0 {
		return nil
	}
	return &beat.Lan{Dead: r.lan.dead, Number: r.lan.number, AgeMs: ms(r.lanSince(now)), Reason: r.lan.why}
}
