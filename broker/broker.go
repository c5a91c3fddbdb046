package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hb-mesh/hb-mesh/broker/credential"
	"github.com/hb-mesh/hb-mesh/broker/dashboard"
	"github.com/hb-mesh/hb-mesh/broker/gate"
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/broker/operator"
	"github.com/hb-mesh/hb-mesh/broker/peer"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Broker is one node of a region: New wires it, Run works.
type Broker struct {
	o       Options
	log     *slog.Logger
	core    *core
	effects *effects
	records *records
	table   *watched
	keys    *credential.Keyring
	desk    *operator.Desk
	gate    *gate.Gate
	peer    *peer.Client // nil: there is no other region
	sender  *notice.Sender
	page    *dashboard.Server
	ready   chan struct{}
}

// New wires a node; it starts nothing.
func New(o Options) (*Broker, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	b := &Broker{o: o, log: o.Logger.With("region", string(o.Region)), ready: make(chan struct{})}
	m := newMetrics(o.Registry)
	start := time.Now()
	clock := func() beat.Now {
		now := time.Now()
		return beat.Now{Mono: now.Sub(start), Wall: now.UTC()}
	}
	home := b.home
	b.table = &watched{Table: o.Table, metrics: m}
	b.records = &records{table: b.table, region: o.Region, keep: o.HistoryFor, timeout: o.TableTimeout}
	b.effects = &effects{
		o: &b.o, log: b.log, metrics: m, records: b.records, calls: make(chan struct{}, maxCalls), asks: make(chan struct{}, maxAsks),
		saver: newSaver(b.table, o.TableTimeout, b.log, m),
	}
	b.core = &core{
		clock: clock, log: b.log, metrics: m, effects: b.effects, home: home, table: b.table,
		node: o.Node, software: o.Version,
		wake: make(chan struct{}, 1), armed: farAway, problem: "starting",
	}
	b.effects.core = b.core
	b.effects.history = &historian{
		records: b.records, home: home, send: b.effects.send, timeout: o.TableTimeout,
		log: b.log, metrics: m, queue: make(chan *presence.Journal, historyQueue),
	}
	for _, wire := range []func(*metrics) error{b.wireKeys, b.wireSettings, b.wireGate, b.wirePeer, b.wireSender, b.wirePage} {
		if err := wire(m); err != nil {
			return nil, fmt.Errorf("broker: %w", err)
		}
	}
	return b, nil
}

func (b *Broker) wireKeys(*metrics) error {
	o := credential.DefaultOptions()
	o.Region, o.Table, o.Static, o.Logger = b.o.Region, b.table, b.o.Keys, b.log
	o.Metrics = credential.NewMetrics(b.o.Registry)
	keys, err := credential.New(o)
	b.keys = keys
	return err
}

func (b *Broker) wireGate(*metrics) error {
	o := gate.DefaultOptions()
	o.MQTTAddr, o.HTTPAddr, o.MQTTTLS, o.HTTPTLS = b.o.MQTTAddr, b.o.HTTPAddr, b.o.MQTTTLS, b.o.HTTPTLS
	o.Insecure, o.ExemptLoopback, o.BirthWithin = b.o.Insecure, b.o.ExemptLoopback, b.o.BirthWithin
	o.Keys, o.Gatherer, o.Listen, o.Logger = b.keys, b.o.Registry, b.o.Listen, b.log
	o.Metrics = gate.NewMetrics(b.o.Registry)
	g, err := gate.New(o, b.core)
	b.gate, b.effects.gate = g, g
	return err
}

func (b *Broker) wirePeer(*metrics) error {
	other := b.o.other()
	if other == "" {
		return nil
	}
	m := peer.NewMetrics(b.o.Registry)
	c := peer.DefaultClientOptions()
	c.Region, c.Peer, c.URL, c.Secret, c.Timeout = b.o.Region, other, b.o.PeerURL, b.o.PeerSecret, b.o.AskTimeout
	c.TLS, c.Dial = b.o.PeerTLS, b.o.Dial
	client, err := peer.NewClient(c, b.log, m)
	if err != nil {
		return err
	}
	s := peer.DefaultServerOptions()
	s.Region, s.Peer, s.Secret = b.o.Region, other, b.o.PeerSecret
	server, err := peer.NewServer(s, b.core, b.log, m)
	if err != nil {
		return err
	}
	b.peer, b.effects.peer = client, client
	b.gate.Mount(peer.Prefix, server)
	return nil
}

func (b *Broker) wireSender(*metrics) error {
	o := notice.DefaultSenderOptions(b.o.Region)
	o.Render.Link, o.Render.Zone = b.o.Link, b.o.Zone
	o.Now, o.Done = b.core.clock, b.effects.published
	s, err := notice.NewSender(o, b.o.Channels, b.log, notice.NewMetrics(b.o.Registry))
	b.sender, b.effects.sender = s, s
	return err
}

