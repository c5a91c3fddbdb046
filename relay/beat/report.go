package beat

import (
	"errors"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// Wire is the version of the envelope that this code writes. A reader accepts
// every version from 1 on: later ones only add keys.
const Wire = 1

// MaxReport is the longest envelope that a relay sends, in bytes.
const MaxReport = 48 << 10

// MaxBatch is how many journal entries one report carries at most.
const MaxBatch = 512

// Kind is what a report is.
type Kind uint8

// The kinds of reports. They share one topic, so that MQTT keeps their order.
const (
	Birth Kind = iota + 1
	Steady
	Goodbye
)

func (k Kind) String() string {
	switch k {
	case Birth:
		return "birth"
	case Steady:
		return "report"
	case Goodbye:
		return "bye"
	default:
		return fmt.Sprintf("kind %d", uint8(k))
	}
}

// Witness is what a relay knows of a region other than the one it reports to.
type Witness struct {
	Region Region `cbor:"1,keyasint"`
	// Session says whether the relay has an open session there.
	Session bool `cbor:"2,keyasint,omitempty"`
	// AckAgeMs is the age of that region's last PUBACK, in ms.
	AckAgeMs uint64 `cbor:"3,keyasint,omitempty"`
}

// Report is the envelope that a relay sends to a region (QoS 1, on
// Identity.ReportTopic). Its age-like fields are on the relay's monotonic
// clock.
type Report struct {
	V     uint8   `cbor:"1,keyasint"`
	Kind  Kind    `cbor:"2,keyasint"`
	Store StoreID `cbor:"3,keyasint"`
	Relay RelayID `cbor:"4,keyasint"`

	Incarnation Incarnation `cbor:"5,keyasint"`
	Boot        Boot        `cbor:"6,keyasint"`
	Epoch       Epoch       `cbor:"7,keyasint"`
	Seq         Seq         `cbor:"8,keyasint"`

	// MonoMs is the relay's monotonic clock when the report was made, in ms.
	MonoMs uint64 `cbor:"9,keyasint"`
	// ReportEveryMs and KeepaliveMs are the relay's promises, in ms.
	ReportEveryMs uint32 `cbor:"10,keyasint"`
	KeepaliveMs   uint32 `cbor:"11,keyasint"`
	// Software is the relay's version; in a birth only.
	Software string `cbor:"12,keyasint,omitempty"`
	// JournalDepth and JournalLost count entries: not yet freed, and ever shed.
	JournalDepth uint64    `cbor:"13,keyasint,omitempty"`
	JournalLost  uint64    `cbor:"14,keyasint,omitempty"`
	Others       []Witness `cbor:"15,keyasint,omitempty"`

	// Hash is the picture's; Picture itself is there at birth, after a change,
	// every 10 minutes and on request.
	Hash    uint64   `cbor:"16,keyasint"`
	Picture *Picture `cbor:"17,keyasint,omitempty"`
	// Journal is the batch of entries that are not yet taken, oldest first.
	Journal []Transition `cbor:"18,keyasint,omitempty"`
	// Restart says of a bye that the relay is back within minutes (an update);
	// without it the store closes, and the relay is back at the next opening.
	Restart bool `cbor:"19,keyasint,omitempty"`
}

// Identity is who says so.
func (r *Report) Identity() Identity { return Identity{Store: r.Store, Relay: r.Relay} }

// ReportEvery is ReportEveryMs as a duration.
func (r *Report) ReportEvery() time.Duration {
	return time.Duration(r.ReportEveryMs) * time.Millisecond
}

// Death is the payload of a relay's Last-Will: whose session ended.
type Death struct {
	V           uint8       `cbor:"1,keyasint"`
	Incarnation Incarnation `cbor:"2,keyasint"`
	Boot        Boot        `cbor:"3,keyasint"`
	Epoch       Epoch       `cbor:"4,keyasint"`
}

// Ack is a region's answer to a birth, and to every batch of journal entries.
type Ack struct {
	V     uint8  `cbor:"1,keyasint"`
	Epoch Epoch  `cbor:"2,keyasint"`
	Seq   Seq    `cbor:"3,keyasint"`
	Home  Region `cbor:"4,keyasint"`
	// Incarnation is the one that Through and Top speak of.
	Incarnation Incarnation `cbor:"5,keyasint"`
	// Through is the last number of a batch that the table took whole; 0 where
	// the ack is a birth's.
	Through Number `cbor:"6,keyasint,omitempty"`
	// Top is the highest number that the region knows of this incarnation.
	Top Number `cbor:"7,keyasint,omitempty"`
}

// Order is what a Command asks of a relay.
type Order uint8

// The orders.
const (
	// Rebirth asks for a new connection whose epoch exceeds Command.Exceed.
	Rebirth Order = iota + 1
	// SendPicture asks for the whole picture.
	SendPicture
	// Forget asks the relay to retire Command.Host.
	Forget
)

// Command is what a region asks of a relay.
type Command struct {
	V      uint8  `cbor:"1,keyasint"`
	Order  Order  `cbor:"2,keyasint"`
	Exceed Epoch  `cbor:"3,keyasint,omitempty"`
	Host   HostID `cbor:"4,keyasint,omitempty"`
}

// ErrEnvelope is the class of every error of the Decode functions below.
var ErrEnvelope = errors.New("bad envelope")

// The errors of a picture or a journal that cannot be true, of class ErrEnvelope where they
// come from DecodeReport.
var (
	// ErrTooManyHosts is a picture of more than MaxHosts.
	ErrTooManyHosts = errors.New("more hosts than a store may have")
	// ErrHostTwice is a host that is there twice, or not in the order of the ids.
	ErrHostTwice = errors.New("a host is out of order or twice there")
	// ErrAge is an age that no clock can have made: above MaxAge, or of a host
	// that beats and whose last beat is older than its relay's start.
	ErrAge = errors.New("an age that cannot be")
	// ErrDate is a date that cannot be written.
	ErrDate = errors.New("a date outside the years 1 to 9999")
	// ErrNumber is a number that nobody reaches by counting.
	ErrNumber = errors.New("a number that nobody reaches")
)

// MaxAge is the greatest age and the longest uptime that a relay may report: no
// relay lives longer, and a duration still holds one with another added.
const MaxAge = 30 * 366 * 24 * time.Hour

const maxJournalText = maxMessage

// Decoding is strict about shape and size: an envelope comes over the WAN.
var (
	decoding = must(cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxNestedLevels: 8, MaxArrayElements: 1024, MaxMapPairs: 64,
		IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden, UTF8: cbor.UTF8RejectInvalid,
	}.DecMode())
	encoding = must(cbor.EncOptions{Sort: cbor.SortNone, IndefLength: cbor.IndefLengthForbidden}.EncMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // the options above are constant
	}
	return v
}

