package relay

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/guard"
	"github.com/hb-mesh/hb-mesh/relay/journal"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

const (
	// tickEvery is how often the roster is looked at when nothing is due: it
	// finds out that the process stood still.
	tickEvery = time.Second
	// stalled is a tick so late that beats may wait in the sockets meanwhile.
	stalled = 3 * time.Second
	// retryNumbers is the wait before numbers are asked of a disk that gave none.
	retryNumbers = 2 * time.Second
)

// errClosing is what a beat gets while the relay says bye: nobody counts it.
var errClosing = &guard.Refusal{Status: http.StatusServiceUnavailable, Message: "the relay is closing"}

// core steps the roster, one event at a time, and hands on what it decides: to
// the journal in the order of the numbers, to the uplinks at once.
type core struct {
	boot    beat.Boot
	clock   func() beat.Now
	log     *slog.Logger
	metrics *Metrics
	journal *journal.Journal
	// changed tells the uplinks that there is news, written that transitions
	// reached the disk. They do not block.
	changed, written func()

	// Each of these holds one signal at most.
	wake    chan struct{} // a deadline came nearer
	numbers chan struct{} // the roster needs numbers
	commits chan struct{} // pending is not empty

	mu      sync.Mutex // guards what follows
	roster  *roster.Roster
	outs    []roster.Out // scratch
	ticked  time.Duration
	armed   time.Duration // when the clock's goroutine looks again
	pending []*journal.Pending
	closed  bool
	// strangers are the hosts that were refused of late.
	strangers strangers
}

// effect is what one event did.
type effect struct {
	written *journal.Pending // nil if nothing goes to disk
	changed bool             // the picture or the journal has news
	refused roster.Ignorance // a beat that is not counted
}

// Deliver takes an event from the LAN. It returns when what it changed is on
// disk; a beat that changes nothing returns at once. A disk that takes nothing
// is no error: presence goes on from memory. A Refusal is a beat that is not
// counted; the context's error leaves it unknown whether it is on disk.
func (c *core) Deliver(ctx context.Context, e roster.Event) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return refuse(e)
	}
	f := c.take(e)
	c.mu.Unlock()
	if f.changed {
		c.changed()
	}
	if f.written != nil {
		if err := f.written.Wait(ctx); err != nil && ctx.Err() != nil {
			c.commitLater(f.written)
			return err //nolint:wrapcheck // the journal's own words
		} else if err != nil {
			c.metrics.undurable.Inc()
		}
		c.written()
	}
	if _, isBeat := e.(*roster.Beat); isBeat && f.refused != 0 {
		return &guard.Refusal{Status: http.StatusInternalServerError, Message: f.refused.String()}
	}
	return nil
}

// refuse is the answer to an event while the relay closes. A register that
// beats or says bye is not to think that it was heard; the ends of connections
// are the relay's own doing.
func refuse(e roster.Event) error {
	switch e.(type) {
	case *roster.Beat, *roster.Bye:
		return errClosing
	default:
		return nil
	}
}

// apply is Deliver for whoever must not wait for the disk.
func (c *core) apply(e roster.Event) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	f := c.take(e)
	c.mu.Unlock()
	if f.changed {
		c.changed()
	}
	if f.written != nil {
		c.commitLater(f.written)
	}
}

// take steps the roster. The caller holds mu.
func (c *core) take(e roster.Event) effect {
	now := c.clock()
	outs := c.outs[:0]
	if now.Mono-c.ticked > stalled {
		c.log.Warn("the process stood still: silence counts a little later", "for", now.Mono-c.ticked)
		c.metrics.stalls.Inc()
		outs = c.roster.Step(now, &roster.Woke{}, outs)
		c.ticked = now.Mono
	}
	outs = c.roster.Step(now, e, outs)
	if next, ok := c.roster.Next(); ok && next <= now.Mono {
		outs = c.roster.Step(now, nil, outs) // a blip of 0 is over at once
	}
	c.outs = outs
	f := c.handle(outs)
	if next, ok := c.roster.Next(); ok && next < c.armed {
		signal(c.wake)
	}
	return f
}

// handle does what the roster asks for. The caller holds mu.
func (c *core) handle(outs []roster.Out) effect {
	var f effect
	var entries []journal.Entry
	for _, o := range outs {
		switch o := o.(type) {
		case *roster.Changed:
			o.Transition.Boot = c.boot
			entries = append(entries, journal.Entry{Transition: o.Transition, Record: o.Record})
			f.changed = true
			c.tell(o)
		case *roster.Forgot:
			o.Transition.Boot = c.boot
			entries = append(entries, journal.Entry{Transition: o.Transition, Forget: true})
			f.changed = true
			c.log.Info("host retired", "host", o.Host)
		case *roster.Noted:
			entries = append(entries, journal.Entry{Record: o.Record})
		case *roster.Shown:
			f.changed = true
		case *roster.NeedNumbers:
			signal(c.numbers)
		case *roster.Lan:
			o.Transition.Boot = c.boot
			entries = append(entries, journal.Entry{Transition: o.Transition, Lan: &o.Record})
			f.changed = true
			c.tellLan(o)
		case *roster.Flaps:
			f.changed = true
			c.tellFlaps(o)
		case *roster.Calm:
			f.changed = true
			c.log.Info("host was stable for ten minutes: it does not flap any more", "host", o.Host)
		case *roster.Conflict:
			c.metrics.conflicts.Inc()
			c.log.Warn("two computers beat as one host: give one of them another id", "host", o.Host, "a", o.A, "b", o.B)
		case *roster.Ignored:
			c.metrics.ignored.WithLabelValues(o.Why.String()).Inc()
			if o.Why.Refused() {
				f.refused = o.Why
				c.strangers.note(o, c.clock().Wall)
			}
			c.log.Debug("ignored", "host", o.Host, "why", o.Why.String())
		}
	}
	if len(entries) > 0 {
		f.written = c.journal.Put(entries)
	}
	return f
}

