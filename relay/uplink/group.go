package uplink

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/wan"
)

// Relay is what the uplinks ask of the relay. They call it from several
// goroutines, and never while it waits for them.
type Relay interface {
	// Picture is the whole picture of this instant; the caller owns it.
	Picture() *beat.Picture
	// Given is the highest number that a region may know of this relay's
	// incarnation, unless its journal was restored from a copy.
	Given() beat.Number
	// Exceed makes the next numbers exceed top, which a region knows. It is
	// called before any journal of the boot leaves.
	Exceed(top beat.Number) error
	// Forget retires a host: a region ordered it. An unknown host is no error.
	Forget(host beat.HostID)
}

// Journal is what the uplinks ask of the relay's journal; *journal.Journal is one.
type Journal interface {
	Incarnations
	Entries
}

// Incarnations are who the relay is, and its counters.
type Incarnations interface {
	Incarnation() beat.Incarnation
	// Acked says whether any region ever acked this incarnation.
	Acked() bool
	NoteAcked() error
	// Renew makes a new incarnation.
	Renew() (beat.Incarnation, error)
	// NextEpoch returns an epoch never returned before, above the given one.
	NextEpoch(above beat.Epoch) (beat.Epoch, error)
	// EpochTop is the highest that is reserved on disk.
	EpochTop() beat.Epoch
}

// Entries are the transitions that no region has taken yet.
type Entries interface {
	// Batch returns the oldest entries above after.
	Batch(after beat.Number, maxBytes, limit int) ([]beat.Transition, error)
	// Free deletes the entries up to through.
	Free(through beat.Number) error
	// Backlog is how many entries there are, and how many were ever lost.
	Backlog() (depth, lost uint64)
}

// Status is one uplink as people see it.
type Status struct {
	Region  beat.Region `json:"region"`
	Address string      `json:"address"`
	// Open says that the region acked the birth of this connection.
	Open  bool       `json:"open"`
	Home  bool       `json:"home"`
	Epoch beat.Epoch `json:"epoch,omitempty"`
	// Since is when it opened or closed; LastAck is the last acknowledged report.
	Since   time.Time `json:"since"`
	LastAck time.Time `json:"lastAck"`
	// Error is why it is not open.
	Error string `json:"error,omitempty"`
}

// Group is a relay's uplinks, one per region.
type Group struct {
	options Options
	relay   Relay
	journal Journal
	log     *slog.Logger
	metrics *Metrics
	courier *courier
	links   []*link
	// restarts says that the bye of this run promises to be back at once.
	restarts atomic.Bool

	start time.Time // of now

	mu   sync.Mutex // guards what follows
	past wan.Past
}

// New wires the uplinks and starts nothing.
func New(o Options, r Relay, j Journal, log *slog.Logger, m *Metrics) (*Group, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	g := &Group{
		options: o, relay: r, journal: j, log: log, metrics: m,
		start: time.Now(), past: wan.NewPast(j.EpochTop(), j.Acked()),
	}
	for _, region := range o.Regions {
		l, err := newLink(g, region)
		if err != nil {
			return nil, err
		}
		g.links = append(g.links, l)
	}
	g.courier = newCourier(g.links, j, o.BatchTimeout, log, m)
	return g, nil
}

// Run keeps a connection to each region until ctx is done. Then it says bye to
// each, within Options.ByeTimeout, and returns nil.
func (g *Group) Run(ctx context.Context) error {
	var running sync.WaitGroup
	for _, l := range g.links {
		running.Go(func() { l.run(ctx) })
	}
	running.Wait()
	return nil
}

// Stopping says, before the context of Run ends, whether the relay restarts:
// whether the regions may await it within minutes.
func (g *Group) Stopping(restart bool) { g.restarts.Store(restart) }

// Changed says that the picture or the journal changed: a report leaves on each
// open link when Options.Coalesce is over, together with what changes until
// then. It does not block.
func (g *Group) Changed() {
	for _, l := range g.links {
		l.dirty.Store(true)
		l.wake()
	}
}

