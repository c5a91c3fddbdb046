package guard_test

import (
	"bytes"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hb-mesh/hb-mesh/relay/guard"
)

// FuzzDoor feeds bytes to a real door: as a stranger's first ones, and as a
// client's of either version. The library must never fail, the client must
// have one end, and the next one must be served.
func FuzzDoor(f *testing.F) {
	for _, n := range beforeConnect() {
		f.Add(byte(0), n.bytes)
	}
	for _, version := range []byte{4, 5} {
		for _, n := range afterConnect(version) {
			if len(n.bytes) < 4096 {
				f.Add(version, n.bytes)
			}
		}
		none := []byte{}
		if version == 5 {
			none = []byte{0}
		}
		f.Add(version, frame(0x3d, str("a"), []byte{0, 9}, none, []byte("x")))
		f.Add(version, frame(0x82, []byte{0, 9}, none, str("a/+/#"), []byte{1}, str("$share/g/a"), []byte{0}))
		f.Add(version, frame(0xa2, []byte{0, 9}, none, str("a/+/#")))
		f.Add(version, append(publish("a", 2, 3, ""), 0x62, 2, 0, 3, 0xc0, 0, 0xe0, 0))
	}
	f.Add(byte(5), frame(0x30, str("a"), []byte{9, 1, 1, 2, 0, 0, 0, 9, 11, 1}, []byte("x")))
	f.Add(byte(5), frame(0x30, str("a"), []byte{7, 38, 0, 1, 'k', 0, 1, 'v'}))
	f.Add(byte(0), v4("x"))
	f.Add(byte(0), v5("x"))
	f.Add(byte(0), hello{version: 5, id: "", flags: 0, props: []byte{17, 0, 0, 0, 9, 33, 0, 1, 39, 0, 0, 0, 9, 23, 0, 25, 1, 34, 0, 9}, will: &guard.Will{Topic: "a", Retain: true}, user: "u", password: "p"}.bytes())

	m := guard.NewMetrics(nil, "hbmesh_test")
	o := &owner{subscribe: func(_ *guard.Client, f string) bool { return f != "no" }}
	opt := guard.DefaultOptions()
	opt.PacketsPerSecond = 0
	d, err := guard.New(opt, o, nil, m)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, version byte, b []byte) {
		var hi []byte
		switch version {
		case 4:
			hi = v4("x")
		case 5:
			hi = v5("x")
		}
		played(t, d, append(hi, b...))
		played(t, d, append(append(v4("y"), publish("last", 1, 1, "")...), 0xe0, 0))
		if n := testutil.ToFloat64(m.Panics); n != 0 {
			t.Fatalf("the library failed %v times", n)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if got := o.mails[len(o.mails)-1].Topic; got != "last" {
			t.Fatalf("the next client was not served; the last message is on %q", got)
		}
		for _, c := range o.admitted {
			if len(o.ends[c.ID]) != 1 {
				t.Fatalf("a client ended %d times", len(o.ends[c.ID]))
			}
		}
		o.log, o.mails, o.admitted, o.ends = nil, nil, nil, nil
	})
}

// script is a connection on which b came, and then its end.
type script struct {
	*bytes.Reader
	closed atomic.Bool
}

func (s *script) Read(p []byte) (int, error) {
	if s.closed.Load() {
		return 0, net.ErrClosed
	}
	return s.Reader.Read(p)
}

func (s *script) Write(p []byte) (int, error) {
	if s.closed.Load() {
		return 0, net.ErrClosed
	}
	return len(p), nil
}

func (s *script) Close() error                     { s.closed.Store(true); return nil }
func (s *script) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// played serves one connection.
func played(t *testing.T, d *guard.Door, b []byte) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); d.ServeConn(&script{Reader: bytes.NewReader(b)}) }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("the connection does not end")
	}
}
