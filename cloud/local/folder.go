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
	// ErrNoSpace is a disk with less free space than Options.Refuse.
	ErrNoSpace = errors.New("the disk is full")
	// ErrDamaged is a folder whose files are torn. It is not begun anew by
	// itself, because it holds what people configured.
	ErrDamaged = errors.New("the database is damaged: restore a copy of the folder, or move it aside to begin anew")
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

func freeSpace(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("ask for the free space of %s: %w", dir, err)
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// room says why a write, and why a delete, must not be made; nil, nil is room
// for both.
func (s *Store) room() (write, remove error) {
	if s.opts.InMemory {
		return nil, nil
	}
	free, err := s.opts.FreeSpace(s.opts.Dir)
	if err != nil {
		return err, err
	}
	full := fmt.Errorf("%w: %d MiB are free in %s, %d MiB are needed", ErrNoSpace, free>>20, s.opts.Dir, s.opts.Refuse>>20)
	switch {
	case free < s.opts.Reserve:
		return full, full
	case free < s.opts.Refuse:
		return full, nil
	default:
		return nil, nil
	}
}
