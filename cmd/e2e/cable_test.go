//go:build linux

package e2e_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// cable is the way from a relay to one region. Cut, it is a black hole: what is
// sent waits, the ends hear of nothing. It notes the will of each session.
type cable struct {
	t  testing.TB
	ln net.Listener
	to string

	work sync.WaitGroup

	mu    sync.Mutex // guards what follows
	whole chan struct{}
	conns map[net.Conn]struct{}
	wills []beat.Death
	ended bool
}

func newCable(t testing.TB, to string) *cable {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{t: t, ln: ln, to: to, whole: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	close(c.whole)
	c.work.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			c.work.Go(func() { c.carry(conn) })
		}
	})
	t.Cleanup(c.close)
	return c
}

func (c *cable) address() string { return c.ln.Addr().String() }

// cut makes it a black hole until heal.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.whole:
		c.whole = make(chan struct{})
	default:
	}
}

func (c *cable) heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.whole:
	default:
		close(c.whole)
	}
}

// pass waits while the cable is cut; false: the test is over.
func (c *cable) pass() bool {
	c.mu.Lock()
	whole := c.whole
	c.mu.Unlock()
	<-whole
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.ended
}

func (c *cable) hold(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		_ = conn.Close()
		return false
	}
	c.conns[conn] = struct{}{}
	return true
}

func (c *cable) drop(conn net.Conn) {
	_ = conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, conn)
}

func (c *cable) carry(from net.Conn) {
	if !c.hold(from) {
		return
	}
	defer c.drop(from)
	if !c.pass() {
		return
	}
	to, err := net.Dial("tcp", c.to)
	if err != nil || !c.hold(to) {
		return // a dead broker refuses, and so does the cable
	}
	defer c.drop(to)
	var both sync.WaitGroup
	both.Go(func() { c.copy(to, from, c.note()) })
	both.Go(func() { c.copy(from, to, func([]byte) {}) })
	both.Wait()
}

// copy carries one direction until it ends, and then ends the other.
func (c *cable) copy(to, from net.Conn, see func([]byte)) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if !c.pass() {
			return
		}
		if n > 0 {
			see(buf[:n])
			if _, err := to.Write(buf[:n]); err != nil {
				_ = from.Close()
				return
			}
		}
		if err != nil {
			_ = to.Close()
			return
		}
	}
}

// note reads the CONNECT that a connection begins with.
func (c *cable) note() func([]byte) {
	var head bytes.Buffer
	read := false
	return func(b []byte) {
		if read {
			return
		}
		head.Write(b)
		packet, err := packets.ReadPacket(bytes.NewReader(head.Bytes()))
		if err != nil {
			read = err != io.EOF && err != io.ErrUnexpectedEOF //nolint:errorlint // the reader is a bytes.Reader
			return
		}
		read = true
		connect, ok := packet.(*packets.ConnectPacket)
		if !ok {
			return
		}
		d, err := beat.DecodeDeath(connect.WillMessage)
		if err != nil {
			c.t.Errorf("a relay's will cannot be read: %v", err)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.wills = append(c.wills, d)
	}
}

// sessions are the wills of all sessions that were begun so far.
func (c *cable) sessions() []beat.Death {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]beat.Death(nil), c.wills...)
}

func (c *cable) close() {
	_ = c.ln.Close()
	c.mu.Lock()
	c.ended = true
	for conn := range c.conns {
		_ = conn.Close()
	}
	c.mu.Unlock()
	c.heal()
	c.work.Wait()
}
