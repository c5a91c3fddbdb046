package fleet

import (
	"context"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"net"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/demo/wire"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// ending is why a session ended.
type ending uint8

const (
	lost   ending = iota // the region, the network or the power ended it, or none came about
	reborn               // the region ordered it
	parted               // goodbye was said
)

// session is one connection of one relay. It belongs to its goroutine; a second
// one reads.
type session struct {
	store *store
	life  *life
	r     int // the region
	conn  net.Conn
	epoch beat.Epoch
	seq   beat.Seq

	inbox    chan packets.ControlPacket
	acked    bool      // the region acked the birth
	waiting  time.Time // since when a report has no PUBACK; zero: none has
	packet   uint16    // the report's
	pictured time.Time
	asked    bool // the region wants the whole picture
}

// attempt connects, reports, and says why it ended.
func (s *store) attempt(l *life, r int) ending {
	c := &session{store: s, life: l, r: r, inbox: make(chan packets.ControlPacket, 4)}
	if err := c.connect(); err != nil {
		return lost
	}
	defer s.opened(r, false)
	// What ends the power ends a write that waits, too.
	stop := context.AfterFunc(l.power, func() { _ = wire.Reset(c.conn) })
	over := make(chan struct{})
	go func() {
		defer close(over)
		c.read()
	}()
	end := c.serve()
	stop()
	if end == lost {
		_ = wire.Reset(c.conn)
	} else {
		_ = c.conn.Close()
	}
	<-over
	return end
}

// connect opens the connection, through one of a few doors at a time.
func (c *session) connect() error {
	door := c.store.fleet.doors[c.r]
	select {
	case door <- struct{}{}:
		defer func() { <-door }()
	case <-c.life.power.Done():
		return c.life.power.Err()
	}
	ctx, cancel := context.WithTimeout(c.life.power, ackTimeout)
	defer cancel()
	conn, err := c.store.fleet.o.Regions[c.r].Dial(ctx, c.store.i)
	if err != nil {
		return err
	}
	c.conn, c.epoch = conn, c.store.nextEpoch()
	if err := c.handshake(); err != nil {
		return errors.Join(err, wire.Reset(conn))
	}
	return nil
}

func (c *session) handshake() error {
	if err := c.conn.SetDeadline(time.Now().Add(ackTimeout)); err != nil {
		return err
	}
	death := beat.Death{V: beat.Wire, Incarnation: c.store.incarnation, Boot: c.life.boot, Epoch: c.epoch}
	p := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket) //nolint:errcheck // it is what was asked for
	p.ProtocolName, p.ProtocolVersion, p.CleanSession = "MQTT", 4, true
	p.ClientIdentifier, p.Keepalive = c.store.id.String(), uint16(c.store.fleet.o.Keepalive/time.Second)
	p.UsernameFlag, p.Username = true, c.store.id.String()
	p.PasswordFlag, p.Password = true, []byte(c.store.fleet.o.Password)
	p.WillFlag, p.WillQos, p.WillTopic, p.WillMessage = true, 1, c.store.id.DeathTopic(), death.Encode()
	if err := p.Write(c.conn); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	answer, err := packets.ReadPacket(c.conn)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if a, ok := answer.(*packets.ConnackPacket); !ok || a.ReturnCode != packets.Accepted {
		return fmt.Errorf("connect: the region answers %v", answer)
	}
	sub := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket) //nolint:errcheck // it is what was asked for
	sub.MessageID, sub.Topics, sub.Qoss = 1, []string{c.store.id.DownFilter()}, []byte{1}
	if err := sub.Write(c.conn); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	return c.conn.SetReadDeadline(time.Time{})
}

// read hands on what comes. It never writes: over a pipe, that could wait for
// a region that waits for it.
func (c *session) read() {
	for {
		p, err := packets.ReadPacket(c.conn)
		if err != nil {
			close(c.inbox)
			return
		}
		c.inbox <- p
	}
}

// drained takes what the reader still has.
func (c *session) drained() {
	for range c.inbox { //revive:disable-line:empty-block // until read has ended
	}
}

