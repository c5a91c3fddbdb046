package local

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Options are the settings of a Store; start from DefaultOptions.
type Options struct {
	// Dir is the folder of the database; it is made when it is missing. One
	// process at a time may use it.
	Dir string
	// InMemory keeps everything in memory instead: for tests. Dir stays empty.
	InMemory bool
	// Regions are the replicas, each once.
	Regions []beat.Region
	// Passage says how each change crosses to another region; nil means at once.
	// It is called from several goroutines, once per change, and again after a
	// restart and after SetPassage.
	Passage func(Change) Passage
	// MaxPending bounds what waits to be committed, in bytes; a write that
	// finds no room waits until its context ends.
	MaxPending int64
	// Refuse is the free space of the disk, in bytes, below which writes are
	// refused; below Reserve deletes are too, which make room.
	Refuse, Reserve uint64
	// FreeSpace returns the bytes that are free in a folder.
	FreeSpace func(dir string) (uint64, error)
	// Logger gets what an operator must know; nil is silent.
	Logger *slog.Logger
}

const (
	// defaultMaxPending holds some twenty of the largest items, or 10,000 usual ones.
	defaultMaxPending = 8 << 20
	// A full disk under Badger's memory map is a SIGBUS, which nothing can
	// catch: its files must always be able to grow to their size, two memtables
	// and the compactions of at most 16 MiB. The relay's journal has the same rule.
	defaultRefuse  = 48 << 20
	defaultReserve = 24 << 20
)

// DefaultOptions keeps the replicas of regions in dir.
func DefaultOptions(dir string, regions ...beat.Region) Options {
	return Options{
		Dir: dir, Regions: regions, MaxPending: defaultMaxPending,
		Refuse: defaultRefuse, Reserve: defaultReserve, FreeSpace: freeSpace,
	}
}

func (o Options) validate() error {
	if strconv.IntSize < 64 {
		return errors.New("the embedded table needs a 64-bit machine: its database loses data on others")
	}
	if o.InMemory == (o.Dir != "") {
		return errors.New("the embedded table needs either a folder or InMemory")
	}
	if len(o.Regions) == 0 {
		return errors.New("the embedded table needs at least one region")
	}
	seen := map[beat.Region]bool{}
	for _, r := range o.Regions {
		if _, err := beat.ParseRegion(string(r)); err != nil {
			return err
		}
		if seen[r] {
			return fmt.Errorf("region %s is named twice", r)
		}
		seen[r] = true
	}
	if o.MaxPending < table.MaxItem*2 {
		return fmt.Errorf("max pending is %d bytes, want at least two items (%d)", o.MaxPending, table.MaxItem*2)
	}
	if o.Reserve > o.Refuse || o.FreeSpace == nil {
		return fmt.Errorf("free space: want reserve (%d) <= refuse (%d), and a way to ask", o.Reserve, o.Refuse)
	}
	return nil
}
