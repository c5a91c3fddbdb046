package guard

import (
	"sync"
	"time"
)

// outbox collects what goes to the client: acknowledgements wait until the
// reader would block, so that a burst is answered by one write.
type outbox struct {
	wmu     sync.Mutex // guards what follows
	pending []byte
	writeBy time.Time // the write deadline that is set
}

// ack queues a PUBACK.
func (c *conn) ack(id uint16) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.pending = append(c.pending, typePuback<<4, 2, byte(id>>8), byte(id))
	if len(c.pending) >= enoughAcks {
		_ = c.writeOut() // shows in the next read
	}
}

func (c *conn) flush() error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if len(c.pending) == 0 {
		return nil
	}
	return c.writeOut()
}

// Write writes p after what waits.
func (c *conn) Write(p []byte) (int, error) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if len(c.pending) == 0 {
		c.extend()
		return c.raw.Write(p)
	}
	c.pending = append(c.pending, p...)
	if err := c.writeOut(); err != nil {
		return 0, err
	}
	return len(p), nil
}

// writeOut writes what waits; wmu is held.
func (c *conn) writeOut() error {
	c.extend()
	_, err := c.raw.Write(c.pending)
	if c.pending = c.pending[:0]; cap(c.pending) > usualBuffer {
		c.pending = nil
	}
	return err
}

// extend gives the write its deadline, at most once in a second: to set one
// costs more than to look at the clock.
func (c *conn) extend() {
	now := time.Now()
	timeout := c.door.opt.WriteTimeout
	if c.writeBy.Sub(now) < timeout-min(time.Second, timeout/4) {
		c.writeBy = now.Add(timeout)
		_ = c.raw.SetWriteDeadline(c.writeBy) // a dead connection shows in Write
	}
}
