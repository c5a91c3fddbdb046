package bench

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// The packets that a client reads and writes, by their first byte (MQTT 3.1.1,
// section 2.2.1).
const (
	typeConnect  = 0x10
	typeConnack  = 0x20
	typePublish1 = 0x32 // with QoS 1
	typePuback   = 0x40
	typeMask     = 0xf0
)

// patience bounds every step that ought to take milliseconds.
const patience = 20 * time.Second

// client speaks just enough MQTT 3.1.1 to be no bottleneck.
type client struct {
	conn net.Conn
	in   *bufio.Reader
	body []byte // of the last packet read
}

// login is what a CONNECT carries. Without a user there is no password.
type login struct {
	id, user, password string
	willTopic          string
	will               []byte
	keepalive          uint16 // seconds
}

// connect opens a session, CONNACK included.
func connect(address string, l login) (*client, error) {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return nil, fmt.Errorf("connect %s: %w", l.id, err)
	}
	c := &client{conn: conn, in: bufio.NewReaderSize(conn, 4096)}
	if err := c.open(l); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("connect %s: %w", l.id, err)
	}
	return c, nil
}

func (c *client) open(l login) error {
	flags := byte(0b10) // clean session
	body := appendText(nil, "MQTT")
	rest := appendText(nil, l.id)
	if l.willTopic != "" {
		flags |= 0b1100 // a will, with QoS 1
		rest = appendText(appendText(rest, l.willTopic), string(l.will))
	}
	if l.user != "" {
		flags |= 0b1100_0000
		rest = appendText(appendText(rest, l.user), l.password)
	}
	body = append(body, 4, flags)
	body = binary.BigEndian.AppendUint16(body, l.keepalive)
	if _, err := c.conn.Write(appendPacket(nil, typeConnect, append(body, rest...))); err != nil {
		return err
	}
	kind, err := c.next()
	if err != nil {
		return err
	}
	if kind != typeConnack || len(c.body) != 2 || c.body[1] != 0 {
		return fmt.Errorf("refused: %#x %v", kind, c.body)
	}
	return nil
}

// publish sends one message with QoS 1 and waits for its PUBACK.
func (c *client) publish(topic string, payload []byte) error {
	if _, err := c.conn.Write(appendPublish(nil, topic, 1, payload)); err != nil {
		return err
	}
	return c.acks(1)
}

// acks reads until n PUBACKs came.
func (c *client) acks(n int) error {
	for n > 0 {
		kind, err := c.next()
		if err != nil {
			return err
		}
		if kind == typePuback {
			n--
		}
	}
	return nil
}

var errLong = errors.New("a packet longer than any that is expected")

// next reads one packet into body and returns its type.
func (c *client) next() (byte, error) {
	head, err := c.in.ReadByte()
	if err != nil {
		return 0, err
	}
	n, err := binary.ReadUvarint(c.in) // MQTT's remaining length is the same code
	if err != nil {
		return 0, err
	}
	if n > 1<<16 {
		return 0, errLong
	}
	if uint64(cap(c.body)) < n {
		c.body = make([]byte, n)
	}
	c.body = c.body[:n]
	_, err = io.ReadFull(c.in, c.body)
	return head & typeMask, err
}

// close ends the connection as the kernel does for a killed process: without
// DISCONNECT.
func (c *client) close() { _ = c.conn.Close() }

func appendText(to []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(to, uint16(len(s))), s...) //nolint:gosec // short
}

func appendPacket(to []byte, kind byte, body []byte) []byte {
	return append(binary.AppendUvarint(append(to, kind), uint64(len(body))), body...)
}

func appendPublish(to []byte, topic string, id uint16, payload []byte) []byte {
	body := binary.BigEndian.AppendUint16(appendText(nil, topic), id)
	return appendPacket(to, typePublish1, append(body, payload...))
}
