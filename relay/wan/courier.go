package wan

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// shunFor is how many batch timeouts a region that did not ack a batch is passed
// over for another that is open: its table may be down for long.
const shunFor = 6

// Courier decides which region gets the next batch of the journal: home's, or
// the other if home is not open, or did not ack in time. One batch is in flight
// over all links; it starts at the oldest entry that is not freed.
type Courier struct {
	timeout time.Duration
	links   []courierLink
	// home is the region that the last ack named.
	home beat.Region
	// flight is the batch that is not yet acked.
	flight flight
}

type courierLink struct {
	region beat.Region
	// open says that the region acked its birth: before the boot's first ack,
	// whose top tells a restored journal, nothing leaves.
	open bool
	// shunned regions come after the others until then; blocked ones get nothing.
	shunned, blocked time.Duration
}

type flight struct {
	out     bool
	link    int
	through beat.Number
	since   time.Duration
}

// NewCourier makes a courier for links to the regions, which are named by their
// index from here on. A batch that is not acked for timeout goes elsewhere.
func NewCourier(regions []beat.Region, timeout time.Duration) *Courier {
	c := &Courier{timeout: timeout, links: make([]courierLink, len(regions))}
	for i, r := range regions {
		c.links[i].region = r
	}
	return c
}

// Home is the region that the last ack named, or "".
func (c *Courier) Home() beat.Region { return c.home }

// Opened says that a link's region acked its birth, and which it calls home.
func (c *Courier) Opened(link int, home beat.Region) {
	c.links[link].open = true
	if home != "" {
		c.home = home
	}
}

// Closed says that a link's connection ended: what it carried is lost or unacked.
func (c *Courier) Closed(link int) {
	c.links[link].open = false
	c.land(link)
}

// Reset forgets all acks: they spoke of an incarnation that is over.
func (c *Courier) Reset() {
	for i := range c.links {
		c.links[i].open = false
	}
	c.flight = flight{}
}

// Taken says that a link's region holds all entries up to through.
func (c *Courier) Taken(link int, through beat.Number) {
	if c.flight.out && through >= c.flight.through {
		c.flight = flight{}
	}
	c.links[link].shunned = 0
}

// Due says whether a batch should leave by a link now, if there is one. overdue
// is the link whose batch was not acked in time and is given up, or -1.
func (c *Courier) Due(link int, now time.Duration) (due bool, overdue int) {
	overdue = -1
	if f := c.flight; f.out && now-f.since >= c.timeout {
		c.flight, overdue = flight{}, f.link
		c.links[f.link].shunned = now + shunFor*c.timeout
	}
	return !c.flight.out && c.pick(now) == link, overdue
}

// Left says that a batch up to through left by a link.
func (c *Courier) Left(link int, through beat.Number, now time.Duration) {
	c.flight = flight{out: true, link: link, through: through, since: now}
}

// Block keeps a link from getting batches until then.
func (c *Courier) Block(link int, until time.Duration) {
	c.links[link].blocked = until
	c.land(link)
}

func (c *Courier) land(link int) {
	if c.flight.out && c.flight.link == link {
		c.flight = flight{}
	}
}

// Next is when Due may change by the passing of time alone.
func (c *Courier) Next() (time.Duration, bool) { return c.flight.since + c.timeout, c.flight.out }

// pick is the link whose turn it is: home's, unless it is shunned and another
// is not; of those that are all shunned, the one that was tried longest ago.
func (c *Courier) pick(now time.Duration) int {
	best := -1
	for i := range c.links {
		if l := &c.links[i]; l.open && now >= l.blocked && (best < 0 || c.before(l, &c.links[best], now)) {
			best = i
		}
	}
	return best
}

func (c *Courier) before(a, b *courierLink, now time.Duration) bool {
	if free, other := now >= a.shunned, now >= b.shunned; free != other {
		return free
	} else if !free {
		return a.shunned < b.shunned
	}
	return a.region == c.home
}
