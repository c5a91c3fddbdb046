package guard_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/guard"
)

// patience is how long anything may take that takes a moment: the machine may
// be busy with other tests.
const patience = 30 * time.Second

// owner is a Handler that admits everybody and remembers everything.
type owner struct {
	connect   func(*guard.Client) error
	publish   func(*guard.Client, guard.Message) guard.Verdict
	subscribe func(*guard.Client, string) bool
	onEnd     func(*guard.Client, guard.End)

	mu       sync.Mutex // guards what follows
	log      []string
	ends     map[uint64][]guard.End
	admitted []*guard.Client
	mails    []guard.Message
}

func (o *owner) note(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.log = append(o.log, fmt.Sprintf(format, args...))
}

func (o *owner) lines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.log...)
}

func (o *owner) Connect(c *guard.Client) error {
	if o.connect != nil {
		if err := o.connect(c); err != nil {
			return err
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.log = append(o.log, fmt.Sprintf("connect %d", c.ID))
	o.admitted = append(o.admitted, c)
	return nil
}

func (o *owner) Established(c *guard.Client) {
	o.note("established %d", c.ID)
}

func (o *owner) Publish(c *guard.Client, m guard.Message) guard.Verdict {
	o.mu.Lock()
	o.mails = append(o.mails, m)
	o.mu.Unlock()
	if o.publish != nil {
		return o.publish(c, m)
	}
	return guard.Accept
}

func (o *owner) Subscribe(c *guard.Client, filter string) bool {
	return o.subscribe != nil && o.subscribe(c, filter)
}

func (o *owner) Ended(c *guard.Client, e guard.End) {
	o.note("ended %d %v", c.ID, e.Cause)
	if o.onEnd != nil {
		o.onEnd(c, e)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ends == nil {
		o.ends = make(map[uint64][]guard.End)
	}
	o.ends[c.ID] = append(o.ends[c.ID], e)
}

func (o *owner) messages() []guard.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]guard.Message(nil), o.mails...)
}

func (o *owner) clients() []*guard.Client {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]*guard.Client(nil), o.admitted...)
}

// endOf waits for the one end of a client.
func (o *owner) endOf(t testing.TB, id uint64) guard.End {
	t.Helper()
	var got []guard.End
	eventually(t, "the client's end", func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		got = o.ends[id]
		return len(got) > 0
	})
	if len(got) != 1 {
		t.Fatalf("client %d ended %d times: %v", id, len(got), got)
	}
	return got[0]
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// door is a guard.Door on a socket of its own.
type door struct {
	*guard.Door
	addr  string
	owner *owner
	stop  func()
}

func openDoor(t testing.TB, h guard.Handler, change func(*guard.Options), m ...*guard.Metrics) *door {
	t.Helper()
	opt := guard.DefaultOptions()
	opt.ExemptLoopback = true
	opt.PacketsPerSecond = 0
	if change != nil {
		change(&opt)
	}
	d, err := guard.New(opt, h, nil, append(m, nil)[0])
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- d.Serve(ctx, ln) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			if err := <-served; err != nil {
				t.Errorf("Serve: %v", err)
			}
			d.Close()
		})
	}
	t.Cleanup(stop)
	o, _ := h.(*owner)
	return &door{Door: d, addr: ln.Addr().String(), owner: o, stop: stop}
}

// wire is a raw client.
type wire struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

func dial(t testing.TB, addr string) *wire {
	t.Helper()
	return dialFrom(t, addr, "127.0.0.1")
}

func dialFrom(t testing.TB, addr, from string) *wire {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &wire{Conn: c, t: t, r: bufio.NewReader(c)}
}

func (w *wire) send(b ...byte) {
	w.t.Helper()
	if _, err := w.Write(b); err != nil {
		w.t.Fatalf("write: %v", err)
	}
}

// frame reads one frame.
func (w *wire) frame() (first byte, body []byte, err error) {
	_ = w.SetReadDeadline(time.Now().Add(patience))
	if first, err = w.r.ReadByte(); err != nil {
		return 0, nil, err
	}
	n, err := binary.ReadUvarint(w.r)
	if err != nil {
		return 0, nil, err
	}
	body = make([]byte, n)
	_, err = io.ReadFull(w.r, body)
	return first, body, err
}

