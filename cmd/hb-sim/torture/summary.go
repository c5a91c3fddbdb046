package torture

import (
	"fmt"
	"io"
	"maps"
	"slices"
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
	single                [schedule.Kinds]uint64 // of these: schedules with no other fault
	moments               [schedule.Moments]uint64
	quiet                 uint64            // schedules in which nothing struck
	reached               map[string]uint64 // what regions decided, and what was told
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
	c.countStruck(w.cover.struck)
	for m, n := range w.cover.moments {
		c.moments[m] += n
	}
	if c.reached == nil {
		c.reached = make(map[string]uint64)
	}
	for what := range w.cover.reached {
		c.reached[what]++
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

func (c *summary) countStruck(struck []schedule.Kind) {
	switch len(struck) {
	case 0:
		c.quiet++
	case 1:
		c.single[struck[0]]++
	}
	for i, a := range struck {
		c.faults[a]++
		for _, b := range struck[i+1:] {
			c.pairs[min(a, b)][max(a, b)]++
		}
	}
}

func (c *summary) add(o *summary) {
	c.schedules, c.many, c.told = c.schedules+o.schedules, c.many+o.many, c.told+o.told
	c.events, c.virtual = c.events+o.events, c.virtual+o.virtual
	for i := range c.faults {
		c.faults[i] += o.faults[i]
		c.single[i] += o.single[i]
		for k := range c.pairs[i] {
			c.pairs[i][k] += o.pairs[i][k]
		}
	}
	c.quiet += o.quiet
	for i := range c.moments {
		c.moments[i] += o.moments[i]
	}
	if c.reached == nil {
		c.reached = make(map[string]uint64)
	}
	for what, n := range o.reached {
		c.reached[what] += n
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
	c.printFaults(out)
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
	c.printReached(out)
	fmt.Fprintf(out, "\n%-16s %12s %10s\n", "property", "schedules", "violations")
	for i := truth.Property(1); i < truth.Properties; i++ {
		fmt.Fprintf(out, "%-16s %12d %10d\n", i, c.judged[i], c.violated[i])
	}
	n := float64(c.schedules)
	fmt.Fprintf(out, "\nmean: %.1f virtual minutes, %.0f events; %.0f %% with %d or more stores\n",
		c.virtual.Minutes()/n, float64(c.events)/n, 100*float64(c.many)/n, manyStores)
}

// printFaults prints how often each fault struck, and alone, and at which
// moments; a cell that is empty is said.
func (c *summary) printFaults(out io.Writer) {
	fmt.Fprintf(out, "\n%-22s %10s %10s\n", "fault", "struck", "alone")
	fmt.Fprintf(out, "%-22s %10d\n", "none at all", c.quiet)
	empty := 0
	for k := schedule.Kind(1); k < schedule.Kinds; k++ {
		fmt.Fprintf(out, "%-22s %10d %10d\n", k, c.faults[k], c.single[k])
		if c.faults[k] == 0 {
			empty++
		}
	}
	fmt.Fprintf(out, "faults that never struck: %d\n", empty)
	fmt.Fprintf(out, "\n%-22s %10s\n", "struck at the moment", "faults")
	for m := schedule.Moment(1); m < schedule.Moments; m++ {
		fmt.Fprintf(out, "%-22s %10d\n", m, c.moments[m])
	}
}

// printReached prints in how many schedules each state was reached.
func (c *summary) printReached(out io.Writer) {
	fmt.Fprintf(out, "\n%-32s %10s\n", "reached", "schedules")
	for _, what := range slices.Sorted(maps.Keys(c.reached)) {
		fmt.Fprintf(out, "%-32s %10d\n", what, c.reached[what])
	}
}
