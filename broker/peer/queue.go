package peer

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
)

// callName is a call, as its path and the metrics name it.
type callName string

const (
	callAsk     callName = "ask"
	callTold    callName = "told"
	callHeard   callName = "heard"
	callForward callName = "forward"
)

// queue is what waits to be sent, oldest first. A full one drops its oldest.
type queue[T any] struct {
	limit   int
	metrics *Metrics
	name    string
	wake    chan struct{}

	// mu guards items.
	mu    sync.Mutex
	items []T
}

func newQueue[T any](limit int, m *Metrics, name callName) *queue[T] {
	return &queue[T]{limit: limit, metrics: m, name: string(name), wake: make(chan struct{}, 1)}
}

func (q *queue[T]) add(items []T) {
	if len(items) == 0 {
		return
	}
	q.mu.Lock()
	q.items = append(q.items, items...)
	q.shed(len(q.items) - q.limit)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// shed drops the n oldest. The caller holds mu.
func (q *queue[T]) shed(n int) {
	if n > 0 {
		q.items = append(q.items[:0], q.items[n:]...)
		q.metrics.Dropped.WithLabelValues(q.name).Add(float64(n))
	}
	q.metrics.Queued.WithLabelValues(q.name).Set(float64(len(q.items)))
}

// take removes a batch.
func (q *queue[T]) take() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.items), MaxBatch)
	batch := append([]T(nil), q.items[:n]...)
	q.items = append(q.items[:0], q.items[n:]...)
	q.metrics.Queued.WithLabelValues(q.name).Set(float64(len(q.items)))
	return batch
}

// putBack returns a batch that was not acknowledged to the head.
func (q *queue[T]) putBack(batch []T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items = append(batch, q.items...)
	q.shed(len(q.items) - q.limit)
}

// Tell queues news for one try: a loss is repaired by the next question, and
// news that come late are none.
func (c *Client) Tell(news []presence.News) { c.news.add(news) }

// Forward queues verdicts, which are sent in their order until the other region
// acknowledges them. A full queue drops the oldest. One that was sent may
// arrive twice.
func (c *Client) Forward(verdicts []presence.Verdict) { c.out.add(verdicts) }

// Run sends what is queued, until ctx ends.
func (c *Client) Run(ctx context.Context) error {
	var both sync.WaitGroup
	both.Go(func() { c.runNews(ctx) })
	both.Go(func() { c.runForwards(ctx) })
	both.Wait()
	c.http.CloseIdleConnections()
	return nil
}

// runNews sends news as they come. When there are none for a while it says so:
// what people are shown of the other region must not be an hour old.
func (c *Client) runNews(ctx context.Context) {
	probe := time.NewTimer(min(firstProbe, c.o.ProbeEvery))
	defer probe.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-probe.C:
			probe.Reset(c.o.ProbeEvery)
			if a, err := call(ctx, c, callHeard, news{}, readTaken); err == nil {
				c.learn(a.State)
			}
		case <-c.news.wake:
		}
		for batch := c.news.take(); len(batch) > 0 && ctx.Err() == nil; batch = c.news.take() {
			if _, err := call(ctx, c, callHeard, news{batch}, readTaken); err != nil {
				c.metrics.Dropped.WithLabelValues(string(callHeard)).Add(float64(len(batch)))
				c.log.Debug("news did not reach the other region", "count", len(batch), "error", err)
			}
		}
	}
}

func (c *Client) runForwards(ctx context.Context) {
	pause := c.o.Backoff
	for await(ctx, c.out.wake) {
		for batch := c.out.take(); len(batch) > 0; batch = c.out.take() {
			if _, err := call(ctx, c, callForward, forward{batch}, readTaken); err == nil {
				pause = c.o.Backoff
				continue
			}
			c.out.putBack(batch)
			if !sleep(ctx, pause/2+rand.N(pause/2)) {
				return
			}
			pause = min(2*pause, c.o.BackoffCap)
		}
	}
}

// await returns false when ctx has ended.
func await(ctx context.Context, wake <-chan struct{}) bool {
	select {
	case <-ctx.Done():
		return false
	case <-wake:
		return true
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
