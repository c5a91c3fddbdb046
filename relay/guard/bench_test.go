package guard_test

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

const (
	benchClients = 8
	benchWindow  = 32  // messages in flight of each
	benchPayload = 100 // a steady store's report
)

// BenchmarkIngest compares a door with the bare library: the same clients,
// bytes and QoS 1. The ratio is bare's ns/op to the door's.
func BenchmarkIngest(b *testing.B) {
	b.Run("door", func(b *testing.B) {
		d := openDoor(b, quiet{}, nil)
		ingest(b, d.addr)
	})
	b.Run("bare", func(b *testing.B) {
		s := mqtt.New(&mqtt.Options{Logger: slog.New(slog.DiscardHandler)})
		if err := s.AddHook(new(allowAll), nil); err != nil {
			b.Fatal(err)
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		if err := s.AddListener(listeners.NewNet("bare", ln)); err != nil {
			b.Fatal(err)
		}
		go func() { _ = s.Serve() }()
		b.Cleanup(func() { _ = s.Close() })
		ingest(b, ln.Addr().String())
	})
}

// ingest publishes b.N messages and takes as many PUBACKs.
func ingest(b *testing.B, addr string) {
	var clients sync.WaitGroup
	b.ReportAllocs()
	conns := make([]*wire, benchClients)
	for n := range conns {
		conns[n] = dial(b, addr)
		conns[n].send(v4("client-" + itoa(uint64(n)))...)
		conns[n].expect(0x20, 0, 0)
	}
	var batch []byte
	for id := range benchWindow {
		batch = append(batch, publish("hb/v1/up/store/relay/report", 1, uint16(id+1), string(bytes.Repeat([]byte{7}, benchPayload)))...)
	}
	half := len(batch) / 2
	b.ResetTimer()
	for n, w := range conns {
		clients.Go(func() {
			acks := make([]byte, 4*benchWindow/2)
			_, _ = w.Write(batch[:half])
			for left := b.N/benchClients - n; left > 0; left -= benchWindow {
				_, _ = w.Write(batch[half:])
				_, _ = io.ReadFull(w.r, acks)
				_, _ = w.Write(batch[:half])
				if _, err := io.ReadFull(w.r, acks); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	clients.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

// allowAll is the library's own hook of that name, which needs more modules.
type allowAll struct{ mqtt.HookBase }

func (*allowAll) ID() string { return "allow" }

func (*allowAll) Provides(b byte) bool {
	return b == mqtt.OnConnectAuthenticate || b == mqtt.OnACLCheck
}

func (*allowAll) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }
func (*allowAll) OnACLCheck(*mqtt.Client, string, bool) bool              { return true }
