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
