package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/gate"
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/lease"
	"github.com/hb-mesh/hb-mesh/broker/node"
	"github.com/hb-mesh/hb-mesh/broker/peer"
	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/guard"
)

// core is the node behind one lock and one clock. It does no I/O: what the
// node's steps want done goes to the effects, which queue it.
type core struct {
	clock   func() beat.Now
	log     *slog.Logger
	sparse  *guard.Sparse // for what the other region and the table can cause as often as they like
	metrics *metrics
	effects *effects
	table   *watched
	// software is what the other region is told.
	software string

	// version grows with every change that people see.
	version atomic.Uint64
	// wake tells the timer that something may be due earlier than it thinks.
	wake chan struct{}
	// opened is closed when the node is ready, ended when it is over.
	opened, ended chan struct{}

	mu      sync.Mutex // guards what follows
	node    *node.Node // nil before start
	ready   bool       // the node is, and presence and book are its own
	problem string     // why it is not ready
	over    node.Over
	// presence and book are the node's, to look at.
	presence *presence.Presence
	book     *incident.Book
	armed    time.Duration // when the timer looks next
	out      []node.Out
	activity activityLog
	// turnedDown and responded are of the step that is under way.
	turnedDown presence.Refusal
	responded  *node.Respond
}

var (
	_ gate.Core = (*core)(nil)
	_ peer.Core = (*core)(nil)
)

// errNotReady is a node that has not loaded what the table remembers.
var errNotReady = errors.New("not ready")

// start gives the core its node.
func (c *core) start(o node.Options) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.node = node.New(o, c.clock())
	c.step(nil)
}

// Status says why the node cannot do its job.
func (c *core) Status() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.blocked()
}

// blocked is Status' error. c.mu is held.
func (c *core) blocked() error {
	if c.node == nil {
		return fmt.Errorf("%w: starting", errNotReady)
	}
	switch why := c.node.Blocked(); {
	case why == "":
		return nil
	case why == node.Reason(lease.Held), why == node.Reason(lease.Outbid):
		return gate.ErrStandby
	case why == node.Loading && c.problem != "":
		return fmt.Errorf("%w: %s", errNotReady, c.problem)
	default:
		return fmt.Errorf("%w: %s", errNotReady, why)
	}
}

func (c *core) notReady(problem string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problem = problem
}

// home is the region that tells a store's incidents first. c.mu is held.
func (c *core) home(s beat.StoreID) beat.Region { return c.node.Home(s) }

// pin is the home that an operator chose for a store, or "". c.mu is held.
func (c *core) pin(s beat.StoreID) beat.Region { return c.node.Pin(s) }

// homeOf is home, for who does not hold c.mu.
func (c *core) homeOf(s beat.StoreID) beat.Region {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.home(s)
}

// Admit says whether a relay may connect.
func (c *core) Admit(id beat.Identity, d beat.Death) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.blocked(); err != nil {
		return err
	}
	if why := c.presence.Admit(id, d); why != presence.NotRefused {
		if why == presence.Clash { // a second relay of one identity (P14)
			c.step(&presence.Clashed{ID: id, Death: d})
		}
		return fmt.Errorf("relay %v: %v", id, why)
	}
	return nil
}

// Report takes a relay's envelope.
func (c *core) Report(conn presence.Conn, r *beat.Report) {
	c.do(&presence.Report{Conn: conn, Report: r})
}

// Ended takes the end of a relay's connection.
func (c *core) Ended(conn presence.Conn, id beat.Identity, d beat.Death) {
	c.do(&presence.Ended{Conn: conn, ID: id, Death: d})
}

// Direct takes a beat without a relay.
func (c *core) Direct(store beat.StoreID, b beat.Beat) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.blocked(); err != nil {
		return err
	}
	c.turnedDown = presence.NotRefused
	c.step(&presence.Direct{Store: store, Beat: b})
	if why := c.turnedDown; why != presence.NotRefused {
		return fmt.Errorf("store %s: %v", store, why)
	}
	return nil
}

// do steps the node, and says whether it was there.
func (c *core) do(e node.Event) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.node == nil {
		return false
	}
	c.step(e)
	return true
}

// settings takes what operators say.
func (c *core) settings(f *setting.Fleet, changed []beat.StoreID) {
	c.do(&node.Settings{Fleet: f, Changed: changed})
}

// holds says whether the lease still lets this node write what only the active
// node of a region may: another one may have taken over while it stood still.
func (c *core) holds() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.node != nil && c.node.Until() > c.clock().Mono
}

// step is node.Step and all that follows from it. c.mu is held.
func (c *core) step(e node.Event) {
	now := c.clock()
	c.out = c.node.Step(now, e, c.out[:0])
	for _, o := range c.out {
		c.did(now, o)
	}
	if len(c.out) > 0 {
		c.version.Add(1)
		clear(c.out)
	}
	c.arm()
}

// arm wakes the timer if something is due before it looks. c.mu is held.
func (c *core) arm() {
	if next := c.next(); next < c.armed {
		c.armed = next
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

const farAway = time.Duration(1<<63 - 1)

func (c *core) next() time.Duration {
	if at, ok := c.node.Next(); ok {
		return at
	}
	return farAway
}

// runTimer steps the core when something is due, until ctx ends.
func (c *core) runTimer(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		case <-timer.C:
		}
		timer.Reset(c.tick())
	}
}

// idle is how long the timer sleeps where nothing is due.
const idle = time.Minute

// tick does what is due, and says how long nothing is.
func (c *core) tick() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock()
	if c.next() <= now.Mono {
		c.step(nil)
		if c.ready {
			c.version.Add(1)
			c.metrics.queues(c.node.Link())
		}
		now = c.clock()
	}
	c.armed = c.next()
	return min(max(c.armed-now.Mono, 0), idle)
}

// Received answers the other region.
func (c *core) Received(_ context.Context, r *wire.Request) (*wire.Response, error) {
	ok, _, _ := c.table.health()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.node == nil {
		return nil, errNotReady
	}
	c.responded = nil
	c.step(&node.Received{Request: r})
	a := c.responded
	if a == nil || a.Response == nil {
		return nil, c.blocked()
	}
	a.Response.State.Version, a.Response.State.TableOK = c.software, ok
	return a.Response, nil
}

// Superseded takes the word of a node of this region that took over.
func (c *core) Superseded(term int64) { c.do(&node.Knows{Term: term}) }
