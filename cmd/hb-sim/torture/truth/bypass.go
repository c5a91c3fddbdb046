package truth

import (
	"slices"
	"time"
)

// goesWithout says whether a store was told to be down of which a host beat to a
// region by itself all the time, and both regions could know that (P5).
func (t *Truth) goesWithout(x *Told, from time.Duration) bool {
	st := &t.stores[x.Store]
	from -= tail
	if t.bridge.held(from, x.At, tail) || t.lettersLost(from, x.At) {
		return false
	}
	for g := range t.region {
		if st.path[g].held(from, x.At, tail) || t.region[g].again(from, x.At, afterNode) {
			return false
		}
	}
	return slices.ContainsFunc(st.hosts, func(h host) bool {
		return h.direct && !h.moved && !h.dead.again(from, x.At, h.interval) && !h.cable.held(from, x.At, h.interval) && len(h.two.spans) == 0
	})
}
