package torture

import (
	"errors"
	"fmt"
	"io"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/schedule"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
)

// ErrLacks says that a range that is long enough did not try everything; what is
// printed says what it lacks.
var ErrLacks = errors.New("the schedules did not try everything")

// Enough is how many seeds a range must have to lack nothing.
const Enough = 20_000

// lacks prints what so many schedules never came to: a property that had nothing to
// judge, a fault that never struck by itself, a moment at which none did. It returns
// how many those are.
func (c *summary) lacks(out io.Writer) (n int) {
	lack := func(format string, what any) {
		n++
		fmt.Fprintf(out, "LACKS "+format+"\n", what)
	}
	for i := truth.Property(1); i < truth.Properties; i++ {
		if c.judged[i] == 0 {
			lack("%s had nothing to judge", i)
		}
	}
	for k := schedule.Kind(1); k < schedule.Kinds; k++ {
		switch {
		case c.faults[k] == 0:
			lack("%s never struck", k)
		case c.single[k] == 0:
			lack("%s never struck by itself", k)
		}
	}
	for m := schedule.Moment(1); m < schedule.Moments; m++ {
		if c.moments[m] == 0 {
			lack("no fault struck at the moment %q", m)
		}
	}
	return n
}
