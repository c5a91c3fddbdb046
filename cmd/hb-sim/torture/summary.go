package torture

import (
	"fmt"
	"io"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/schedule"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
)

// summary counts what was played.
type summary struct {
	schedules, many, told uint64
	events                uint64
	virtual               time.Duration
	faults                [schedule.Kinds]uint64
	pairs                 [schedule.Kinds][schedule.Kinds]uint64
	judged                [truth.Properties]uint64
	violated              [truth.Properties]uint64
}

// manyStores is how many make a large schedule.
const manyStores = 12

func (c *summary) count(s *schedule.Schedule, w *world, v *truth.Violation) {
	c.schedules++
	c.events += uint64(w.events) //nolint:gosec // a count
	c.virtual += s.End
	if len(s.Stores) >= manyStores {
		c.many++
	}
	for i := range s.Faults {
		a := s.Faults[i].Kind
		c.faults[a]++
		for k := i + 1; k < len(s.Faults); k++ {
			b := s.Faults[k].Kind
			c.pairs[min(a, b)][max(a, b)]++
		}
	}
	for i, n := range w.truth.truth.Judged {
		if n > 0 {
			c.judged[i]++
		}
	}
	if v != nil {
		c.violated[v.Property]++
	}
}

func (c *summary) add(o *summary) {
	c.schedules, c.many, c.told = c.schedules+o.schedules, c.many+o.many, c.told+o.told
	c.events, c.virtual = c.events+o.events, c.virtual+o.virtual
	for i := range c.faults {
		c.faults[i] += o.faults[i]
		for k := range c.pairs[i] {
			c.pairs[i][k] += o.pairs[i][k]
		}
	}
	for i := range c.judged {
		c.judged[i] += o.judged[i]
		c.violated[i] += o.violated[i]
	}
}

// print prints the coverage.
func (c *summary) print(out io.Writer) {
	if c.schedules == 0 {
		return
	}
	fmt.Fprintf(out, "\n%-20s %10s\n", "fault", "struck")
	for k := schedule.Kind(1); k < schedule.Kinds; k++ {
		fmt.Fprintf(out, "%-20s %10d\n", k, c.faults[k])
	}
	pairs, struck, least := 0, 0, ^uint64(0)
	for a := schedule.Kind(1); a < schedule.Kinds; a++ {
		for b := a; b < schedule.Kinds; b++ {
			pairs++
			if n := c.pairs[a][b]; n > 0 {
				struck++
				least = min(least, n)
			} else {
				least = 0
			}
		}
	}
	fmt.Fprintf(out, "pairs of faults: %d of %d struck, the rarest %d times\n", struck, pairs, least)
	fmt.Fprintf(out, "\n%-16s %12s %10s\n", "property", "schedules", "violations")
	for i := truth.Property(1); i < truth.Properties; i++ {
		fmt.Fprintf(out, "%-16s %12d %10d\n", i, c.judged[i], c.violated[i])
	}
	n := float64(c.schedules)
	fmt.Fprintf(out, "\nmean: %.1f virtual minutes, %.0f events; %.0f %% with %d or more stores\n",
		c.virtual.Minutes()/n, float64(c.events)/n, 100*float64(c.many)/n, manyStores)
}