func (w *wire) expect(first byte, body ...byte) {
	w.t.Helper()
	gotFirst, gotBody, err := w.frame()
	if err != nil {
		w.t.Fatalf("want frame %x %x, got error %v", first, body, err)
	}
	if gotFirst != first || string(gotBody) != string(body) {
		w.t.Fatalf("want frame %x %x, got %x %x", first, body, gotFirst, gotBody)
	}
}

func (w *wire) expectClosed() {
	w.t.Helper()
	for {
		first, _, err := w.frame()
		if err == nil && first>>4 == 14 { // MQTT 5 says goodbye
			continue
		}
		if err == nil {
			w.t.Fatalf("want a closed connection, got frame %x", first)
		}
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			w.t.Fatal("want a closed connection, it is open")
		}
		return
	}
}

// hello is a CONNECT's fields.
type hello struct {
	version   byte
	flags     byte
	keepalive uint16
	id        string
	will      *guard.Will
	user      string
	password  string
	props     []byte
}

func str(s string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...)
}

func frame(first byte, parts ...[]byte) []byte {
	var body []byte
	for _, p := range parts {
		body = append(body, p...)
	}
	return append(binary.AppendUvarint([]byte{first}, uint64(len(body))), body...)
}

func (h hello) bytes() []byte {
	flags := h.flags
	if h.version == 0 {
		h.version = 4
	}
	var payload [][]byte
	payload = append(payload, str(h.id))
	if h.will != nil {
		flags |= 1<<2 | h.will.QoS<<3
		if h.will.Retain {
			flags |= 1 << 5
		}
		if h.version == 5 {
			payload = append(payload, []byte{0})
		}
		payload = append(payload, str(h.will.Topic), str(string(h.will.Payload)))
	}
	if h.user != "" {
		flags |= 1 << 7
		payload = append(payload, str(h.user))
	}
	if h.password != "" {
		flags |= 1 << 6
		payload = append(payload, str(h.password))
	}
	head := append(str("MQTT"), h.version, flags, byte(h.keepalive>>8), byte(h.keepalive))
	if h.version == 5 {
		head = append(binary.AppendUvarint(head, uint64(len(h.props))), h.props...)
	}
	return frame(0x10, append([][]byte{head}, payload...)...)
}

func v4(id string) []byte { return hello{id: id, flags: 2, keepalive: 60}.bytes() }
func v5(id string) []byte { return hello{version: 5, id: id, flags: 2, keepalive: 60}.bytes() }

// join dials and is let in.
func join(t testing.TB, d *door, connect []byte) *wire {
	t.Helper()
	w := dial(t, d.addr)
	w.send(connect...)
	first, body, err := w.frame()
	if err != nil || first != 0x20 || len(body) < 2 || body[1] != 0 {
		t.Fatalf("want to be let in, got %x %x %v", first, body, err)
	}
	return w
}

func publish(topic string, qos byte, id uint16, payload string) []byte {
	parts := [][]byte{str(topic)}
	if qos > 0 {
		parts = append(parts, []byte{byte(id >> 8), byte(id)})
	}
	return frame(0x30|qos<<1, append(parts, []byte(payload))...)
}

// served is the proof that a normal client gets what it wants.
func served(t testing.TB, d *door, name string) {
	t.Helper()
	w := join(t, d, v4(name))
	w.send(publish("hb/v1/beat/pos1", 1, 7, "")...)
	w.expect(0x40, 0, 7)
	w.send(0xc0, 0)
	w.expect(0xd0)
	w.send(0xe0, 0)
	w.expectClosed()
}

// quiet is a Handler that accepts everything and remembers nothing.
type quiet struct{}

func (quiet) Connect(*guard.Client) error                        { return nil }
func (quiet) Established(*guard.Client)                          {}
func (quiet) Publish(*guard.Client, guard.Message) guard.Verdict { return guard.Accept }
func (quiet) Subscribe(*guard.Client, string) bool               { return false }
func (quiet) Ended(*guard.Client, guard.End)                     {}

func newReader(c net.Conn) *bufio.Reader { return bufio.NewReader(c) }
