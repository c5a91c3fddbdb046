package journal_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/journal"
)

// The test binary is its own victim: with childEnv it is a relay that appends
// until it is killed, or that crashes.
const (
	childEnv = "HB_JOURNAL_TEST_CHILD"
	dirEnv   = "HB_JOURNAL_TEST_DIR"
)

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "append":
		childAppends(os.Getenv(dirEnv))
	case "assert", "panic":
		childCrashes(os.Getenv(dirEnv), os.Getenv(childEnv))
	default:
		os.Exit(m.Run())
	}
}

func child(t *testing.T, what, dir string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+what, dirEnv+"="+dir)
	return cmd
}

func childOpens(dir string) *journal.Journal {
	j, err := journal.Open(options(dir), slog.New(slog.NewTextHandler(os.Stderr, nil)), journal.NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		panic(err)
	}
	return j
}

// childAppends says on its standard output what it was promised, after it was,
// and what it frees, before it does.
func childAppends(dir string) {
	j := childOpens(dir)
	var mu sync.Mutex // guards the numbers, and the lines
	say := func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	say("open %s %t", j.Incarnation(), j.Recovered() != nil)
	var next, top beat.Number
	number := func() beat.Number {
		if next++; next > top || top == 0 {
			var err error
			if next, top, err = j.ReserveNumbers(0); err != nil {
				panic(err)
			}
			say("block %d %d", next, top)
		}
		return next
	}
	for range 4 {
		go func() {
			for {
				mu.Lock()
				n := number()
				p := j.Put([]journal.Entry{entry(n)})
				mu.Unlock()
				if err := p.Wait(noContext{}); err != nil {
					panic(err)
				}
				say("acked %d", n)
			}
		}()
	}
	for {
		e, err := j.NextEpoch(0)
		if err != nil {
			panic(err)
		}
		say("epoch %d", e)
		time.Sleep(time.Millisecond)
		batch, err := j.Batch(0, 1<<20, 100)
		if err != nil {
			panic(err)
		}
		if len(batch) == 100 {
			say("freeing %d", batch[50].Number)
			if err := j.Free(batch[50].Number); err != nil {
				panic(err)
			}
		}
	}
}

// noContext never ends: a child has no test's context.
type noContext struct{}

func (noContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (noContext) Done() <-chan struct{}       { return nil }
func (noContext) Err() error                  { return nil }
func (noContext) Value(any) any               { return nil }

// ledger is what all children were promised together.
type ledger struct {
	inc    string
	epoch  beat.Epoch
	number beat.Number // the end of the last block
	freed  beat.Number
	acked  map[beat.Number]bool
}

func (l *ledger) read(t *testing.T, line string) {
	t.Helper()
	var inc string
	var a, b uint64
	var moved bool
	switch word, _, _ := strings.Cut(line, " "); word {
	case "open":
		_, err := fmt.Sscanf(line, "open %s %t", &inc, &moved)
		if err != nil || moved || l.inc != "" && inc != l.inc {
			t.Fatalf("%q after incarnation %s: %v", line, l.inc, err)
		}
		l.inc = inc
	case "block":
		_, err := fmt.Sscanf(line, "block %d %d", &a, &b)
		if err != nil || beat.Number(a) <= l.number {
			t.Fatalf("%q: numbers to %d were reserved before, %v", line, l.number, err)
		}
		l.number = beat.Number(b)
	case "epoch":
		_, err := fmt.Sscanf(line, "epoch %d", &a)
		if err != nil || beat.Epoch(a) <= l.epoch {
			t.Fatalf("%q after epoch %d: %v", line, l.epoch, err)
		}
		l.epoch = beat.Epoch(a)
	case "acked":
		if _, err := fmt.Sscanf(line, "acked %d", &a); err != nil || l.acked[beat.Number(a)] {
			t.Fatalf("%q twice: %v", line, err)
		}
		l.acked[beat.Number(a)] = true
	case "freeing":
		if _, err := fmt.Sscanf(line, "freeing %d", &a); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		l.freed = beat.Number(a)
	default:
		t.Fatalf("the child says %q", line)
	}
}

// check compares the folder with what was promised.
func (l *ledger) check(t *testing.T, dir string) {
	t.Helper()
	c, err := journal.Dump(dir)
	if err != nil {
		t.Fatal(err)
	}
	held := map[beat.Number]bool{}
	for _, e := range c.Entries {
		held[e.Number] = true
	}
	for n := range l.acked {
		if n > l.freed && !held[n] {
			t.Fatalf("entry %d was acked, not freed (up to %d), and is gone", n, l.freed)
		}
	}
	if c.EpochTop < l.epoch || c.NumberTop < l.number || c.Lost != 0 {
		t.Fatalf("epochs to %d, numbers to %d, %d lost; promised %d and %d", c.EpochTop, c.NumberTop, c.Lost, l.epoch, l.number)
	}
}

// A relay is killed again and again at any moment: what it was promised holds.
func TestKilledAgainAndAgain(t *testing.T) {
	dir := t.TempDir()
	l := &ledger{acked: map[beat.Number]bool{}}
	for range 25 {
		runUntilKilled(t, dir, l, time.Duration(10+rand.IntN(120))*time.Millisecond)
		if l.inc != "" {
			l.check(t, dir)
		}
	}
	if len(l.acked) < 100 || l.freed == 0 {
		t.Fatalf("only %d entries, freed to %d: the test tests nothing", len(l.acked), l.freed)
	}
}

// childCrashes dies in a goroutine of Badger's code, where nobody can recover:
// by a failed assertion, which ends the process by itself, or by a panic.
func childCrashes(dir, how string) {
	if err := journal.WatchCrashes(dir); err != nil {
		panic(err)
	}
	childOpens(dir)
	if how == "assert" {
		go y.AssertTrue(false)
	} else {
		go func() { _, _ = table.OpenInMemoryTable([]byte("no table"), 1, &table.Options{}) }()
	}
	select {}
}

func TestCrashesWithinBadgerMoveTheFolderAside(t *testing.T) {
	for how, says := range map[string]string{"assert": "Assert failed", "panic": "goroutine"} {
		t.Run(how, func(t *testing.T) {
			dir := t.TempDir()
			for range 2 {
				if out, err := child(t, how, dir).CombinedOutput(); err == nil || !strings.Contains(string(out), says) {
					t.Fatalf("the child ended with %v: %s", err, out)
				}
			}
			if j := open(t, options(dir)); j.Recovered() == nil {
				t.Fatal("the folder was taken as it is")
			}
		})
	}
}
