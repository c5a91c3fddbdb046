package beat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Status is how a host says it feels. A host that fails lives and says that it
// is unwell.
type Status uint8

// The statuses, in the order of their gravity.
const (
	OK Status = iota
	Warn
	Fail
)

func (s Status) String() string {
	switch s {
	case Warn:
		return "warn"
	case Fail:
		return "fail"
	default:
		return "ok"
	}
}

const (
	// MaxBody is the longest HTTP body or MQTT payload of a beat, in bytes.
	MaxBody = 64 << 10

	maxMessage = 256
	maxVersion = 64
)

// Beat is one sign of life of a host.
type Beat struct {
	Host HostID
	// Interval is how soon the next beat is promised; 0 means that the beat
	// does not say (see DefaultInterval).
	Interval time.Duration
	Status   Status
	// KeepStatus says that the beat is silent about the status: the last one
	// holds ("start" of a job is a sign of life, no success).
	KeepStatus bool
	// Message is at most 256 bytes of text from the host, for people.
	Message string
	// Version is at most 64 bytes: the version of the host's software.
	Version string
}

// The errors of an HTTP beat, in hb-api's words: they are the bodies that its
// clients know.
var (
	ErrEmptyInput      = errors.New("Empty input")        //nolint:staticcheck // the contract's words
	ErrInvalidJSON     = errors.New("Invalid json")       //nolint:staticcheck // the contract's words
	ErrInvalidHostID   = errors.New("Invalid hostId")     //nolint:staticcheck // the contract's words
	ErrInvalidInterval = errors.New("Invalid intervalMs") //nolint:staticcheck // the contract's words
	ErrInvalidStoreID  = errors.New("Invalid storeId")    //nolint:staticcheck // the contract's words
)

// body is the JSON of a beat, by HTTP and MQTT alike. Fields are raw, since
// hb-api's clients send numbers as text and text as numbers.
type body struct {
	HostID     json.RawMessage `json:"hostId"`
	StoreID    json.RawMessage `json:"storeId"`
	IntervalMs json.RawMessage `json:"intervalMs"`
	Status     json.RawMessage `json:"status"`
	Message    json.RawMessage `json:"message"`
	Version    json.RawMessage `json:"version"`
}

// DecodeHTTP reads the body of POST /v1/heartbeat. store is "" where the body
// names none. Bytes after the JSON value are ignored, as hb-api does. Errors
// are ErrEmptyInput, ErrInvalidJSON, ErrInvalidHostID, ErrInvalidInterval and
// ErrInvalidStoreID.
func DecodeHTTP(raw []byte) (b Beat, store StoreID, err error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return Beat{}, "", ErrEmptyInput
	}
	var f body
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&f); err != nil {
		return Beat{}, "", ErrInvalidJSON
	}
	host, ok := text(f.HostID)
	if !ok || !validHostID(host) {
		return Beat{}, "", ErrInvalidHostID
	}
	if b.Interval, err = interval(f.IntervalMs); err != nil {
		return Beat{}, "", err
	}
	if s, ok := text(f.StoreID); ok && s != "" {
		if !isLabel(s) {
			return Beat{}, "", ErrInvalidStoreID
		}
		store = StoreID(s)
	}
	b.Host = HostID(host)
	b.fill(f)
	return b, store, nil
}

// DecodeMQTT reads the payload of hb/v1/beat/{host}: empty, or the same JSON
// as DecodeHTTP without a host. Errors are ErrInvalidJSON and
// ErrInvalidInterval.
func DecodeMQTT(host HostID, raw []byte) (Beat, error) {
	b := Beat{Host: host}
	if len(bytes.TrimSpace(raw)) == 0 {
		return b, nil
	}
	var f body
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&f); err != nil {
		return Beat{}, ErrInvalidJSON
	}
	var err error
	if b.Interval, err = interval(f.IntervalMs); err != nil {
		return Beat{}, err
	}
	b.fill(f)
	return b, nil
}

func (b *Beat) fill(f body) {
	if s, ok := text(f.Status); ok {
		switch strings.ToLower(s) {
		case "warn":
			b.Status = Warn
		case "fail":
			b.Status = Fail
		}
	}
	if s, ok := text(f.Message); ok {
		b.Message = CutText(s, maxMessage)
	}
	if s, ok := text(f.Version); ok {
		b.Version = CutText(s, maxVersion)
	}
}

// plain says whether s is printable ASCII alone, as nearly all texts are.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// CutText makes s valid UTF-8 of at most n bytes, on a rune boundary, without
// control and format characters (line ends, escapes, changes of direction): it
// is shown to people and written to logs.
func CutText(s string, n int) string {
	if !plain(s) {
		s = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
				return ' '
			}
			return r
		}, strings.ToValidUTF8(s, "\uFFFD"))
	}
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// text reads a JSON string, or a number as its text.
func text(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 {
		return "", false
	}
	if raw[0] == '"' {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return "", false
		}
		return s, true
	}
	if raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9' {
		return string(raw), true
	}
	return "", false
}

// interval reads intervalMs as hb-api does: a number or its text, truncated
// first and checked then. null, objects, arrays and text that is no number
// mean the default (0 here); a boolean is invalid.
func interval(raw json.RawMessage) (time.Duration, error) {
	if len(raw) == 0 {
		return 0, nil
	}
	if raw[0] == 't' || raw[0] == 'f' {
		return 0, ErrInvalidInterval
	}
	s, ok := text(raw)
	if !ok {
		return 0, nil
	}
	ms, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if errors.Is(err, strconv.ErrRange) {
		return 0, ErrInvalidInterval
	}
	if err != nil || math.IsNaN(ms) {
		return 0, nil
	}
	ms = math.Trunc(ms)
	if ms < float64(MinInterval.Milliseconds()) || ms > float64(MaxInterval.Milliseconds()) {
		return 0, ErrInvalidInterval
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// EncodeMQTT is the payload of a beat, as DecodeMQTT reads it.
func (b Beat) EncodeMQTT() []byte {
	out, err := json.Marshal(struct {
		IntervalMs int64  `json:"intervalMs,omitempty"`
		Status     string `json:"status,omitempty"`
		Message    string `json:"message,omitempty"`
		Version    string `json:"version,omitempty"`
	}{b.Interval.Milliseconds(), statusText(b.Status), b.Message, b.Version})
	if err != nil {
		panic(fmt.Sprintf("beat: encode: %v", err)) // four plain fields cannot fail
	}
	return out
}

func statusText(s Status) string {
	if s == OK {
		return ""
	}
	return s.String()
}
