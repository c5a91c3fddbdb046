package truth

import (
	"fmt"
	"slices"
	"time"
)

// isolation: a region that is cut from every relay and from the other region
// tells of no store, and of itself at most once; and truly of the other one.
func (t *Truth) isolation() {
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
