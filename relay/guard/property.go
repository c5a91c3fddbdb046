package guard

import "encoding/binary"

// packetSet is a set of packets, for what may be in which.
type packetSet uint8

const (
	inConnect packetSet = 1 << iota
	inWill
	inPublish
	inAck
	inSubscribe
	inUnsubscribe
	inDisconnect
)

// shape is how the value of a property is laid out.
type shape uint8

const (
	oneByte shape = iota + 1
	twoBytes
	fourBytes
	varint
	text
	binaryData
	textPair
)

// The properties whose values matter here (MQTT 5, 2.2.2.2).
const (
	propSessionExpiry  = 17
	propAuthMethod     = 21
	propProblemInfo    = 23
	propReceiveMaximum = 33
	propUser           = 38
	propMaximumPacket  = 39
)

// maxUserProperties bounds them in one packet: each costs the library more
// memory than it has bytes.
const maxUserProperties = 32

type property struct {
	shape shape
	in    packetSet
}

// propertyOf is what a client may send. Topic aliases are not offered, so
// their property is in no packet.
func propertyOf(id byte) property {
	switch id {
	case 1: // payload format
		return property{oneByte, inPublish | inWill}
	case 2: // message expiry
		return property{fourBytes, inPublish | inWill}
	case 3, 8: // content type, response topic
		return property{text, inPublish | inWill}
	case 9: // correlation data
		return property{binaryData, inPublish | inWill}
	case 11: // subscription identifier
		return property{varint, inSubscribe}
	case propSessionExpiry:
		return property{fourBytes, inConnect | inDisconnect}
	case propAuthMethod:
		return property{text, inConnect}
	case 22: // authentication data
		return property{binaryData, inConnect}
	case propProblemInfo, 25: // request problem info, request response info
		return property{oneByte, inConnect}
	case 24: // will delay
		return property{fourBytes, inWill}
	case 31: // reason string
		return property{text, inAck | inDisconnect}
	case propReceiveMaximum, 34: // receive maximum, topic alias maximum
		return property{twoBytes, inConnect}
	case propUser:
		return property{textPair, inConnect | inWill | inPublish | inAck | inSubscribe | inUnsubscribe | inDisconnect}
	case propMaximumPacket:
		return property{fourBytes, inConnect}
	}
	return property{}
}

// properties reads a property length and exactly that many bytes of
// properties, each allowed in the packet, each once (user properties
// excepted). visit, if given, sees each value.
func properties(b []byte, in packetSet, visit func(id byte, value []byte)) (rest []byte, err error) {
	n, b, err := readVarint(b)
	if err != nil {
		return nil, err
	}
	if n > len(b) {
		return nil, badEnd
	}
	b, rest = b[:n], b[n:]
	var seen uint64
	users := 0
	for len(b) > 0 {
		id := b[0]
		p := propertyOf(id)
		if p.in&in == 0 || seen&(1<<id) != 0 {
			return nil, badProperties
		}
		if id == propUser {
			if users++; users > maxUserProperties {
				return nil, badProperties
			}
		} else {
			seen |= 1 << id
		}
		var value []byte
		if value, b, err = propertyValue(b[1:], p.shape); err != nil {
			return nil, err
		}
		if err := checkValue(id, value); err != nil {
			return nil, err
		}
		if visit != nil {
			visit(id, value)
		}
	}
	return rest, nil
}

func propertyValue(b []byte, s shape) (value, rest []byte, err error) {
	n := 0
	switch s {
	case oneByte:
		n = 1
	case twoBytes:
		n = 2
	case fourBytes:
		n = 4
	case varint:
		v, rest, err := readVarint(b)
		if err == nil && v == 0 {
			err = badProperties
		}
		return b[:len(b)-len(rest)], rest, err
	case textPair:
		key, rest, err := field(b)
		if err != nil {
			return nil, nil, err
		}
		if !isText(key) {
			return nil, nil, badText
		}
		b, s = rest, text
		fallthrough
	case text, binaryData:
		value, rest, err := field(b)
		if err == nil && s == text && !isText(value) {
			err = badText
		}
		return value, rest, err
	}
	if len(b) < n {
		return nil, nil, badEnd
	}
	return b[:n], b[n:], nil
}

// checkValue refuses the values that the protocol forbids.
func checkValue(id byte, value []byte) error {
	bad := false
	switch id {
	case 1, propProblemInfo, 25:
		bad = value[0] > 1
	case propReceiveMaximum:
		bad = binary.BigEndian.Uint16(value) == 0
	case propMaximumPacket:
		bad = binary.BigEndian.Uint32(value) == 0
	}
	if bad {
		return badProperties
	}
	return nil
}

// readVarint reads a variable byte integer: at most four bytes, the last not
// 0 unless it is the only one.
func readVarint(b []byte) (value int, rest []byte, err error) {
	for i := range min(len(b), 4) {
		value |= int(b[i]&0x7f) << (7 * i)
		if b[i]&0x80 == 0 {
			if i > 0 && b[i] == 0 {
				return 0, b, badLength
			}
			return value, b[i+1:], nil
		}
	}
	if len(b) < 4 {
		return 0, b, badEnd
	}
	return 0, b, badLength
}