// Written says that entries reached the disk, perhaps after the report about
// them left: now they may leave too. It does not block.
func (g *Group) Written() {
	for _, l := range g.links {
		l.wake()
	}
}

// Status is each uplink, in the order of Options.Regions.
func (g *Group) Status() []Status {
	home := g.courier.homeRegion()
	out := make([]Status, len(g.links))
	for i, l := range g.links {
		out[i] = l.status()
		out[i].Home = l.region.Region == home
	}
	return out
}

// now is the time by which reports leave.
func (g *Group) now() time.Duration { return time.Since(g.start) }

func (g *Group) times() wan.Times {
	o := g.options
	return wan.Times{
		ReportEvery: o.ReportEvery, Keepalive: o.Keepalive, AckTimeout: o.AckTimeout, Coalesce: o.Coalesce, PictureEvery: o.PictureEvery,
	}
}

// nextEpoch is the epoch of the next attempt of a link, above the given one.
func (g *Group) nextEpoch(above beat.Epoch) (beat.Epoch, error) {
	e, err := g.journal.NextEpoch(above)
	if err != nil {
		return 0, err
	}
	g.mu.Lock()
	g.past.Gave(e)
	g.mu.Unlock()
	return e, nil
}

// heardEpoch is told that a region knows an epoch of this relay: one that was
// never given here means that the journal was restored from a copy.
func (g *Group) heardEpoch(l *link, known beat.Epoch) {
	g.mu.Lock()
	beyond := g.past.Beyond(known)
	g.mu.Unlock()
	if beyond {
		g.restored(l)
	}
}

// heardNumber is told the highest number that a region knows of this
// incarnation. The error says that the numbers could not be made to exceed it.
func (g *Group) heardNumber(l *link, top beat.Number) error {
	if top <= g.relay.Given() {
		return nil
	}
	g.restored(l)
	return g.relay.Exceed(top)
}

// restored makes a new incarnation, once per boot, if this one was acked: what
// the region knows happened after the copy was taken. An incarnation that
// nobody acked is new, and the region remembers another relay of this name.
func (g *Group) restored(l *link) {
	g.mu.Lock()
	must := g.past.Renews(l.known.Load())
	g.mu.Unlock()
	if !must {
		return
	}
	inc, err := g.journal.Renew()
	if err != nil {
		g.log.Error("the journal was restored from a copy, and no new incarnation can be made: make room on the disk", "err", err)
		g.mu.Lock()
		g.past.Failed()
		g.mu.Unlock()
		return
	}
	g.log.Warn("the journal was restored from a copy: the relay goes on as a new incarnation", "incarnation", inc.String())
	g.metrics.renewed.Inc()
	g.courier.reset()
	for _, l := range g.links {
		l.wake() // its session names the old one in its will
	}
}

// acked does what a region's ack says. l is the link that brought it, birth
// says that it answers this connection's birth.
func (g *Group) acked(l *link, a beat.Ack, birth bool) {
	if a.Incarnation != g.journal.Incarnation() {
		return
	}
	if birth {
		if err := g.heardNumber(l, a.Top); err != nil {
			l.log.Error("no numbers above those that the region knows: no history leaves", "top", uint64(a.Top), "err", err)
			return
		}
		if a.Incarnation != g.journal.Incarnation() {
			return // it is a new one now
		}
		l.known.Store(true)
		if err := g.journal.NoteAcked(); err != nil {
			l.log.Warn("the journal cannot note that it was acked", "err", err)
		}
		g.courier.opened(l, a.Home)
	}
	if a.Through > 0 {
		g.courier.taken(l, a.Through)
	}
}

// witnesses is what the relay knows of the regions other than l's.
func (g *Group) witnesses(l *link) []beat.Witness {
	var out []beat.Witness
	for _, o := range g.links {
		if o != l {
			out = append(out, o.witness())
		}
	}
	return out
}
