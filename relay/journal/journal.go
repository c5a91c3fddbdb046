package journal

import (
	"context"
	"errors"
	"log/slog"

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
	// ErrOrder is an entry whose number does not exceed the one before it.
	ErrOrder = errors.New("journal entry out of order")
	// ErrRange is an epoch or number beyond what a counter may reach.
	ErrRange = errors.New("counter out of range")
	// ErrClosed is a journal after Close.
	ErrClosed = errors.New("the journal is closed")
)

// Entry is a transition and what it leaves of its host: both reach the disk as
// one.
type Entry struct {
	Transition beat.Transition
	// Record replaces what the journal keeps of the host.
	Record roster.Record
	// Forget deletes the record of Transition.Host instead: it was retired.
	Forget bool
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
}

// Open opens the journal in o.Dir, or begins a new one. A torn or corrupt
// folder is moved aside: the log says so as an error, and Recovered returns
// it. Errors are ErrFolder, ErrInUse, ErrNoSpace, ErrPlatform, wrapped, or
// what the options lack.
func Open(o Options, log *slog.Logger, m *Metrics) (*Journal, error) {
	return nil, errors.ErrUnsupported
}

// Close makes what was put durable, and closes the folder. It may be called twice.
func (j *Journal) Close() error { return errors.ErrUnsupported }

// Recovered is the folder that Open moved aside, or nil.
func (j *Journal) Recovered() *Recovery { return nil }

// Put queues entries in the order of their numbers, without waiting: the caller
// may hold the lock that gave them their numbers. The caller calls Wait on what
// it returns, without that lock. Their numbers exceed all that were put before,
// else Wait returns ErrOrder.
func (j *Journal) Put(entries []Entry) *Pending { return nil }

// Append is Put and Wait.
func (j *Journal) Append(ctx context.Context, entries []Entry) error {
	return j.Put(entries).Wait(ctx)
}

// Pending is a Put that may not be on disk yet.
type Pending struct{}

// Wait returns when the entries are on disk: callers that wait together share
// one fsync. With ErrNoSpace the entries are lost, and counted: their numbers
// will be part of a shed range. With the context's error it is unknown.
func (p *Pending) Wait(ctx context.Context) error { return errors.ErrUnsupported }

// Hosts is what the journal keeps of each host, in the order of their ids.
func (j *Journal) Hosts() ([]roster.Record, error) { return nil, errors.ErrUnsupported }

// Batch returns the oldest entries above after, at most limit of them and at
// most maxBytes of their encoding; only entries that are on disk, and at least
// one if its size allows.
func (j *Journal) Batch(after beat.Number, maxBytes, limit int) ([]beat.Transition, error) {
	return nil, errors.ErrUnsupported
}

// Free deletes the entries up to through: a region took them.
func (j *Journal) Free(through beat.Number) error { return errors.ErrUnsupported }

// Stats is what the journal holds now.
func (j *Journal) Stats() Stats { return Stats{} }

// Incarnation is the 128 random bits made with this journal.
func (j *Journal) Incarnation() beat.Incarnation { return beat.Incarnation{} }

// Acked says whether a region ever acked this incarnation.
func (j *Journal) Acked() bool { return false }

// NoteAcked keeps on disk that a region acked this incarnation. It writes once.
func (j *Journal) NoteAcked() error { return errors.ErrUnsupported }

// Renew makes a new incarnation: this folder was restored from a copy.
// Entries, hosts, epochs and numbers stay.
func (j *Journal) Renew() (beat.Incarnation, error) { return beat.Incarnation{}, errors.ErrUnsupported }

// NextEpoch returns an epoch above every one that this journal ever returned,
// and above the given one. It writes once in 64 calls.
func (j *Journal) NextEpoch(above beat.Epoch) (beat.Epoch, error) { return 0, errors.ErrUnsupported }

// EpochTop is the highest epoch that is reserved on disk.
func (j *Journal) EpochTop() beat.Epoch { return 0 }

// ReserveNumbers reserves 1,024 numbers on disk, above every one that was ever
// reserved, and above the given one.
func (j *Journal) ReserveNumbers(above beat.Number) (from, to beat.Number, err error) {
	return 0, 0, errors.ErrUnsupported
}

// NumberTop is the highest number that is reserved on disk.
func (j *Journal) NumberTop() beat.Number { return 0 }

// Backlog is how many entries are not yet freed, and how many were ever lost.
func (j *Journal) Backlog() (depth, lost uint64) { return 0, 0 }
