package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
)

// ErrViolated says that a property did not hold; what is printed says which.
var ErrViolated = errors.New("a property did not hold")

const (
	// DefaultSeeds is how many schedules a run plays.
	DefaultSeeds = 10_000
	// gcPercent lets the garbage collector run seldom: a schedule leaves
	// little, and a world is used again.
	gcPercent = 3000
	// chunk is how many seeds a worker takes at once.
	chunk = 16
	// maxShown bounds the failures that are printed.
	maxShown = 40
)

// Options say which schedules to play.
type Options struct {
	// From is the first seed; nil: one of today's date (UTC), fresh each day.
	From *uint64
	// Seeds is how many.
	Seeds uint64
	// Seed plays this one alone; File a schedule of a text file.
	Seed *uint64
	File string
	// Trace prints all that happens; Shrink reduces what fails.
	Trace, Shrink bool
	// Known is a file of seeds whose violation is known, each with what is wrong:
	// they are no failure, until they hold. "": none.
	Known string
	// Enough is how many seeds a range must have to lack nothing: with fewer, what was
	// not tried is no failure.
	Enough uint64
	// First stops at the first violation.
	First bool
	// Jobs is how many seeds are played at once; 0: one for each core.
	Jobs int
	// Profile is a file for a CPU profile; "": none.
	Profile string
	// Out is where the result goes; Progress, if it is not nil, where a line
	// is drawn over and over.
	Out, Progress io.Writer
	// Now is the wall clock: for the default of From, and the speed.
	Now func() time.Time
}

// DefaultOptions play DefaultSeeds on all cores.
func DefaultOptions() Options {
	return Options{Seeds: DefaultSeeds, Enough: Enough, Jobs: runtime.NumCPU(), Out: os.Stdout, Now: time.Now}
}

// Today is the first seed of a day: every day has its own.
func Today(now time.Time) uint64 {
	y, m, d := now.UTC().Date()
	c := chance{uint64(y*10_000 + int(m)*100 + d)} //nolint:gosec // a date is positive
	return c.next() &^ (1<<24 - 1)
}

// Run plays what the options say. It returns ErrViolated where a property did
// not hold, ErrLacks where a range of Enough seeds did not try everything.
func Run(ctx context.Context, o Options) error {
	if o.Jobs <= 0 {
		o.Jobs = runtime.NumCPU()
	}
	if o.Profile != "" {
		f, err := os.Create(o.Profile)
		if err != nil {
			return fmt.Errorf("torture: %w", err)
		}
		defer f.Close() //nolint:errcheck // it is for a developer
		if err := pprof.StartCPUProfile(f); err != nil {
			return fmt.Errorf("torture: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	switch {
	case o.File != "":
		return playFile(&o)
	case o.Seed != nil:
		return playSeed(&o)
	default:
		return playRange(ctx, &o)
	}
}

// tally is what the workers have played so far.
type tally struct {
	next, played, violated atomic.Uint64
	stop                   atomic.Bool

	mu       sync.Mutex // guards what follows
	failures []outcome
	sum      summary
}

// outcome is what became of one seed.
type outcome struct {
	seed      uint64
	violation truth.Violation
}

func playRange(ctx context.Context, o *Options) error {
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	from := Today(o.Now())
	if o.From != nil {
		from = *o.From
	}
	known, err := readKnown(o.Known)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.Out, "seeds %d to %d\n", from, from+o.Seeds-1)
	start := o.Now()
	t := &tally{}
	var wg sync.WaitGroup
	for range o.Jobs {
		wg.Go(func() { t.work(ctx, o, from) })
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	draw(o, t, start, done)
	slices.SortFunc(t.failures, func(a, b outcome) int {
		if a.seed < b.seed {
			return -1
		}
		return 1
	})
	open, held := known.sift(t, from, o)
	for i := range min(len(t.failures), maxShown) {
		explain(o, t.failures[i].seed)
	}
	t.sum.print(o.Out)
	violated := t.violated.Load()
	if open > 0 {
		fmt.Fprintf(o.Out, "known and still open: %d violations of %s\n", open, o.Known)
	}
	if held > 0 {
		return fmt.Errorf("torture: %d seeds of %s hold now: take them out", held, o.Known)
	}
	fmt.Fprintf(o.Out, "seeds %d, violations %d, %.0f schedules/s\n", t.played.Load(), violated, float64(t.played.Load())/o.Now().Sub(start).Seconds())
	if violated > 0 {
		return ErrViolated
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("torture: %w", err)
	}
	if t.played.Load() >= o.Enough {
		if n := t.sum.lacks(o.Out); n > 0 {
			return fmt.Errorf("torture: %w: %d things, see LACKS above", ErrLacks, n)
		}
	}
	return nil
}

// draw shows the progress until the work is done.
func draw(o *Options, t *tally, start time.Time, done <-chan struct{}) {
	if o.Progress == nil {
		<-done
		return
	}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			fmt.Fprint(o.Progress, "\r\x1b[K")
			return
		case <-tick.C:
			n := t.played.Load()
			fmt.Fprintf(o.Progress, "\r\x1b[K%d of %d seeds, %d violations, %.0f schedules/s", n, o.Seeds, t.violated.Load(), float64(n)/o.Now().Sub(start).Seconds())
		}
	}
}

// work plays seeds until there are no more.
func (t *tally) work(ctx context.Context, o *Options, from uint64) {
	p := newPlayer()
	for ctx.Err() == nil && !t.stop.Load() {
		first := t.next.Add(chunk) - chunk
		for i := first; i < min(first+chunk, o.Seeds) && !t.stop.Load(); i++ {
			v := p.playSeed(from + i)
			t.played.Add(1)
			if v == nil {
				continue
			}
			t.violated.Add(1)
			t.mu.Lock()
			if len(t.failures) < 10_000 {
				t.failures = append(t.failures, outcome{from + i, *v})
			}
			t.mu.Unlock()
			if o.First {
				t.stop.Store(true)
			}
		}
		if first >= o.Seeds {
			break
		}
	}
	t.mu.Lock()
	t.sum.add(&p.sum)
	t.mu.Unlock()
}
