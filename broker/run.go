package broker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/node"
)

const (
	// drainFor bounds the calls that are under way when a node stops: the mark
	// of a notice that was just sent saves a duplicate.
	drainFor = 500 * time.Millisecond
	// leaveFor bounds the last write of the lease.
	leaveFor = 500 * time.Millisecond
)

// Run opens the doors and works until ctx ends, or another node of the region
// takes over: then its error is ErrSuperseded. A standby opens the HTTP door,
// which says so, and no MQTT door.
func (b *Broker) Run(ctx context.Context) error {
	if err := b.gate.Listen(); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	late, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	b.effects.begin(late)
	saving, full := context.WithCancel(late)
	defer full()
	saved := make(chan struct{})
	go func() {
		defer close(saved)
		b.effects.saver.run(saving)
	}()
	b.core.start(b.nodeOptions())
	err := b.work(ctx)
	// Doors and sender end first; then what their last words want written, and
	// the lease last: it fences those words.
	b.effects.drain(drainFor)
	full()
	<-saved
	b.core.do(&node.Leave{})
	select {
	case <-b.core.ended:
	case <-time.After(leaveFor):
	}
	stop()
	b.effects.wg.Wait()
	if b.effects.nodes != nil {
		b.effects.nodes.Close()
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// work runs the doors and workers until ctx ends or one of them fails.
func (b *Broker) work(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	work := func(f func(context.Context)) { g.Go(func() error { f(ctx); return nil }) }
	g.Go(func() error { return b.gate.RunHTTP(ctx) })
	work(b.core.runTimer)
	work(b.effects.history.run)
	g.Go(func() error { return b.sender.Run(ctx) })
	g.Go(func() error { return b.keys.Run(ctx) })
	g.Go(func() error { return b.desk.Run(ctx) })
	g.Go(func() error { return b.serveRelays(ctx) })
	g.Go(func() error {
		select {
		case <-ctx.Done():
			b.core.do(&node.Drain{})
		case <-b.core.ended:
		}
		b.page.Close()
		return b.lost(ctx)
	})
	return g.Wait()
}

// shutAfter is how long relays may wait for a node that starts. Then its door
// is shut: they find another one.
const shutAfter = time.Second

// serveRelays opens the MQTT door when the node is ready.
func (b *Broker) serveRelays(ctx context.Context) error {
	shut := time.NewTimer(shutAfter)
	defer shut.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-shut.C:
			b.gate.Shut()
			b.log.Info("not ready: the MQTT door is shut", "why", b.core.Status())
			continue
		case <-b.core.opened:
		}
		b.announce()
		close(b.ready)
		return b.gate.RunMQTT(ctx)
	}
}

// lost is why a node that was not asked to stop is over.
func (b *Broker) lost(ctx context.Context) error {
	if ctx.Err() != nil {
		return nil
	}
	b.log.Warn("another node of the region took over: this one ends", "term", b.core.lost().Term)
	return ErrSuperseded
}

// LostTo is the term to which a node lost its region, after ErrSuperseded.
func (b *Broker) LostTo() int64 { return b.core.lost().Term }

func (c *core) lost() node.Over {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

// nodeOptions are the node's, once the doors' addresses are known.
func (b *Broker) nodeOptions() node.Options {
	o := node.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Life = b.o.Region, b.o.Regions, b.o.Node, newLife()
	p := &o.Presence
	p.Grace, p.Settle, p.SettleMax, p.Reask, p.Blind, p.ByeLasts = b.o.Grace, b.o.Settle, b.o.SettleMax, b.o.Reask, b.o.Blind, b.o.ByeLasts
	i := &o.Incident
	i.Gather, i.GatherLan, i.Takeover, i.AskAgain, i.Programs, i.Burst = b.o.Gather, b.o.GatherLan, b.o.Takeover, b.o.AskAgain, b.o.Programs, b.o.Burst
	for _, ch := range b.o.Channels {
		i.Channels = append(i.Channels, ch.Name())
		if l, ok := ch.(interface{ Local() bool }); ok && l.Local() {
			i.Local = append(i.Local, ch.Name())
		}
	}
	if len(i.Local) < len(i.Channels) {
		b.records.local = append([]incident.Channel(nil), i.Local...)
	}
	o.Link.Call, o.Link.Mail = b.o.AskTimeout, b.o.MailTimeout
	o.Link.ReadEvery = min(o.Link.ReadEvery, b.o.MailTimeout/5) // two readings, two replications, and room
	l := &o.Lease
	l.For, l.Renew, l.Address = b.o.LeaseFor, b.o.LeaseRenew, b.o.NodeURL
	l.Yields, l.Above = b.o.Yields, b.o.TermAbove
	if l.Address == "" {
		l.Address = b.doorURL()
	}
	return o
}

// doorURL is where other nodes of the region find this one's HTTP door; "":
// nowhere, since it listens on every address and no name was configured.
func (b *Broker) doorURL() string {
	scheme := "http"
	if b.o.HTTPTLS.CertFile != "" {
		scheme = "https"
	}
	if tcp, ok := b.HTTPAddr().(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return ""
	}
	return scheme + "://" + b.HTTPAddr().String()
}

func newLife() string {
	var raw [8]byte
	_, _ = rand.Read(raw[:]) // it never fails: crypto/rand ends the process instead
	return hex.EncodeToString(raw[:])
}

// loadRetry is how often a table that does not answer is tried at the start.
const loadRetry = time.Second

// load reads what the table remembers, and makes the node ready. It tries
// until ctx ends.
func (b *Broker) load(ctx context.Context, term int64) {
	for {
		loaded, err := b.tryLoad(ctx)
		if err == nil {
			loaded.Term = term
			b.core.do(loaded)
			return
		}
		if ctx.Err() != nil {
			return
		}
		b.core.notReady(err.Error())
		b.log.Warn("the table cannot be read: not ready, will retry", "after", loadRetry, "err", err)
		select {
		case <-ctx.Done():
			return
		case <-b.core.ended:
			return
		case <-time.After(loadRetry):
		}
	}
}

func (b *Broker) tryLoad(ctx context.Context) (*node.Loaded, error) {
	var l node.Loaded
	err := b.keys.Load(ctx)
	if err == nil {
		err = b.desk.Load(ctx)
	}
	if err == nil {
		l.Fleet = b.desk.Fleet()
		l.Stores, err = b.records.stores(ctx)
	}
	if err == nil {
		l.Incidents, err = b.records.incidents(ctx)
	}
	if err == nil {
		l.Notices, err = b.records.notices(ctx, b.core.clock().Wall)
	}
	if err != nil {
		return nil, err
	}
	key, err := b.keys.FirstAdmin(ctx)
	if err != nil {
		return nil, err
	}
	if key != "" {
		b.log.Warn("first admin key: keep it, it is not shown again", "key", key)
	}
	return &l, nil
}

func (b *Broker) announce() {
	b.log.Info("ready", "mqtt", b.MQTTAddr().String(), "http", b.HTTPAddr().String(), "peer", b.o.PeerURL,
		"node", b.o.Node, "term", b.records.term.Load(), "version", b.o.Version)
}
