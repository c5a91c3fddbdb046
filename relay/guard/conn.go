package guard

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

const (
	// smallBuffer is what a silent connection costs; a busy one gets the next.
	smallBuffer = 512
	usualBuffer = 4 << 10
	// enoughAcks is how many bytes of acknowledgements are written at once.
	enoughAcks = 2 << 10
	// farewell is how long a DISCONNECT of the server may take.
	farewell = 200 * time.Millisecond
)

// conn is one connection: the library reads whole, checked frames from it and
// writes to it.
type conn struct {
	door   *Door
	raw    net.Conn
	slot   *slot
	client *Client // nil until the CONNECT was read
	lib    *mqtt.Client

	inbox
	outbox
	desk
	calls

	// dead is closed when the connection is to end, with how already set; done
	// when Ended was called.
	dead    chan struct{}
	done    chan struct{}
	end     sync.Once
	how     End
	v5      atomic.Bool    // an MQTT 5 client got its CONNACK
	parting sync.WaitGroup // a last DISCONNECT on its way
}

// inbox is the reading goroutine's own.
type inbox struct {
	buf       []byte
	start, to int   // buf[start:to] is what was read and not handed out
	checked   int   // as many bytes from start on are whole, valid frames
	failed    error // what comes after them
	renew     bool  // a frame came since the deadline was set
	keepalive time.Duration
	bucket    bucket
	debt      time.Duration
	reason    byte // DISCONNECT's reason code
	proven    bool // a message was accepted
}

func newConn(d *Door, raw net.Conn) *conn {
	return &conn{door: d, raw: raw, dead: make(chan struct{}), done: make(chan struct{}), inbox: inbox{bucket: newBucket(d.opt.PacketsPerSecond)}}
}