func (b *Broker) wirePage(*metrics) error {
	o := dashboard.DefaultOptions()
	a := &api{b: b}
	o.Source, o.Operator, o.Archive, o.Keys, o.Authorize = a, a, a, keyDesk{b.keys}, a.authorize
	o.Declarations, o.Rules = b.desk, b.desk
	o.Scripts, o.Version, o.Logger = b.o.Scripts, b.o.Version, b.log
	o.Metrics = dashboard.NewMetrics(b.o.Registry)
	page, err := dashboard.New(o)
	if err != nil {
		return err
	}
	b.page = page
	b.gate.Mount("/", page)
	for pattern, h := range b.o.Extra {
		b.gate.Mount(pattern, h)
	}
	return nil
}

// Ready is closed when the node has loaded what the table remembers and its
// doors answer.
func (b *Broker) Ready() <-chan struct{} { return b.ready }

// MQTTAddr and HTTPAddr are where the doors listen, after Ready.
func (b *Broker) MQTTAddr() net.Addr { return b.gate.MQTTAddr() }

// HTTPAddr is where the HTTP door listens, after Ready.
func (b *Broker) HTTPAddr() net.Addr { return b.gate.HTTPAddr() }

// drainFor bounds the calls that are under way when a node stops: the mark of
// a notice that was just sent saves a duplicate.
const drainFor = 500 * time.Millisecond

// Run opens the doors and works until ctx ends. While the table cannot be
// read, the HTTP door says so, and relays find the other region.
func (b *Broker) Run(ctx context.Context) error {
	if err := b.gate.Listen(); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	late, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	b.effects.begin(late)
	saved := make(chan struct{})
	go func() {
		defer close(saved)
		b.effects.saver.run(late)
	}()
	g, ctx := errgroup.WithContext(ctx)
	work := func(f func(context.Context)) { g.Go(func() error { f(ctx); return nil }) }
	g.Go(func() error { return b.gate.RunHTTP(ctx) })
	work(b.core.runTimer)
	work(b.effects.history.run)
	g.Go(func() error { return b.sender.Run(ctx) })
	g.Go(func() error { return b.keys.Run(ctx) })
	g.Go(func() error { return b.desk.Run(ctx) })
	if b.peer != nil {
		g.Go(func() error { return b.peer.Run(ctx) })
	}
	g.Go(func() error {
		if err := b.load(ctx); err != nil {
			return err
		}
		return b.gate.RunMQTT(ctx)
	})
	g.Go(func() error {
		<-ctx.Done()
		b.page.Close()
		return nil
	})
	// Doors and sender end first; then what their last words want written.
	err := g.Wait()
	b.effects.drain(drainFor)
	stop()
	<-saved
	b.effects.wg.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// loadRetry is how often a table that does not answer is tried at the start.
const loadRetry = time.Second

// load reads what the table remembers, and makes the node ready. It tries
// until ctx ends.
func (b *Broker) load(ctx context.Context) error {
	for {
		err := b.tryLoad(ctx)
		if err == nil {
			b.announce()
			close(b.ready)
			return nil
		}
		if ctx.Err() != nil {
			return nil
		}
		b.core.notReady(err.Error())
		b.log.Warn("the table cannot be read: not ready, will retry", "after", loadRetry, "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(loadRetry):
		}
	}
}

func (b *Broker) tryLoad(ctx context.Context) error {
	now := b.core.clock()
	if err := b.records.takeTerm(ctx, b.o.Node, now.Wall); err != nil {
		return err
	}
	if err := b.keys.Load(ctx); err != nil {
		return err
	}
	if err := b.desk.Load(ctx); err != nil {
		return err
	}
	stores, err := b.records.stores(ctx)
	if err != nil {
		return err
	}
	incidents, err := b.records.incidents(ctx)
	if err != nil {
		return err
	}
	notices, err := b.records.notices(ctx, now.Wall)
	if err != nil {
		return err
	}
	if key, err := b.keys.FirstAdmin(ctx); err != nil {
		return err
	} else if key != "" {
		b.log.Warn("first admin key: keep it, it is not shown again", "key", key)
	}
	p := presence.Options{
		Region: b.o.Region, Regions: b.o.Regions, Node: b.o.Node, Term: b.records.term,
		Grace: b.o.Grace, Settle: b.o.Settle, Reask: b.o.Reask, Blind: b.o.Blind, ByeLasts: b.o.ByeLasts,
	}
	i := incident.Options{
		Region: b.o.Region, Regions: b.o.Regions, Node: b.o.Node, Term: b.records.term,
		Gather: b.o.Gather, Takeover: b.o.Takeover, AskAgain: b.o.AskAgain,
	}
	for _, ch := range b.o.Channels {
		i.Channels = append(i.Channels, ch.Name())
		if l, ok := ch.(interface{ Local() bool }); ok && l.Local() {
			i.Local = append(i.Local, ch.Name())
		}
	}
	if len(i.Local) < len(i.Channels) {
		b.records.local = i.Local
	}
	b.core.begin(presence.New(p, b.core.clock()), incident.New(i),
		&presence.Loaded{Stores: stores}, &incident.Loaded{Incidents: incidents, Notices: notices})
	b.core.settings(b.desk, nil)
	return nil
}

func (b *Broker) announce() {
	b.log.Info("ready", "mqtt", b.MQTTAddr().String(), "http", b.HTTPAddr().String(), "peer", b.o.PeerURL,
		"node", b.o.Node, "term", b.records.term, "version", b.o.Version)
}
