package journal

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// room is what the free space on disk allows.
type room uint8

const (
	ample room = iota
	// tight is below Floor: an old entry goes for each new one.
	tight
)

// freeSpace is what an unprivileged writer may still take in dir.
func freeSpace(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("statfs %s: %w", dir, err)
	}
	return st.Bavail * uint64(st.Bsize), nil
}

func (j *Journal) free() (uint64, error) {
	free, err := j.options.FreeSpace(j.options.Dir)
	if err == nil {
		j.metrics.free.Set(float64(free))
	}
	return free, err
}

// room says whether transitions may be written now; the error is ErrNoSpace.
func (j *Journal) room() (room, error) {
	if j.options.InMemory {
		return ample, nil
	}
	free, err := j.free()
	switch o := j.options; {
	case err != nil:
		return tight, err
	case free < o.Refuse:
		return tight, fmt.Errorf("%d bytes are free, transitions need %d: %w", free, o.Refuse, ErrNoSpace)
	case free < o.Floor:
		return tight, nil
	}
	return ample, nil
}

// reserve says whether anything may be written now; the error is ErrNoSpace.
func (j *Journal) reserve() error {
	if j.options.InMemory {
		return nil
	}
	free, err := j.free()
	if err != nil {
		return err
	}
	if free < j.options.Reserve {
		return fmt.Errorf("%d bytes are free, the reserve is %d: %w", free, j.options.Reserve, ErrNoSpace)
	}
	return nil
}