func encode(v any) []byte {
	out, err := encoding.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("beat: encode: %v", err)) // plain structs cannot fail
	}
	return out
}

func decode(raw []byte, v any) error {
	if len(raw) > MaxBody {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrEnvelope, len(raw), MaxBody)
	}
	if err := decoding.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("%w: %w", ErrEnvelope, err)
	}
	return nil
}

// Encode is the report as CBOR with integer keys.
func (r *Report) Encode() []byte { return encode(r) }

// Encode is the death as CBOR with integer keys.
func (d Death) Encode() []byte { return encode(d) }

// Encode is the ack as CBOR with integer keys.
func (a Ack) Encode() []byte { return encode(a) }

// Encode is the command as CBOR with integer keys.
func (c Command) Encode() []byte { return encode(c) }

// DecodeReport reads an envelope into r, and returns an error of class
// ErrEnvelope for one that is malformed, from no known version, or that
// contradicts itself (unordered hosts or numbers, names that are no names).
func DecodeReport(raw []byte, r *Report) error {
	*r = Report{}
	if err := decode(raw, r); err != nil {
		return err
	}
	if err := r.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrEnvelope, err)
	}
	r.clean()
	return nil
}

// clean makes the texts of a relay fit for logs and terminals.
func (r *Report) clean() {
	r.Software = CutText(r.Software, maxVersion)
	if r.Picture != nil {
		for i := range r.Picture.Hosts {
			if h := &r.Picture.Hosts[i]; h.Message != "" {
				h.Message = CutText(h.Message, maxMessage)
			}
		}
	}
	for i := range r.Journal {
		if t := &r.Journal[i]; t.Message != "" {
			t.Message = CutText(t.Message, maxMessage)
		}
	}
}

