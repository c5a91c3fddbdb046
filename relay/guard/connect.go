package guard

import (
	"crypto/rand"
	"encoding/binary"
	"slices"
	"time"
)

// connect is a CONNECT that was read and found right.
type connect struct {
	version       byte
	keepalive     uint16
	clientID      string
	will          *Will
	user          string
	password      []byte
	sessionExpiry uint32
	receiveMax    uint16 // 0: not limited
	maximumPacket uint32 // 0: not limited
	noProblemInfo bool
	authMethod    bool
	assigned      bool // the door made the client id
}

const (
	flagReserved = 1 << 0
	flagClean    = 1 << 1
	flagWill     = 1 << 2
	flagRetain   = 1 << 5
	flagPassword = 1 << 6
	flagUser     = 1 << 7
)

// refusedConnect is a CONNECT that gets a CONNACK with a reason.
type refusedConnect struct {
	badFrame
	v3, v5 byte // the return code of 3.1.1, the reason code of 5
}

// parseConnect reads a CONNECT's body. The error is a badFrame, for which the
// connection is closed, or a refusedConnect, which is answered.
func parseConnect(body []byte, versions []byte) (*connect, error) {
	name, b, err := field(body)
	if err != nil {
		return nil, err
	}
	if len(b) < 4 {
		return nil, badEnd
	}
	c := &connect{version: b[0], keepalive: binary.BigEndian.Uint16(b[2:])}
	switch {
	case string(name) == "MQIsdp":
		return nil, &refusedConnect{badVersion, 0x01, 0x84}
	case string(name) != "MQTT":
		return nil, badProtocol
	case !slices.Contains(versions, c.version):
		return c, &refusedConnect{badVersion, 0x01, 0x84}
	}
	flags := b[1]
	if !validConnectFlags(flags, c.version) {
		return nil, badFlags
	}
	b = b[4:]
	if c.version == 5 {
		if b, err = properties(b, inConnect, c.property); err != nil {
			return nil, err
		}
	}
	if b, err = c.identity(b, flags); err != nil {
		return c, err
	}
	if len(b) != 0 {
		return nil, badRest
	}
	if c.authMethod {
		return c, &refusedConnect{badAuth, 0x05, 0x8c}
	}
	if c.clientID == "" && c.version != 5 && flags&flagClean == 0 {
		return c, &refusedConnect{badClientID, 0x02, 0x85} // MQTT-3.1.3-8
	}
	if c.clientID == "" {
		c.clientID, c.assigned = "auto-"+rand.Text(), true
	}
	return c, nil
}

func validConnectFlags(flags, version byte) bool {
	qos := flags >> 3 & 3
	switch {
	case flags&flagReserved != 0 || qos == 3:
		return false
	case flags&flagWill == 0 && (qos != 0 || flags&flagRetain != 0):
		return false
	case version != 5 && flags&flagPassword != 0 && flags&flagUser == 0:
		return false // MQTT-3.1.2-22
	}
	return true
}

func (c *connect) property(id byte, value []byte) {
	switch id {
	case propSessionExpiry:
		c.sessionExpiry = binary.BigEndian.Uint32(value)
	case propAuthMethod:
		c.authMethod = true
	case propProblemInfo:
		c.noProblemInfo = value[0] == 0
	case propReceiveMaximum:
		c.receiveMax = binary.BigEndian.Uint16(value)
	case propMaximumPacket:
		c.maximumPacket = binary.BigEndian.Uint32(value)
	}
}

// identity reads the payload: client id, will, user, password. What it keeps
// is a copy.
func (c *connect) identity(b []byte, flags byte) (rest []byte, err error) {
	id, b, err := field(b)
	if err != nil {
		return nil, err
	}
	if !isText(id) {
		return nil, badText
	}
	c.clientID = string(id)
	if flags&flagWill != 0 {
		if b, err = c.readWill(b, flags); err != nil {
			return nil, err
		}
	}
	if flags&flagUser != 0 {
		var user []byte
		if user, b, err = field(b); err != nil {
			return nil, err
		}
		if !isText(user) {
			return nil, badText
		}
		c.user = string(user)
	}
	if flags&flagPassword != 0 {
		var password []byte
		if password, b, err = field(b); err != nil {
			return nil, err
		}
		c.password = slices.Clone(password)
	}
	return b, nil
}

func (c *connect) readWill(b []byte, flags byte) (rest []byte, err error) {
	if c.version == 5 {
		if b, err = properties(b, inWill, nil); err != nil {
			return nil, err
		}
	}
	topic, b, err := field(b)
	if err != nil {
		return nil, err
	}
	if err := checkTopic(topic); err != nil {
		return nil, err
	}
	payload, b, err := field(b)
	if err != nil {
		return nil, err
	}
	c.will = &Will{
		Topic:   string(topic),
		Payload: slices.Clone(payload),
		QoS:     flags >> 3 & 3,
		Retain:  flags&flagRetain != 0,
	}
	return b, nil
}

// clampKeepalive returns the keepalive in force, in seconds: none becomes
// most, since without one a dead peer would stay for ever.
func clampKeepalive(seconds uint16, most time.Duration) uint16 {
	m := uint16(min(most, DefaultMaxKeepalive) / time.Second)
	if seconds == 0 {
		return m
	}
	return min(seconds, m)
}

// forLibrary is the CONNECT that the library gets to see: the session is
// clean (nothing of an old one is evidence), and will, user and password are
// left out. The library would send the will to subscribers, and refuses an
// empty will or password, which the protocol allows.
func (c *connect) forLibrary() []byte {
	var props []byte
	if c.version == 5 {
		props = append(props, 0)
		if c.sessionExpiry > 0 { // so that the CONNACK says: 0
			props = append(props, propSessionExpiry)
			props = binary.BigEndian.AppendUint32(props, c.sessionExpiry)
		}
		if c.maximumPacket > 0 {
			props = append(props, propMaximumPacket)
			props = binary.BigEndian.AppendUint32(props, c.maximumPacket)
		}
		if c.noProblemInfo {
			props = append(props, propProblemInfo, 0)
		}
		props[0] = byte(len(props) - 1)
	}
	body := append([]byte{0, 4, 'M', 'Q', 'T', 'T', c.version, flagClean}, 0, 0)
	binary.BigEndian.PutUint16(body[8:], c.keepalive)
	body = append(body, props...)
	body = binary.BigEndian.AppendUint16(body, uint16(len(c.clientID)))
	body = append(body, c.clientID...)
	return append(appendVarint([]byte{typeConnect << 4}, len(body)), body...)
}

// connack is a CONNACK that refuses.
func connack(version, v3, v5 byte) []byte {
	if version >= 5 {
		return []byte{typeConnack << 4, 3, 0, v5, 0}
	}
	return []byte{typeConnack << 4, 2, 0, v3}
}

func appendVarint(b []byte, n int) []byte {
	for n >= 0x80 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}
