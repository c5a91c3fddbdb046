package local

import (
	"container/heap"
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
	// window is how many items on their way a carrier holds in memory; the rest
	// waits on disk, in the order of writing.
	window = 4096
	// carryChunk is how many items are carried with one fsync.
	carryChunk = 64
	// carryAgain is how long a carrier waits after a refusal (a full disk).
	carryAgain = time.Second
)

// carrier takes what one region wrote to one other.
type carrier struct {
	store    *Store
	from, to beat.Region
	wake     chan struct{}
	again    atomic.Bool // the passages have changed: ask anew

	// Below is run's own.
	due    dueHeap
	cursor uint64 // the last stamp that was taken from the queue
	more   bool   // the queue holds entries after cursor
}

// parcel is an item on its way.
type parcel struct {
	at    time.Time
	stamp uint64
}

func newCarrier(s *Store, from, to beat.Region) *carrier {
	return &carrier{store: s, from: from, to: to, wake: make(chan struct{}, 1), more: true}
}

// nudge says that the queue may have grown.
func (c *carrier) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// restart asks anew about everything that is on its way.
func (c *carrier) restart() {
	c.again.Store(true)
	c.nudge()
}

func (c *carrier) run() {
	for {
		if c.again.Swap(false) {
			c.due, c.cursor, c.more = nil, 0, true
		}
		if err := c.load(); err != nil {
			c.store.log.Error("embedded table: read replication queue", "from", c.from, "to", c.to, "err", err)
			if !c.pause(carryAgain, false) {
				return
			}
			continue
		}
		wait, ok := c.deliver()
		if ok && !c.pause(wait, true) {
			return
		}
		if !ok && !c.pause(carryAgain, false) {
			return
		}
	}
}

// pause waits for d (for ever if negative), or for a nudge where that matters;
// false means closed.
func (c *carrier) pause(d time.Duration, nudged bool) bool {
	var timer <-chan time.Time
	if d >= 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timer = t.C
	}
	var wake chan struct{}
	if nudged {
		wake = c.wake
	}
	select {
	case <-c.store.stop:
		return false
	case <-wake:
		c.more = true
		return true
	case <-timer:
		return true
	}
}

// load fills the window from the queue.
func (c *carrier) load() error {
	if !c.more || len(c.due) >= window {
		return nil
	}
	return c.store.db.View(func(txn *badger.Txn) error {
		opts := badger.DefaultIteratorOptions
		opts.Prefix = queuePrefix(c.from, c.to)
		opts.PrefetchValues = false
		it := txn.NewIterator(opts)
		defer it.Close()
		for it.Seek(queueKey(c.from, c.to, c.cursor+1)); it.Valid(); it.Next() {
			if len(c.due) >= window {
				return nil
			}
			if err := c.enqueue(it.Item()); err != nil {
				return err
			}
		}
		c.more = false
		return nil
	})
}

func (c *carrier) enqueue(item *badger.Item) error {
	k := item.Key()
	stamp := binary.BigEndian.Uint64(k[len(k)-8:])
	var how Passage
	if err := item.Value(func(v []byte) error {
		key, _, err := splitQueueValue(v)
		if err == nil {
			how = (*c.store.passage.Load())(Change{From: c.from, To: c.to, Key: key})
		}
		return err
	}); err != nil {
		return err
	}
	if !how.Held { // what is held stays on disk: SetPassage begins at the queue's head
		heap.Push(&c.due, parcel{stamp: stamp, at: time.Unix(0, int64(stamp)).Add(how.Lag)})
	}
	c.cursor = stamp
	return nil
}

// deliver carries what is due; wait is the time until more is (negative: until
// something is written), ok is false when the store refused.
func (c *carrier) deliver() (wait time.Duration, ok bool) {
	for !c.store.closed() && !c.again.Load() {
		var chunk []parcel
		now := time.Now()
		for len(c.due) > 0 && len(chunk) < carryChunk && !c.due[0].at.After(now) {
			chunk = append(chunk, heap.Pop(&c.due).(parcel))
		}
		if len(chunk) == 0 {
			break
		}
		left, err := c.carry(chunk)
		for _, p := range left {
			heap.Push(&c.due, p)
		}
		if err != nil {
			c.store.log.Warn("embedded table: replication waits", "from", c.from, "to", c.to, "err", err)
			return 0, false
		}
	}
	switch {
	case c.again.Load(), c.more && len(c.due) < window:
		return 0, true
	case len(c.due) == 0:
		return -1, true
	default:
		return max(0, time.Until(c.due[0].at)), true
	}
}

// carry applies the parcels in one transaction, as many as it may hold, and
// returns those that are still to be carried.
func (c *carrier) carry(chunk []parcel) (left []parcel, err error) {
	done := 0
	r := newRequest(maxRequestCost, func(b *batch) error {
		for cost := 0; done < len(chunk) && cost < maxRequestCost/2; done++ {
			n, err := c.apply(b, chunk[done].stamp)
			if err != nil {
				return err
			}
			cost += n
		}
		return nil
	})
	// A context without an end: the store's Close ends the wait.
	if err := c.store.submit(context.Background(), r, 1); err != nil {
		return chunk, err
	}
	return chunk[done:], nil
}

// apply moves one entry of the queue into the replica, unless that has a newer
// record. Cost is what it added to the memtable.
func (c *carrier) apply(b *batch, stamp uint64) (cost int, err error) {
	key := queueKey(c.from, c.to, stamp)
	item, err := b.txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, unavailable(err)
	}
	value, err := item.ValueCopy(nil)
	if err != nil {
		return 0, unavailable(err)
	}
	k, encoded, err := splitQueueValue(value)
	if err != nil {
		return 0, unavailable(err)
	}
	rec, err := decodeRecord(encoded)
	if err != nil {
		return 0, unavailable(fmt.Errorf("queued item %.100q: %w", k.SK, err))
	}
	old, ok, err := b.get(c.to, k)
	if err != nil {
		return 0, err
	}
	if !ok || old.stamp < rec.stamp {
		if err := b.set(c.to, k, rec, encoded); err != nil {
			return 0, err
		}
		cost = (table.Item{Key: k}).Size()
		if len(encoded) < valueThreshold {
			cost += len(encoded)
		}
	}
	if err := b.did(b.txn.Delete(key)); err != nil {
		return 0, err
	}
	b.queued--
	return cost + len(key), nil
}

// dueHeap orders parcels by when they are due.
type dueHeap []parcel

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(parcel)) }
func (h *dueHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