// readConnect reads the CONNECT, within the deadline that was set at the
// accept.
func (c *conn) readConnect() (*connect, error) {
	for {
		have := c.buf[c.start:c.to]
		if len(have) > 0 && have[0] != typeConnect<<4 {
			return nil, badOrder
		}
		size, header, err := frameSize(have, c.door.opt.MaxConnect)
		if err != nil {
			return nil, err
		}
		if size > 0 && len(have) >= size {
			c.start += size
			return parseConnect(have[header:size], c.door.opt.Versions)
		}
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}

// replay makes b what the library reads first.
func (c *conn) replay(b []byte) {
	rest := c.buf[c.start:c.to]
	c.buf = append(append(make([]byte, 0, max(smallBuffer, len(b)+len(rest))), b...), rest...)
	c.start, c.to, c.checked, c.renew = 0, len(c.buf), len(b), true
	c.buf = c.buf[:cap(c.buf)]
}

// Read hands out frames that are whole and valid, and nothing else.
func (c *conn) Read(p []byte) (int, error) {
	for c.checked == 0 {
		if c.failed != nil {
			c.refused()
			return 0, c.failed
		}
		c.check()
		if c.debt > 0 && !c.wait() {
			return 0, net.ErrClosed
		}
		if c.checked > 0 || c.failed != nil {
			continue
		}
		if err := c.flush(); err != nil {
			return 0, err
		}
		c.setDeadline()
		if err := c.fill(); err != nil {
			c.failed = err
		}
	}
	n := copy(p, c.buf[c.start:c.start+c.checked])
	c.start += n
	c.checked -= n
	return n, nil
}

// check looks at the frames that came, and stops before one that is not whole,
// is wrong, or is not for the library.
func (c *conn) check() {
	frames := 0
	for c.failed == nil {
		rest := c.buf[c.start+c.checked : c.to]
		size, header, err := frameSize(rest, c.door.opt.MaxPacket)
		if err != nil {
			c.failed = err
			break
		}
		if size == 0 || len(rest) < size {
			break
		}
		body := rest[header:size]
		if err := checkFrame(rest[0], body, c.client.Version); err != nil {
			c.failed = err
			break
		}
		if rest[0]>>4 == typePuback { // of a message of Send, which the library does not know
			if c.checked > 0 {
				break
			}
			c.start += size
			c.acknowledged(body)
		} else {
			c.checked += size
		}
		frames++
		if rest[0]>>4 == typeDisconnect {
			c.goodbye(body)
		}
	}
	if frames > 0 {
		c.renew = true
		c.debt = c.bucket.take(frames)
	}
}

// refused ends the connection if it is for a wrong frame.
func (c *conn) refused() {
	if bad, ok := errors.AsType[badFrame](c.failed); ok {
		c.door.metrics.Frames.WithLabelValues(string(bad)).Inc()
		_ = c.flush() // what was good before it was acknowledged
		c.fail(End{Cause: Malformed, Detail: string(bad)})
	}
}

// goodbye notes a DISCONNECT: nothing counts after it. A session expiry in it
// is set to what the CONNACK said, 0; the library would refuse another.
func (c *conn) goodbye(body []byte) {
	c.failed, c.to = io.EOF, c.start+c.checked
	if len(body) > 0 {
		c.reason = body[0]
	}
	if len(body) > 1 {
		_, _ = properties(body[1:], inDisconnect, func(id byte, value []byte) { // checked before
			if id == propSessionExpiry {
				clear(value)
			}
		})
	}
}

// wait makes a connection above its rate wait; false if it ended meanwhile.
func (c *conn) wait() bool {
	c.door.metrics.Throttled.Inc()
	if c.flush() != nil {
		return false
	}
	t := time.NewTimer(c.debt)
	defer t.Stop()
	c.debt = 0
	select {
	case <-t.C:
		return true
	case <-c.dead:
		return false
	}
}

// fill reads what there is. The buffer grows by what came, never by what a
// frame announces.
func (c *conn) fill() error {
	have := c.to - c.start
	switch {
	case have == 0 && len(c.buf) > usualBuffer:
		c.buf = make([]byte, usualBuffer)
	case c.start == 0 && have == len(c.buf):
		bigger := make([]byte, max(smallBuffer, 2*have))
		copy(bigger, c.buf)
		c.buf = bigger
	case c.start > 0:
		copy(c.buf, c.buf[c.start:c.to])
	}
	c.start, c.to = 0, have
	n, err := c.raw.Read(c.buf[c.to:])
	c.to += n
	if n > 0 {
		if n+have == len(c.buf) && len(c.buf) < usualBuffer {
			c.buf = append(make([]byte, 0, usualBuffer), c.buf...)[:usualBuffer]
		}
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// setDeadline moves the deadline on when a whole frame came: single bytes of
// one keep nobody alive.
func (c *conn) setDeadline() {
	if c.renew {
		c.renew = false
		_ = c.raw.SetReadDeadline(time.Now().Add(c.keepalive)) // a dead connection shows in Read
	}
}

// fail ends the connection for the first cause that is given.
func (c *conn) fail(e End) {
	c.end.Do(func() {
		c.how = e
		close(c.dead)
		if code := disconnectCode(e.Cause); code != 0 && c.v5.Load() {
			c.parting.Go(func() {
				_ = c.raw.SetWriteDeadline(time.Now().Add(farewell))
				_, _ = c.raw.Write([]byte{typeDisconnect << 4, 2, code, 0}) // a courtesy
				c.shut()
			})
			return
		}
		c.shut()
	})
}

// disconnectCode is what MQTT 5 tells a client; 0 is nothing. A closing door
// says nothing: libmosquitto takes a DISCONNECT for the end of its work, and a
// register that uses it would not come back after its relay's restart; a lost
// connection it makes again.
func disconnectCode(c Cause) byte {
	switch c {
	case Malformed:
		return 0x81
	case Refused:
		return 0x83
	case TakenOver:
		return 0x8e
	case Dismissed:
		return 0x98
	}
	return 0
}

// shut closes the socket without waiting for anybody: TLS would say goodbye.
func (c *conn) shut() {
	if t, ok := c.raw.(*tls.Conn); ok {
		_ = t.NetConn().Close()
		return
	}
	_ = c.raw.Close()
}

// Close is the library's: it comes with a DISCONNECT or at the end.
func (c *conn) Close() error {
	select {
	case <-c.dead:
		return nil
	default:
	}
	_ = c.flush()
	return c.raw.Close()
}

func (c *conn) LocalAddr() net.Addr  { return c.raw.LocalAddr() }
func (c *conn) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

// The library's deadlines are ignored: it has none before the CONNECT and
// renews them with each packet that it handles; see setDeadline and flush.

func (c *conn) SetDeadline(time.Time) error      { return nil }
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// ending says how the connection ended, given what the library returned.
func (c *conn) ending(err error) End {
	c.end.Do(func() { // nobody else ended it
		c.how = c.classify(err)
		close(c.dead)
	})
	return c.how
}

func (c *conn) classify(err error) End {
	if c.lib != nil {
		if cause := c.lib.StopCause(); errors.Is(cause, packets.CodeDisconnect) || errors.Is(cause, packets.CodeDisconnectWillMessage) {
			return End{Clean: c.reason == 0, Cause: Disconnected}
		}
	}
	var bad badFrame
	switch {
	case errors.As(err, &bad):
		return End{Cause: Malformed, Detail: string(bad)}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return End{Cause: Silent}
	case err != nil:
		return End{Cause: Lost, Detail: err.Error()}
	}
	return End{Cause: Lost}
}
