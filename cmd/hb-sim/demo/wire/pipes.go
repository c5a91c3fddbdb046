package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// Pipes is a way into a port that needs no sockets: net.Pipe, whose other end
// comes out of the listener as a connection from an address would.
type Pipes struct {
	mu   sync.Mutex // guards into
	into *joined    // the listener of the present life; nil before the first
}

// Join returns a listener that accepts what comes to ln and through the pipes.
// Power carries the piped ones.
func (p *Pipes) Join(ln net.Listener, power *Power) net.Listener {
	j := &joined{Listener: ln, power: power, conns: make(chan accepted), closed: make(chan struct{})}
	p.mu.Lock()
	p.into = j
	p.mu.Unlock()
	go j.pump()
	return j
}

// Dial opens a pipe whose far end seems to come from an address. Where nothing
// listens it is refused, as a port is.
func (p *Pipes) Dial(ctx context.Context, from netip.AddrPort) (net.Conn, error) {
	p.mu.Lock()
	into := p.into
	p.mu.Unlock()
	if into == nil {
		return nil, fmt.Errorf("dial a pipe: %w", syscall.ECONNREFUSED)
	}
	near, far := net.Pipe()
	carried, err := into.power.carry(&pipeEnd{far, net.TCPAddrFromAddrPort(from)})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("dial a pipe: %w", syscall.ECONNREFUSED), near.Close())
	}
	select {
	case into.conns <- accepted{conn: carried}:
		return near, nil
	case <-into.closed:
		err = syscall.ECONNREFUSED
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	return nil, errors.Join(fmt.Errorf("dial a pipe: %w", err), carried.Close(), near.Close())
}

// joined is a port with pipes into it.
type joined struct {
	net.Listener
	power  *Power
	conns  chan accepted
	once   sync.Once
	closed chan struct{}
}

type accepted struct {
	conn net.Conn
	err  error
}

// pump takes what comes to the port itself.
func (j *joined) pump() {
	for {
		c, err := j.Listener.Accept()
		select {
		case j.conns <- accepted{c, err}:
		case <-j.closed:
			if c != nil {
				_ = c.Close()
			}
			return
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

func (j *joined) Accept() (net.Conn, error) {
	select {
	case a := <-j.conns:
		return a.conn, a.err
	case <-j.closed:
		return nil, net.ErrClosed
	}
}

func (j *joined) Close() error {
	j.once.Do(func() { close(j.closed) })
	return j.Listener.Close()
}

// pipeEnd is the far end of a pipe, with an address.
type pipeEnd struct {
	net.Conn
	from net.Addr
}

func (e *pipeEnd) RemoteAddr() net.Addr { return e.from }
