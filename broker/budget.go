package broker

import (
	"sync"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	// historyBurst is how many entries a store may hand over at once: a full
	// journal of 50,000 and a batch, so that a store that was offline for a week
	// is whole again within minutes.
	historyBurst = 50_000 + beat.MaxBatch
	// historyRate is how many more each second: 256 hosts that each change every
	// two minutes, day and night. What is above it stays in the relay's journal,
	// which sheds its oldest.
	historyRate = 2
)

// budget is a token bucket of history for each store. One that is full again is
// forgotten, so it holds only the stores that had news lately.
type budget struct {
	now func() time.Time

	mu     sync.Mutex // guards what follows
	stores map[beat.StoreID]spent
	// sweepAt is how many stores there are when the full ones are forgotten.
	sweepAt int
}

// spent is how far a store's bucket is from full, at an instant.
type spent struct {
	entries float64
	at      time.Time
}

func newBudget(now func() time.Time) *budget {
	return &budget{now: now, stores: map[beat.StoreID]spent{}, sweepAt: 1024}
}

// take spends n entries of a store's, if it has as many.
func (b *budget) take(store beat.StoreID, n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.owes(store)
	if s.entries+float64(n) > historyBurst {
		return false
	}
	s.entries += float64(n)
	b.stores[store] = s
	if len(b.stores) >= b.sweepAt {
		b.sweep()
	}
	return true
}

// back returns n entries that were not written after all.
func (b *budget) back(store beat.StoreID, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.owes(store)
	s.entries = max(0, s.entries-float64(n))
	b.stores[store] = s
}

// owes is what a store has spent by now. b.mu is held.
func (b *budget) owes(store beat.StoreID) spent {
	now, s := b.now(), b.stores[store]
	s.entries = max(0, s.entries-now.Sub(s.at).Seconds()*historyRate)
	s.at = now
	return s
}

// sweep forgets the stores whose buckets are full. b.mu is held.
func (b *budget) sweep() {
	for id := range b.stores {
		if b.owes(id).entries == 0 {
			delete(b.stores, id)
		}
	}
	b.sweepAt = max(1024, 2*len(b.stores))
}
