package local

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	badger "github.com/dgraph-io/badger/v4"
	"golang.org/x/sync/semaphore"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Store is the database of all regions' replicas.
type Store struct {
	opts Options
	log  *slog.Logger
	db   *badger.DB
	lock *folderLock

	requests chan *request
	pending  *semaphore.Weighted
	carriers []*carrier
	queued   atomic.Int64 // items on their way
	passage  atomic.Pointer[func(Change) Passage]
	// reads keeps the database open for the queries that run.
	reads sync.RWMutex

	// last is the last stamp; only the commit goroutine uses it.
	last uint64

	stop      chan struct{}
	committed chan struct{} // closed when nothing is committed any more
	stopOnce  sync.Once
	stopErr   error
	running   sync.WaitGroup
}

// Open opens the database, makes it when it is missing, and starts to carry
// over what was acked and had not arrived. Its errors say what to do: see
// ErrInUse, ErrForeign, ErrNoSpace and ErrDamaged. Close it when it is no longer used.
func Open(o Options) (*Store, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("open embedded table: %w", err)
	}
	s := &Store{
		opts:      o,
		log:       o.Logger,
		requests:  make(chan *request, maxBatch),
		pending:   semaphore.NewWeighted(o.MaxPending),
		stop:      make(chan struct{}),
		committed: make(chan struct{}),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	s.SetPassage(o.Passage)
	for _, from := range o.Regions {
		for _, to := range o.Regions {
			if from != to {
				s.carriers = append(s.carriers, newCarrier(s, from, to))
			}
		}
	}
	s.running.Go(s.commitLoop)
	for _, c := range s.carriers {
		s.running.Go(c.run)
	}
	if !o.InMemory {
		s.running.Go(s.collectLoop)
	}
	return s, nil
}

const (
	memTableSize = 4 << 20
	// valueThreshold sends larger values to the value log; it is below the 15 %
	// of the memtable that bound a transaction.
	valueThreshold = 64 << 10
	// collectEvery is how often the value log's garbage is collected.
	collectEvery = 5 * time.Minute
	// collectRatio is the share of a value log file that must be garbage.
	collectRatio = 0.5
)

func lastStamp(db *badger.DB) (last uint64, err error) {
	err = db.View(func(txn *badger.Txn) error {
		item, err := txn.Get(stampKey)
		if errors.Is(err, badger.ErrKeyNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return item.Value(func(b []byte) error {
			if len(b) != 8 {
				return errRecord
			}
			last = binary.BigEndian.Uint64(b)
			return nil
		})
	})
	return last, err
}

// countQueues counts what was acked and has not arrived.
func (s *Store) countQueues() error {
	return s.db.View(func(txn *badger.Txn) error {
		opts := badger.DefaultIteratorOptions
		opts.Prefix = []byte{queueSpace}
		opts.PrefetchValues = false
		it := txn.NewIterator(opts)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			s.queued.Add(1)
		}
		return nil
	})
}

// Region is a region's replica. Of a region that is not in Options.Regions,
// every call returns table.ErrInvalid.
func (s *Store) Region(region beat.Region) table.Table {
	return &replica{store: s, region: region, known: slices.Contains(s.opts.Regions, region)}
}

// Pending is how many items are on their way to other regions.
func (s *Store) Pending() int { return int(s.queued.Load()) }

// Close refuses what comes, ends what runs and closes the database. It is
// idempotent.
func (s *Store) Close() error {
	s.stopOnce.Do(func() {
		close(s.stop)
		s.running.Wait()
		s.reads.Lock()
		defer s.reads.Unlock()
		s.stopErr = s.db.Close()
		if s.lock != nil {
			s.lock.release()
		}
	})
	return s.stopErr
}

func (s *Store) closed() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// collectLoop gives the space of large values that were replaced back to the disk.
func (s *Store) collectLoop() {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			for !s.closed() && s.db.RunValueLogGC(collectRatio) == nil {
			}
		}
	}
}
