package local

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Change is one item on its way from the region that wrote it to another.
type Change struct {
	From, To beat.Region
	Key      table.Key
}

// Options are the settings of a Store; start from DefaultOptions.
type Options struct {
	// Dir is the folder of the database; it is made when it is missing. One
	// process at a time may use it.
	Dir string
	// InMemory keeps everything in memory instead: for tests. Dir stays empty.
	InMemory bool
	// Regions are the replicas, each once.
	Regions []beat.Region
	// Lag is how long after its write an item arrives in the other region; nil
	// means at once. It is called from several goroutines, once per change (and
	// once more after a restart).
	Lag func(Change) time.Duration
	// MaxPending bounds what waits to be committed, in bytes; a write that
	// finds no room waits until its context ends.
	MaxPending int64
	// MinFree is the free space of the disk, in bytes, below which writes are
	// refused; deletes go on down to half of it, since they make room.
	MinFree uint64
	// Logger gets what an operator must know; nil is silent.
	Logger *slog.Logger
}

const (
	// defaultMaxPending holds some twenty of the largest items, or 10,000 usual ones.
	defaultMaxPending = 8 << 20
	// defaultMinFree leaves room for what Badger writes by itself when it
	// compacts, because a full disk under its memory map is a SIGBUS.
	defaultMinFree = 64 << 20
)

// DefaultOptions keeps the replicas of regions in dir.
func DefaultOptions(dir string, regions ...beat.Region) Options {
	return Options{Dir: dir, Regions: regions, MaxPending: defaultMaxPending, MinFree: defaultMinFree}
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
	return nil
}
