package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"golang.org/x/sys/unix"
)

const (
	folderName  = "journal"
	asidePrefix = folderName + ".aside-"
	// keepAside is how many folders that were moved aside stay: a disk that
	// tears one a week must not fill up with them.
	keepAside = 2
)

// errCorrupt is the class of what makes Open begin anew.
var errCorrupt = errors.New("the journal is torn or corrupt")

// openFolder opens the folder, or moves it aside and begins a new one.
func (j *Journal) openFolder() (*badger.DB, content, error) {
	if strconv.IntSize < 64 {
		return nil, content{}, ErrPlatform
	}
	j.health = &health{}
	if j.options.InMemory {
		return openDB("", j.log)
	}
	if err := probe(j.options.Dir); err != nil {
		return nil, content{}, err
	}
	if free, err := j.free(); err != nil {
		return nil, content{}, err
	} else if free < j.options.Reserve {
		return nil, content{}, fmt.Errorf("%s: %d bytes are free, %d are needed: %w", j.options.Dir, free, j.options.Reserve, ErrNoSpace)
	}
	dir := filepath.Join(j.options.Dir, folderName)
	j.health = openHealth(j.options.Dir)
	if cause := j.health.distrust(); cause != nil && exists(dir) {
		if err := j.moveAside(dir, cause); err != nil {
			return nil, content{}, err
		}
	}
	db, c, err := openDB(dir, j.log)
	if errors.Is(err, errCorrupt) {
		if err := j.moveAside(dir, err); err != nil {
			return nil, content{}, err
		}
		db, c, err = openDB(dir, j.log)
	}
	return db, c, err
}

// probe finds out, before Badger does, whether the folder can be written.
func probe(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("%s: %w: %w", dir, ErrFolder, err)
	}
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		if errors.Is(err, unix.ENOSPC) {
			return fmt.Errorf("%s: %w: %w", dir, ErrNoSpace, err)
		}
		return fmt.Errorf("%s: %w: %w", dir, ErrFolder, err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// moveAside keeps a folder for whoever wants to look at it, out of the way.
func (j *Journal) moveAside(dir string, cause error) error {
	stamp := time.Now().UTC().Format("20060102T150405.000Z")
	aside := filepath.Join(filepath.Dir(dir), asidePrefix+stamp)
	if err := os.Rename(dir, aside); err != nil {
		return fmt.Errorf("move %s aside: %w", dir, err)
	}
	j.recovered = &Recovery{Aside: aside, Cause: cause}
	j.metrics.recovered.Inc()
	j.log.Error("the journal was torn or corrupt: it was moved aside, and a new one begun; history that no region took is lost",
		"aside", aside, "cause", cause)
	j.health.reset()
	old, err := filepath.Glob(filepath.Join(filepath.Dir(dir), asidePrefix+"*"))
	if err != nil {
		return nil //nolint:nilerr // only a bad pattern, which this is not
	}
	slices.Sort(old)
	for _, o := range old[:max(0, len(old)-keepAside)] {
		if err := os.RemoveAll(o); err != nil {
			j.log.Warn("an old journal cannot be removed", "aside", o, "err", err)
		}
	}
	return nil
}

// openDB opens Badger in dir ("" is memory) and reads all of it. An error is of
// class errCorrupt unless the folder's surroundings are at fault.
func openDB(dir string, log *slog.Logger) (_ *badger.DB, _ content, err error) {
	defer func() {
		if r := recover(); r != nil { // Badger asserts where it does not understand a file
			err = fmt.Errorf("%w: panic: %v", errCorrupt, r)
		}
	}()
	if dir != "" {
		if err := errors.Join(sweep(dir), verify(dir)); err != nil {
			return nil, content{}, err
		}
	}
	complaints := &complaints{log: log}
	db, err := badger.Open(tuned(dir, complaints))
	if err != nil {
		return nil, content{}, classify(err)
	}
	c, err := load(db)
	if err == nil && complaints.first() != "" {
		// Badger goes on without a table whose index it cannot read.
		err = errors.New(complaints.first())
	}
	if err != nil {
		return nil, content{}, classify(errors.Join(err, db.Close()))
	}
	complaints.opened()
	return db, c, nil
}

// sweep removes the empty logs that a kill leaves between their creation and
// their first byte: Badger would refuse the whole folder for one.
func sweep(dir string) error {
	for _, pattern := range []string{"*.vlog", "*.mem"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
		for _, f := range files {
			if info, err := os.Stat(f); err != nil || info.Size() > 0 {
				continue // Badger says what is wrong with it
			}
			if err := os.Remove(f); err != nil {
				return classify(err)
			}
		}
	}
	return nil
}

// tuned is Badger as measured for a small machine: 50 to 57 MB resident for a
// queue of a million, against 464 MB by default.
func tuned(dir string, log badger.Logger) badger.Options {
	return badger.DefaultOptions(dir).
		WithInMemory(dir == "").
		WithSyncWrites(true). // else a power cut loses everything of the last seconds
		WithMemTableSize(4 << 20).
		WithNumMemtables(2).
		WithValueLogFileSize(4 << 20).
		WithValueThreshold(64 << 10).
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithIndexCacheSize(0).
		WithNumCompactors(2). // Badger refuses 1
		WithNumLevelZeroTables(2).
		WithNumLevelZeroTablesStall(4).
		WithBaseTableSize(1 << 20).
		WithBaseLevelSize(4 << 20).
		WithNumGoroutines(1).
		WithMetricsEnabled(false).
		WithDetectConflicts(false).
		WithLogger(log)
}

// classify tells a folder that is corrupt from one that cannot be used now.
func classify(err error) error {
	switch {
	case errors.Is(err, ErrFormat):
		return err
	case strings.Contains(err.Error(), "Another process is using this Badger database"):
		return fmt.Errorf("%w: %w", ErrInUse, err)
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EROFS):
		return fmt.Errorf("%w: %w", ErrFolder, err)
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOMEM):
		return err
	default:
		return fmt.Errorf("%w: %w", errCorrupt, err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
