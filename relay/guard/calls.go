package guard

import "github.com/mochi-mqtt/server/v2/packets"

// calls is what the hooks need of a connection; its own goroutine's.
type calls struct {
	inHandler bool // a panic now is the handler's
	clamped   bool // the keepalive is not what the client asked for
	assigned  bool // the door made the client id
}

func (c *conn) isDead() bool {
	select {
	case <-c.dead:
		return true
	default:
		return false
	}
}

func (d *Door) established(c *conn) {
	if c.isDead() {
		return
	}
	c.v5.Store(c.client.Version == 5)
	c.inHandler = true
	d.handler.Established(c.client)
	c.inHandler = false
}

func (d *Door) subscribe(c *conn, filter string) bool {
	c.inHandler = true
	ok := d.handler.Subscribe(c.client, filter)
	c.inHandler = false
	return ok && c.subscribed(filter)
}

// publish asks the handler; false when the connection is to end.
func (d *Door) publish(c *conn, pk *packets.Packet) bool {
	if c.isDead() { // what it sent before it was taken over or closed is late
		return false
	}
	c.inHandler = true
	v := d.handler.Publish(c.client, Message{
		Topic: pk.TopicName, Payload: pk.Payload, QoS: pk.FixedHeader.Qos, Retain: pk.FixedHeader.Retain,
	})
	c.inHandler = false
	if v != Accept && v != Ignore {
		v = Close
	}
	d.verdict[v].Inc()
	if v == Accept && !c.proven {
		c.proven = true
		c.slot.prove()
	}
	if v == Close {
		_ = c.flush() // what was accepted before was acknowledged
		c.fail(End{Cause: Refused})
		return false
	}
	return true
}

// Send queues a message for the client and never blocks; payload must not
// change afterwards. qos is 0 or 1; the subscription may lower it. Errors are
// ErrNoClient, ErrNotSubscribed, ErrSlowClient and ErrTooLarge.
func (d *Door) Send(client uint64, topic string, payload []byte, qos byte) error {
	d.mu.Lock()
	c := d.byID[client]
	d.mu.Unlock()
	err := ErrNoClient
	if c != nil {
		err = c.send(outgoing{topic: topic, payload: payload, qos: qos})
	}
	if err != nil {
		d.metrics.SendRefused.Inc()
	}
	return err
}

// Disconnect ends the client's connection (Cause Dismissed); a client that is
// gone already is no error. It does not wait for Ended.
func (d *Door) Disconnect(client uint64, why string) {
	d.mu.Lock()
	c := d.byID[client]
	d.mu.Unlock()
	if c != nil {
		c.fail(End{Cause: Dismissed, Detail: why})
	}
}
