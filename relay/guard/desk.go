package guard

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync"
)

// window is how many messages of QoS 1 may be without PUBACK.
const window = 64

// desk is where the door's own messages wait for a client.
type desk struct {
	mu       sync.Mutex // guards what follows
	filters  []subscription
	waiting  []outgoing
	unacked  []uint16
	lastID   uint16
	window   int
	maxBytes int
	sending  bool // a goroutine empties waiting
	shutDown bool
	senders  sync.WaitGroup
}

type subscription struct {
	filter string
	qos    byte
}

type outgoing struct {
	topic   string
	payload []byte
	qos     byte
}

// open lets messages through; it is called before the client can subscribe.
func (c *conn) open(k *connect) {
	c.window, c.maxBytes = window, c.door.opt.MaxPacket
	if k.receiveMax > 0 {
		c.window = min(window, int(k.receiveMax))
	}
	if k.maximumPacket > 0 {
		c.maxBytes = int(min(k.maximumPacket, uint32(c.maxBytes)))
	}
}

func (c *conn) send(m outgoing) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shutDown {
		return ErrNoClient
	}
	granted, ok := c.granted(m.topic)
	switch {
	case !ok:
		return ErrNotSubscribed
	case maxHeader+2+len(m.topic)+3+len(m.payload) > c.maxBytes:
		return ErrTooLarge
	case len(c.waiting) >= c.door.opt.Queue:
		return ErrSlowClient
	}
	m.qos = min(m.qos, granted, 1)
	c.waiting = append(c.waiting, m)
	c.wake()
	return nil
}

// wake starts the sender if there is something that it may send; mu is held.
func (c *conn) wake() {
	if c.sending || c.shutDown || !c.maySend() {
		return
	}
	c.sending = true
	c.senders.Go(c.sendWaiting)
}

func (c *conn) maySend() bool {
	return len(c.waiting) > 0 && (c.waiting[0].qos == 0 || len(c.unacked) < c.window)
}

// sendWaiting lives only while there is something to send: a silent client has
// no goroutine for it.
func (c *conn) sendWaiting() {
	for {
		c.mu.Lock()
		if c.shutDown || !c.maySend() {
			c.sending = false
			c.mu.Unlock()
			return
		}
		m := c.waiting[0]
		if c.waiting = c.waiting[1:]; len(c.waiting) == 0 {
			c.waiting = nil
		}
		var id uint16
		if m.qos > 0 {
			id = c.nextID()
		}
		c.mu.Unlock()
		if _, err := c.Write(m.encode(id, c.client.Version)); err != nil {
			c.fail(End{Cause: Lost, Detail: err.Error()})
			continue
		}
		c.door.metrics.Sent.Inc()
	}
}

// nextID takes a packet id that is not in flight; mu is held.
func (c *conn) nextID() uint16 {
	for {
		if c.lastID++; c.lastID != 0 && !slices.Contains(c.unacked, c.lastID) {
			c.unacked = append(c.unacked, c.lastID)
			return c.lastID
		}
	}
}

// acknowledged takes a PUBACK's body.
func (c *conn) acknowledged(body []byte) {
	id := binary.BigEndian.Uint16(body)
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.unacked, id); i >= 0 {
		c.unacked = slices.Delete(c.unacked, i, i+1)
		c.wake()
	}
}

// closeDesk refuses further messages and waits for the sender, whose
// connection is closed.
func (c *conn) closeDesk() {
	c.mu.Lock()
	c.shutDown = true
	dropped := len(c.waiting)
	c.waiting = nil
	c.mu.Unlock()
	c.door.metrics.SendRefused.Add(float64(dropped))
	c.senders.Wait()
}

func (m outgoing) encode(id uint16, version byte) []byte {
	n := 2 + len(m.topic) + len(m.payload)
	if m.qos > 0 {
		n += 2
	}
	if version == 5 {
		n++
	}
	b := make([]byte, 0, maxHeader+n)
	b = appendVarint(append(b, typePublish<<4|m.qos<<1), n)
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.topic)))
	b = append(b, m.topic...)
	if m.qos > 0 {
		b = binary.BigEndian.AppendUint16(b, id)
	}
	if version == 5 {
		b = append(b, 0)
	}
	return append(b, m.payload...)
}

// granted is the highest QoS of the filters that match; mu is held.
func (c *conn) granted(topic string) (qos byte, ok bool) {
	for _, s := range c.filters {
		if matches(s.filter, topic) {
			qos, ok = max(qos, s.qos), true
		}
	}
	return qos, ok
}

// subscribed notes a filter; false when the client has too many.
func (c *conn) subscribed(filter string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.ContainsFunc(c.filters, func(s subscription) bool { return s.filter == filter }) {
		return true
	}
	if len(c.filters) >= c.door.opt.MaxSubscriptions {
		return false
	}
	c.filters = append(c.filters, subscription{filter: strings.Clone(filter)})
	return true
}

func (c *conn) grant(filter string, qos byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.filters {
		if c.filters[i].filter == filter {
			c.filters[i].qos = qos
		}
	}
}

func (c *conn) unsubscribed(filter string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.filters = slices.DeleteFunc(c.filters, func(s subscription) bool { return s.filter == filter })
}

// matches is MQTT 4.7: + is one level, # the rest, neither matches a first
// level that begins with $.
func matches(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && !strings.HasPrefix(filter, "$") {
		return false
	}
	for {
		f, frest, fmore := strings.Cut(filter, "/")
		if f == "#" {
			return true
		}
		t, trest, tmore := strings.Cut(topic, "/")
		if f != "+" && f != t {
			return false
		}
		if !tmore {
			return !fmore || frest == "#"
		}
		if !fmore {
			return false
		}
		filter, topic = frest, trest
	}
}
