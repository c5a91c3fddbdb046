package journal

import (
	"errors"
	"fmt"
)

const (
	// defaultMaxEntries and defaultMaxBytes bound a journal: weeks of a busy
	// store, and few enough to drain in minutes.
	defaultMaxEntries = 50_000
	defaultMaxBytes   = 16 << 20
	// defaultFloor is the free space below which an old entry is shed for each
	// new one, and defaultRefuse the one below which new ones are refused. A full
	// disk kills the process (SIGBUS in a mapped file), so Badger's files must
	// always be able to grow to their size: two memtables and the compactions
	// of at most 16 MiB.
	defaultFloor  = 64 << 20
	defaultRefuse = 48 << 20
	// defaultReserve is the free space below which nothing is written. What is
	// between it and the floor belongs to deletes, epochs and numbers, so that
	// a relay on a full disk still drains, connects and restarts.
	defaultReserve = 24 << 20
)

// Options configure a Journal.
type Options struct {
	// Dir is the data folder. The journal lives in its folder "journal", and is
	// moved aside within it.
	Dir string
	// InMemory keeps everything in memory and nothing on disk: a new
	// incarnation at each start. Dir is not used.
	InMemory bool
	// MaxEntries and MaxBytes bound what is not yet freed; beyond them the
	// oldest entries are shed.
	MaxEntries int
	MaxBytes   int64
	// Floor is the free space on disk, in bytes, below which the journal does not
	// grow any more: it sheds an old entry for each new one. Below Refuse it
	// takes no entries, below Reserve no epochs, numbers and deletes either.
	Floor   uint64
	Refuse  uint64
	Reserve uint64
	// FreeSpace returns the bytes that are free in a folder (statfs).
	FreeSpace func(dir string) (uint64, error)
}

// DefaultOptions are the contract's bounds, with no folder.
func DefaultOptions() Options {
	return Options{
		MaxEntries: defaultMaxEntries, MaxBytes: defaultMaxBytes,
		Floor: defaultFloor, Refuse: defaultRefuse, Reserve: defaultReserve, FreeSpace: freeSpace,
	}
}

func (o Options) validate() error {
	switch {
	case o.Dir == "" && !o.InMemory:
		return errors.New("journal: no data folder")
	case o.MaxEntries < minEntries || o.MaxBytes < minBytes:
		return fmt.Errorf("journal: at least %d entries and %d bytes", minEntries, minBytes)
	case o.Reserve > o.Refuse || o.Refuse > o.Floor:
		return fmt.Errorf("journal: want reserve <= refuse <= floor, have %d, %d and %d", o.Reserve, o.Refuse, o.Floor)
	case o.FreeSpace == nil:
		return errors.New("journal: no FreeSpace")
	}
	return nil
}

const (
	minEntries = 16
	minBytes   = 16 << 10
)
