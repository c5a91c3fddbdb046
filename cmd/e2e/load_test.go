//go:build linux

package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// flapper is a host that changes its state all the time, by HTTP, and remembers
// what it was promised.
type flapper struct {
	host beat.HostID

	mu sync.Mutex // guards what follows
	// acked is the state that a 200 promised last; tried is that of a request
	// without an answer since, "" for none.
	acked, tried beat.HostState
	changes      int
}

// flap says alternately that the host fails and that it is well.
func (f *flapper) flap(ctx context.Context, address string) {
	c := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for ctx.Err() == nil {
		f.mu.Lock()
		next, path := beat.Failing, "/fail"
		if f.acked == beat.Failing {
			next, path = beat.Up, ""
		}
		f.tried = next
		f.mu.Unlock()
		resp, err := c.Get("http://" + address + "/ping/" + string(f.host) + path)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				f.mu.Lock()
				f.acked, f.tried = next, 0
				f.changes++
				f.mu.Unlock()
			}
		}
		pause(ctx, 25*time.Millisecond)
	}
}

// may says whether the journal may hold that state after a kill.
func (f *flapper) may(s beat.HostState) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return s == f.acked || f.tried != 0 && s == f.tried
}

// resume takes the state that the journal holds for the promised one.
func (f *flapper) resume(s beat.HostState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acked, f.tried = s, 0
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// plugAndPull is a register that connects, beats, and loses its power, again
// and again.
func plugAndPull(ctx context.Context, address, host string) {
	for ctx.Err() == nil {
		_ = beatOnce(address, host, true) // the relay may be dead
		pause(ctx, 40*time.Millisecond)
	}
}

// beatOnce is one MQTT session with one beat; torn, it ends by a reset.
func beatOnce(address, host string, torn bool) error {
	conn, err := net.DialTimeout("tcp", address, 2*time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	connect := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	connect.ProtocolName, connect.ProtocolVersion, connect.CleanSession = "MQTT", 4, true
	connect.ClientIdentifier, connect.Keepalive = host, 30
	connect.WillFlag, connect.WillTopic, connect.WillMessage = true, beat.TopicGone+host, []byte("gone")
	publish := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	publish.TopicName, publish.Qos, publish.MessageID, publish.Payload = beat.TopicBeat+host, 1, 1, []byte("{}")
	for _, say := range []struct {
		packet packets.ControlPacket
		answer byte
	}{{connect, packets.Connack}, {publish, packets.Puback}} {
		if err := say.packet.Write(conn); err != nil {
			return err
		}
		if err := expect(conn, say.answer); err != nil {
			return err
		}
	}
	if torn {
		_ = conn.(*net.TCPConn).SetLinger(0)
		return nil
	}
	return packets.NewControlPacket(packets.Disconnect).Write(conn)
}

// expect reads one packet, which must be of a type, and welcome.
func expect(r io.Reader, want byte) error {
	p, err := packets.ReadPacket(r)
	if err != nil {
		return err
	}
	if c, ok := p.(*packets.ConnackPacket); ok && c.ReturnCode != 0 {
		return fmt.Errorf("refused: %s", packets.ConnackReturnCodes[c.ReturnCode])
	}
	switch p.(type) {
	case *packets.ConnackPacket:
		want -= packets.Connack
	case *packets.PubackPacket:
		want -= packets.Puback
	}
	if want != 0 {
		return fmt.Errorf("got %s", p)
	}
	return nil
}

// load is all that flaps; stop waits until nothing does.
type load struct {
	flappers []*flapper
	address  *server
	cancel   context.CancelFunc
	work     sync.WaitGroup
}

func newLoad(s *server) *load {
	l := &load{address: s}
	for i := range 6 {
		l.flappers = append(l.flappers, &flapper{host: beat.HostID(fmt.Sprintf("flap%d", i+1))})
	}
	return l
}

func (l *load) start(t testing.TB) {
	ctx, cancel := context.WithCancel(t.Context())
	l.cancel = cancel
	for _, f := range l.flappers {
		l.work.Go(func() { f.flap(ctx, l.address.http) })
	}
	for i := range 2 {
		l.work.Go(func() { plugAndPull(ctx, l.address.mqtt, fmt.Sprintf("torn%d", i+1)) })
	}
}

func (l *load) stop() {
	l.cancel()
	l.work.Wait()
}
