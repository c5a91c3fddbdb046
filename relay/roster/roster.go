package roster

import (
	"net/netip"
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// hot is what a steady beat touches of a host.
type hot struct {
	last   time.Duration // monotonic instant of the last beat
	span   uint32        // interval + grace, in ms
	steady bool          // alive, connected as far as known, and nothing waits
}

// due is when the host broke its promise if no beat came since.
func (t *hot) due() time.Duration { return t.last + time.Duration(t.span)*time.Millisecond }

// Roster is one store's hosts. It is not safe for concurrent use.
type Roster struct {
	// hot and hosts have one element per handle; hot stands apart so that the
	// beats of a store with 20 hosts touch 5 cache lines.
	hot []hot
	// next is no later than any deadline of a host. Beats do not move it: when
	// it comes, all are looked at, and it moves on.
	next  time.Duration
	hosts []host
	byID  map[beat.HostID]int
	order []int // handles in the order of the ids
	free  []int

	// first to last are the numbers that are reserved and not yet used.
	first, last beat.Number
	asked       bool // for more

	lan lan

	floor   time.Duration // no silence counts before it: see Woke
	arrived []arrival     // the new hosts of the last hour
	version uint64
	o       Options
}

// arrival is a new host's.
type arrival struct {
	at   time.Duration
	from netip.Addr
}

// New makes a roster without hosts.
func New(o Options) *Roster {
	return &Roster{o: o, byID: map[beat.HostID]int{}, next: never, version: 1, lan: lan{backAt: never}}
}

// Step takes one event at now, after all deadlines up to now, and appends what
// the shell has to do to out. A nil event lets time pass.
func (r *Roster) Step(now beat.Now, e Event, out []Out) []Out {
	if w, ok := e.(*Woke); ok {
		return r.woke(now, w, out)
	}
	if r.next <= now.Mono {
		out = r.expire(now, out)
	}
	switch e := e.(type) {
	case *Beat:
		return r.beat(now, e, out)
	case *Gone:
		return r.gone(now, e, out)
	case *Bye:
		return r.bye(now, e, out)
	case *Connected:
		return r.connected(now, e, out)
	case *Closed:
		r.closed(now, e)
	case *Forget:
		return r.forget(now, e, out)
	case *Numbers:
		return r.numbers(now, e, out)
	case *Loaded:
		r.load(now, e)
	case *Carrier:
		r.carrier(now, e)
	}
	return out
}

// Next is when Step wants to be called even if nothing happens, on the
// monotonic clock. There may be nothing to do then.
func (r *Roster) Next() (time.Duration, bool) { return r.next, r.next != never }

// Handle is the host's handle for Touch. It holds until the host is retired.
func (r *Roster) Handle(id beat.HostID) (int, bool) {
	h, ok := r.byID[id]
	return h, ok
}

// Touch is a beat that says what the host's last one said, from the same
// connection. It returns false, and does nothing, if such a beat needs Step.
func (r *Roster) Touch(handle int, now time.Duration) bool {
	t := &r.hot[handle]
	if !t.steady || now >= r.next || r.lan.any {
		return false
	}
	t.last = now
	return true
}

// Len is how many hosts there are.
func (r *Roster) Len() int { return len(r.order) }

// Version changes whenever the picture's hash may have changed.
func (r *Roster) Version() uint64 { return r.version }

// woke moves every deadline that came due while the process stood still.
func (r *Roster) woke(now beat.Now, _ *Woke, out []Out) []Out {
	r.floor = now.Mono + wakeWait
	r.next = r.earliest().at
	return out
}

// numbers takes a block, and catches up with what waited for one.
func (r *Roster) numbers(now beat.Now, e *Numbers, out []Out) []Out {
	if e.To <= r.last || e.From > e.To {
		return out // an older block, or none
	}
	if r.starved() || e.Jump || e.From > r.last+1 {
		r.first = e.From
	}
	r.last, r.asked = e.To, false
	for _, h := range slices.Clone(r.order) {
		c := &r.hosts[h]
		switch {
		case c.retire:
			out = r.drop(now, h, out)
		case c.waits:
			out = r.change(now, now.Mono, h, c.want, c.wantWhy, now.Mono-r.hot[h].last, out)
		}
	}
	if r.lan.waits {
		out = r.turnLan(now, now.Mono, r.lan.want, r.lan.wantWhy, out)
	}
	return r.expire(now, out)
}

// number is the next transition's; 0 if none is left.
func (r *Roster) number(out []Out) (beat.Number, []Out) {
	if r.starved() {
		return 0, r.ask(out)
	}
	n := r.first
	r.first++
	if r.last-r.first < lowWater {
		out = r.ask(out)
	}
	return n, out
}

func (r *Roster) ask(out []Out) []Out {
	if r.asked {
		return out
	}
	r.asked = true
	return append(out, &NeedNumbers{})
}

// Given is the highest number that a transition may have: no region knows a
// higher one, unless this roster's journal was restored from a copy.
func (r *Roster) Given() beat.Number { return max(r.first, 1) - 1 }

// starved says that no transition can be numbered now.
func (r *Roster) starved() bool { return r.first == 0 || r.first > r.last }
