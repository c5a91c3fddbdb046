package journal_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/journal"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

func options(dir string) journal.Options {
	o := journal.DefaultOptions()
	o.Dir = dir
	return o
}

func open(t *testing.T, o journal.Options) *journal.Journal {
	t.Helper()
	j, err := journal.Open(o, slog.New(slog.DiscardHandler), journal.NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return j
}

func reopen(t *testing.T, j *journal.Journal, o journal.Options) *journal.Journal {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, o)
}

func entry(n beat.Number) journal.Entry {
	host := beat.HostID(fmt.Sprintf("pos%d", n%8))
	return journal.Entry{
		Transition: beat.Transition{Number: n, Host: host, State: beat.Missing, Reason: beat.Deadline, Boot: beat.Boot{1}, MonoMs: uint64(n)},
		Record:     roster.Record{Host: host, State: beat.Missing, Number: n},
	}
}

func appendAll(t *testing.T, j *journal.Journal, from, to beat.Number) {
	t.Helper()
	for n := from; n <= to; {
		var batch []journal.Entry
		for ; n <= to && len(batch) < 500; n++ {
			batch = append(batch, entry(n))
		}
		if err := j.Append(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
}

func batch(t *testing.T, j *journal.Journal, after beat.Number) []beat.Transition {
	t.Helper()
	out, err := j.Batch(after, 1<<20, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func numbers(entries []beat.Transition) []beat.Number {
	var out []beat.Number
	for _, e := range entries {
		out = append(out, e.Number)
	}
	return out
}

func TestEntriesAndHostsSurviveARestart(t *testing.T) {
	o := options(t.TempDir())
	j := open(t, o)
	inc := j.Incarnation()
	appendAll(t, j, 1, 20)
	forget := entry(21)
	forget.Forget = true // pos5
	if err := j.Append(t.Context(), []journal.Entry{forget}); err != nil {
		t.Fatal(err)
	}
	j = reopen(t, j, o)
	if j.Incarnation() != inc || inc.IsZero() {
		t.Fatalf("incarnation %v became %v", inc, j.Incarnation())
	}
	if got := numbers(batch(t, j, 0)); len(got) != 21 || got[0] != 1 || got[20] != 21 {
		t.Fatalf("entries %v", got)
	}
	hosts, err := j.Hosts()
	if err != nil || len(hosts) != 7 {
		t.Fatalf("hosts %v, %v; want 7", hosts, err)
	}
	if hosts[0] != entry(16).Record {
		t.Fatalf("pos0 is %+v, want its last record", hosts[0])
	}
	if j.Recovered() != nil {
		t.Fatalf("moved aside: %+v", j.Recovered())
	}
}

func TestARecordAloneIsNoEntry(t *testing.T) {
	o := options(t.TempDir())
	j := open(t, o)
	appendAll(t, j, 1, 1)
	note := journal.Entry{Record: roster.Record{Host: "pos1", State: beat.Up, Number: 1}}
	if err := j.Append(t.Context(), []journal.Entry{note, entry(2)}); err != nil {
		t.Fatal(err)
	}
	j = reopen(t, j, o)
	hosts, err := j.Hosts()
	if err != nil || len(hosts) != 2 || hosts[0].State != beat.Up || len(batch(t, j, 0)) != 2 {
		t.Fatalf("hosts %+v, entries %v, %v", hosts, numbers(batch(t, j, 0)), err)
	}
}

func TestBatchIsTheOldestWithinItsBounds(t *testing.T) {
	j := open(t, options(t.TempDir()))
	appendAll(t, j, 1, 100)
	one := len(beatEncoding(t, j))
	for name, c := range map[string]struct {
		after           beat.Number
		maxBytes, limit int
		want            int
		first           beat.Number
	}{
		"all of them":          {0, 1 << 20, 1000, 100, 1},
		"a limit of entries":   {0, 1 << 20, 7, 7, 1},
		"after a number":       {90, 1 << 20, 1000, 10, 91},
		"room for none":        {0, 5, 1000, 0, 0},
		"room for three":       {0, 3 * one, 1000, 3, 1},
		"nothing is above":     {100, 1 << 20, 1000, 0, 0},
		"after what is no key": {1 << 40, 1 << 20, 1000, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := j.Batch(c.after, c.maxBytes, c.limit)
			if err != nil || len(got) != c.want || c.want > 0 && got[0].Number != c.first {
				t.Fatalf("got %v, %v; want %d from %d", numbers(got), err, c.want, c.first)
			}
		})
	}
}

// beatEncoding is the room that the first entry takes: the least that a batch
// of one needs.
func beatEncoding(t *testing.T, j *journal.Journal) []byte {
	t.Helper()
	for n := 1; ; n++ {
		got, err := j.Batch(0, n, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 1 {
			return make([]byte, n)
		}
	}
}

func TestWhatIsFreedStaysFreed(t *testing.T) {
	o := options(t.TempDir())
	j := open(t, o)
	appendAll(t, j, 1, 5000)
	for _, through := range []beat.Number{0, 10, 5, 4000} {
		if err := j.Free(through); err != nil {
			t.Fatal(err)
		}
	}
	j = reopen(t, j, o)
	if got := numbers(batch(t, j, 0)); len(got) != 1000 || got[0] != 4001 {
		t.Fatalf("%d entries, first %v", len(got), got[:min(3, len(got))])
	}
	if s := j.Stats(); s.Depth != 1000 || s.Lost != 0 {
		t.Fatalf("stats %+v", s)
	}
}

func TestPutRefusesNumbersOutOfOrder(t *testing.T) {
	o := options(t.TempDir())
	j := open(t, o)
	appendAll(t, j, 5, 6)
	for _, entries := range [][]journal.Entry{{entry(6)}, {entry(3)}, {entry(8), entry(8)}} {
		if err := j.Append(t.Context(), entries); !errors.Is(err, journal.ErrOrder) {
			t.Fatalf("got %v, want ErrOrder", err)
		}
	}
	j = reopen(t, j, o)
	if err := j.Append(t.Context(), []journal.Entry{entry(6)}); !errors.Is(err, journal.ErrOrder) {
		t.Fatalf("after a restart: got %v, want ErrOrder", err)
	}
	if err := j.Append(t.Context(), make([]journal.Entry, journal.MaxPut+1)); !errors.Is(err, journal.ErrTooMany) {
		t.Fatalf("got %v, want ErrTooMany", err)
	}
}

// Callers that come together share commits, and each finds its entry on disk.
func TestConcurrentAppends(t *testing.T) {
	j := open(t, options(t.TempDir()))
	var mu sync.Mutex // as the relay's core: it gives the numbers and puts
	var next beat.Number
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 50 {
				mu.Lock()
				next++
				p, n := j.Put([]journal.Entry{entry(next)}), next
				mu.Unlock()
				if err := p.Wait(t.Context()); err != nil {
					t.Errorf("entry %d: %v", n, err)
				}
				if got, err := j.Batch(n-1, 1<<20, 1); err != nil || len(got) != 1 || got[0].Number != n {
					t.Errorf("entry %d is acked and not there: %v, %v", n, got, err)
				}
			}
		})
	}
	wg.Wait()
	if got := numbers(batch(t, j, 0)); len(got) != 800 || !slices.IsSorted(got) {
		t.Fatalf("%d entries", len(got))
	}
}

func TestBoundsShedTheOldest(t *testing.T) {
	o := options(t.TempDir())
	o.MaxEntries = 128
	j := open(t, o)
	appendAll(t, j, 1, 128)
	if s := j.Stats(); s.Lost != 0 || s.Depth != 128 {
		t.Fatalf("within its bounds: %+v", s)
	}
	for n := beat.Number(129); n <= 1000; n++ {
		appendAll(t, j, n, n)
		if s := j.Stats(); s.Depth > o.MaxEntries {
			t.Fatalf("%d entries after %d", s.Depth, n)
		}
	}
	check := func(j *journal.Journal) {
		t.Helper()
		got := batch(t, j, 0)
		s := j.Stats()
		if got[0].Reason != beat.Shed || got[0].Number != 1 || got[0].Until != got[1].Number-1 {
			t.Fatalf("the first entry is %+v, then %d", got[0], got[1].Number)
		}
		if got[0].Boot != (beat.Boot{1}) || got[0].MonoMs != uint64(got[0].Until) {
			t.Fatalf("the range is dated %+v, not as its last entry", got[0])
		}
		if last := got[len(got)-1].Number; last != 1000 {
			t.Fatalf("the newest is %d", last)
		}
		if uint64(len(got)-1)+s.Lost != 1000 || s.Lost != uint64(got[0].Until) {
			t.Fatalf("%d entries and %d lost of 1000", len(got)-1, s.Lost)
		}
	}
	check(j)
	j = reopen(t, j, o)
	check(j)

	// A region took a part of the range before it was shed.
	if err := j.Free(100); err != nil {
		t.Fatal(err)
	}
	if got := batch(t, j, 0)[0]; got.Number != 101 || got.Reason != beat.Shed {
		t.Fatalf("after an ack within the range it is %+v", got)
	}
}

func TestBytesAreBounded(t *testing.T) {
	o := options(t.TempDir())
	o.MaxBytes = 32 << 10
	j := open(t, o)
	for n := beat.Number(1); n <= 1000; n++ {
		e := entry(n)
		e.Transition.Message = string(make([]byte, 200))
		if err := j.Append(t.Context(), []journal.Entry{e}); err != nil {
			t.Fatal(err)
		}
		if s := j.Stats(); s.Bytes > o.MaxBytes {
			t.Fatalf("%d bytes after %d", s.Bytes, n)
		}
	}
	if s := j.Stats(); s.Depth < 100 || s.Lost == 0 {
		t.Fatalf("stats %+v", s)
	}
}

func TestCountersNeverGoBack(t *testing.T) {
	o := options(t.TempDir())
	j := open(t, o)
	var epoch beat.Epoch
	var number beat.Number
	for range 5 {
		for range 70 {
			next, err := j.NextEpoch(0)
			if err != nil || next <= epoch || next > j.EpochTop() {
				t.Fatalf("epoch %d after %d, %v", next, epoch, err)
			}
			epoch = next
		}
		from, to, err := j.ReserveNumbers(0)
		if err != nil || from <= number || to != from+1023 || to != j.NumberTop() {
			t.Fatalf("numbers %d to %d after %d, %v", from, to, number, err)
		}
		number = to
		j = reopen(t, j, o)
	}
	if next, err := j.NextEpoch(9_000); err != nil || next != 9_001 {
		t.Fatalf("above 9000 comes %d, %v", next, err)
	}
	if from, _, err := j.ReserveNumbers(80_000); err != nil || from != 80_001 {
		t.Fatalf("above 80000 comes %d, %v", from, err)
	}
	if _, err := j.NextEpoch(1 << 63); !errors.Is(err, journal.ErrRange) {
		t.Fatalf("got %v, want ErrRange", err)
	}
}

func TestRenewKeepsAllButTheIncarnation(t *testing.T) {
	o := options(t.TempDir())
	j := open(t, o)
	appendAll(t, j, 1, 3)
	old := j.Incarnation()
	if err := j.NoteAcked(); err != nil || !j.Acked() {
		t.Fatal(err)
	}
	inc, err := j.Renew()
	if err != nil || inc == old || j.Acked() {
		t.Fatalf("renewed %v to %v, acked %v, %v", old, inc, j.Acked(), err)
	}
	j = reopen(t, j, o)
	if j.Incarnation() != inc || len(batch(t, j, 0)) != 3 {
		t.Fatalf("after a restart: %v, %d entries", j.Incarnation(), len(batch(t, j, 0)))
	}
}

func TestInMemory(t *testing.T) {
	o := options("")
	o.InMemory = true
	j := open(t, o)
	appendAll(t, j, 1, 3)
	if _, err := j.NextEpoch(0); err != nil {
		t.Fatal(err)
	}
	if err := j.Free(2); err != nil || len(batch(t, j, 0)) != 1 {
		t.Fatalf("%v, %v", batch(t, j, 0), err)
	}
}

func TestDumpReadsWithoutTouching(t *testing.T) {
	o := options(t.TempDir())
	j := open(t, o)
	appendAll(t, j, 1, 3)
	if _, err := j.NextEpoch(0); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	before := listing(t, o.Dir)
	c, err := journal.Dump(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Entries) != 3 || len(c.Hosts) != 3 || c.EpochTop != 64 || c.Incarnation != j.Incarnation() {
		t.Fatalf("content %+v", c)
	}
	if after := listing(t, o.Dir); after != before {
		t.Fatalf("the folder was\n%sand is\n%s", before, after)
	}
}

// listing is every file with its size and time.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var out string
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			out += fmt.Sprintln(path, info.Size(), info.ModTime().UnixNano())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
