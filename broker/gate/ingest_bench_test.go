package gate_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/hb-mesh/hb-mesh/broker/gate"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// The generator's shape: each relay keeps this many reports unacknowledged.
const (
	benchRelays = 16
	benchWindow = 64
)

// BenchmarkIngest publishes steady reports with QoS 1, the same bytes at bare
// mochi and at the gate. One operation is one report, PUBACK included; client
// and server share the machine.
func BenchmarkIngest(b *testing.B) {
	b.Run("bare mochi", func(b *testing.B) { ingest(b, bareMochi(b)) })
	b.Run("gate", func(b *testing.B) {
		d := open(b, func(o *gate.Options) { o.PacketsPerSecond = 0 })
		d.core.mute = true
		ingest(b, d.MQTTAddr().String())
	})
	b.Run("gate and presence", func(b *testing.B) { ingest(b, withPresence(b)) })
}

// allowAll is mochi's own hook of that name, without what that imports.
type allowAll struct{ mochi.HookBase }

func (*allowAll) ID() string { return "allow" }
func (*allowAll) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}
func (*allowAll) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }
func (*allowAll) OnACLCheck(*mochi.Client, string, bool) bool              { return true }

func bareMochi(b *testing.B) string {
	b.Helper()
	s := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := s.AddHook(new(allowAll), nil); err != nil {
		b.Fatal(err)
	}
	l := listeners.NewTCP(listeners.Config{ID: "bench", Address: "127.0.0.1:0"})
	if err := s.AddListener(l); err != nil {
		b.Fatal(err)
	}
	if err := s.Serve(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return l.Address()
}

// stepped is a core as the broker has it: one lock around presence.
type stepped struct {
	core
	step    sync.Mutex // guards what follows
	p       *presence.Presence
	out     []presence.Out
	refused int

	born time.Time
}

func (s *stepped) now() beat.Now {
	t := time.Now()
	return beat.Now{Mono: t.Sub(s.born), Wall: t}
}

func (s *stepped) Report(conn presence.Conn, r *beat.Report) {
	s.step.Lock()
	defer s.step.Unlock()
	s.out = s.p.Step(s.now(), &presence.Report{Conn: conn, Report: r}, s.out[:0])
	for _, o := range s.out {
		switch o.(type) {
		case *presence.Refused, *presence.Rebirth:
			s.refused++
		}
	}
}

func withPresence(b *testing.B) string {
	b.Helper()
	c := &stepped{born: time.Now()}
	po := presence.DefaultOptions()
	po.Region, po.Regions, po.Node, po.Term = "us-east-1", []beat.Region{"us-east-1"}, "bench", 1
	c.p = presence.New(po, c.now())
	o := options(memory(b))
	o.PacketsPerSecond = 0
	g, err := gate.New(o, c)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if c.refused > 0 {
			b.Errorf("presence refused %d reports: that was no ingest", c.refused)
		}
	})
	return serve(b, g, &c.core, o).MQTTAddr().String()
}

// ingest shares b.N reports among the relays.
func ingest(b *testing.B, addr string) {
	b.Helper()
	var relays []*generator
	for i := range benchRelays {
		n := b.N / benchRelays
		if i < b.N%benchRelays {
			n++
		}
		relays = append(relays, newGenerator(b, addr, i, n))
	}
	b.ReportAllocs()
	b.ResetTimer()
	var all sync.WaitGroup
	for _, g := range relays {
		all.Go(func() {
			if err := g.run(); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reports/s")
}

// generator is one relay that speaks just enough MQTT to be no bottleneck.
type generator struct {
	conn    net.Conn
	packets [][]byte
}

func newGenerator(b *testing.B, addr string, i, reports int) *generator {
	b.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	id := beat.Identity{Store: beat.StoreID(fmt.Sprintf("store-%d", i)), Relay: "r1"}
	var body []byte
	text := func(s string) {
		body = binary.BigEndian.AppendUint16(body, uint16(len(s)))
		body = append(body, s...)
	}
	text("MQTT")
	body = append(body, 4, 0b1100_1110, 0, 20) // user, password, a will with QoS 1, clean session
	text(id.String())
	text(id.DeathTopic())
	text(string(death(1).Encode()))
	text(id.String())
	text(password)
	g := &generator{conn: conn}
	if _, err := conn.Write(packet(0x10, body)); err != nil {
		b.Fatal(err)
	}
	if err := g.read(4); err != nil {
		b.Fatal(err)
	}
	publish := func(r *beat.Report, pid int) []byte {
		body = body[:0]
		text(id.ReportTopic())
		body = binary.BigEndian.AppendUint16(body, uint16(pid))
		return packet(0x32, append(body, r.Encode()...))
	}
	birth := report(id, beat.Birth, 1, 1)
	birth.Picture.Hosts = twenty()
	birth.Hash = birth.Picture.Hash()
	if _, err := conn.Write(publish(birth, 1)); err != nil {
		b.Fatal(err)
	}
	if err := g.read(4); err != nil {
		b.Fatal(err)
	}
	for n := range reports {
		r := report(id, beat.Steady, 1, beat.Seq(n+2))
		r.Hash, r.MonoMs = birth.Hash, uint64(n)
		r.Others = []beat.Witness{{Region: "us-west-2", Session: true, AckAgeMs: 900}}
		g.packets = append(g.packets, publish(r, 1+n%benchWindow))
	}
	return g
}

func twenty() []beat.HostReport {
	var out []beat.HostReport
	for i := range 20 {
		out = append(out, beat.HostReport{Host: beat.HostID(fmt.Sprintf("pos%02d", i)), State: beat.Up, Number: 1, IntervalMs: 60000})
	}
	return out
}

func packet(kind byte, body []byte) []byte {
	out := []byte{kind}
	for n := len(body); ; {
		if c := byte(n % 128); n < 128 {
			out = append(out, c)
			break
		} else {
			out = append(out, c|128)
			n /= 128
		}
	}
	return append(out, body...)
}

func (g *generator) read(n int) error {
	_, err := io.ReadFull(g.conn, make([]byte, n))
	return err
}

// run sends half a window, and the next half when as many PUBACKs came.
func (g *generator) run() error {
	const half = benchWindow / 2
	acks := make([]byte, 4*half)
	var batch []byte
	outstanding := 0
	for len(g.packets) > 0 || outstanding > 0 {
		batch = batch[:0]
		for range min(half, len(g.packets)) {
			batch = append(batch, g.packets[0]...)
			g.packets = g.packets[1:]
			outstanding++
		}
		if len(batch) > 0 {
			if _, err := g.conn.Write(batch); err != nil {
				return err
			}
		}
		if wait := min(half, outstanding); outstanding > half || len(g.packets) == 0 {
			if _, err := io.ReadFull(g.conn, acks[:4*wait]); err != nil {
				return fmt.Errorf("with %d reports unacknowledged: %w", outstanding, err)
			}
			outstanding -= wait
		}
	}
	return nil
}
