package uplink_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/journal"
	"github.com/hb-mesh/hb-mesh/relay/roster"
	"github.com/hb-mesh/hb-mesh/relay/uplink"
)

const (
	east = beat.Region("us-east-1")
	west = beat.Region("us-west-2")
)

var identity = beat.Identity{Store: "demo", Relay: "r1"}

// arrival is a report as a region got it.
type arrival struct {
	beat.Report
	at   time.Time
	size int
}

// region is a real MQTT broker behind pipes that behaves as the test says.
type region struct {
	mochi.HookBase
	name   beat.Region
	server *mochi.Server
	client atomic.Pointer[mochi.Client] // the newest that subscribed

	mu       sync.Mutex
	arrivals []arrival
	wills    []beat.Death
	dials    []time.Time
	gates    []*gate
	refuses  bool // dials fail
	mute     bool // no PUBACK
	noBirth  bool // births are not acked
	noTaking bool // journal entries are not acked
	most     int  // closes on a report with more entries
	top      beat.Number
	history  map[beat.Number]int
}

func newRegion(t *testing.T, name beat.Region) *region {
	t.Helper()
	r := &region{name: name, most: beat.MaxBatch, history: map[beat.Number]int{}}
	r.server = mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := r.server.AddHook(r, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.server.Close() })
	return r
}

func (r *region) ID() string { return "region" }

func (r *region) Provides(b byte) bool {
	return bytes.Contains([]byte{mochi.OnConnectAuthenticate, mochi.OnACLCheck, mochi.OnPublish, mochi.OnWillSent, mochi.OnSubscribed}, []byte{b})
}

func (r *region) OnConnectAuthenticate(cl *mochi.Client, pk packets.Packet) bool {
	return cl.ID == identity.String() && string(pk.Connect.Password) == "demo" && string(pk.Connect.Username) == identity.String() &&
		pk.ProtocolVersion == 4 && pk.Connect.Clean && pk.Connect.WillTopic == identity.DeathTopic() && pk.Connect.WillQos == 1 && !pk.Connect.WillRetain
}

func (r *region) OnACLCheck(_ *mochi.Client, topic string, write bool) bool {
	return write || strings.HasPrefix(topic, strings.TrimSuffix(identity.DownFilter(), "#"))
}

