package wire

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// Line is one path through the network, whole or cut. While it is cut, what is
// sent waits, what arrives waits, and a new connection hangs, until it is
// healed or the caller gives up.
type Line struct {
	dial Dialer
	work sync.WaitGroup

	// mu guards the fields below.
	mu     sync.Mutex
	cut    bool
	healed chan struct{} // closed while the line is whole
	conns  map[*lineConn]struct{}
}

// NewLine returns a whole line over dial.
func NewLine(dial Dialer) *Line {
	healed := make(chan struct{})
	close(healed)
	return &Line{dial: dial, healed: healed, conns: map[*lineConn]struct{}{}}
}

// Dial opens a connection over the line; while that is cut it hangs.
func (l *Line) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return l.over(ctx, network, address, l.dial)
}

// DialBy is Dial by another dialer than the line's own.
func (l *Line) DialBy(ctx context.Context, address string, dial Dialer) (net.Conn, error) {
	return l.over(ctx, "tcp", address, dial)
}

func (l *Line) over(ctx context.Context, network, address string, dial Dialer) (net.Conn, error) {
	for {
		l.mu.Lock()
		healed := l.healed
		l.mu.Unlock()
		select {
		case <-healed:
		case <-ctx.Done():
			return nil, fmt.Errorf("dial %s: %w", address, context.Cause(ctx))
		}
		raw, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if c := l.carry(raw); c != nil {
			return c, nil
		}
		_ = Reset(raw) // cut in between: its SYN would not have arrived
	}
}

// Cut makes the line a black hole: no byte, FIN or RST passes.
func (l *Line) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return
	}
	l.cut, l.healed = true, make(chan struct{})
	for c := range l.conns {
		c.setCut()
	}
}

// Heal makes the line whole. What waited arrives, as TCP would send it again:
// data of open connections, and the ends of those that were closed meanwhile.
func (l *Line) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.cut {
		return
	}
	l.cut = false
	close(l.healed)
	for c := range l.conns {
		cuts := c.timesCut()
		l.work.Go(func() { c.catchUp(cuts) })
	}
}

// Close resets what is left, and waits for it.
func (l *Line) Close() {
	l.Heal()
	l.mu.Lock()
	conns := l.conns
	l.conns = map[*lineConn]struct{}{}
	l.mu.Unlock()
	for c := range conns {
		_ = c.Reset()
		_ = Reset(c.raw)
	}
	l.work.Wait()
}

// carry returns nil where the line was cut meanwhile.
func (l *Line) carry(raw net.Conn) *lineConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return nil
	}
	c := newLineConn(l, raw)
	l.conns[c] = struct{}{}
	return c
}

func (l *Line) drop(c *lineConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}
