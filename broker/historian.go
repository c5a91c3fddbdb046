package broker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/record"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	// historyQueue bounds the batches that wait for the table. What does not
	// fit is not acked, and its relay sends it again.
	historyQueue   = 1024
	historyWorkers = 8
)

// historian writes the journals of relays into the table, and acks what it
// took whole: an ack is a promise.
type historian struct {
	records *records
	home    func(beat.StoreID) beat.Region
	send    func(conn presence.Conn, topic string, payload []byte)
	timeout time.Duration
	log     *slog.Logger
	metrics *metrics
	queue   chan *presence.Journal
	budget  *budget
}

// take queues a batch; where its store has spent its budget, or the queue is
// full, it is dropped, and counted.
func (h *historian) take(j *presence.Journal) {
	if !h.budget.take(j.ID.Store, len(j.Entries)) {
		h.metrics.historyOver.Inc()
		return
	}
	select {
	case h.queue <- j:
	default:
		h.budget.back(j.ID.Store, len(j.Entries))
		h.metrics.historyDropped.Inc()
	}
}

// run writes until ctx ends.
func (h *historian) run(ctx context.Context) {
	var wg sync.WaitGroup
	for range historyWorkers {
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case j := <-h.queue:
					h.write(ctx, j)
				}
			}
		})
	}
	wg.Wait()
}

func (h *historian) write(ctx context.Context, j *presence.Journal) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	items, aside := record.History(h.records.region, j, h.records.keep)
	if aside > 0 {
		h.metrics.aside.WithLabelValues("entry").Add(float64(aside))
		h.log.Warn("entries of a journal cannot be written, and are set aside", "store", j.ID.Store, "entries", aside)
	}
	if err := h.records.table.Put(ctx, items); err != nil {
		h.budget.back(j.ID.Store, len(j.Entries))
		h.metrics.historyFailed.Inc()
		h.log.Warn("journal not taken: its relay will send it again", "store", j.ID.Store, "entries", len(j.Entries), "err", err)
		return
	}
	last := &j.Entries[len(j.Entries)-1]
	through := max(last.Number, last.Until)
	h.metrics.history.Add(float64(len(j.Entries)))
	h.send(j.Conn, j.ID.AckTopic(), beat.Ack{
		V: beat.Wire, Epoch: j.Epoch, Seq: j.Seq, Home: h.home(j.ID.Store), Incarnation: j.Incarnation, Through: through, Top: through,
	}.Encode())
}

func rebirth(exceed beat.Epoch) []byte {
	return beat.Command{V: beat.Wire, Order: beat.Rebirth, Exceed: exceed}.Encode()
}
