package truth

import (
	"fmt"
	"slices"
	"time"
)

const (
	// conflictBound is when two relays that live with one identity are told: each
	// takes the session from the other until that proves it, then gather.
	conflictBound = 75 * time.Second
	// refusedEvery is how often two relays of one identity connect at most once
	// that is known, on average, beside someConnects: who is refused waits longer
	// each time, up to 30 s.
	refusedEvery = 5 * time.Second
	someConnects = 10
)

// rivalTail is how long after the end of one of two relays the store is not the
// other's alone: its longest wait until it connects, refused as long as the dead one
// has the session; then the store is not lost for a minute (P14).
const rivalTail = 2 * time.Minute

// twoLived says whether two relays lived with a store's identity within a time, or
// shortly before.
func (st *store) twoLived(from, until time.Duration) bool {
	return st.two.again(from, until, rivalTail)
}

// Two says whether two relays run with a store's identity.
func (t *Truth) Two(at time.Duration, s int, both bool) { t.stores[s].two.set(at, both) }

// conflicts: two relays that live with one identity are told, and do not take
// the session from each other for ever (P14). One with a full disk has no epoch
// to connect with.
func (t *Truth) conflicts() {
	for s := range t.stores {
		st := &t.stores[s]
		for _, both := range st.two.spans {
			by, until := both.from+conflictBound, min(both.until, t.End)
			if until < by || t.disturbed() || st.full.held(both.from, by, startTail) || st.down.again(both.from-time.Minute, by, 0) || st.path[0].held(0, until, 0) || st.path[1].held(0, until, 0) {
				continue
			}
			t.Judges(Convergence)
			if !t.toldTwo(s, both.from, by) {
				t.Fail(Convergence, by, "two relays lived as "+subject(s, -1)+", and nobody was told")
			}
			n := 0
			for _, at := range st.connects {
				if at > by && at <= until {
					n++
				}
			}
			if n > someConnects+int((until-by)/refusedEvery) {
				t.Fail(Convergence, by, fmt.Sprintf("two relays lived as %s, and connected %d times more by %.3f", subject(s, -1), n, until.Seconds()))
			}
		}
	}
}

// toldTwo says whether a channel was told of a conflict by an instant, or by the
// digest that it waited for, which may come after the end.
func (t *Truth) toldTwo(s int, from, by time.Duration) bool {
	for ch := range t.channels() {
		late := by + t.digest(from, by, ch)
		if late > t.End || slices.ContainsFunc(t.told, func(x Told) bool {
			return x.Store == s && x.Kind == "conflict" && x.Change == "open" && x.Channel == ch && x.At <= late
		}) {
			return true
		}
	}
	return false
}

const (
	// conflictOver is when two relays are no conflict any more of which one lives: 10
	// min after the other's last CONNECT (P14), and room for what was on its way.
	conflictOver = 10*time.Minute + 75*time.Second
	// conflictStays is how long it is one for sure: that CONNECT came a backoff (30 s)
	// before its end at the earliest.
	conflictStays = 9 * time.Minute
)

// conflictsAtEnd: a conflict is open if and only if two relays live, or did shortly
// before (P14).
func (t *Truth) conflictsAtEnd() {
	if len(t.seen) == 0 || t.skewed {
		return
	}
	for s := range t.stores {
		st := &t.stores[s]
		if !st.cloned || len(st.two.spans) == 0 || !t.calm(s) || st.down.on() {
			continue
		}
		last := st.two.spans[len(st.two.spans)-1]
		for g := range t.region {
			open := slices.ContainsFunc(t.open, func(x Open) bool { return x.Region == g && x.Store == s && x.Kind == "conflict" })
			switch {
			case after(last.until, conflictOver) <= t.End:
				t.Judges(Convergence)
				if open {
					t.Fail(Convergence, t.End, fmt.Sprintf("region %d still has a conflict of %s open, and one relay lives since %.3f", g, subject(s, -1), last.until.Seconds()))
				}
			case after(last.until, conflictStays) > t.End && last.from+conflictBound < last.until && t.toldTwoInBoth(s):
				t.Judges(Convergence)
				if !open {
					t.Fail(Convergence, t.End, fmt.Sprintf("region %d has no conflict of %s open, and two relays lived until %.3f", g, subject(s, -1), last.until.Seconds()))
				}
			}
		}
	}
}

// toldTwoInBoth says whether each channel was told of two relays, and a new relay
// did not end that.
func (t *Truth) toldTwoInBoth(s int) bool {
	for ch := range t.channels() {
		if !slices.ContainsFunc(t.told, func(x Told) bool {
			return x.Store == s && x.Kind == "conflict" && x.Change == "open" && x.Channel == ch
		}) {
			return false
		}
	}
	return !t.stores[s].disk
}
