package truth

import "time"

// heeded is how many changes of a host within heededIn its relay takes: who changes
// more often is shown by the worse of its states, whatever it says.
const (
	heeded   = 6
	heededIn = 10 * time.Minute
)

// promised says whether a goodbye that a host's relay took, and heeded, promised
// within a time that it returns, and until its end.
func (t *Truth) promised(st *store, h *host, from, until time.Duration) bool {
	for _, x := range h.said.spans {
		if x.from <= until && x.until >= from && !t.byeOver(st, x.from, until) && h.changed(x.from) < heeded {
			return true
		}
	}
	return false
}

// byeOver says whether a goodbye is over by an instant: the store opened since, and
// comeUp passed (P10). Without opening hours it lasts longer than a schedule.
func (t *Truth) byeOver(st *store, bye, at time.Duration) bool {
	for i := range st.said {
		if w := &st.said[i]; w.word == Closed && w.until >= bye && (t.skewed || at >= t.releases(w)) {
			return true
		}
	}
	return false
}

// returns is when a host is to be back that said goodbye and stayed away for so
// long: comeUp after the next opening, where its relay heard it; else later than a
// schedule ends.
func (t *Truth) returns(st *store, h *host, d span) time.Duration {
	at := never
	for i := range st.said {
		if w := &st.said[i]; w.word == Closed && w.until >= d.from && h.said.held(d.from, d.until, 0) {
			at = min(at, t.releases(w))
		}
	}
	return at
}

// changed counts how often a host went and came in the time before an instant that
// a relay counts in.
func (h *host) changed(before time.Duration) (n int) {
	for _, x := range h.dead.spans {
		for _, at := range [...]time.Duration{x.from, x.until} {
			if at > 0 && at < before && at > before-heededIn {
				n++
			}
		}
	}
	return n
}
