package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/credential"
	"github.com/hb-mesh/hb-mesh/broker/dashboard"
	"github.com/hb-mesh/hb-mesh/broker/gate"
	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/broker/operator"
	"github.com/hb-mesh/hb-mesh/broker/peer"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/guard"
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

// ErrSuperseded is the end of a node whose region has another active one: it
// is started anew, with Options.Yields, as its standby.
var ErrSuperseded = errors.New("another node of the region took over")

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
	b.table = &watched{Table: o.Table, metrics: m}
	b.records = &records{
		table: b.table, region: o.Region, other: o.other(), keep: o.HistoryFor, timeout: o.TableTimeout, log: b.log, metrics: m,
	}
	b.effects = &effects{
		o: &b.o, log: b.log, metrics: m, records: b.records, load: b.load,
		calls: make(chan struct{}, maxCalls), asks: make(chan struct{}, maxAsks),
		mail: make(chan struct{}, maxMail), lease: make(chan struct{}, maxLease),
		saver: newSaver(b.table, o.TableTimeout, b.log, m),
	}
	b.core = &core{
		clock: clock, log: b.log, sparse: guard.NewSparse(b.log), metrics: m, effects: b.effects, table: b.table, software: o.Version,
		wake: make(chan struct{}, 1), opened: make(chan struct{}), ended: make(chan struct{}), armed: farAway, problem: "starting",
	}
	b.effects.core = b.core
	b.effects.saver.holds = b.core.holds
	b.effects.history = &historian{
		records: b.records, home: b.core.homeOf, send: b.effects.send, timeout: o.TableTimeout,
		log: b.log, metrics: m, queue: make(chan *presence.Journal, historyQueue), budget: newBudget(time.Now),
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
	o.PacketsPerSecond = b.o.PacketsPerSecond
	o.Keys, o.Gatherer, o.Listen, o.Logger = b.keys, b.o.Registry, b.o.Listen, b.log
	o.Metrics = gate.NewMetrics(b.o.Registry)
	g, err := gate.New(o, b.core)
	b.gate, b.effects.gate = g, g
	return err
}

// wirePeer wires the link to the other region, and to other nodes of this one.
// A lone region without a secret has neither: its nodes know of each other by
// the table alone.
func (b *Broker) wirePeer(own *metrics) error {
	other := b.o.other()
	if len(b.o.PeerSecret) < peer.MinSecret {
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
	b.effects.nodes, own.peer = client, m
	if other != "" {
		b.peer, b.effects.peer = client, client
	}
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
	o.Source, o.Operator, o.Archive, o.Keys, o.Authorize = a, a, a, keyDesk{b.keys, b.desk}, a.authorize
	o.Declarations, o.Rules, o.Explainer, o.Region, o.Backup = b.desk, b.desk, a, b.o.Region, b.o.Backup
	o.Standby = func() bool { return errors.Is(b.core.Status(), gate.ErrStandby) }
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
