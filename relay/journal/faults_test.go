package journal_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/journal"
)

const mib = 1 << 20

// tryOpen opens a journal that may not open.
func tryOpen(t *testing.T, o journal.Options, log *bytes.Buffer) (*journal.Journal, error) {
	t.Helper()
	j, err := journal.Open(o, slog.New(slog.NewTextHandler(log, nil)), journal.NewMetrics(prometheus.NewRegistry()))
	if err == nil {
		t.Cleanup(func() { _ = j.Close() })
	}
	return j, err
}

// filled is a folder with tables and a write-ahead log, closed.
func filled(t *testing.T) journal.Options {
	t.Helper()
	o := options(t.TempDir())
	j := open(t, o)
	appendAll(t, j, 1, 30_000)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestACorruptFolderIsMovedAside(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, dir string){
		"a table with a flipped block": func(t *testing.T, dir string) {
			overwrite(t, pick(t, dir, "*.sst"), func(b []byte) { copy(b[len(b)/3:], "garbage!") })
		},
		"a table with a torn end": func(t *testing.T, dir string) {
			f := pick(t, dir, "*.sst")
			if err := os.Truncate(f, 1000); err != nil {
				t.Fatal(err)
			}
		},
		"a table that is gone": func(t *testing.T, dir string) {
			if err := os.Remove(pick(t, dir, "*.sst")); err != nil {
				t.Fatal(err)
			}
		},
		"a manifest of zeros": func(t *testing.T, dir string) {
			overwrite(t, filepath.Join(dir, "MANIFEST"), func(b []byte) { clear(b) })
		},
		"an index of garbage": func(t *testing.T, dir string) {
			overwrite(t, pick(t, dir, "*.sst"), func(b []byte) { copy(b[len(b)-300:], strings.Repeat("garbage!", 30)) })
		},
		"a file instead of a folder": func(t *testing.T, dir string) {
			if err := errors.Join(os.RemoveAll(dir), os.WriteFile(dir, []byte("?"), 0o600)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := filled(t)
			spoil(t, filepath.Join(o.Dir, "journal"))
			var log bytes.Buffer
			j, err := tryOpen(t, o, &log)
			if err != nil {
				t.Fatal(err)
			}
			r := j.Recovered()
			if r == nil || r.Cause == nil {
				t.Fatalf("recovered %+v: the folder was taken as it is, with %d entries", r, j.Stats().Depth)
			}
			if _, err := os.Stat(r.Aside); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(log.String(), "level=ERROR") {
				t.Fatalf("the log says only %q", log.String())
			}
			appendAll(t, j, 1, 10)
		})
	}
}

func pick(t *testing.T, dir, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no %s in %s: %v", pattern, dir, err)
	}
	return files[0]
}

func overwrite(t *testing.T, file string, change func([]byte)) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	change(raw)
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOnlyTheNewestFoldersStayAside(t *testing.T) {
	o := options(t.TempDir())
	for range 4 {
		j := open(t, o)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		overwrite(t, filepath.Join(o.Dir, "journal", "MANIFEST"), func(b []byte) { clear(b) })
	}
	open(t, o)
	if aside, _ := filepath.Glob(filepath.Join(o.Dir, "journal.aside-*")); len(aside) != 2 {
		t.Fatalf("aside are %v, want 2", aside)
	}
}

