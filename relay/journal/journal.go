package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

// Errors that the journal returns, wrapped with what it was about.
var (
	// ErrNoSpace is a disk with less free space than the journal's floor:
	// nothing was written. It passes when there is room again.
	ErrNoSpace = errors.New("not enough free disk space")
	// ErrFolder is a folder that cannot be written: read-only, or of another user.
	ErrFolder = errors.New("the data folder cannot be written")
	// ErrInUse is a folder that another process has open.
	ErrInUse = errors.New("the data folder is in use by another process")
	// ErrPlatform is a machine of 32 bits, on which Badger loses data.
	ErrPlatform = errors.New("the journal needs a 64-bit machine")
	// ErrFormat is a folder that a later version of hb-mesh wrote.
	ErrFormat = errors.New("the data folder is of a later version")
	// ErrOrder is an entry whose number does not exceed the one before it.
	ErrOrder = errors.New("journal entry out of order")
	// ErrTooMany is a Put of more entries than MaxPut.
	ErrTooMany = errors.New("too many entries at once")
	// ErrRange is an epoch or number beyond what a counter may reach.
	ErrRange = errors.New("counter out of range")
	// ErrClosed is a journal after Close.
	ErrClosed = errors.New("the journal is closed")
)

// MaxPut is how many entries one Put takes: four full stores.
const MaxPut = 1024

// Entry is a transition and what it leaves of its host: both reach the disk as
// one.
type Entry struct {
	// Transition has number 0 where the Record alone is to be kept.
	Transition beat.Transition
	// Record replaces what the journal keeps of the host.
	Record roster.Record
	// Forget deletes the record of Transition.Host instead: it was retired.
	Forget bool
	// Lan replaces what the journal keeps of the store's LAN: the transition has
	// no host then.
	Lan *roster.LanRecord
}

// Recovery says that a folder was moved aside, and why.
type Recovery struct {
	// Aside is where the folder is now.
	Aside string
	Cause error
}

// Stats is what the journal holds.
type Stats struct {
	// Depth and Bytes count the entries that are not yet freed.
	Depth int
	Bytes int64
	// Lost counts the entries that were ever shed or refused.
	Lost uint64
	// Refusing says that the last commit found too little free space.
	Refusing bool
}

// Journal is a relay's memory on disk. Its methods may be called from any
// goroutine.
type Journal struct {
	options   Options
	log       *slog.Logger
	metrics   *Metrics
	db        *badger.DB
	health    *health
	recovered *Recovery

	// writing is held by whoever writes: one transaction at a time. It is a
	// channel, so that a wait for it can end with a context.
	writing    chan struct{}
	compacting sync.WaitGroup

	mu sync.Mutex // guards what follows
	// state is what is on disk; only the holder of writing changes it.
	state    state
	epoch    beat.Epoch  // the last one that was handed out
	number   beat.Number // the last one that was handed out, in its block
	index    index
	queue    []*Pending
	lastPut  beat.Number
	gap      gap
	freed    int64 // bytes freed since the last compaction
	refusing bool
	closed   bool
}

// Open opens the journal in o.Dir, or begins a new one. A torn or corrupt
// folder is moved aside: the log says so as an error, and Recovered returns
// it. Errors are ErrFolder, ErrInUse, ErrNoSpace, ErrFormat, ErrPlatform,
// wrapped, or what the options lack.
func Open(o Options, log *slog.Logger, m *Metrics) (*Journal, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	j := &Journal{options: o, log: log, metrics: m, writing: make(chan struct{}, 1)}
	db, content, err := j.openFolder()
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j.db = db
	if err := j.adopt(content); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if !o.InMemory {
		// Badger lists its folder each minute. The first time after a change
		// writes the folder's access time: now is better than while all is steady.
		_, _ = os.ReadDir(filepath.Join(o.Dir, folderName))
	}
	return j, nil
}

// adopt takes over what the folder holds, and gives a new folder its
// incarnation.
func (j *Journal) adopt(c content) error {
	j.state = c.state
	j.epoch, j.number = c.state.EpochTop, c.state.NumberTop
	j.index = c.index
	j.lastPut = max(j.index.top(), c.recordTop)
	if j.state.Incarnation.IsZero() {
		if _, err := j.Renew(); err != nil {
			return err
		}
	}
	j.measure()
	return nil
}

// Close makes what was put durable, and closes the folder. It may be called twice.
func (j *Journal) Close() error {
	j.writing <- struct{}{}
	defer func() { <-j.writing }()
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return nil
	}
	j.closed = true
	j.mu.Unlock()

	err := j.commitAll()
	j.compacting.Wait()
	if !j.options.InMemory {
		if free, ferr := j.free(); ferr == nil && free < j.options.Reserve {
			// Closing would write a table: on a full disk that kills the
			// process. What was committed is in the write-ahead log.
			j.log.Warn("the disk is full: the journal is left as after a crash", "dir", j.options.Dir, "free", free)
			return err
		}
	}
	err = errors.Join(err, j.db.Close())
	j.health.reset()
	if err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}

// Recovered is the folder that Open moved aside, or nil.
func (j *Journal) Recovered() *Recovery { return j.recovered }

// Hosts is what the journal keeps of each host, in the order of their ids.
func (j *Journal) Hosts() ([]roster.Record, error) {
	var out []roster.Record
	err := j.view(func(txn *badger.Txn) error {
		return scan(txn, hostPrefix, hostPrefix, func(_, value []byte) error {
			r, err := decodeRecord(value)
			out = append(out, r)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read hosts: %w", err)
	}
	slices.SortFunc(out, func(a, b roster.Record) int {
		if a.Host < b.Host {
			return -1
		}
		return 1
	})
	return out, nil
}

// Lan is what the journal keeps of the store's LAN, or nil while it never died.
func (j *Journal) Lan() (*roster.LanRecord, error) {
	var out *roster.LanRecord
	err := j.view(func(txn *badger.Txn) error {
		var err error
		out, err = readLan(txn)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read LAN: %w", err)
	}
	return out, nil
}

// Stats is what the journal holds now.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	return Stats{
		Depth: j.index.len(), Bytes: j.index.bytes, Lost: j.state.Lost + j.gap.count, Refusing: j.refusing,
	}
}

// Backlog is how many entries are not yet freed, and how many were ever lost.
func (j *Journal) Backlog() (depth, lost uint64) {
	s := j.Stats()
	return uint64(s.Depth), s.Lost
}

// view reads, unless the journal is closed.
func (j *Journal) view(read func(*badger.Txn) error) error {
	j.mu.Lock()
	closed := j.closed
	j.mu.Unlock()
	if closed {
		return ErrClosed
	}
	return j.db.View(read)
}

// measure tells the metrics what the journal holds. The caller holds mu, or is
// alone.
func (j *Journal) measure() {
	j.metrics.depth.Set(float64(j.index.len()))
	j.metrics.bytes.Set(float64(j.index.bytes))
}
