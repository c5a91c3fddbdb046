package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/peer"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// core holds what the node knows, and steps it. It does no I/O: what its steps
// want done goes to the effects, which queue it.
type core struct {
	clock   func() beat.Now
	log     *slog.Logger
	metrics *metrics
	effects *effects
	home    func(beat.StoreID) beat.Region
	table   *watched
	// node and software are what State names.
	node, software string

	// version grows with every change that people see.
	version atomic.Uint64
	// wake tells the timer that something may be due earlier than it thinks.
	wake chan struct{}

	mu       sync.Mutex // guards what follows
	ready    bool
	problem  string // why it is not ready
	presence *presence.Presence
	book     *incident.Book
	armed    time.Duration // when the timer looks next
	pOut     []presence.Out
	bOut     []incident.Out
	activity activityLog
	// turnedDown is why the step that is under way refused its event.
	turnedDown presence.Refusal
}

// errNotReady is a node that has not loaded what the table remembers.
var errNotReady = errors.New("not ready")

// Status says why the node cannot do its job.
func (c *core) Status() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready {
		return fmt.Errorf("%w: %s", errNotReady, c.problem)
	}
	return nil
}

func (c *core) notReady(problem string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problem = problem
}

// begin makes the node ready: it knows what the table remembers.
func (c *core) begin(p *presence.Presence, b *incident.Book, loaded *presence.Loaded, remembered *incident.Loaded) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.presence, c.book, c.ready = p, b, true
	c.stepBook(remembered)
	c.step(loaded)
}

// Admit says whether a relay may connect.
func (c *core) Admit(id beat.Identity, d beat.Death) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready {
		return errNotReady
	}
	if why := c.presence.Admit(id, d); why != presence.NotRefused {
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
	if !c.ready {
		return errNotReady
	}
	c.turnedDown = presence.NotRefused
	c.step(&presence.Direct{Store: store, Beat: b})
	if why := c.turnedDown; why != presence.NotRefused {
		return fmt.Errorf("store %s: %v", store, why)
	}
	return nil
}

// do steps presence, and says whether the node was ready for it.
func (c *core) do(e presence.Event) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready {
		return false
	}
	c.step(e)
	return true
}

// tell steps the book.
func (c *core) tell(e incident.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ready {
		c.stepBook(e)
		c.arm()
	}
}

// step is presence.Step and all that follows from it. c.mu is held.
func (c *core) step(e presence.Event) {
	now := c.clock()
	c.pOut = c.presence.Step(now, e, c.pOut[:0])
	for _, o := range c.pOut {
		switch o := o.(type) {
		case *presence.Decided:
			c.log.Debug("decided", "store", o.Verdict.Store, "host", o.Verdict.Host, "condition", o.Verdict.Condition.String(), "reason", o.Verdict.Reason)
			c.stepBook(&incident.Decided{Verdict: o.Verdict})
		case *presence.Adopted:
			c.metrics.adopted.Inc()
			c.log.Info("host adopted", "store", o.Store, "host", o.Host, "via", o.Via.String())
			c.activity.add(now.Wall, "adopted", o.Store, o.Host, fmt.Sprintf("%s/%s beats for the first time (%s)", o.Store, o.Host, o.Via))
		case *presence.RelayChanged:
			c.log.Warn("the store has another relay", "store", o.Store, "from", o.From, "to", o.To)
			c.activity.add(now.Wall, "relay-changed", o.Store, "", fmt.Sprintf("%s: relay %s was replaced by %s", o.Store, o.From, o.To))
		case *presence.Refused:
			c.turnedDown = o.Reason
			c.metrics.refused.WithLabelValues(o.Reason.String()).Inc()
			c.log.Debug("refused", "id", o.ID.String(), "reason", o.Reason.String())
		case *presence.Acked:
			o.Ack.Home = c.home(o.ID.Store)
			c.effects.presence(o)
		default:
			c.effects.presence(o)
		}
	}
	if len(c.pOut) > 0 {
		c.version.Add(1)
		clear(c.pOut)
	}
	c.arm()
}

