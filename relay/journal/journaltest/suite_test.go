package journaltest_test

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/journal"
	"github.com/hb-mesh/hb-mesh/relay/journal/journaltest"
)

// twin is the twin on a bench.
type twin struct {
	*journaltest.Twin
	backup journaltest.Snapshot
}

func (b *twin) Journal() journaltest.Journal { return b.Twin }
func (b *twin) Backup()                      { b.backup = b.Copy() }
func (b *twin) Restore()                     { b.Twin.Restore(b.backup) }

func TestTwin(t *testing.T) {
	journaltest.Run(t, func(*testing.T) journaltest.Bench {
		var n byte
		random := func() beat.Incarnation {
			n++
			return beat.Incarnation{n}
		}
		return &twin{Twin: journaltest.NewTwin(random, journaltest.MaxEntries)}
	})
}

// What a process did not sync is gone with it.
func TestTheTwinForgetsWhatWasNotSynced(t *testing.T) {
	tw := journaltest.NewTwin(func() beat.Incarnation { return beat.Incarnation{1} }, journaltest.MaxEntries)
	if err := tw.Put([]journal.Entry{{Transition: beat.Transition{Number: 1, Host: "pos1"}}}); err != nil {
		t.Fatal(err)
	}
	tw.Kill()
	if err := tw.Sync(); err != nil {
		t.Fatal(err)
	}
	if depth, _ := tw.Backlog(); depth != 0 {
		t.Fatal("it is there")
	}
}

// real is the journal on Badger. A kill is a copy of its folder as it is, on
// which another one opens; the killed one is closed at the end.
type real struct {
	t      *testing.T
	dir    string
	backup string
	free   uint64
	j      *journal.Journal
}

type synced struct {
	*journal.Journal
	t *testing.T
}

func (s synced) Append(entries []journal.Entry) error {
	return s.Journal.Append(s.t.Context(), entries)
}

func (b *real) Journal() journaltest.Journal { return synced{b.j, b.t} }

func (b *real) open(dir string) {
	b.t.Helper()
	o := journal.DefaultOptions()
	o.Dir, o.MaxEntries = dir, journaltest.MaxEntries
	o.FreeSpace = func(string) (uint64, error) { return b.free, nil }
	j, err := journal.Open(o, slog.New(slog.DiscardHandler), journal.NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		b.t.Fatal(err)
	}
	if j.Recovered() != nil {
		b.t.Fatalf("the folder was moved aside: %+v", j.Recovered())
	}
	b.dir, b.j = dir, j
	b.t.Cleanup(func() { _ = j.Close() })
}

// copied is the folder as a kill leaves it. Badger works on meanwhile: while it
// makes or replaces a file, a copy is of no one instant, and is made again.
func (b *real) copied(from string) string {
	b.t.Helper()
	for {
		to, before := filepath.Join(b.t.TempDir(), "data"), b.files(from)
		err := os.CopyFS(to, os.DirFS(from))
		switch {
		case err == nil && slices.Equal(before, b.files(from)):
			return to
		case err != nil && !errors.Is(err, fs.ErrNotExist), b.t.Context().Err() != nil:
			b.t.Fatal(err)
		}
	}
}

// files are the names of all files of a folder.
func (b *real) files(dir string) (names []string) {
	b.t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, _ fs.DirEntry, err error) error {
		names = append(names, path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return names
}

func (b *real) Kill()    { b.open(b.copied(b.dir)) }
func (b *real) Backup()  { b.backup = b.copied(b.dir) }
func (b *real) Restore() { b.open(b.copied(b.backup)) }
func (b *real) Lose()    { b.open(filepath.Join(b.t.TempDir(), "data")) }

const ample = 1 << 30

func (b *real) Fill(full bool) {
	if b.free = ample; full {
		b.free = 0
	}
}

func TestJournal(t *testing.T) {
	journaltest.Run(t, func(t *testing.T) journaltest.Bench {
		b := &real{t: t, free: ample}
		b.Lose()
		return b
	})
}