// DecodeDeath reads the payload of a Last-Will.
func DecodeDeath(raw []byte) (Death, error) {
	var d Death
	if err := decode(raw, &d); err != nil {
		return Death{}, err
	}
	if d.V == 0 || d.Epoch == 0 || d.Epoch >= MaxCounter || d.Incarnation.IsZero() || d.Boot.IsZero() {
		return Death{}, fmt.Errorf("%w: a death names version, incarnation, boot and epoch", ErrEnvelope)
	}
	return d, nil
}

// DecodeAck reads an ack.
func DecodeAck(raw []byte) (Ack, error) {
	var a Ack
	if err := decode(raw, &a); err != nil {
		return Ack{}, err
	}
	if a.V == 0 || a.Epoch == 0 || a.Home != "" && !isLabel(string(a.Home)) {
		return Ack{}, fmt.Errorf("%w: an ack names version, epoch and home", ErrEnvelope)
	}
	return a, nil
}

// DecodeCommand reads a command.
func DecodeCommand(raw []byte) (Command, error) {
	var c Command
	if err := decode(raw, &c); err != nil {
		return Command{}, err
	}
	if c.V == 0 || c.Order == 0 || c.Order == Forget && !validHostID(string(c.Host)) {
		return Command{}, fmt.Errorf("%w: a command names version, order and what it is about", ErrEnvelope)
	}
	return c, nil
}

const (
	maxWitnesses  = 8
	maxReportTime = 24 * 60 * 60 * 1000
	maxAgeMs      = uint64(MaxAge / time.Millisecond)
)

// Validate says why the report cannot be true, or nil.
func (r *Report) Validate() error {
	switch {
	case r.V == 0:
		return errors.New("no version")
	case r.Kind < Birth || r.Kind > Goodbye:
		return fmt.Errorf("unknown %v", r.Kind)
	case !isLabel(string(r.Store)) || !isLabel(string(r.Relay)):
		return errors.New("no valid store and relay")
	case r.Epoch >= MaxCounter || r.Seq >= MaxCounter:
		return errors.New("epoch or seq is out of range")
	case r.Incarnation.IsZero() || r.Boot.IsZero() || r.Epoch == 0 || r.Seq == 0:
		return errors.New("incarnation, boot, epoch and seq start at 1")
	case r.Kind == Birth && r.Picture == nil:
		return errors.New("a birth without a picture")
	case r.ReportEveryMs == 0 || r.ReportEveryMs > maxReportTime || r.KeepaliveMs > maxReportTime:
		return errors.New("reportEvery is out of range")
	case len(r.Others) > maxWitnesses || len(r.Software) > maxVersion:
		return errors.New("too many witnesses, or too long a version")
	case r.MonoMs > maxAgeMs:
		return fmt.Errorf("uptime: %w", ErrAge)
	case r.Restart && r.Kind != Goodbye:
		return errors.New("only a bye says restart")
	}
	for _, w := range r.Others {
		if !isLabel(string(w.Region)) {
			return ErrRegion
		}
	}
	if err := r.Picture.check(r.MonoMs); err != nil {
		return err
	}
	return checkJournal(r.Journal)
}
