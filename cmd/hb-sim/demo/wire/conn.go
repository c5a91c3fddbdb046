package wire

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// sendBuffer is how many bytes a cut line takes before a writer blocks, in
// bytes: about what a socket's own buffer takes.
const sendBuffer = 64 << 10

// catchUpTime bounds how long a healed line tries to send what waited.
const catchUpTime = 2 * time.Second

// lineConn is one end of a connection over a Line. The other end is the raw
// connection's, and learns nothing while the line is cut.
type lineConn struct {
	line *Line
	raw  net.Conn

	reading sync.Mutex // one reader at a time
	writing sync.Mutex // keeps the order of what is written to raw

	// mu guards the fields below; change tells of every change of them.
	mu      sync.Mutex
	change  sync.Cond
	cut     bool
	cuts    int // how often it was cut: catchUp sees whether it was again
	closed  bool
	aborted bool   // closed by Reset: what waits is dropped
	out     []byte // written while the line was cut
	in      []byte // read by raw and not yet by the owner
	inErr   error  // what follows in
	read    deadline
	write   deadline
}

func newLineConn(l *Line, raw net.Conn) *lineConn {
	c := &lineConn{line: l, raw: raw}
	c.change.L = &c.mu
	return c
}

func (c *lineConn) Read(p []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if !c.hasInput() {
		n, err := c.raw.Read(p)
		if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, c.orClosed(err)
		}
		c.keepInput(p[:n], err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.await(&c.read, func() bool { return !c.cut }); err != nil {
		return 0, err
	}
	n := copy(p, c.in)
	c.in = c.in[n:]
	if n > 0 || len(p) == 0 {
		return n, nil
	}
	err := c.inErr
	c.inErr = nil
	return 0, err
}

func (c *lineConn) hasInput() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.in) > 0 || c.inErr != nil || c.closed
}

// orClosed is err, or the reason why end interrupted the raw connection.
func (c *lineConn) orClosed(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	return err
}

func (c *lineConn) keepInput(b []byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in = append(c.in[:0], b...)
	c.inErr = err
}

func (c *lineConn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	if err := c.await(&c.write, func() bool { return !c.cut || len(c.out) < sendBuffer }); err != nil {
		c.mu.Unlock()
		return 0, err
	}
	if c.cut {
		c.out = append(c.out, p...)
		c.mu.Unlock()
		return len(p), nil
	}
	c.mu.Unlock()
	return c.raw.Write(p)
}

// Close ends the connection for its owner. While the line is cut the other end
// does not learn of it.
func (c *lineConn) Close() error { return c.end(false) }

// Reset is Close by RST.
func (c *lineConn) Reset() error { return c.end(true) }

func (c *lineConn) end(abort bool) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return net.ErrClosed
	}
	c.closed, c.aborted = true, abort
	hold := c.cut
	c.read.stop()
	c.write.stop()
	c.change.Broadcast()
	c.mu.Unlock()
	if hold {
		return c.raw.SetReadDeadline(time.Unix(1, 0)) // frees a blocked Read, and tells the other end nothing
	}
	c.line.drop(c)
	if abort {
		return Reset(c.raw)
	}
	return c.raw.Close()
}

func (c *lineConn) setCut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
	c.cuts++
	c.change.Broadcast()
}

func (c *lineConn) timesCut() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cuts
}

// catchUp sends what waited for the line to heal, in order, and then the end of
// a connection whose owner has closed it. cuts is how often it had been cut when
// it healed.
func (c *lineConn) catchUp(cuts int) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	if c.cuts != cuts {
		c.mu.Unlock()
		return // cut again: the next healing goes on
	}
	out := c.out
	if c.aborted {
		out = nil
	}
	c.mu.Unlock()

	_ = c.raw.SetWriteDeadline(time.Now().Add(catchUpTime))
	_, err := c.raw.Write(out)

	c.mu.Lock()
	c.out = nil
	if c.cuts != cuts {
		c.mu.Unlock()
		return // cut again: the next healing goes on
	}
	c.cut = false
	closed, aborted := c.closed, c.aborted || err != nil
	_ = c.raw.SetWriteDeadline(c.write.at)
	c.change.Broadcast()
	c.mu.Unlock()
	if !closed {
		return // a write that failed shows in the owner's next one
	}
	c.line.drop(c)
	if aborted {
		_ = Reset(c.raw)
		return
	}
	_ = c.raw.Close()
}

// await blocks until ok, the end of the connection, or d; c.mu is held.
func (c *lineConn) await(d *deadline, ok func() bool) error {
	for {
		switch {
		case c.closed:
			return net.ErrClosed
		case ok():
			return nil
		case d.passed():
			return os.ErrDeadlineExceeded
		}
		c.change.Wait()
	}
}

func (c *lineConn) LocalAddr() net.Addr  { return c.raw.LocalAddr() }
func (c *lineConn) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

func (c *lineConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

func (c *lineConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.read.set(t, c.wake)
	return c.raw.SetReadDeadline(t)
}

func (c *lineConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.write.set(t, c.wake)
	return c.raw.SetWriteDeadline(t)
}

func (c *lineConn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change.Broadcast()
}

// deadline is a moment after which a blocked call returns; zero is never.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) set(at time.Time, wake func()) {
	d.stop()
	d.at = at
	if !at.IsZero() {
		d.timer = time.AfterFunc(time.Until(at), wake)
	}
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }
