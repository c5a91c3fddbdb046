package gate

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// strangers limits the HTTP connections of one address that have not shown a
// key yet. Those that have are not counted: a store's tills share a NAT.
type strangers struct {
	max     int
	exempt  bool // loopback is
	refused prometheus.Counter

	mu   sync.Mutex // guards open
	open map[netip.Addr]int
}

func newStrangers(most int, exemptLoopback bool, refused prometheus.Counter) *strangers {
	return &strangers{max: most, exempt: exemptLoopback, refused: refused, open: make(map[netip.Addr]int)}
}

// listener wraps a door before TLS does.
func (s *strangers) listener(l net.Listener) net.Listener { return &strangerListener{l, s} }

type strangerListener struct {
	net.Listener
	s *strangers
}

func (l *strangerListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		addr, ok := address(c.RemoteAddr().String())
		if !ok || l.s.exempt && addr.IsLoopback() {
			return c, nil
		}
		if l.s.enter(addr) {
			return &strangerConn{Conn: c, leave: sync.OnceFunc(func() { l.s.leave(addr) })}, nil
		}
		l.s.refused.Inc()
		_ = c.Close() // it was refused; there is nobody to tell
	}
}

func (s *strangers) enter(addr netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[addr] >= s.max {
		return false
	}
	s.open[addr]++
	return true
}

func (s *strangers) leave(addr netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[addr]--; s.open[addr] <= 0 {
		delete(s.open, addr)
	}
}

// strangerConn counts until it is closed, or known.
type strangerConn struct {
	net.Conn
	leave func()
}

func (c *strangerConn) Close() error {
	c.leave()
	return c.Conn.Close()
}

type strangerKey struct{}

// remember puts a connection's stranger where its requests find it
// (http.Server.ConnContext).
func (s *strangers) remember(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	if sc, ok := c.(*strangerConn); ok {
		return context.WithValue(ctx, strangerKey{}, sc)
	}
	return ctx
}

// known ends the counting of the request's connection: it has shown a key.
func known(r *http.Request) {
	if c, ok := r.Context().Value(strangerKey{}).(*strangerConn); ok {
		c.leave()
	}
}

// address is what limits count by: an IPv4 address, or the /64 network of an
// IPv6 one, since one computer has all of that.
func address(hostport string) (netip.Addr, bool) {
	ap, err := netip.ParseAddrPort(hostport)
	if err != nil {
		return netip.Addr{}, false
	}
	addr := ap.Addr().Unmap().WithZone("")
	if addr.Is6() && !addr.IsLoopback() {
		network, err := addr.Prefix(64)
		if err != nil {
			return netip.Addr{}, false
		}
		addr = network.Addr()
	}
	return addr, true
}
