package truth

import "time"

// restartsFor is how long a relay that restarts may take (P10).
const restartsFor = 5 * time.Minute

// leave is a goodbye of a store's relay that a region took.
type leave struct {
	at      time.Duration
	region  int
	restart bool
}

// Leaves says that a region took a relay's goodbye; restart promises that it is
// back at once.
func (t *Truth) Leaves(at time.Duration, s, region int, restart bool) {
	t.stores[s].leaves = append(t.stores[s].leaves, leave{at, region, restart})
}

// leaveTakes is how long a relay that says goodbye takes to stop at most.
const leaveTakes = 6 * time.Second

// left is the goodbye with which an outage of a store began, and whether both
// regions took it; nil: it began without one.
func (st *store) left(d span) (first *leave, both bool) {
	var took [2]bool
	for i := range st.leaves {
		l := &st.leaves[i]
		if l.at > d.from || l.at < d.from-leaveTakes {
			continue
		}
		if took[l.region] = true; first == nil {
			first = l
		}
	}
	return first, took[0] && took[1]
}

// leftIn is the last goodbye within an outage, or just before it; nil: there was
// none.
func (st *store) leftIn(d span) (last *leave) {
	for i := range st.leaves {
		if l := &st.leaves[i]; l.at <= d.until && l.at >= d.from-leaveTakes && d.from > 0 {
			last = l
		}
	}
	return last
}

// backBy is by when a store is to be back whose relay said goodbye at an instant:
// within a restart, or comeUp after the next opening; else later than a schedule
// ends.
func (t *Truth) backBy(st *store, l *leave) time.Duration {
	if l.restart {
		return l.at + restartsFor
	}
	at := never
	for i := range st.said {
		if w := &st.said[i]; w.word == Closed && w.until >= l.at {
			at = min(at, t.releases(w))
		}
	}
	return at
}

// excused says whether a store was away within a time by a goodbye alone that both
// regions took, and whose promise was not over at its end.
func (t *Truth) excused(st *store, from, until time.Duration) bool {
	n := 0
	for _, d := range st.down.spans {
		if d.from > until || after(d.until, startTail) < from || d.from == 0 {
			continue
		}
		n++
		l, both := st.left(d)
		if l == nil || !both || t.skewed || until >= t.backBy(st, l) {
			return false
		}
	}
	return n > 0 && overlap(&st.path[0], &st.path[1], from, until, tail, tail) < unseen
}