func (c *session) serve() ending {
	defer func() {
		go c.drained()
	}()
	if c.report(beat.Birth) != nil {
		return lost
	}
	// Each store has its own beat of time.
	next := time.NewTimer(mrand.N(c.store.fleet.o.ReportEvery))
	defer next.Stop()
	patience := time.NewTimer(ackTimeout)
	defer patience.Stop()
	leaving := c.life.leaving
	for {
		select {
		case <-c.life.power.Done():
			return lost
		case <-leaving:
			leaving = nil
			if c.report(beat.Goodbye) != nil {
				return lost
			}
		case p, ok := <-c.inbox:
			if !ok {
				return lost
			}
			if reborn, err := c.take(p); err != nil || reborn {
				return endOf(reborn)
			}
			if leaving == nil && c.waiting.IsZero() {
				_ = packets.NewControlPacket(packets.Disconnect).Write(c.conn) // it is over either way
				return parted
			}
		case <-next.C:
			if c.report(beat.Steady) != nil {
				return lost
			}
			next.Reset(c.store.fleet.o.ReportEvery)
		case <-patience.C:
			if !c.waiting.IsZero() && time.Since(c.waiting) >= ackTimeout {
				return lost
			}
		}
		if c.waiting.IsZero() {
			patience.Stop()
		} else {
			patience.Reset(max(0, ackTimeout-time.Since(c.waiting)))
		}
	}
}

func endOf(again bool) ending {
	if again {
		return reborn
	}
	return lost
}

// report sends the newest; while one waits for its PUBACK there is no other.
func (c *session) report(kind beat.Kind) error {
	if kind == beat.Steady && !c.waiting.IsZero() {
		return nil
	}
	now, o := time.Now(), c.store.fleet.o
	picture := c.store.picture(now)
	c.seq++
	r := &beat.Report{
		V: beat.Wire, Kind: kind, Store: c.store.id.Store, Relay: c.store.id.Relay,
		Incarnation: c.store.incarnation, Boot: c.life.boot, Epoch: c.epoch, Seq: c.seq,
		MonoMs:        uint64(now.Sub(c.store.fleet.began).Milliseconds()),
		ReportEveryMs: uint32(o.ReportEvery.Milliseconds()), KeepaliveMs: uint32(o.Keepalive.Milliseconds()),
		Others: c.store.witnesses(c.r, now), Hash: picture.Hash(),
	}
	if kind == beat.Birth {
		r.Software = o.Version
	}
	if kind == beat.Birth || c.asked || now.Sub(c.pictured) >= pictureEvery {
		r.Picture, c.pictured, c.asked = picture, now, false
	}
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket) //nolint:errcheck // it is what was asked for
	c.packet++
	p.Qos, p.TopicName, p.Payload, p.MessageID = 1, c.store.id.ReportTopic(), r.Encode(), max(2, c.packet)
	c.packet = p.MessageID
	c.waiting = now
	return c.write(p)
}

func (c *session) write(p packets.ControlPacket) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(ackTimeout)); err != nil {
		return err
	}
	return p.Write(c.conn)
}

// take does what a packet of the region says; again is a rebirth.
func (c *session) take(p packets.ControlPacket) (again bool, err error) {
	switch p := p.(type) {
	case *packets.PubackPacket:
		if p.MessageID == c.packet {
			c.store.pubacked(c.r, c.waiting)
			c.waiting = time.Time{}
			if c.asked {
				return false, c.report(beat.Steady)
			}
		}
	case *packets.PublishPacket:
		if p.Qos == 1 {
			ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket) //nolint:errcheck // it is what was asked for
			ack.MessageID = p.MessageID
			if err := c.write(ack); err != nil {
				return false, err
			}
		}
		return c.hear(p.TopicName, p.Payload)
	}
	return false, nil
}

// hear takes what the region says to the relay.
func (c *session) hear(topic string, payload []byte) (again bool, err error) {
	switch topic {
	case c.store.id.AckTopic():
		if a, err := beat.DecodeAck(payload); err == nil && a.Epoch == c.epoch && !c.acked {
			c.acked = true
			c.store.opened(c.r, true)
		}
	case c.store.id.CommandTopic():
		cmd, err := beat.DecodeCommand(payload)
		if err != nil {
			return false, nil // a region of another version: nothing of it concerns us
		}
		switch cmd.Order {
		case beat.Rebirth:
			if cmd.Exceed >= c.epoch {
				c.store.exceed(cmd.Exceed)
				return true, nil
			}
		case beat.SendPicture:
			c.asked = true
			return false, c.report(beat.Steady)
		case beat.Forget:
			c.store.forget(cmd.Host)
			c.asked = true
			return false, c.report(beat.Steady)
		}
	}
	return false, nil
}
