package uplink

import (
	"log/slog"
	"sync"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/wan"
)

// courier hands the journal's batches to the regions, as wan.Courier decides.
type courier struct {
	entries Entries
	log     *slog.Logger
	metrics *Metrics
	links   []*link

	mu   sync.Mutex // guards what follows
	turn *wan.Courier
}

func newCourier(links []*link, e Entries, timeout time.Duration, log *slog.Logger, m *Metrics) *courier {
	regions := make([]beat.Region, len(links))
	for i, l := range links {
		regions[i], l.index = l.region.Region, i
	}
	return &courier{entries: e, log: log, metrics: m, links: links, turn: wan.NewCourier(regions, timeout)}
}

func (c *courier) homeRegion() beat.Region {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.turn.Home()
}

// opened says that l's region acked its birth, and which region it calls home.
func (c *courier) opened(l *link, home beat.Region) {
	c.change(func() { c.turn.Opened(l.index, home) })
}

// closed says that l's connection ended: what it carried is lost or unacked.
func (c *courier) closed(l *link) { c.change(func() { c.turn.Closed(l.index) }) }

// reset forgets all acks: they spoke of an incarnation that is over.
func (c *courier) reset() { c.change(c.turn.Reset) }

// block keeps l from getting batches for a while.
func (c *courier) block(l *link, until time.Duration) {
	c.change(func() { c.turn.Block(l.index, until) })
}

// taken says that l's region holds all entries up to through.
func (c *courier) taken(l *link, through beat.Number) {
	if err := c.entries.Free(through); err != nil {
		c.log.Warn("acked entries cannot be freed: they will be sent again", "through", uint64(through), "err", err)
	}
	c.change(func() { c.turn.Taken(l.index, through) })
}

// change lets every session look whether it is its region's turn now.
func (c *courier) change(f func()) {
	c.mu.Lock()
	f()
	c.mu.Unlock()
	c.wakeAll()
}

func (c *courier) wakeAll() {
	for _, l := range c.links {
		l.wake()
	}
}

// due says whether a batch should leave by l now.
func (c *courier) due(l *link, now time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.mine(l, now) {
		return false
	}
	depth, _ := c.entries.Backlog()
	return depth > 0
}

// mine says whether it is l's turn. The caller holds mu.
func (c *courier) mine(l *link, now time.Duration) bool {
	due, overdue := c.turn.Due(l.index, now)
	if overdue >= 0 {
		c.metrics.overdue.WithLabelValues(string(c.links[overdue].region.Region)).Inc()
		c.wakeAll() // whoever noticed it: the turn may be another's
	}
	return due
}

// take is the batch for l, of at most maxBytes, or nil if it is not l's turn.
func (c *courier) take(l *link, maxBytes int, now time.Duration) []beat.Transition {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.mine(l, now) {
		return nil
	}
	entries, err := c.entries.Batch(0, maxBytes, beat.MaxBatch)
	if err != nil {
		c.log.Error("the journal cannot be read: history waits", "err", err)
	}
	if len(entries) == 0 {
		return nil
	}
	last := entries[len(entries)-1]
	c.turn.Left(l.index, max(last.Number, last.Until), now)
	return entries
}

// next is when due may change by the passing of time alone.
func (c *courier) next() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.turn.Next()
}
