package local

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	sorted "github.com/dgraph-io/badger/v4/table"
	"golang.org/x/sys/unix"
)

// open locks the folder and opens the database in it.
func (s *Store) open() (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("open embedded table: %w", err)
		}
	}()
	if !s.opts.InMemory {
		if s.lock, err = lockFolder(s.opts.Dir); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				s.lock.release()
			}
		}()
		if _, full := s.room(); full != nil {
			return full
		}
	}
	if s.db, err = openDB(s.opts, s.log); err != nil {
		return fmt.Errorf("data folder %s: %w", s.opts.Dir, err)
	}
	if s.last, err = lastStamp(s.db); err == nil {
		err = s.countQueues()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("data folder %s: %w", s.opts.Dir, err), s.db.Close())
	}
	return nil
}

// openDB opens Badger, and finds out first what Badger answers with a panic.
func openDB(o Options, log *slog.Logger) (_ *badger.DB, err error) {
	defer func() {
		if r := recover(); r != nil { // Badger asserts where it does not understand a file
			err = fmt.Errorf("%w: panic: %v", ErrDamaged, r)
		}
	}()
	said := &badgerLog{log: log}
	b := badgerOptions(o).WithLogger(said)
	if !o.InMemory {
		if err := errors.Join(sweep(o.Dir), verify(o.Dir, b)); err != nil {
			return nil, err
		}
	}
	db, err := badger.Open(b)
	if err != nil {
		return nil, classify(err)
	}
	if first := said.opened(); first != "" {
		// Badger goes on without a part that it cannot read. We do not.
		return nil, errors.Join(fmt.Errorf("%w: %s", ErrDamaged, first), db.Close())
	}
	return db, nil
}

// badgerOptions are the small settings that were measured: 50 to 60 MB of
// memory instead of 464.
func badgerOptions(o Options) badger.Options {
	b := badger.DefaultOptions(o.Dir).
		WithSyncWrites(true).
		WithMemTableSize(memTableSize).
		WithNumMemtables(2).
		WithValueLogFileSize(4 << 20).
		WithValueThreshold(valueThreshold).
		WithBlockCacheSize(0).
		WithIndexCacheSize(0).
		WithCompression(options.None).
		WithNumCompactors(2).
		WithNumLevelZeroTables(2).
		WithNumLevelZeroTablesStall(4).
		WithBaseTableSize(1 << 20).
		WithBaseLevelSize(4 << 20).
		WithNumGoroutines(1).
		WithMetricsEnabled(false).
		WithDetectConflicts(false)
	if o.InMemory {
		// In memory every value is in the memtable, and 15 % of it bounds a
		// transaction: two images of the largest item must fit.
		b = b.WithInMemory(true).WithSyncWrites(false).WithMemTableSize(16 << 20).WithValueThreshold(1 << 20)
	}
	return b
}

// classify tells what can be set right from a folder that is damaged.
func classify(err error) error {
	for _, at := range []error{unix.ENOSPC, unix.EDQUOT} {
		if errors.Is(err, at) {
			return fmt.Errorf("%w: %w", ErrNoSpace, err)
		}
	}
	for _, at := range []error{fs.ErrPermission, unix.EROFS, unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.EIO} {
		if errors.Is(err, at) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// sweep removes the empty logs that a kill leaves between their creation and
// their first byte: Badger would refuse the whole folder for one.
func sweep(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read data folder: %w", err)
	}
	for _, f := range files {
		ext := filepath.Ext(f.Name())
		if ext != ".vlog" && ext != ".mem" {
			continue
		}
		if info, err := f.Info(); err != nil || info.Size() > 0 {
			continue // Badger says what is wrong with it
		}
		if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
			return fmt.Errorf("remove an empty log: %w", err)
		}
	}
	return nil
}

// verify checks the sums of all sorted tables here, where a torn one can be
// told: Badger reads them in goroutines, where it panics.
func verify(dir string, b badger.Options) error {
	f, err := os.Open(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a new folder
	}
	if err != nil {
		return classify(err)
	}
	defer func() { _ = f.Close() }() // it was only read
	manifest, _, err := badger.ReplayManifestFile(f, 0, b)
	if err != nil {
		return classify(err)
	}
	for id := range manifest.Tables {
		raw, err := os.ReadFile(sorted.NewFilename(id, dir))
		if err != nil {
			return classify(err)
		}
		t, err := sorted.OpenInMemoryTable(raw, id, &sorted.Options{ChkMode: options.OnTableRead})
		if err == nil {
			err = t.VerifyChecksum()
		}
		if err != nil {
			return classify(fmt.Errorf("table %d: %w", id, err))
		}
	}
	return nil
}

// badgerLog gives Badger's lines to slog; its chatter is for debugging. What it
// calls an error while it opens is a part that it means to go without.
type badgerLog struct {
	log *slog.Logger

	mu    sync.Mutex // guards what follows
	first string
	open  bool
}

// opened ends the opening, and returns the first error in it.
func (l *badgerLog) opened() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = true
	return l.first
}

func (l *badgerLog) Errorf(format string, args ...any) {
	text := strings.TrimSpace(fmt.Sprintf(format, args...))
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.open && l.first == "" {
		l.first = text
	}
	l.log.Warn("the embedded table's database reports an error", "err", text)
}

func (l *badgerLog) Warningf(format string, args ...any) {
	l.log.Warn("the embedded table's database warns", "warning", strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (*badgerLog) Infof(string, ...any)  {}
func (*badgerLog) Debugf(string, ...any) {}
