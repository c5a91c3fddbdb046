package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

var (
	// ErrInUse is a folder that another process, or another Store, has open.
	ErrInUse = errors.New("the folder is in use by another process")
	// ErrForeign is a folder that holds a database of something else.
	ErrForeign = errors.New("the folder holds another database: choose an empty one")
	// ErrNoSpace is a disk with less free space than Options.MinFree.
	ErrNoSpace = errors.New("the disk is full")
)

const (
	// lockName is a file that marks the folder as ours and is locked while it is open.
	lockName = "hb-mesh-table.lock"
	// manifestName is in every folder that Badger uses.
	manifestName = "MANIFEST"
)

// folderLock keeps other processes out. The kernel drops it with the process,
// so a stale one cannot be.
type folderLock struct{ file *os.File }

func lockFolder(dir string) (*folderLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	path := filepath.Join(dir, lockName)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(dir, manifestName)); err == nil {
			return nil, fmt.Errorf("data folder %s: %w", dir, ErrForeign)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("write in data folder: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		cause := err
		if errors.Is(err, unix.EWOULDBLOCK) {
			cause = ErrInUse
		}
		return nil, errors.Join(fmt.Errorf("lock data folder %s: %w", dir, cause), f.Close())
	}
	return &folderLock{f}, nil
}

func (l *folderLock) release() {
	// Closing the file is what drops the lock; there is nothing to lose by it.
	_ = l.file.Close()
}

// space watches the free space of the folder's disk: on a full one a write to
// Badger's memory map is a SIGBUS, which nothing can catch.
type space struct {
	dir string
	min uint64
}

// check returns ErrNoSpace, wrapped, when less than floor bytes are free.
func (s *space) check(floor uint64) error {
	if s == nil {
		return nil
	}
	var st unix.Statfs_t
	if err := unix.Statfs(s.dir, &st); err != nil {
		return fmt.Errorf("ask for the free space of %s: %w", s.dir, err)
	}
	if free := st.Bavail * uint64(st.Bsize); free < floor {
		return fmt.Errorf("%w: %d MiB free in %s, %d MiB wanted", ErrNoSpace, free>>20, s.dir, floor>>20)
	}
	return nil
}