// stepBook is incident.Step and all that follows from it. c.mu is held.
func (c *core) stepBook(e incident.Event) {
	now := c.clock()
	c.bOut = c.book.Step(now, e, c.bOut[:0])
	for _, o := range c.bOut {
		switch o := o.(type) {
		case *incident.Happened:
			c.happened(now, o)
		case *incident.GaveUp:
			c.log.Error("notice given up", "notice", o.Notice.ID, "channel", o.Channel)
			c.activity.add(now.Wall, "given-up", "", "", fmt.Sprintf("notice %s was given up on channel %s", o.Notice.ID, o.Channel))
		case *incident.Superseded:
			c.log.Error("another node of this region is active: this one tells nothing", "notice", o.Notice.ID)
		default:
			c.effects.incident(o)
		}
	}
	if len(c.bOut) > 0 {
		c.version.Add(1)
		clear(c.bOut)
	}
}

func (c *core) happened(now beat.Now, o *incident.Happened) {
	i := &o.Incident
	c.metrics.incidents.WithLabelValues(string(i.Kind), string(o.Change)).Inc()
	c.log.Info("incident", "change", string(o.Change), "kind", string(i.Kind), "store", i.Store, "host", i.Host, "id", string(i.ID), "reason", i.Reason)
	what := string(i.Store)
	if i.Host != "" {
		what += "/" + string(i.Host)
	}
	c.activity.add(now.Wall, string(i.Kind), i.Store, i.Host, fmt.Sprintf("%s: %s %s", what, i.Kind, o.Change))
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
	next := farAway
	if at, ok := c.presence.Next(); ok {
		next = at
	}
	if at, ok := c.book.Next(); ok {
		next = min(next, at)
	}
	return next
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
	if !c.ready {
		c.armed = farAway
		return idle
	}
	now := c.clock()
	if c.next() <= now.Mono {
		c.stepBook(nil)
		c.step(nil)
		c.version.Add(1)
		now = c.clock()
	}
	c.armed = c.next()
	return min(max(c.armed-now.Mono, 0), idle)
}

// Asked answers the other region about stores and hosts.
func (c *core) Asked(_ context.Context, q presence.Question) (presence.Answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready {
		return presence.Answer{}, errNotReady
	}
	var answer presence.Answer
	c.effects.reply = func(o presence.Out) { answer = o.(*presence.Reply).Answer }
	c.step(&presence.Asked{Question: q})
	c.effects.reply = nil
	return answer, nil
}

// Told answers the other region about what is told here.
func (c *core) Told(_ context.Context, q incident.ToldQuestion) (incident.ToldAnswer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready {
		return incident.ToldAnswer{}, errNotReady
	}
	var answer incident.ToldAnswer
	c.effects.replyTold = func(o *incident.Reply) { answer = o.Answer }
	c.stepBook(&incident.Asked{Question: q})
	c.effects.replyTold = nil
	c.arm()
	return answer, nil
}

// Heard takes news of the other region.
func (c *core) Heard(news []presence.News) error {
	if !c.do(&presence.Heard{News: news}) {
		return errNotReady
	}
	return nil
}

// State is how this region is, for the other one's people.
func (c *core) State() peer.State {
	ok, _, _ := c.table.health()
	c.mu.Lock()
	defer c.mu.Unlock()
	s := peer.State{Node: c.node, Version: c.software, TableOK: ok}
	if c.ready {
		s.Settled, s.Sessions = c.presence.Settled(), c.presence.Sessions()
	}
	return s
}

// Forwarded takes the other region's verdicts.
func (c *core) Forwarded(from beat.Region, verdicts []presence.Verdict) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready {
		return errNotReady
	}
	c.stepBook(&incident.Forwarded{From: from, Verdicts: verdicts})
	c.step(&presence.Forwarded{Verdicts: verdicts})
	return nil
}
