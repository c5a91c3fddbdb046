package uplink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// sessions is how many TLS sessions are kept for resumption: one a region, and
// a few of its nodes.
const sessions = 8

// dialer opens the socket of an uplink.
type dialer struct {
	address string // host:port
	secure  *tls.Config
	open    func(ctx context.Context, network, address string) (net.Conn, error)
	// stall is how long written bytes may wait, in the socket or on the way.
	stall time.Duration
}

func newDialer(o Options, r Region) (*dialer, error) {
	u, err := url.Parse(r.Address)
	if err != nil {
		return nil, fmt.Errorf("uplink %s: address: %w", r.Region, err)
	}
	d := &dialer{address: u.Host, open: o.Dial, stall: o.AckTimeout}
	if u.Port() == "" || u.Hostname() == "" || u.Path != "" || u.User != nil {
		return nil, fmt.Errorf("uplink %s: address %q: want tcp://host:port or tls://host:port", r.Region, u.Redacted())
	}
	switch u.Scheme {
	case "tcp", "mqtt":
	case "tls", "mqtts", "ssl":
		d.secure = &tls.Config{MinVersion: tls.VersionTLS12}
		if r.TLS != nil {
			d.secure = r.TLS.Clone()
		}
		if d.secure.ServerName == "" {
			d.secure.ServerName = u.Hostname()
		}
		if d.secure.ClientSessionCache == nil {
			d.secure.ClientSessionCache = tls.NewLRUClientSessionCache(sessions)
		}
	default:
		return nil, fmt.Errorf("uplink %s: address %q: want tcp:// or tls://", r.Region, r.Address)
	}
	return d, nil
}

// dial opens the socket, and TLS on it where it is asked for.
func (d *dialer) dial(ctx context.Context) (net.Conn, error) {
	raw, err := d.open(ctx, "tcp", d.address)
	if err != nil {
		return nil, err
	}
	limitStall(raw, d.stall)
	conn := net.Conn(&writeConn{Conn: raw, timeout: d.stall})
	if d.secure == nil {
		return conn, nil
	}
	secure := tls.Client(conn, d.secure)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("tls: %w", err), raw.Close())
	}
	return secure, nil
}

// writeConn bounds every write: paho sets no deadline for acknowledgements and
// pings, and waits for ever on a link that is open at one end only.
type writeConn struct {
	net.Conn
	timeout time.Duration
}

func (c *writeConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// watchedConn tells its end when a read or write fails, or it is closed.
type watchedConn struct {
	net.Conn
	end func()
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, c.watch(err)
}

func (c *watchedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, c.watch(err)
}

func (c *watchedConn) Close() error {
	c.end()
	return c.Conn.Close()
}

// watch passes an error on. paho takes the text of net.ErrClosed for its own
// doing, and would keep the goroutines of a connection that we closed.
func (c *watchedConn) watch(err error) error {
	if err == nil {
		return nil
	}
	c.end()
	if errors.Is(err, net.ErrClosed) {
		return errConnectionOver
	}
	return err
}