func TestTwoCrashesInARowMakeItDistrusted(t *testing.T) {
	o := filled(t)
	for i, c := range []struct {
		marks string
		aside bool
	}{{`{"crashes":1}`, false}, {`torn`, false}, {`{"crashes":2}`, true}} {
		if err := os.WriteFile(filepath.Join(o.Dir, "journal.health"), []byte(c.marks), 0o600); err != nil {
			t.Fatal(err)
		}
		j := open(t, o)
		if got := j.Recovered() != nil; got != c.aside {
			t.Fatalf("case %d, %s: moved aside %v", i, c.marks, got)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAStaleLockIsHarmless(t *testing.T) {
	o := filled(t)
	if err := os.WriteFile(filepath.Join(o.Dir, "journal", "LOCK"), []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if j := open(t, o); j.Recovered() != nil || j.Stats().Depth != 30_000 {
		t.Fatalf("recovered %+v, %+v", j.Recovered(), j.Stats())
	}
}

func TestAFolderInUseIsAnErrorAndStays(t *testing.T) {
	o := options(t.TempDir())
	open(t, o)
	var log bytes.Buffer
	if _, err := tryOpen(t, o, &log); !errors.Is(err, journal.ErrInUse) {
		t.Fatalf("got %v, want ErrInUse", err)
	}
	if aside, _ := filepath.Glob(filepath.Join(o.Dir, "journal.aside-*")); len(aside) != 0 {
		t.Fatalf("moved aside: %v", aside)
	}
}

func TestAFolderThatCannotBeWrittenIsAnError(t *testing.T) {
	readOnly := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(readOnly, 0o555); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"read-only": readOnly, "a file": file} {
		t.Run(name, func(t *testing.T) {
			asNobody(t)
			var log bytes.Buffer
			if _, err := tryOpen(t, options(dir), &log); !errors.Is(err, journal.ErrFolder) || !strings.Contains(err.Error(), dir) {
				t.Fatalf("got %v, want ErrFolder that names %s", err, dir)
			}
		})
	}
}

// asNobody takes root's rights over files from the test's thread: root may
// write into read-only folders.
func asNobody(t *testing.T) {
	if os.Getuid() != 0 {
		return
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Setfsuid(65534); err != nil {
		t.Fatal(err)
	}
}

// disk is a disk whose free space the test sets.
type disk struct{ free uint64 }

func (d *disk) options(dir string) journal.Options {
	o := options(dir)
	o.FreeSpace = func(string) (uint64, error) { return d.free, nil }
	return o
}

func TestAFullDiskRefusesTransitionsAndNothingElse(t *testing.T) {
	d := &disk{free: 100 * mib}
	o := d.options(t.TempDir())
	j := open(t, o)
	appendAll(t, j, 1, 10)

	d.free = o.Refuse - 1
	for n := beat.Number(11); n <= 15; n++ {
		if err := j.Append(t.Context(), []journal.Entry{entry(n)}); !errors.Is(err, journal.ErrNoSpace) {
			t.Fatalf("got %v, want ErrNoSpace", err)
		}
	}
	if s := j.Stats(); s.Lost != 5 || !s.Refusing || s.Depth != 10 {
		t.Fatalf("stats %+v", s)
	}
	if _, err := j.NextEpoch(500); err != nil {
		t.Fatalf("an epoch: %v", err)
	}
	if _, _, err := j.ReserveNumbers(0); err != nil {
		t.Fatalf("numbers: %v", err)
	}
	if err := j.Free(4); err != nil {
		t.Fatalf("a delete: %v", err)
	}

	d.free = 100 * mib
	appendAll(t, j, 16, 16)
	j = reopen(t, j, o)
	got := batch(t, j, 10)
	if len(got) != 2 || got[0].Reason != beat.Shed || got[0].Number != 11 || got[0].Until != 15 || got[1].Number != 16 {
		t.Fatalf("entries %+v, want the range 11 to 15, and 16", got)
	}
	if s := j.Stats(); s.Lost != 5 || s.Refusing {
		t.Fatalf("stats %+v", s)
	}
	hosts, err := j.Hosts()
	if err != nil || hosts[7].Number != 15 { // pos7 changed while the disk was full
		t.Fatalf("hosts %+v, %v", hosts, err)
	}
}

func TestAShortDiskShedsAnOldEntryForEachNewOne(t *testing.T) {
	d := &disk{free: 100 * mib}
	o := d.options(t.TempDir())
	j := open(t, o)
	appendAll(t, j, 1, 200)
	d.free = o.Floor - 1
	for n := beat.Number(201); n <= 400; n++ {
		appendAll(t, j, n, n)
	}
	s := j.Stats()
	if s.Depth > 201 || s.Lost < 199 {
		t.Fatalf("stats %+v", s)
	}
	if got := batch(t, j, 0); got[0].Reason != beat.Shed || got[len(got)-1].Number != 400 {
		t.Fatalf("first %+v, last %+v", got[0], got[len(got)-1])
	}
}

// A disk that fills up under the relay leaves it epochs and numbers for long.
func TestAFullDiskIsProvidedFor(t *testing.T) {
	d := &disk{free: 100 * mib}
	o := d.options(t.TempDir())
	j := open(t, o)
	d.free = o.Floor - 1
	appendAll(t, j, 1, 1)
	d.free = 0
	var epoch beat.Epoch
	var number beat.Number
	for range 500 {
		e, err := j.NextEpoch(0)
		if err != nil || e <= epoch {
			t.Fatalf("epoch %d after %d, %v", e, epoch, err)
		}
		from, to, err := j.ReserveNumbers(0)
		if err != nil || from <= number || to != from+1023 {
			t.Fatalf("numbers %d to %d after %d, %v", from, to, number, err)
		}
		epoch, number = e, to
	}
	d.free = 100 * mib
	j = reopen(t, j, o)
	e, _ := j.NextEpoch(0)
	if from, _, err := j.ReserveNumbers(0); err != nil || e <= epoch || from <= number {
		t.Fatalf("after a restart: epoch %d, numbers from %d, %v", e, from, err)
	}
}

func TestBelowTheReserveNothingIsWritten(t *testing.T) {
	d := &disk{free: 100 * mib}
	o := d.options(t.TempDir())
	j := open(t, o)
	d.free = o.Reserve - 1
	_, epoch := j.NextEpoch(500)
	_, _, number := j.ReserveNumbers(0)
	for _, err := range []error{epoch, number, j.NoteAcked(), j.Append(t.Context(), []journal.Entry{entry(1)})} {
		if !errors.Is(err, journal.ErrNoSpace) {
			t.Fatalf("got %v, want ErrNoSpace", err)
		}
	}
	d.free = 100 * mib
	reopen(t, j, o)
	d.free = o.Reserve - 1
	var log bytes.Buffer
	if _, err := tryOpen(t, d.options(t.TempDir()), &log); !errors.Is(err, journal.ErrNoSpace) {
		t.Fatalf("got %v, want ErrNoSpace", err)
	}
	d.free = 100 * mib
}

// What was refused until the end is accounted for at Close.
func TestCloseKeepsTheGap(t *testing.T) {
	d := &disk{free: 100 * mib}
	o := d.options(t.TempDir())
	j := open(t, o)
	d.free = o.Refuse - 1
	if err := j.Append(t.Context(), []journal.Entry{entry(1), entry(2)}); !errors.Is(err, journal.ErrNoSpace) {
		t.Fatalf("got %v, want ErrNoSpace", err)
	}
	d.free = 100 * mib
	j = reopen(t, j, o)
	if got := batch(t, j, 0); len(got) != 1 || got[0].Until != 2 || j.Stats().Lost != 2 {
		t.Fatalf("entries %+v, %+v", got, j.Stats())
	}
}

func TestADrainedJournalGivesItsDiskBack(t *testing.T) {
	o := options(t.TempDir())
	o.MaxEntries = 1 << 20
	o.MaxBytes = 1 << 30
	j := open(t, o)
	for n := beat.Number(1); n <= 300_000; n += 1000 {
		appendAll(t, j, n, n+999)
	}
	full := usage(t, o.Dir)
	if err := j.Free(300_000); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil { // it waits for the compaction
		t.Fatal(err)
	}
	if left := usage(t, o.Dir); left > full/2 {
		t.Fatalf("%d bytes on disk full, %d drained", full, left)
	}
}

// usage is what the tables of a journal take.
func usage(t *testing.T, dir string) (sum int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "journal", "*.sst"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		sum += info.Size()
	}
	return sum
}
