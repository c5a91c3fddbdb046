package broker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
)

// watched is the table, with its calls counted and its health known.
type watched struct {
	table.Table
	metrics *metrics

	mu      sync.Mutex // guards what follows
	ok      bool
	since   time.Time
	problem string
}

var _ table.Table = (*watched)(nil)

// health says whether the last call that reached or missed the table worked.
func (w *watched) health() (ok bool, since time.Time, problem string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ok, w.since, w.problem
}

func (w *watched) seen(call string, start time.Time, err error) error {
	w.metrics.tableSeconds.WithLabelValues(call).Observe(time.Since(start).Seconds())
	w.metrics.tableCalls.WithLabelValues(call, table.Outcome(err)).Inc()
	if errors.Is(err, table.ErrInvalid) {
		return err
	}
	ok := err == nil || errors.Is(err, table.ErrConflict)
	w.mu.Lock()
	defer w.mu.Unlock()
	if ok != w.ok || w.since.IsZero() {
		w.ok, w.since = ok, time.Now().UTC()
	}
	w.problem = ""
	if !ok {
		w.problem = err.Error()
	}
	return err
}

// Write is table.Table's.
func (w *watched) Write(ctx context.Context, wr table.Write) error {
	start := time.Now()
	return w.seen("write", start, w.Table.Write(ctx, wr))
}

// Put is table.Table's.
func (w *watched) Put(ctx context.Context, items []table.Item) error {
	start := time.Now()
	return w.seen("put", start, w.Table.Put(ctx, items))
}

// Delete is table.Table's.
func (w *watched) Delete(ctx context.Context, keys []table.Key) error {
	start := time.Now()
	return w.seen("delete", start, w.Table.Delete(ctx, keys))
}

// Query is table.Table's.
func (w *watched) Query(ctx context.Context, pk, prefix, start string, limit int) (table.Page, error) {
	began := time.Now()
	page, err := w.Table.Query(ctx, pk, prefix, start, limit)
	return page, w.seen("query", began, err)
}
