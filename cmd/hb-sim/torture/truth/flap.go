package truth

import "time"

// flapWindow are the ten minutes of I8, and as long for what is told late.
const flapWindow = 20 * time.Minute

// changes counts how often a subject went away in flapWindow before an instant.
func (t *Truth) changes(s, h int, at time.Duration) int {
	return t.wentAway(s, h, max(0, at-flapWindow), at)
}

// wentAway counts how often a subject did after an instant, until another one.
func (t *Truth) wentAway(s, h int, from, until time.Duration) (n int) {
	st := &t.stores[s]
	count := func(k *track) {
		for _, x := range k.spans {
			if x.from > from && x.from <= until {
				n++
			}
		}
	}
	count(&st.down)
	lost := n // a store that reaches no region went away once
	count(&st.path[0])
	one := n
	count(&st.path[1])
	n = lost + max(one-lost, n-one)
	for i := range st.hosts {
		if h < 0 || i == h {
			count(&st.hosts[i].dead)
			count(&st.hosts[i].cable)
			count(&st.hosts[i].failing)
		}
	}
	return n
}

// saidByTwo says whether two computers beat as one host within the ten minutes
// in which its relay counts changes (I8): each says another thing.
func (t *Truth) saidByTwo(x *Told) bool {
	return x.Host >= 0 && t.stores[x.Store].hosts[x.Host].two.held(x.At-lookback, x.At, 0)
}

// flips says whether a host came and went often: a relay holds on to the worse
// of its states then.
func (h *host) flips() bool { return len(h.dead.spans)+len(h.cable.spans) > 4 }
