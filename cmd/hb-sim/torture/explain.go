package torture

import (
	"bufio"
	"fmt"
	"os"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/schedule"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
)

// playSeed plays one seed, and prints what happened.
func playSeed(o *Options) error {
	var s schedule.Schedule
	schedule.Generate(*o.Seed, &s)
	return playOne(o, &s)
}

// playFile plays the schedule of a text file.
func playFile(o *Options) error {
	f, err := os.Open(o.File)
	if err != nil {
		return fmt.Errorf("schedule: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	s, err := schedule.Parse(f)
	if err != nil {
		return fmt.Errorf("schedule %s: %w", o.File, err)
	}
	return playOne(o, s)
}

func playOne(o *Options, s *schedule.Schedule) error {
	v := show(o, s, o.Trace)
	if v == nil {
		fmt.Fprintln(o.Out, "every property held")
		return nil
	}
	if o.Shrink {
		fmt.Fprintf(o.Out, "shrunk:\n%s", shrink(s, v.Property))
	}
	return ErrViolated
}

// show plays a schedule once more, with a trace, and prints it if it is wanted.
func show(o *Options, s *schedule.Schedule, trace bool) *truth.Violation {
	out := bufio.NewWriter(o.Out)
	defer out.Flush() //nolint:errcheck // a terminal that is gone is no reason to stop
	p := newPlayer()
	if trace {
		p.w.tracing = true
		p.w.trace = func(line string) { fmt.Fprintln(out, line) }
	}
	v := p.play(s)
	if v != nil {
		fmt.Fprintf(out, "VIOLATION %s at %.3f: %s\n", v.Property, v.At.Seconds(), v.What)
	}
	return v
}

// explain prints a failure of a range.
func explain(o *Options, seed uint64) {
	var s schedule.Schedule
	schedule.Generate(seed, &s)
	fmt.Fprintf(o.Out, "\nseed %d (hb-sim torture --seed %d -v):\n%s", seed, seed, &s)
	if v := show(o, &s, false); v != nil && o.Shrink {
		fmt.Fprintf(o.Out, "shrunk:\n%s", shrink(&s, v.Property))
	}
}

// shrink leaves out of a schedule what is not needed to break a property.
func shrink(s *schedule.Schedule, broken truth.Property) *schedule.Schedule {
	p := newPlayer()
	return schedule.Shrink(s, func(t *schedule.Schedule) bool {
		v := p.play(t)
		return v != nil && v.Property == broken
	})
}
