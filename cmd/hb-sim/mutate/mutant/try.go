package mutant

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// buildLimit bounds the build of a mutant.
const buildLimit = 10 * time.Minute

// bench builds mutants, plays them and runs their unit tests.
type bench struct {
	o *Options
	// plain is the player of the source as it is: what it breaks as well is no
	// mutant's.
	plain string
	known map[uint64]bool
}

// workshop is a folder for one mutant's build.
func workshop() (dir string, done func(), err error) {
	dir, err = os.MkdirTemp("", "mutants")
	return dir, func() { os.RemoveAll(dir) }, err //nolint:errcheck // the system's folder for what is temporary
}

// play builds a mutant, and plays its next seeds, up to the given number.
func (b *bench) play(ctx context.Context, m *Mutant, r *Result, seeds uint64) error {
	dir, done, err := workshop()
	if err != nil {
		return err
	}
	defer done()
	overlay, err := m.Overlay(b.o.Root, dir)
	if err != nil {
		return err
	}
	player := filepath.Join(dir, "play")
	if why := b.build(ctx, overlay, player); why != "" {
		r.CaughtBy, r.What = byCompiler, why
		return ctx.Err()
	}
	for start := time.Now(); r.Played < seeds && r.CaughtBy == "" && ctx.Err() == nil && time.Since(start) < b.o.Limit; {
		b.round(ctx, player, r, seeds)
	}
	return ctx.Err()
}

// round plays until something breaks a property that holds without the mutant.
func (b *bench) round(ctx context.Context, player string, r *Result, seeds uint64) {
	first := b.o.From + r.Played
	out := b.run(ctx, player, first, seeds-r.Played)
	switch {
	case ctx.Err() != nil:
	case out.broke != "":
		r.CaughtBy, r.What, r.Played = byBreaking, out.broke, r.Played+out.played
	case out.seed == 0:
		r.Played += max(out.played, 1)
	case b.run(ctx, b.plain, out.seed, 1).seed != 0:
		b.known[out.seed] = true // the source does as well
		r.Played = out.seed - b.o.From
	default:
		r.CaughtBy, r.What, r.Seed, r.Played = out.property, out.what, out.seed, out.seed-b.o.From+1
	}
}

// build lays a mutant over the source, and builds the player of seeds.
func (b *bench) build(ctx context.Context, overlay, player string) (why string) {
	ctx, cancel := context.WithTimeout(ctx, buildLimit)
	defer cancel()
	c := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", player, "./cmd/hb-sim/mutate/play") //nolint:gosec // our own arguments
	c.Dir = b.o.Root
	if out, err := c.CombinedOutput(); err != nil {
		return firstLine(string(out) + err.Error())
	}
	return ""
}

// test runs the unit tests of the mutant's package, and of those that use it.
func (b *bench) test(ctx context.Context, m *Mutant, r *Result) error {
	dir, done, err := workshop()
	if err != nil {
		return err
	}
	defer done()
	overlay, err := m.Overlay(b.o.Root, dir)
	if err != nil {
		return err
	}
	r.Tested = true
	for _, p := range m.Packages {
		if r.CaughtBy != "" || ctx.Err() != nil {
			break
		}
		b.testPackage(ctx, overlay, p, r)
	}
	return ctx.Err()
}

func (b *bench) testPackage(ctx context.Context, overlay, pkg string, r *Result) {
	limited, cancel := context.WithTimeout(ctx, b.o.Limit+buildLimit)
	defer cancel()
	c := exec.CommandContext(limited, "go", "test", "-overlay", overlay, "-count=1", "-failfast", "-vet=off", "-timeout", b.o.Limit.String(), pkg) //nolint:gosec // our own arguments
	c.Dir = b.o.Root
	if out, err := c.CombinedOutput(); err != nil {
		r.CaughtBy, r.What = byTests, pkg+" "+failedTest(string(out))
	}
}

// outcome is what a player printed: the first seed that broke a property (0:
// none did).
type outcome struct {
	seed           uint64
	property, what string
	played         uint64
	broke          string
}

// run lets a player play seeds until one breaks a property, or all of them.
func (b *bench) run(ctx context.Context, player string, from, seeds uint64) (o outcome) {
	ctx, cancel := context.WithTimeout(ctx, b.o.Limit+time.Minute)
	defer cancel()
	var known []string
	if player != b.plain {
		for s := range b.known {
			known = append(known, strconv.FormatUint(s, 10))
		}
	}
	c := exec.CommandContext(ctx, player, "-from", strconv.FormatUint(from, 10), "-seeds", strconv.FormatUint(seeds, 10), //nolint:gosec // our own arguments
		"-jobs", strconv.Itoa(b.o.Jobs), "-limit", b.o.Limit.String(), "-known", strings.Join(known, ","))
	out, err := c.CombinedOutput()
	for line := range strings.SplitSeq(string(out), "\n") {
		if n, ok := strings.CutPrefix(line, "played "); ok {
			o.played, _ = strconv.ParseUint(n, 10, 64)
			continue
		}
		f := strings.SplitN(line, "\t", 3)
		if len(f) < 3 {
			continue
		}
		if seed, _ := strconv.ParseUint(f[0], 10, 64); o.seed == 0 || seed < o.seed {
			o.seed, o.property, o.what = seed, f[1], f[2]
		}
	}
	if err != nil {
		o.broke = firstLine(string(out) + err.Error())
	}
	return o
}

func firstLine(s string) string {
	for line := range strings.SplitSeq(s, "\n") {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return line
		}
	}
	return ""
}

// failedTest is the name of the first test that failed.
func failedTest(out string) string {
	for line := range strings.SplitSeq(out, "\n") {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: "); ok {
			name, _, _ = strings.Cut(name, " ")
			return name
		}
	}
	return fmt.Sprintf("%.200s", firstLine(out))
}
