package guard

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// The packet types of MQTT, as the upper four bits of a frame's first byte.
const (
	typeConnect     = 1
	typeConnack     = 2
	typePublish     = 3
	typePuback      = 4
	typePubrel      = 6
	typeSubscribe   = 8
	typeUnsubscribe = 10
	typePingreq     = 12
	typeDisconnect  = 14
)

const (
	// maxTopic bounds a topic or filter, in bytes: ours are under 300.
	maxTopic = 1024
	// maxFilters bounds the filters of one SUBSCRIBE or UNSUBSCRIBE.
	maxFilters = 64
	// maxHeader is the longest fixed header: type, and four bytes of length.
	maxHeader = 5
)

// badFrame is why a frame was refused: a metric's label, so there are few.
type badFrame string

func (b badFrame) Error() string { return "malformed packet: " + string(b) }

// The reasons to refuse a frame.
const (
	badLength     badFrame = "length"
	badSize       badFrame = "too large"
	badFlags      badFrame = "flags"
	badOrder      badFrame = "order"
	badDirection  badFrame = "direction"
	badEnd        badFrame = "truncated"
	badRest       badFrame = "trailing bytes"
	badText       badFrame = "text"
	badTopic      badFrame = "topic"
	badProperties badFrame = "properties"
	badPacketID   badFrame = "packet id"
	badOptions    badFrame = "options"
	badProtocol   badFrame = "protocol"
	badVersion    badFrame = "version"
	badAuth       badFrame = "authentication method"
	badClientID   badFrame = "client id"
)

// frameSize returns the size of the frame that b begins with, header included,
// and that of its header; 0, 0 while b does not hold the header. The size is
// what the frame announces: it may be more than b holds. A frame above most is
// refused by its header alone.
func frameSize(b []byte, most int) (size, header int, err error) {
	value, shift := 0, 0
	for i := 1; i < len(b); i++ {
		value |= int(b[i]&0x7f) << shift
		if b[i]&0x80 == 0 {
			if i > 1 && b[i] == 0 {
				return 0, 0, badLength // more bytes than needed: MQTT-1.5.5-1
			}
			if size = 1 + i + value; size > most {
				return 0, 0, badSize
			}
			return size, 1 + i, nil
		}
		if shift += 7; i == maxHeader-1 {
			return 0, 0, badLength
		}
	}
	return 0, 0, nil
}

// checkFrame refuses every frame from a client that is not exactly as the
// protocol has it. It runs after the CONNECT, on whole frames, before the
// library parses them: what passes here must be harmless there.
func checkFrame(first byte, body []byte, version byte) error {
	if first>>4 == typePublish {
		return checkPublish(first, body, version)
	}
	flags := first & 0x0f
	switch first >> 4 {
	case typePubrel, typeSubscribe, typeUnsubscribe:
		if flags != 2 {
			return badFlags
		}
	default:
		if flags != 0 {
			return badFlags
		}
	}
	switch first >> 4 {
	case typeConnect:
		return badOrder
	case typePuback, typePubrel:
		return checkAck(body, version)
	case typeSubscribe:
		return checkFilters(body, version, inSubscribe)
	case typeUnsubscribe:
		return checkFilters(body, version, inUnsubscribe)
	case typePingreq:
		if len(body) != 0 {
			return badRest
		}
		return nil
	case typeDisconnect:
		return checkDisconnect(body, version)
	}
	// Reserved types, AUTH (no method is supported), what only a server sends,
	// and PUBREC and PUBCOMP: the door never sends QoS 2.
	return badDirection
}

func checkPublish(first byte, body []byte, version byte) error {
	qos := first >> 1 & 3
	if qos == 3 || qos == 0 && first&8 != 0 {
		return badFlags
	}
	topic, rest, err := field(body)
	if err != nil {
		return err
	}
	// An empty topic would be a topic alias, which the door does not offer.
	if err := checkTopic(topic); err != nil {
		return err
	}
	if qos > 0 {
		if rest, err = packetID(rest); err != nil {
			return err
		}
	}
	if version == 5 {
		_, err = properties(rest, inPublish, nil)
	}
	return err
}

// checkTopic refuses what no topic name may be: empty, with wildcards, or no
// text.
func checkTopic(topic []byte) error {
	if len(topic) == 0 || len(topic) > maxTopic || bytes.IndexByte(topic, '+') >= 0 || bytes.IndexByte(topic, '#') >= 0 {
		return badTopic
	}
	if !isText(topic) {
		return badText
	}
	return nil
}

func checkAck(body []byte, version byte) error {
	rest, err := packetID(body)
	if err != nil || len(rest) == 0 {
		return err
	}
	if version != 5 {
		return badRest
	}
	return checkReason(rest, inAck)
}

// checkReason reads a reason code and, if there is more, properties.
func checkReason(body []byte, in packetSet) error {
	if len(body) < 2 {
		return nil
	}
	rest, err := properties(body[1:], in, nil)
	if err == nil && len(rest) != 0 {
		err = badRest
	}
	return err
}

func checkDisconnect(body []byte, version byte) error {
	if version != 5 && len(body) != 0 {
		return badRest
	}
	return checkReason(body, inDisconnect)
}

// checkFilters reads a SUBSCRIBE or UNSUBSCRIBE. A filter without its options
// byte at the packet's end is what kills the library (its issue 501).
func checkFilters(body []byte, version byte, in packetSet) error {
	rest, err := packetID(body)
	if err != nil {
		return err
	}
	if version == 5 {
		if rest, err = properties(rest, in, nil); err != nil {
			return err
		}
	}
	for n := 0; len(rest) > 0 || n == 0; n++ {
		if n == maxFilters {
			return badSize
		}
		var filter []byte
		if filter, rest, err = field(rest); err != nil {
			return err
		}
		if !validFilter(string(filter)) {
			return badTopic
		}
		if !isText(filter) {
			return badText
		}
		if in != inSubscribe {
			continue
		}
		if len(rest) == 0 {
			return badEnd
		}
		if !validOptions(rest[0], version) {
			return badOptions
		}
		rest = rest[1:]
	}
	return nil
}

func validOptions(o, version byte) bool {
	if version != 5 {
		return o <= 2
	}
	return o&3 != 3 && o>>4 != 3 && o&0xc0 == 0
}

// validFilter holds a filter to MQTT-4.7.1: wildcards stand alone in their
// level, and # is the last.
func validFilter(filter string) bool {
	if filter == "" || len(filter) > maxTopic {
		return false
	}
	for {
		level, rest, more := strings.Cut(filter, "/")
		if len(level) > 1 && strings.ContainsAny(level, "+#") || level == "#" && more {
			return false
		}
		if !more {
			return true
		}
		filter = rest
	}
}

// field reads a length of two bytes and as many bytes.
func field(b []byte) (value, rest []byte, err error) {
	if len(b) < 2 {
		return nil, nil, badEnd
	}
	n := 2 + int(binary.BigEndian.Uint16(b))
	if len(b) < n {
		return nil, nil, badEnd
	}
	return b[2:n], b[n:], nil
}

func packetID(b []byte) (rest []byte, err error) {
	if len(b) < 2 {
		return nil, badEnd
	}
	if b[0] == 0 && b[1] == 0 {
		return nil, badPacketID
	}
	return b[2:], nil
}

// isText is MQTT's UTF-8 string: valid, without NUL.
func isText(b []byte) bool {
	return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0
}
