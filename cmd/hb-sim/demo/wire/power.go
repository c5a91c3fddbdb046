package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// Dialer opens connections, as net.Dialer.DialContext does.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// ErrOff is what a process whose power is cut gets from the network.
var ErrOff = errors.New("the power is cut")

// Power is what one life of a process has of the network. It is cut once: the
// next life gets a new one.
type Power struct {
	dial  Dialer
	alive context.Context
	kill  context.CancelFunc

	// mu guards the fields below.
	mu        sync.Mutex
	off       bool
	conns     map[*poweredConn]struct{}
	listeners map[net.Listener]struct{}
}

// NewPower returns the power of one process, which dials by dial.
func NewPower(dial Dialer) *Power {
	alive, kill := context.WithCancel(context.Background())
	return &Power{
		dial: dial, alive: alive, kill: kill,
		conns:     map[*poweredConn]struct{}{},
		listeners: map[net.Listener]struct{}{},
	}
}

// Listen opens a port whose connections go with the power.
func (p *Power) Listen(network, address string) (net.Listener, error) {
	if p.isOff() {
		return nil, fmt.Errorf("listen on %s: %w", address, ErrOff)
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.off {
		_ = ln.Close()
		return nil, fmt.Errorf("listen on %s: %w", address, ErrOff)
	}
	p.listeners[ln] = struct{}{}
	return &poweredListener{Listener: ln, power: p}, nil
}

// Dial opens a connection that goes with the power.
func (p *Power) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.alive, cancel)()
	raw, err := p.dial(ctx, network, address)
	if err != nil {
		if p.isOff() {
			err = ErrOff
		}
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	return p.carry(raw)
}

// Cut resets every connection and closes every port, as the kernel does for a
// process that was killed: nothing that waits in a buffer is sent.
func (p *Power) Cut() {
	p.mu.Lock()
	conns, listeners := p.conns, p.listeners
	p.off, p.conns, p.listeners = true, nil, nil
	p.mu.Unlock()

	// The connections first: a program that sees its port closed could still
	// say goodbye on one.
	p.kill()
	for c := range conns {
		_ = Reset(c.Conn)
	}
	for ln := range listeners {
		_ = ln.Close()
	}
}

// carry takes a connection into the power's care.
func (p *Power) carry(raw net.Conn) (net.Conn, error) {
	c := &poweredConn{Conn: raw, power: p}
	p.mu.Lock()
	off := p.off
	if !off {
		p.conns[c] = struct{}{}
	}
	p.mu.Unlock()
	if off {
		_ = Reset(raw)
		return nil, ErrOff
	}
	return c, nil
}

func (p *Power) isOff() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.off
}

type poweredListener struct {
	net.Listener
	power *Power
}

func (l *poweredListener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c, err := l.power.carry(raw)
	if err != nil {
		return nil, net.ErrClosed // for an accept loop, a dead process is a closed port
	}
	return c, nil
}

func (l *poweredListener) Close() error {
	l.power.mu.Lock()
	delete(l.power.listeners, l.Listener)
	l.power.mu.Unlock()
	return l.Listener.Close()
}

type poweredConn struct {
	net.Conn
	power *Power
}

func (c *poweredConn) Close() error {
	c.power.mu.Lock()
	off := c.power.off
	delete(c.power.conns, c)
	c.power.mu.Unlock()
	if off {
		return nil // the kernel has it already, and no FIN must follow
	}
	return c.Conn.Close()
}

// Reset closes a connection by RST: what it has not sent is dropped.
func Reset(c net.Conn) error {
	switch c := c.(type) {
	case interface{ Reset() error }:
		return c.Reset()
	case interface{ SetLinger(sec int) error }:
		if err := c.SetLinger(0); err != nil {
			return err
		}
	}
	return c.Close()
}
