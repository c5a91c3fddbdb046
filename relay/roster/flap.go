package roster

import (
	"net/netip"
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	// flapWindow is what Options.MaxChanges is counted in.
	flapWindow = 10 * time.Minute
	// steadyChanges is how many changes in flapWindow are not yet flapping, and
	// steadyAfter how long a host that flaps has to be stable to be steady again.
	steadyChanges = 6
	steadyAfter   = 10 * time.Minute
	// calm is how long a host that changed too often has to say the same before
	// it is believed.
	calm = time.Minute
)

// flap bounds how often a host changes: each change costs the journal, the
// regions' tables and, in the end, a message to people.
type flap struct {
	at []time.Duration // when it changed in the last flapWindow, oldest first
	// flaps says that it changed more than steadyChanges times: people hear of
	// that, once. moved is its last change, or when its hold was over.
	flaps bool
	moved time.Duration
	held  bool // it changed too often, and was not calm since
	// claim is what it says that it is, and since when without a break; Unknown
	// is nothing. They count while it is held.
	claim beat.HostState
	since time.Duration
}

// holds says whether the host stays as it is though it says that it is in
// another state: it changed too often, and what it says is no worse. So whoever
// flaps is shown by the worse of its states, until it was calm.
func (r *Roster) holds(now beat.Now, h int, to beat.HostState, silent time.Duration, out []Out) (bool, []Out) {
	c := &r.hosts[h]
	f := &c.flap
	if !f.held {
		if c.state == to || !r.exhausted(now, h) {
			return false, out
		}
		f.held, f.flaps, f.claim, f.since = true, true, beat.Unknown, now.Mono
		r.version++
		out = append(out, &Flaps{Host: c.id, Held: true})
	}
	if f.claim != to || silent > r.hot[h].due()-r.hot[h].last {
		f.claim, f.since = to, now.Mono
	}
	if now.Mono-f.since >= calm {
		f.held, f.moved = false, now.Mono
		r.version++
		return false, out
	}
	return worse(to) <= worse(c.state), out
}

// worse orders the states by what people have to do about them.
func worse(s beat.HostState) int {
	switch s {
	case beat.Missing:
		return 3
	case beat.Failing:
		return 2
	case beat.Up:
		return 1
	case beat.Stopped, beat.Unknown, beat.Covered:
	}
	return 0
}

// exhausted says that the host may not change any more for now.
func (r *Roster) exhausted(now beat.Now, h int) bool {
	c := &r.hosts[h]
	if r.o.MaxChanges == 0 || r.exempt(c.owner.Addr) {
		return false
	}
	c.flap.at = slices.DeleteFunc(c.flap.at, func(at time.Duration) bool { return at <= now.Mono-flapWindow })
	return len(c.flap.at) >= r.o.MaxChanges
}

// flapped counts a change of a host, and notes that they are too many.
func (r *Roster) flapped(at time.Duration, h int, out []Out) []Out {
	c := &r.hosts[h]
	f := &c.flap
	if most := max(r.o.MaxChanges, steadyChanges+1); len(f.at) >= most {
		f.at = slices.Delete(f.at, 0, len(f.at)-most+1)
	}
	f.at, f.moved = append(f.at, at), at
	n := len(f.at)
	if f.flaps || n <= steadyChanges || f.at[n-1-steadyChanges] <= at-flapWindow {
		return out
	}
	f.flaps = true
	r.next = min(r.next, f.calmDue())
	return append(out, &Flaps{Host: c.id})
}

// calmDue is when the host is steady again, if it stays as it is.
func (f *flap) calmDue() time.Duration {
	switch {
	case !f.flaps:
		return never
	case f.held:
		return max(f.moved, f.since) + steadyAfter
	default:
		return f.moved + steadyAfter
	}
}

// calmed notes that a host that flapped was stable for long.
func (r *Roster) calmed(h int, out []Out) []Out {
	c := &r.hosts[h]
	c.flap.flaps, c.flap.held = false, false
	r.version++
	return append(out, &Calm{Host: c.id})
}

// exempt says that the limits do not hold for the address.
func (r *Roster) exempt(a netip.Addr) bool { return r.o.ExemptLoopback && a.IsLoopback() }
