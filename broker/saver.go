package broker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
)

const (
	saveBatch    = 200
	saveRetry    = time.Second
	saveRetryCap = 30 * time.Second
	// saveLast bounds the last saving of a node that stops.
	saveLast = 500 * time.Millisecond
)

// saver writes what a restart needs, behind the core. Of each key only the
// newest item waits, so its queue is bounded by what there is to remember.
type saver struct {
	table   table.Table
	timeout time.Duration
	log     *slog.Logger
	metrics *metrics
	// holds says whether the lease is held; while it is not, items wait.
	holds func() bool
	wake  chan struct{}

	mu      sync.Mutex // guards what follows
	pending map[table.Key]saving
	order   []table.Key
}

func newSaver(t table.Table, timeout time.Duration, log *slog.Logger, m *metrics) *saver {
	return &saver{holds: func() bool { return true }, table: t, timeout: timeout, log: log, metrics: m, wake: make(chan struct{}, 1), pending: make(map[table.Key]saving)}
}

// errNoLease is a node that may write nothing now.
var errNoLease = errors.New("the lease is not held")

// save queues an item, in the place of an older one of its key.
func (s *saver) save(v saving) {
	s.mu.Lock()
	if _, ok := s.pending[v.item.Key]; !ok {
		s.order = append(s.order, v.item.Key)
	}
	s.pending[v.item.Key] = v
	s.metrics.saving.Set(float64(len(s.pending)))
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *saver) take() []saving {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.order), saveBatch)
	batch := make([]saving, 0, n)
	for _, k := range s.order[:n] {
		batch = append(batch, s.pending[k])
		delete(s.pending, k)
	}
	s.order = append(s.order[:0], s.order[n:]...)
	s.metrics.saving.Set(float64(len(s.pending)))
	return batch
}

// back puts a batch back that was not saved, unless something newer waits.
func (s *saver) back(batch []saving) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range batch {
		if _, newer := s.pending[v.item.Key]; !newer {
			s.pending[v.item.Key] = v
			s.order = append(s.order, v.item.Key)
		}
	}
	s.metrics.saving.Set(float64(len(s.pending)))
}

// run saves until ctx ends, and what is left then, for a moment.
func (s *saver) run(ctx context.Context) {
	retry := saveRetry
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveLast)
			defer cancel()
			for batch := s.take(); len(batch) > 0 && s.holds() && s.write(last, batch) == nil; batch = s.take() {
			}
			return
		case <-s.wake:
		}
		for batch := s.take(); len(batch) > 0; batch = s.take() {
			err := errNoLease
			if s.holds() {
				err = s.write(ctx, batch)
			}
			if err == nil {
				retry = saveRetry
				continue
			}
			if errors.Is(err, table.ErrInvalid) {
				s.pick(ctx, batch)
				continue
			}
			s.log.Warn("presence not saved, will retry", "items", len(batch), "after", retry, "err", err)
			s.back(batch)
			select {
			case <-ctx.Done():
			case <-time.After(retry):
			}
			retry = min(2*retry, saveRetryCap)
			if ctx.Err() != nil {
				break
			}
		}
	}
}

// pick saves the items of a batch one by one: one of them no table takes.
func (s *saver) pick(ctx context.Context, batch []saving) {
	for i := range batch {
		switch err := s.write(ctx, batch[i:i+1]); {
		case errors.Is(err, table.ErrInvalid):
			s.log.Error("an item that no table takes is not saved", "pk", batch[i].item.PK, "sk", batch[i].item.SK, "err", err)
		case err != nil:
			s.back(batch[i:])
			return
		}
	}
}

func (s *saver) write(ctx context.Context, batch []saving) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var items []table.Item
	var gone []table.Key
	for _, v := range batch {
		if v.gone {
			gone = append(gone, v.item.Key)
		} else {
			items = append(items, v.item)
		}
	}
	if len(gone) > 0 {
		if err := s.table.Delete(ctx, gone); err != nil {
			return err
		}
	}
	if len(items) == 0 {
		return nil
	}
	return s.table.Put(ctx, items)
}