func (r *region) OnWillSent(_ *mochi.Client, pk packets.Packet) {
	d, err := beat.DecodeDeath(pk.Payload)
	if err != nil {
		panic(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wills = append(r.wills, d)
}

func (r *region) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	a := arrival{at: time.Now(), size: len(pk.Payload)}
	if err := beat.DecodeReport(pk.Payload, &a.Report); err != nil || pk.TopicName != identity.ReportTopic() || pk.FixedHeader.Qos != 1 {
		panic(fmt.Sprint(pk.TopicName, err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.arrivals = append(r.arrivals, a)
	if r.mute {
		return pk, packets.ErrRejectPacket
	}
	if len(a.Journal) > r.most {
		cl.Stop(errors.New("too large"))
		return pk, packets.ErrRejectPacket
	}
	ack := beat.Ack{V: beat.Wire, Epoch: a.Epoch, Seq: a.Seq, Home: east, Incarnation: a.Incarnation, Top: r.top}
	if a.Kind == beat.Birth && !r.noBirth {
		r.send(identity.AckTopic(), ack.Encode())
	}
	if n := len(a.Journal); n > 0 && !r.noTaking {
		for _, t := range a.Journal {
			r.history[t.Number]++
		}
		ack.Through = a.Journal[n-1].Number
		r.send(identity.AckTopic(), ack.Encode())
	}
	return pk, packets.CodeSuccessIgnore
}

// send writes to the newest connection, by itself: mochi's clean-up of the one
// before it can take the subscription of this one with it.
func (r *region) send(topic string, payload []byte) {
	err := r.client.Load().WritePacket(packets.Packet{
		ProtocolVersion: 4, FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: topic, Payload: payload,
	})
	if err != nil && !errors.Is(err, io.ErrClosedPipe) {
		panic(err)
	}
}

func (r *region) OnSubscribed(cl *mochi.Client, pk packets.Packet, _ []byte) {
	if len(pk.Filters) != 1 || pk.Filters[0].Filter != identity.DownFilter() {
		panic(fmt.Sprint(pk.Filters))
	}
	r.client.Store(cl)
}

func (r *region) command(c beat.Command) {
	c.V = beat.Wire
	r.send(identity.CommandTopic(), c.Encode())
}

func (r *region) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

// got is what arrived since the last call.
func (r *region) got() []arrival {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.arrivals
	r.arrivals = nil
	return a
}

func (r *region) dial() (net.Conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dials = append(r.dials, time.Now())
	if r.refuses {
		return nil, errors.New("connection refused")
	}
	near, far := net.Pipe()
	g := newGate(near)
	r.gates = append(r.gates, g)
	go func() { _ = r.server.EstablishConnection("pipe", far) }()
	return g, nil
}

// cut makes all connections half-open, and refuses new ones.
func (r *region) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuses = true
	for _, g := range r.gates {
		g.cut()
	}
}

// gate is a connection that can become half-open: nothing passes, no one is told.
type gate struct {
	net.Conn
	in   *io.PipeReader
	mu   sync.Mutex
	open bool
}

func newGate(conn net.Conn) *gate {
	r, w := io.Pipe()
	g := &gate{Conn: conn, in: r, open: true}
	go g.pump(w)
	return g
}

// pump takes what the other end writes, as a kernel's buffer would.
func (g *gate) pump(w *io.PipeWriter) {
	buf := make([]byte, 4096)
	for {
		n, err := g.Conn.Read(buf)
		if err != nil {
			_ = w.CloseWithError(err)
			return
		}
		if g.passes() {
			_, _ = w.Write(buf[:n])
		}
	}
}

func (g *gate) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = false
}

func (g *gate) passes() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

func (g *gate) Read(p []byte) (int, error) { return g.in.Read(p) }

func (g *gate) Write(p []byte) (int, error) {
	if !g.passes() {
		return len(p), nil
	}
	return g.Conn.Write(p)
}

func (g *gate) Close() error {
	_ = g.in.Close()
	if !g.passes() {
		return nil // the other end is not told
	}
	return g.Conn.Close()
}

// store is a relay as the uplinks see one.
type store struct {
	mu       sync.Mutex
	hosts    []beat.HostReport
	given    beat.Number
	exceeded []beat.Number
	forgot   []beat.HostID
}

func (s *store) Picture() *beat.Picture {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &beat.Picture{Hosts: append([]beat.HostReport(nil), s.hosts...)}
}

func (s *store) Given() beat.Number {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.given
}

func (s *store) Exceed(top beat.Number) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exceeded, s.given = append(s.exceeded, top), top
	return nil
}

func (s *store) Forget(h beat.HostID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgot = append(s.forgot, h)
}

func (s *store) change(host int, state beat.HostState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.given++
	s.hosts[host].State, s.hosts[host].Number = state, s.given
}

// mesh is a relay's uplinks to two regions, in a bubble of virtual time.
type mesh struct {
	t       *testing.T
	east    *region
	west    *region
	store   *store
	journal *journal.Journal
	options uplink.Options
	group   *uplink.Group
	log     *slog.Logger
	stop    context.CancelFunc
	stopped chan struct{}
	number  beat.Number
}

// newMesh wires all and starts nothing.
func newMesh(t *testing.T, options journal.Options) *mesh {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	j, err := journal.Open(options, log, journal.NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	m := &mesh{t: t, journal: j, log: log, store: &store{hosts: []beat.HostReport{
		{Host: "pos1", State: beat.Up, IntervalMs: 30000}, {Host: "pos2", State: beat.Up, IntervalMs: 30000},
	}}}
	m.east, m.west = newRegion(t, east), newRegion(t, west)
	start := time.Now()
	m.options = uplink.DefaultOptions()
	m.options.Identity, m.options.Boot, m.options.Software = identity, beat.Boot{7}, "1.2.3"
	m.options.Regions = []uplink.Region{
		{Region: east, Address: "tcp://east.test:1883", Password: "demo"},
		{Region: west, Address: "tcp://west.test:1883", Password: "demo"},
	}
	m.options.Now = func() beat.Now { return beat.Now{Mono: time.Since(start), Wall: time.Now()} }
	m.options.Jitter = func() float64 { return 0.5 }
	m.options.Dial = func(_ context.Context, _, address string) (net.Conn, error) {
		if address == "east.test:1883" {
			return m.east.dial()
		}
		return m.west.dial()
	}
	return m
}

func inMemory() journal.Options {
	o := journal.DefaultOptions()
	o.InMemory = true
	return o
}

func newGroup(m *mesh) (*uplink.Group, error) {
	return uplink.New(m.options, m.store, m.journal, m.log, uplink.NewMetrics(prometheus.NewRegistry()))
}

func (m *mesh) start() *mesh {
	m.t.Helper()
	g, err := newGroup(m)
	if err != nil {
		m.t.Fatal(err)
	}
	m.group = g
	ctx, cancel := context.WithCancel(context.Background()) //nolint:usetesting // the test stops it itself, before its end
	m.stop, m.stopped = cancel, make(chan struct{})
	go func() {
		defer close(m.stopped)
		if err := g.Run(ctx); err != nil {
			m.t.Error(err)
		}
	}()
	m.t.Cleanup(func() { m.stop(); <-m.stopped })
	return m
}

// transitions puts n entries into the journal.
func (m *mesh) transitions(n int) {
	m.t.Helper()
	var entries []journal.Entry
	for range n {
		m.number++
		entries = append(entries, journal.Entry{
			Transition: beat.Transition{Number: m.number, Host: "pos1", State: beat.Up, Reason: beat.Beating, Boot: m.options.Boot},
			Record:     roster.Record{Host: "pos1", State: beat.Up, Number: m.number},
		})
	}
	for chunk := range slices.Chunk(entries, journal.MaxPut) {
		if err := m.journal.Append(m.t.Context(), chunk); err != nil {
			m.t.Fatal(err)
		}
	}
	m.store.mu.Lock()
	m.store.given = m.number
	m.store.mu.Unlock()
	m.group.Changed()
}

func (m *mesh) depth() uint64 {
	synctest.Wait()
	depth, _ := m.journal.Backlog()
	return depth
}

func in(t *testing.T, test func(*testing.T)) { t.Helper(); synctest.Test(t, test) }

// births are the births among arrivals.
func births(all []arrival) (out []arrival) {
	for _, a := range all {
		if a.Kind == beat.Birth {
			out = append(out, a)
		}
	}
	return out
}
