package beat

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"
)

// HostState is how a relay, or a region for its direct hosts, sees a host.
type HostState uint8

// The states of a host. Their numbers are on the wire and on disk.
const (
	// Unknown opens and ends nothing: there is no evidence yet.
	Unknown HostState = iota
	// Up beats in time.
	Up
	// Failing beats in time and says that it is unwell.
	Failing
	// Missing broke its promise, or its connection ended without a goodbye.
	Missing
	// Stopped said goodbye, and is expected again.
	Stopped
	// Covered is a region's word for a host whose store is not up: its state
	// cannot be told. A relay never reports it.
	Covered

	hostStates
)

var hostStateNames = [hostStates]string{"unknown", "up", "failing", "missing", "stopped", "covered"}

func (s HostState) String() string {
	if s < hostStates {
		return hostStateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// MarshalText is the state's name, as JSON shows it.
func (s HostState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state's name.
func (s *HostState) UnmarshalText(text []byte) error {
	for i, name := range hostStateNames {
		if name == string(text) {
			*s = HostState(i)
			return nil
		}
	}
	return fmt.Errorf("host state %q is not one of %v", clip(string(text)), hostStateNames)
}

// Alive says whether a host in this state beats in time.
func (s HostState) Alive() bool { return s == Up || s == Failing }

// Reason is why a host entered its state.
type Reason uint8

// The reasons. Their numbers are on the wire and on disk.
const (
	NoReason Reason = iota
	// Adopted is a host's first beat ever.
	Adopted
	// Beating is a beat after an absence, or a success after a failure.
	Beating
	// SaidFail is a beat whose status is fail.
	SaidFail
	// Deadline is a beat that did not come in time.
	Deadline
	// ConnectionLost is a connection that ended without DISCONNECT.
	ConnectionLost
	// Will is a Last-Will message.
	Will
	// SaidBye is a goodbye.
	SaidBye
	// DidNotReturn is a host that was absent when its relay started, and was
	// still absent when the relay had waited long enough.
	DidNotReturn
	// Forgotten is a host that an operator retired.
	Forgotten
	// Shed is no transition: the journal was full and lost the entries from
	// Number to Until.
	Shed
	// LanDead is no host's: the hosts of the store vanished together.
	LanDead
	// LanUnplugged is no host's: the LAN port of the relay lost its carrier.
	LanUnplugged
	// LanBack is no host's: a host that vanished with the LAN beats again.
	LanBack

	reasons
)

var reasonNames = [reasons]string{
	"none", "first beat", "beating again", "says fail", "no beat in time", "connection lost",
	"last will", "said bye", "did not return after the relay's start", "retired by an operator", "journal full",
	"the hosts vanished together", "the LAN port has no carrier", "the LAN is back",
}

func (r Reason) String() string {
	if r < reasons {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// HostReport is one host in a Picture.
type HostReport struct {
	Host  HostID    `cbor:"1,keyasint"`
	State HostState `cbor:"2,keyasint"`
	// Number is the transition that put the host into its state.
	Number Number `cbor:"3,keyasint"`
	// AgeMs is how long ago the host's last beat came, in ms on the relay's
	// monotonic clock, when the picture was taken. Of a host that has not beaten
	// since the relay's start it is the last one that its journal knows, by the
	// wall clock, and no later than the start.
	AgeMs uint64 `cbor:"4,keyasint"`
	// IntervalMs is the promise that holds, in ms.
	IntervalMs uint32 `cbor:"5,keyasint"`
	Flapping   bool   `cbor:"6,keyasint,omitempty"`
	Status     Status `cbor:"7,keyasint,omitempty"`
	// Message is what a host that is not ok says, cut at MaxPictureMessage bytes.
	Message string `cbor:"8,keyasint,omitempty"`
	Reason  Reason `cbor:"9,keyasint,omitempty"`
}

// MaxPictureMessage is the length at which a host's message is cut in a
// picture, in bytes: 256 hosts with long names still fit a report.
const MaxPictureMessage = 48

// Interval is IntervalMs as a duration.
func (h *HostReport) Interval() time.Duration { return time.Duration(h.IntervalMs) * time.Millisecond }

// Age is AgeMs as a duration.
func (h *HostReport) Age() time.Duration { return time.Duration(h.AgeMs) * time.Millisecond }

// Picture is what a relay knows of its hosts: every one of them, in the order
// of their ids, at most MaxHosts.
type Picture struct {
	Hosts []HostReport `cbor:"1,keyasint"`
	// Lan is nil while the store's LAN never died.
	Lan *Lan `cbor:"2,keyasint,omitempty"`
}

// Lan is how a relay sees its store's LAN as a whole: it is dead when the hosts
// vanish together. It is one fault, and none of the hosts.
type Lan struct {
	Dead bool `cbor:"1,keyasint,omitempty"`
	// Number is the transition that put it into its state.
	Number Number `cbor:"2,keyasint"`
	// AgeMs is for how long it has been in its state, as HostReport.AgeMs is dated.
	AgeMs  uint64 `cbor:"3,keyasint"`
	Reason Reason `cbor:"4,keyasint,omitempty"`
}

// LanDead says whether the store's LAN is dead.
func (p *Picture) LanDead() bool { return p.Lan != nil && p.Lan.Dead }

// Hash covers everything in the picture but the ages: while it stands, the
// picture a region holds is still true. It is never 0.
func (p *Picture) Hash() uint64 {
	h := sha256.New()
	var buf [8 + 4 + 4]byte
	for i := range p.Hosts {
		r := &p.Hosts[i]
		binary.BigEndian.PutUint64(buf[:8], uint64(r.Number))
		binary.BigEndian.PutUint32(buf[8:12], r.IntervalMs)
		buf[12], buf[13], buf[14], buf[15] = byte(r.State), byte(r.Status), byte(r.Reason), 0
		if r.Flapping {
			buf[15] = 1
		}
		h.Write(buf[:])
		h.Write([]byte(r.Host))
		h.Write([]byte{0})
		h.Write([]byte(r.Message))
		h.Write([]byte{0})
	}
	if p.Lan != nil { // a LAN that never died is as it was in version 1's first hashes
		binary.BigEndian.PutUint64(buf[:8], uint64(p.Lan.Number))
		buf[8], buf[9] = 0, byte(p.Lan.Reason)
		if p.Lan.Dead {
			buf[8] = 1
		}
		h.Write(buf[:10])
	}
	var sum [sha256.Size]byte
	return max(1, binary.BigEndian.Uint64(h.Sum(sum[:0])))
}

// Transition is one entry of a relay's journal: a host that entered a state, or,
// without a host, the store's LAN (Missing is dead, Up is back).
type Transition struct {
	Number Number    `cbor:"1,keyasint"`
	Host   HostID    `cbor:"2,keyasint,omitempty"`
	State  HostState `cbor:"3,keyasint,omitempty"`
	Reason Reason    `cbor:"4,keyasint,omitempty"`
	// Boot and MonoMs date the entry on the relay's monotonic clock; WallMs is
	// the relay's own wall clock (Unix, ms), which may be wrong: it is used
	// only where the boot is over.
	Boot   Boot   `cbor:"5,keyasint"`
	MonoMs uint64 `cbor:"6,keyasint,omitempty"`
	WallMs int64  `cbor:"7,keyasint,omitempty"`
	// SilentMs is how long before the transition the host's last beat came, in ms.
	SilentMs   uint64 `cbor:"8,keyasint,omitempty"`
	IntervalMs uint32 `cbor:"9,keyasint,omitempty"`
	Message    string `cbor:"10,keyasint,omitempty"`
	// Until is the last number of a Shed entry; else 0.
	Until Number `cbor:"11,keyasint,omitempty"`
}
