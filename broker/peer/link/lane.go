package link

import (
	"time"

	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
)

// lane is what waits to be told, oldest first: one batch is under way at a
// time, until it is acknowledged. A full lane drops its oldest.
type lane[T any] struct {
	items    []T
	sent     *waiting // carries the first batch
	batch    int
	retryAt  time.Duration
	failures int
	dropped  uint64
}

func (l *lane[T]) add(items []T, limit int) {
	l.items = append(l.items, items...)
	if over := len(l.items) - limit; over > 0 {
		// What is under way stays: it may arrive.
		kept := append([]T(nil), l.items[:l.batch]...)
		drop := min(over, len(l.items)-l.batch)
		l.items = append(kept, l.items[l.batch+drop:]...)
		l.dropped += uint64(drop)
	}
}

// busy says whether anything waits, or is under way.
func (l *lane[T]) busy() bool { return l.sent != nil || len(l.items) > 0 }

// next is the batch to send now; nil: none.
func (l *lane[T]) next(now time.Duration) []T {
	if l.sent != nil || len(l.items) == 0 || now < l.retryAt {
		return nil
	}
	l.batch = min(len(l.items), wire.MaxBatch)
	return append([]T(nil), l.items[:l.batch]...)
}

func (l *lane[T]) acked(w *waiting) {
	if w != l.sent {
		return
	}
	l.items = append([]T(nil), l.items[l.batch:]...)
	l.sent, l.batch, l.failures = nil, 0, 0
}

func (l *lane[T]) failed(w *waiting, now time.Duration) {
	if w != l.sent {
		return
	}
	l.sent, l.batch = nil, 0
	l.failures++
	l.retryAt = now + min(firstRetry<<min(l.failures-1, 10), lastRetry)
}

func (l *lane[T]) due() time.Duration {
	if l.sent != nil || len(l.items) == 0 {
		return never
	}
	return l.retryAt
}
