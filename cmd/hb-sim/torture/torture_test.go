package torture_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture"
)

// fewSeeds is how many seeds a test plays; make test plays more.
const fewSeeds = 2000

// play runs the options, and says what was printed.
func play(t *testing.T, o torture.Options) (string, error) {
	t.Helper()
	var out bytes.Buffer
	o.Out = &out
	err := torture.Run(t.Context(), o)
	return out.String(), err
}

// Each schedule under testdata broke a property once.
func TestSchedulesThatOnceBrokeAProperty(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			o := torture.DefaultOptions()
			o.File = file
			if out, err := play(t, o); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestSeedsHoldEveryProperty(t *testing.T) {
	first := uint64(1)
	o := torture.DefaultOptions()
	o.From, o.Seeds = &first, fewSeeds
	if out, err := play(t, o); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// A range that is long enough must try everything; a short one need not.
func TestARangeThatIsLongEnoughLacksNothing(t *testing.T) {
	first := uint64(1)
	o := torture.DefaultOptions()
	o.From, o.Seeds, o.Jobs = &first, 4, 1
	if out, err := play(t, o); err != nil {
		t.Errorf("a short range: %v\n%s", err, out)
	}
	o.Enough = 4
	out, err := play(t, o)
	if !errors.Is(err, torture.ErrLacks) {
		t.Fatalf("got %v, want that 4 schedules lack something", err)
	}
	for _, line := range []string{
		"LACKS isolation had nothing to judge\n", "LACKS disk-full never struck\n", "LACKS host-crash never struck by itself\n",
		"LACKS no fault struck at the moment \"archive\"\n",
	} {
		if !strings.Contains(out, line) {
			t.Errorf("%q is not said:\n%s", line, out)
		}
	}
}

// The same seed gives the same bytes, also beside others.
func TestSameSeedSameTrace(t *testing.T) {
	first := torture.Today(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	for i := range uint64(12) {
		seed := first + i
		o := torture.DefaultOptions()
		o.Seed, o.Trace = &seed, true
		a, _ := play(t, o) // a violation is another test's
		b, _ := play(t, o)
		if a != b {
			t.Fatalf("seed %d gave two traces:\n%s", seed, firstDifference(a, b))
		}
		if len(a) < 1000 {
			t.Errorf("seed %d has a trace of %d bytes", seed, len(a))
		}
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return x[i] + "\n" + y[i]
		}
	}
	return "one is longer"
}

func TestABadScheduleIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bad.txt")
	if err := os.WriteFile(file, []byte("seed 1\nstore s1 relay mqtt:5s\nat 80s earthquake s1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := torture.DefaultOptions()
	o.File = file
	if _, err := play(t, o); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("got %v, want the line that is wrong", err)
	}
}
