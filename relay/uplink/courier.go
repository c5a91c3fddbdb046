package uplink

import (
	"log/slog"
	"sync"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// shunFor is how many batch timeouts a region that did not ack a batch is passed
// over for another that is open: its table may be down for long.
const shunFor = 6

// courier decides which region gets the next batch of the journal. One batch is
// in flight over all links; it starts at the oldest entry that is not freed.
type courier struct {
	entries Entries
	timeout time.Duration
	log     *slog.Logger
	metrics *Metrics
	links   []*link

	mu sync.Mutex // guards what follows
	// home is the region that the last ack named.
	home beat.Region
	// open are the links whose region acked their birth: before the boot's first
	// ack, whose top tells a restored journal, there is none, and nothing leaves.
	open map[*link]bool
	// flight is the batch that is not yet acked; its link is nil if there is none.
	flight flight
	// shunned regions come after the others until then; blocked ones get nothing.
	shunned map[*link]time.Time
	blocked map[*link]time.Time
}

type flight struct {
	link    *link
	through beat.Number
	since   time.Time
}

func newCourier(links []*link, e Entries, timeout time.Duration, log *slog.Logger, m *Metrics) *courier {
	return &courier{
		entries: e, timeout: timeout, log: log, metrics: m, links: links,
		open: map[*link]bool{}, shunned: map[*link]time.Time{}, blocked: map[*link]time.Time{},
	}
}

func (c *courier) homeRegion() beat.Region {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.home
}

// opened says that l's region acked its birth, and which region it calls home.
func (c *courier) opened(l *link, home beat.Region) {
	c.mu.Lock()
	c.open[l] = true
	if home != "" {
		c.home = home
	}
	c.mu.Unlock()
	c.wakeAll()
}

// closed says that l's connection ended: what it carried is lost or unacked.
func (c *courier) closed(l *link) {
	c.mu.Lock()
	delete(c.open, l)
	if c.flight.link == l {
		c.flight = flight{}
	}
	c.mu.Unlock()
	c.wakeAll()
}

// reset forgets all acks: they spoke of an incarnation that is over.
func (c *courier) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.open)
	c.flight = flight{}
}

// taken says that l's region holds all entries up to through.
func (c *courier) taken(l *link, through beat.Number) {
	if err := c.entries.Free(through); err != nil {
		c.log.Warn("acked entries cannot be freed: they will be sent again", "through", uint64(through), "err", err)
	}
	c.mu.Lock()
	if c.flight.link != nil && through >= c.flight.through {
		c.flight = flight{}
	}
	delete(c.shunned, l)
	c.mu.Unlock()
	c.wakeAll()
}

// due says whether a batch should leave by l now.
func (c *courier) due(l *link, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire(now)
	if c.flight.link != nil || c.pick(now) != l {
		return false
	}
	depth, _ := c.entries.Backlog()
	return depth > 0
}

// take is the batch for l, of at most maxBytes, or nil if it is not l's turn.
func (c *courier) take(l *link, maxBytes int, now time.Time) []beat.Transition {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire(now)
	if c.flight.link != nil || c.pick(now) != l {
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
	c.flight = flight{link: l, through: max(last.Number, last.Until), since: now}
	return entries
}

// block keeps l from getting batches for a while.
func (c *courier) block(l *link, until time.Time) {
	c.mu.Lock()
	c.blocked[l] = until
	if c.flight.link == l {
		c.flight = flight{}
	}
	c.mu.Unlock()
	c.wakeAll()
}

// next is when due may change by the passing of time alone.
func (c *courier) next() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flight.since.Add(c.timeout), c.flight.link != nil
}

// expire gives up on a batch that was not acked in time. The caller holds mu.
func (c *courier) expire(now time.Time) {
	f := c.flight
	if f.link == nil || now.Sub(f.since) < c.timeout {
		return
	}
	c.flight = flight{}
	c.shunned[f.link] = now.Add(shunFor * c.timeout)
	c.metrics.overdue.WithLabelValues(string(f.link.region.Region)).Inc()
	c.wakeAll() // whoever noticed it: the turn may be another's
}

// pick is the link whose turn it is: home's, unless it is shunned and another
// is not; of those that are all shunned, the one that was tried longest ago.
// The caller holds mu.
func (c *courier) pick(now time.Time) *link {
	var best *link
	for _, l := range c.links {
		if c.open[l] && !now.Before(c.blocked[l]) && (best == nil || c.before(l, best, now)) {
			best = l
		}
	}
	return best
}

func (c *courier) before(a, b *link, now time.Time) bool {
	sa, sb := c.shunned[a], c.shunned[b]
	if free, other := !now.Before(sa), !now.Before(sb); free != other {
		return free
	} else if !free {
		return sa.Before(sb)
	}
	return a.region.Region == c.home
}

func (c *courier) wakeAll() {
	for _, l := range c.links {
		l.wake()
	}
}
