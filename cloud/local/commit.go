package local

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	badger "github.com/dgraph-io/badger/v4"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	// maxBatch is how many requests share one transaction and so one fsync.
	maxBatch = 256
	// maxCost bounds a transaction, in bytes that it adds to the memtable, so
	// that it never meets Badger's limit of 15 % of the memtable (614 KB).
	maxCost = 384 << 10
	// maxRequestCost bounds one request; with maxCost it stays below that limit.
	maxRequestCost = 192 << 10
	// tombstoneLife is how long a deleted key is remembered, so that an older
	// write that arrives late does not bring it back.
	tombstoneLife = 24 * time.Hour
	// expirySlack keeps an expired item stored for a while: late writes compare with it.
	expirySlack = time.Hour
)

// request is one or more changes that are committed as one.
type request struct {
	// apply makes the changes; an error of it refuses this request alone.
	apply func(*batch) error
	// cost is an upper bound of what it adds to the memtable, in bytes.
	cost int
	// makesRoom lets it pass where the disk is nearly full.
	makesRoom bool
	// taken decides between the commit goroutine and a caller who gives up.
	taken atomic.Bool
	done  chan error
}

// submit waits for room, hands the request to the commit goroutine and waits
// for its fate. Size is what it holds in memory.
func (s *Store) submit(ctx context.Context, r *request, size int) error {
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	if err := s.pending.Acquire(ctx, int64(size)); err != nil {
		return unavailable(err)
	}
	defer s.pending.Release(int64(size))
	select {
	case s.requests <- r:
	case <-s.stop:
		return unavailable(errClosed)
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		if r.taken.CompareAndSwap(false, true) {
			return unavailable(ctx.Err())
		}
		return fmt.Errorf("%w: %w", table.ErrUnknown, ctx.Err())
	case <-s.committed:
		if r.taken.CompareAndSwap(false, true) {
			return unavailable(errClosed)
		}
		return <-r.done
	}
}

var errClosed = errors.New("the embedded table is closed")

func unavailable(cause error) error { return fmt.Errorf("%w: %w", table.ErrUnavailable, cause) }

// commitLoop is the only writer: what a condition reads cannot change before
// its write is committed.
func (s *Store) commitLoop() {
	defer close(s.committed)
	var group []*request
	var over *request
	for {
		group, over = s.gather(group[:0], over)
		if len(group) == 0 {
			return
		}
		s.commit(group)
	}
}

// gather waits for a request and takes what else is there, within the bounds
// of a transaction. It returns what did not fit; no request means closed.
func (s *Store) gather(group []*request, over *request) (_ []*request, left *request) {
	next := over
	if next == nil {
		select {
		case <-s.stop:
			return group, nil
		case next = <-s.requests:
		}
	}
	cost := 0
	for {
		if cost+next.cost > maxCost && len(group) > 0 {
			return group, next
		}
		group = append(group, next)
		cost += next.cost
		if len(group) == maxBatch {
			return group, nil
		}
		select {
		case next = <-s.requests:
		default:
			return group, nil
		}
	}
}

// commit makes one transaction of the group and answers each request.
func (s *Store) commit(group []*request) {
	refuse, refuseAll := s.room()
	b := &batch{store: s, txn: s.db.NewTransaction(true), now: time.Now()}
	defer b.txn.Discard()
	answers := make([]error, len(group))
	for i, r := range group {
		switch {
		case !r.taken.CompareAndSwap(false, true):
			group[i] = nil // its caller has gone
		case refuseAll != nil:
			answers[i] = unavailable(refuseAll)
		case refuse != nil && !r.makesRoom:
			answers[i] = unavailable(refuse)
		default:
			answers[i] = r.apply(b)
		}
	}
	err := b.finish()
	if err == nil {
		s.queued.Add(int64(b.queued))
	}
	for i, r := range group {
		if r == nil {
			continue
		}
		if answers[i] == nil {
			answers[i] = err
		}
		r.done <- answers[i]
	}
	if err == nil && b.fed {
		for _, c := range s.carriers {
			c.nudge()
		}
	}
}

// batch is one transaction of the commit goroutine.
type batch struct {
	store *Store
	txn   *badger.Txn
	now   time.Time
	wrote bool
	// queued is by how much the batch makes the queues longer.
	queued int
	// fed says that the queues have new entries, whatever was carried meanwhile.
	fed bool
	// failed is the first error of the database: then nothing of the batch is committed.
	failed error
}

// finish commits. A commit that fails has an unknown outcome: part of it may
// be on disk.
func (b *batch) finish() error {
	if b.failed != nil {
		return b.failed
	}
	if !b.wrote {
		return nil
	}
	if err := b.txn.Set(stampKey, binary.BigEndian.AppendUint64(nil, b.store.last)); err != nil {
		return unavailable(err)
	}
	if err := b.txn.Commit(); err != nil {
		b.store.log.Error("embedded table: commit failed", "err", err)
		return fmt.Errorf("%w: %w", table.ErrUnknown, err)
	}
	return nil
}

// stamp is later than every other of this Store, also when the clock is set back.
func (b *batch) stamp() uint64 {
	b.store.last = max(b.store.last+1, uint64(b.now.UnixNano()))
	return b.store.last
}

// get reads a record of a region's replica, as the batch so far left it; ok is
// false where none is. Its doc is valid until the batch ends.
func (b *batch) get(region beat.Region, k table.Key) (r record, ok bool, err error) {
	item, err := b.txn.Get(itemKey(region, k))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return record{}, false, nil
	}
	if err == nil {
		err = item.Value(func(v []byte) error {
			r, err = decodeRecord(v)
			return err
		})
	}
	if err != nil {
		return record{}, false, unavailable(err)
	}
	return r, true, nil
}

// set stores a record in a region's replica.
func (b *batch) set(region beat.Region, k table.Key, r record, encoded []byte) error {
	e := badger.NewEntry(itemKey(region, k), encoded)
	switch {
	case r.deleted:
		e.ExpiresAt = uint64(b.now.Add(tombstoneLife).Unix())
	case r.expires != 0:
		// What is born expired is kept for the slack too.
		e.ExpiresAt = uint64(max(r.expires, b.now.Unix()) + int64(expirySlack/time.Second))
	}
	return b.did(b.txn.SetEntry(e))
}

// did notes the result of a change of the transaction.
func (b *batch) did(err error) error {
	b.wrote = true
	if err == nil {
		return nil
	}
	err = unavailable(err)
	if b.failed == nil {
		b.failed = err
	}
	return err
}

// put stores a record that region writes, and queues it for the others.
func (b *batch) put(region beat.Region, k table.Key, r record) error {
	encoded := r.encode()
	if err := b.set(region, k, r, encoded); err != nil {
		return err
	}
	for _, to := range b.store.opts.Regions {
		if to == region {
			continue
		}
		if err := b.did(b.txn.Set(queueKey(region, to, r.stamp), queueValue(k, encoded))); err != nil {
			return err
		}
		b.queued, b.fed = b.queued+1, true
	}
	return nil
}