// tell logs and counts a transition.
func (c *core) tell(o *roster.Changed) {
	t := &o.Transition
	c.metrics.transitions.WithLabelValues(t.State.String()).Inc()
	if o.New {
		c.log.Info("host adopted", "host", t.Host, "interval", time.Duration(t.IntervalMs)*time.Millisecond, "addr", o.Record.Addr)
		return
	}
	c.log.Info("host changed", "host", t.Host, "state", t.State.String(), "reason", t.Reason.String(), "number", uint64(t.Number))
}

func (c *core) tellLan(o *roster.Lan) {
	t := &o.Transition
	if !o.Record.Dead {
		c.metrics.lanDead.Set(0)
		c.log.Info("the store's LAN is well again", "number", uint64(t.Number))
		return
	}
	c.metrics.lanDead.Set(1)
	c.metrics.lanDeaths.Inc()
	c.log.Warn("the store's LAN is dead: look at the switch and its power", "reason", t.Reason.String(), "number", uint64(t.Number))
}

func (c *core) tellFlaps(o *roster.Flaps) {
	if !o.Held {
		c.metrics.unsteady.Inc()
		c.log.Warn("host flaps: it changed more than six times in ten minutes", "host", o.Host)
		return
	}
	c.metrics.flaps.Inc()
	c.log.Warn("host changes too often: it is shown by its worse state until it was calm for a minute", "host", o.Host)
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// load gives the roster what the journal remembers, and the first numbers.
func (c *core) load() error {
	hosts, err := c.journal.Hosts()
	if err != nil {
		return err //nolint:wrapcheck // the journal's own words
	}
	lan, err := c.journal.Lan()
	if err != nil {
		return err //nolint:wrapcheck // the journal's own words
	}
	from, to, err := c.journal.ReserveNumbers(0)
	if err != nil {
		return err //nolint:wrapcheck // the journal's own words
	}
	c.apply(&roster.Loaded{Hosts: hosts, Lan: lan})
	if lan != nil && lan.Dead {
		c.metrics.lanDead.Set(1)
	}
	c.apply(&roster.Numbers{From: from, To: to})
	return nil
}

// runClock lets time pass for the roster, until ctx is done.
func (c *core) runClock(ctx context.Context) {
	timer := time.NewTimer(tickEvery)
	defer timer.Stop()
	for {
		c.mu.Lock()
		now := c.clock().Mono
		c.armed = now + tickEvery
		if next, ok := c.roster.Next(); ok {
			c.armed = min(c.armed, next)
		}
		timer.Reset(max(0, c.armed-now))
		c.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		case <-timer.C:
		}
		c.apply(nil)
		c.mu.Lock()
		c.ticked = c.clock().Mono
		c.mu.Unlock()
	}
}

// runNumbers reserves numbers when the roster runs low, until ctx is done.
func (c *core) runNumbers(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.numbers:
		}
		from, to, err := c.journal.ReserveNumbers(0)
		if err == nil {
			c.apply(&roster.Numbers{From: from, To: to})
			continue
		}
		if !errors.Is(err, journal.ErrClosed) {
			c.log.Error("the disk gives no numbers for transitions: make room on it", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryNumbers):
			signal(c.numbers)
		}
	}
}

// commitLater leaves it to runCommits to write what nobody waits for.
func (c *core) commitLater(p *journal.Pending) {
	c.mu.Lock()
	c.pending = append(c.pending, p)
	c.mu.Unlock()
	signal(c.commits)
}

// runCommits writes what deadlines and commands changed, until ctx is done.
func (c *core) runCommits(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.commits:
		}
		c.mu.Lock()
		pending := c.pending
		c.pending = nil
		c.mu.Unlock()
		for _, p := range pending {
			if err := p.Wait(ctx); err != nil && ctx.Err() == nil {
				c.metrics.undurable.Inc()
			}
			c.written()
		}
	}
}

// close makes the ends of connections no evidence any more: the relay ends
// them itself.
func (c *core) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
}

// Picture is the whole picture of this instant.
func (c *core) Picture() *beat.Picture {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.roster.Picture(c.clock())
	return &p
}

// Given is the highest number that a region may know from this journal.
func (c *core) Given() beat.Number {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.roster.Given()
}

// Exceed makes the next numbers exceed top, which a region knows.
func (c *core) Exceed(top beat.Number) error {
	if top <= c.Given() {
		return nil
	}
	from, to, err := c.journal.ReserveNumbers(top)
	if err != nil {
		return err //nolint:wrapcheck // the journal's own words
	}
	c.log.Warn("a region knows higher numbers than this journal: it was restored from a copy; jumping above", "top", uint64(top))
	c.apply(&roster.Numbers{From: from, To: to, Jump: true})
	return nil
}

// Forget retires a host: a region ordered it.
func (c *core) Forget(host beat.HostID) { c.apply(&roster.Forget{Host: host}) }

// views is every host for people.
func (c *core) views() []roster.View {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.roster.Hosts(c.clock())
}

// lan is the store's LAN now, or nil while it never died.
func (c *core) lan() *beat.Lan {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.roster.Lan(c.clock())
}

// counts is how many hosts there are in each state.
func (c *core) counts() map[beat.HostState]int {
	n := map[beat.HostState]int{}
	for _, v := range c.views() {
		n[v.State]++
	}
	return n
}
