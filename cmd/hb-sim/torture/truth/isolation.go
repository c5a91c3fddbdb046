package truth

import (
	"fmt"
	"slices"
	"time"
)

// lastWitness is how long after its last report a relay is a witness (1.5 × 10 s,
// P3a), and gather.
const lastWitness = 18 * time.Second

// wasAlone says whether a region saw nobody at an instant, and before that for so
// long that the other one takes it for dead (P3a).
func (t *Truth) wasAlone(g int, at time.Duration) bool {
	for i := range t.strikes {
		if s := &t.strikes[i]; s.Alone && s.Region == g && s.At+regionGone <= at && s.At+s.For > at {
			return true
		}
	}
	return false
}

// isolation: a region that is cut from every relay and from the other region
// tells of no store, and of itself at most once; and truly of the other one.
func (t *Truth) isolation() {
	t.sole()
	for i := range t.strikes {
		s := &t.strikes[i]
		if !s.Alone {
			continue
		}
		t.Judges(Isolation)
		for ch := range t.channels() {
			t.names = t.names[:0]
			for k := range t.told {
				x := &t.told[k]
				if x.Region != s.Region || x.Channel != ch || x.Change != "open" || x.At < s.At+time.Second || x.At > s.At+s.For {
					continue
				}
				switch {
				case x.Kind == "region-down" && t.region[t.about(x)].longestOver(x.At-lookback, x.At, tail, renewal) >= regionGone:
					// The other one is dead, and that is not about itself.
				case x.Kind == "region-down" && t.wasAlone(t.about(x), s.At) && x.At <= s.At+lastWitness:
					// A relay was its witness until just now, and the other one was alone for long.
				case x.Store < 0:
					if !slices.Contains(t.names, x.Incident) {
						t.names = append(t.names, x.Incident)
					}
				case (x.Kind == "store-down" || x.Kind == "relay-dead") && !t.out(x.Store, t.since(x), x.At):
					t.Fail(Isolation, x.At, "a region that sees nobody told of "+subject(x.Store, -1))
				}
			}
			if len(t.names) > 1 {
				t.Fail(Isolation, s.At, fmt.Sprintf("a region that sees nobody told %d times of a region", len(t.names)))
			}
		}
	}
}

// sole: a store that one region alone sees is not called down because that region
// dies (P3a).
func (t *Truth) sole() {
	for i := range t.told {
		x := &t.told[i]
		if x.Store < 0 || x.Change != "open" || x.Kind != "store-down" && x.Kind != "relay-dead" {
			continue
		}
		for _, dead := range t.region[1-x.Region].spans {
			if !t.solelyThere(x, dead) {
				continue
			}
			t.Judges(Isolation)
			if x.At > dead.from+regionGone && x.At < dead.until {
				t.Fail(Isolation, x.At, subject(x.Store, -1)+" was told to be down because the only region that saw it is dead")
			}
		}
	}
}

// solelyThere says whether a store was up, in the sight of the other region alone,
// as that one died, and the region that told of it could know that.
func (t *Truth) solelyThere(x *Told, dead span) bool {
	st, here := &t.stores[x.Store], x.Region
	from := dead.from - soleAfter
	if from < settledAt || st.twoLived(from, x.At) || st.down.held(from, dead.from, startTail) || st.path[1-here].held(from, dead.from, tail) ||
		t.bridge.held(from, dead.from, tail) || t.region[here].again(from, x.At, afterNode) {
		return false
	}
	if !t.witnessed(here, dead.from, x.At) {
		return false // nobody could prove the death
	}
	for _, cut := range st.path[here].spans {
		if cut.from < from && cut.until > x.At {
			return true
		}
	}
	return false
}

// witnessed says whether a relay was there for a region all the time.
func (t *Truth) witnessed(g int, from, until time.Duration) bool {
	return slices.ContainsFunc(t.stores, func(st store) bool {
		return st.relayed && !st.down.again(from, until, tail) && !st.path[g].held(from, until, tail)
	})
}
