package mutant

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// ErrSurvivors says that a mutant made by hand was not noticed, or does not fit,
// or that one that was drawn was not, and nobody said why it is harmless.
var ErrSurvivors = errors.New("mutants survive")

// Options say which mutants are tried, and how hard.
type Options struct {
	// Root is the folder of the module.
	Root string
	// Auto is how many mutants are drawn, by Seed.
	Auto int
	Seed uint64
	// From is the first seed of the simulation; First is how many are played
	// before the unit tests, and Seeds how many in all.
	From, First, Seeds uint64
	// Jobs is how many seeds are played at once.
	Jobs int
	// Limit bounds the seeds, and the unit tests, of one mutant.
	Limit time.Duration
	// AsIs tries nothing: the page is written of the results that are kept.
	AsIs bool
	// Only takes the mutants whose names contain this.
	Only string
	// Results is the file where results are kept; Page the one that the table is
	// written into, "": none.
	Results, Page string
	// Out is where each result is printed.
	Out io.Writer
}

// DefaultOptions draw 200 mutants, and play 20,000 seeds.
func DefaultOptions() Options {
	return Options{Auto: 200, Seed: 1, From: 1, First: 1500, Seeds: 20000, Jobs: runtime.NumCPU(), Limit: 4 * time.Minute, Out: os.Stdout}
}

// byHand is where the mutants made by hand are.
const byHand = "cmd/hb-sim/mutate/testdata"

// Run tries the mutants: all of them with few seeds first, then the unit tests of
// those that survive, then the other seeds. It returns ErrSurvivors where one
// was not noticed.
func Run(ctx context.Context, o Options) error {
	made, err := ReadPatches(o.Root, filepath.Join(o.Root, byHand))
	if err != nil {
		return err
	}
	drawn, err := Draw(o.Root, o.Seed)
	if err != nil {
		return err
	}
	book, err := openLedger(o.Results)
	if err != nil {
		return err
	}
	harmless, err := ReadReasons(filepath.Join(o.Root, byHand, "harmless.md"))
	if err != nil {
		return err
	}
	dir, done, err := workshop()
	if err != nil {
		return err
	}
	defer done()
	t := trial{o: &o, book: book, harmless: harmless, bench: &bench{o: &o, plain: filepath.Join(dir, "plain"), known: map[uint64]bool{}}}
	if o.AsIs {
		t.kept(made, drawn)
		return t.end()
	}
	overlay, err := (&Mutant{}).Overlay(o.Root, dir)
	if err != nil {
		return err
	}
	if why := t.bench.build(ctx, overlay, t.bench.plain); why != "" {
		return fmt.Errorf("build without a mutant: %s", why)
	}
	if err := t.first(ctx, made, drawn); err != nil {
		return err
	}
	if err := t.rest(ctx); err != nil {
		return err
	}
	return t.end()
}

// trial is one run over all mutants.
type trial struct {
	o     *Options
	book  *ledger
	bench *bench
	tried []*Mutant
	unfit []*Mutant
	// harmless is why survivors are, by name.
	harmless map[string]string
}

// first plays the first seeds of each mutant. One that does not compile is none:
// another one is drawn.
func (t *trial) first(ctx context.Context, made, drawn []Mutant) error {
	for i := range made {
		m := &made[i]
		switch {
		case !strings.Contains(m.Name, t.o.Only):
		case m.Unfit != "":
			fmt.Fprintf(t.o.Out, "DOES NOT FIT    %s: %s\n", m.Name, m.Unfit)
			t.unfit = append(t.unfit, m)
		default:
			if _, err := t.step(ctx, m, t.play(t.o.First)); err != nil {
				return err
			}
			t.tried = append(t.tried, m)
		}
	}
	for i, n := 0, 0; i < len(drawn) && n < t.o.Auto; i++ {
		m := &drawn[i]
		if !strings.Contains(m.Name, t.o.Only) {
			continue
		}
		r, err := t.step(ctx, m, t.play(t.o.First))
		if err != nil {
			return err
		}
		if r.CaughtBy != byCompiler {
			t.tried = append(t.tried, m)
			n++
		}
	}
	return nil
}

// kept takes the mutants of which there is a result.
func (t *trial) kept(made, drawn []Mutant) {
	for i := range made {
		if _, has := t.book.all[made[i].Key()]; has {
			t.tried = append(t.tried, &made[i])
		}
	}
	n := 0
	for i := range drawn {
		if r, has := t.book.all[drawn[i].Key()]; has && r.CaughtBy != byCompiler && n < t.o.Auto {
			t.tried = append(t.tried, &drawn[i])
			n++
		}
	}
}

// rest runs the unit tests of what survives, and then plays all seeds.
func (t *trial) rest(ctx context.Context) error {
	for _, m := range t.tried {
		if m.Drawn() {
			if _, err := t.step(ctx, m, t.test); err != nil {
				return err
			}
		}
	}
	// Those that nobody has a reason for come first.
	for _, known := range [...]bool{false, true} {
		for _, m := range t.tried {
			if (t.harmless[m.Name] != "") != known {
				continue
			}
			if _, err := t.step(ctx, m, t.play(t.o.Seeds)); err != nil {
				return err
			}
		}
	}
	return nil
}

// step does one more thing with a mutant that survived so far, and keeps what
// became of it.
func (t *trial) step(ctx context.Context, m *Mutant, do func(context.Context, *Mutant, *Result) (bool, error)) (Result, error) {
	r, ok := t.book.all[m.Key()]
	if !ok {
		r = Result{Key: m.Key(), Name: m.Name, Breaks: m.Breaks, Drawn: m.Drawn()}
	}
	if r.CaughtBy != "" {
		return r, nil
	}
	did, err := do(ctx, m, &r)
	if err != nil || !did {
		return r, err
	}
	fmt.Fprintln(t.o.Out, r.String())
	return r, t.book.keep(r)
}

func (t *trial) play(seeds uint64) func(context.Context, *Mutant, *Result) (bool, error) {
	return func(ctx context.Context, m *Mutant, r *Result) (bool, error) {
		if r.Played >= seeds {
			return false, nil
		}
		return true, t.bench.play(ctx, m, r, seeds)
	}
}

func (t *trial) test(ctx context.Context, m *Mutant, r *Result) (bool, error) {
	if r.Tested {
		return false, nil
	}
	return true, t.bench.test(ctx, m, r)
}

// end writes the page, and says whether anything survived.
func (t *trial) end() error {
	results := make([]Result, 0, len(t.tried))
	survivors := len(t.unfit)
	for _, m := range t.tried {
		r := t.book.all[m.Key()]
		results = append(results, r)
		if r.CaughtBy == "" && t.harmless[r.Name] == "" {
			survivors++
		}
	}
	fmt.Fprintf(t.o.Out, "%d mutants, %d survive without a reason\n", len(t.tried)+len(t.unfit), survivors)
	if t.o.Page != "" {
		if err := os.WriteFile(t.o.Page, []byte(Page(results, t.harmless, t.o)), 0o644); err != nil { //nolint:gosec // a page for people
			return fmt.Errorf("write the page: %w", err)
		}
	}
	if survivors > 0 {
		return ErrSurvivors
	}
	return nil
}
