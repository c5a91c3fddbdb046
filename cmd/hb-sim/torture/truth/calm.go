package truth

import (
	"fmt"
	"time"
)

const (
	// flapsFor is how long a subject that flaps must be stable until that is over: 10
	// minutes (I8), and a minute until its relay says that it is.
	flapsFor = 10*time.Minute + time.Minute
	// conflictFor is how long after two relays took the session from each other last a
	// conflict is over (P14): one that was refused may have waited for 30 s.
	conflictFor = 10*time.Minute + 30*time.Second
)

// calmFrom is d after an instant, or after a node began that did not see what was
// before it.
func (t *Truth) calmFrom(at, d time.Duration) time.Duration {
	from := after(at, d)
	for i := range t.strikes {
		if s := &t.strikes[i]; s.Class == Node && s.At <= from {
			from = max(from, s.At+s.For+afterNode+d)
		}
	}
	return from
}

// lastTwo is when a store had two relays last; never, while it has.
func (st *store) lastTwo() (end time.Duration) {
	for _, x := range st.two.spans {
		end = max(end, x.until)
	}
	return end
}

// conflictEnds is when a told conflict must be over; never, while two live, or where
// the store's relay was replaced or copied again.
func (t *Truth) conflictEnds(st *store) time.Duration {
	end := st.lastTwo()
	if end == never || end == 0 || st.disk {
		return never
	}
	for s := range st.down.spans {
		end = max(end, min(st.down.spans[s].until, t.End)) // a copy may be the one that runs
	}
	return t.calmFrom(end, conflictFor)
}

// conflictsOver: a conflict is open only while two relays live as one, and a while
// after.
func (t *Truth) conflictsOver() {
	for _, x := range t.open {
		if x.Kind != "conflict" || x.Store < 0 || t.region[x.Region].held(t.End-healed, t.End, 0) {
			continue
		}
		if t.Judges(Convergence); after(t.conflictEnds(&t.stores[x.Store]), recoveryBound) < t.End {
			t.Fail(Convergence, t.End, fmt.Sprintf("region %d still has the conflict of %s open", x.Region, subject(x.Store, -1)))
		}
	}
}
