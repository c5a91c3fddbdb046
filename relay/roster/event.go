package roster

import (
	"net/netip"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Source is where a beat or a word about a host came from.
type Source struct {
	// Conn is the MQTT connection, never reused in the life of a process; 0 for HTTP.
	Conn uint64
	Addr netip.Addr
}

// Event is what Step takes: one of the pointers to the types below, or nil for
// the passing of time alone.
type Event interface{ event() }

type (
	// Beat is a sign of life.
	Beat struct {
		From Source
		Beat beat.Beat
	}
	// Gone is a Last-Will or a message on the gone topic.
	Gone struct {
		From Source
		Host beat.HostID
	}
	// Bye is a goodbye: the host stops on purpose.
	Bye struct {
		From Source
		Host beat.HostID
	}
	// Connected is a new connection whose Last-Will names the host: it ends
	// the wait for the host after its old connection was lost, if it comes from
	// the host's address.
	Connected struct {
		From Source
		Host beat.HostID
	}
	// Closed is the end of a connection; Clean says that it said DISCONNECT, or
	// that its client connected anew.
	Closed struct {
		From  Source
		Clean bool
	}
	// Forget retires a host: an operator says that it does not exist any more.
	Forget struct{ Host beat.HostID }
	// Numbers are transition numbers that are reserved on disk, From to To. What
	// is left of older ones is used first, unless Jump skips it: a region knows
	// numbers that this roster never gave.
	Numbers struct {
		From, To beat.Number
		Jump     bool
	}
	// Loaded is what the journal remembers, before the first beat. Lan is nil
	// while the LAN never died.
	Loaded struct {
		Hosts []Record
		Lan   *LanRecord
	}
	// Carrier says whether the relay's LAN port has a carrier: a cable that leads
	// to something alive.
	Carrier struct{ Up bool }
	// Woke says that the process stood still: beats may wait in its sockets, so
	// silence counts only a little later.
	Woke struct{}
)

func (*Beat) event()      {}
func (*Gone) event()      {}
func (*Bye) event()       {}
func (*Connected) event() {}
func (*Closed) event()    {}
func (*Forget) event()    {}
func (*Numbers) event()   {}
func (*Loaded) event()    {}
func (*Woke) event()      {}
func (*Carrier) event()   {}

// Out is what Step asks the shell to do: one of the pointers to the types below.
type Out interface{ out() }

type (
	// Changed is a host that entered a state. The shell journals Transition and
	// Record as one, and lets the uplinks report.
	Changed struct {
		Transition beat.Transition // Boot is left to the shell
		Record     Record
		// New says that it is the host's first beat ever, or since it was retired.
		New bool
	}
	// Forgot is a host that was retired: its record is deleted.
	Forgot struct {
		Transition beat.Transition
		Host       beat.HostID
	}
	// Shown is a host that is as it was before the relay's start: the picture
	// changed, and there is no transition.
	Shown struct{ Host beat.HostID }
	// Noted is a record that must reach the disk without a transition: the host
	// promises longer intervals, which a restarted relay must respect.
	Noted struct{ Record Record }
	// NeedNumbers asks for a Numbers event, while some are still left.
	NeedNumbers struct{}
	// Lan is the store's LAN that died or is well again. The shell journals
	// Transition and Record as one.
	Lan struct {
		Transition beat.Transition // it has no host; Boot is left to the shell
		Record     LanRecord
	}
	// Flaps is a host that changes too often. Held says that it changed so often
	// that until it was calm for a minute it stays in the worse of its states.
	Flaps struct {
		Host beat.HostID
		Held bool
	}
	// Calm is a host that flapped, and was stable since for ten minutes.
	Calm struct{ Host beat.HostID }
	// Conflict is two live connections, or one and an address beside it, that
	// are at work as one host.
	Conflict struct {
		Host beat.HostID
		A, B netip.Addr
	}
	// Ignored is a word that changed nothing, for counters. From is where a
	// refused beat came from.
	Ignored struct {
		Host beat.HostID
		Why  Ignorance
		From netip.Addr
	}
)

func (*Changed) out()     {}
func (*Forgot) out()      {}
func (*Shown) out()       {}
func (*Noted) out()       {}
func (*NeedNumbers) out() {}
func (*Lan) out()         {}
func (*Flaps) out()       {}
func (*Calm) out()        {}
func (*Conflict) out()    {}
func (*Ignored) out()     {}

// Ignorance is why a word about a host was ignored.
type Ignorance uint8

// The reasons to ignore.
const (
	// NotOwner is a gone or bye from a connection that does not carry the host.
	NotOwner Ignorance = iota + 1
	// NotKnown is a word about a host that never beat.
	NotKnown
	// TooOften is a bye of a host that flaps.
	TooOften
	// TooMany is one host more than beat.MaxHosts.
	TooMany
	// TooFast is one new host more than an hour may bring.
	TooFast
	// TooFastHere is one new host more than an hour may bring from one address.
	TooFastHere
	// NoNumbers is a new host while no number is left: the disk gives none.
	NoNumbers

	ignorances
)

// Refused says whether the word was a beat that is not counted at all.
func (w Ignorance) Refused() bool { return w >= TooMany }

var ignoranceNames = [ignorances]string{
	"", "not its connection", "unknown host", "changes too often", "too many hosts", "too many new hosts in an hour",
	"too many new hosts in an hour from one address", "no numbers left",
}

func (w Ignorance) String() string {
	if w < ignorances {
		return ignoranceNames[w]
	}
	return "unknown"
}

// Record is what the journal keeps of a host.
type Record struct {
	Host       beat.HostID    `cbor:"1,keyasint"`
	State      beat.HostState `cbor:"2,keyasint"`
	Number     beat.Number    `cbor:"3,keyasint"`
	Reason     beat.Reason    `cbor:"4,keyasint,omitempty"`
	IntervalMs uint32         `cbor:"5,keyasint,omitempty"`
	// LastBeatMs is the relay's wall clock (Unix, ms) at the last beat before
	// the transition: a hint for people, it decides nothing.
	LastBeatMs int64       `cbor:"6,keyasint,omitempty"`
	Status     beat.Status `cbor:"7,keyasint,omitempty"`
	Message    string      `cbor:"8,keyasint,omitempty"`
	// Addr is where the last beat came from, as text.
	Addr string `cbor:"9,keyasint,omitempty"`
}

// LanRecord is what the journal keeps of the store's LAN.
type LanRecord struct {
	Dead   bool        `cbor:"1,keyasint,omitempty"`
	Number beat.Number `cbor:"2,keyasint"`
	// From is the first transition of a host that vanished with it.
	From   beat.Number `cbor:"3,keyasint,omitempty"`
	Reason beat.Reason `cbor:"4,keyasint,omitempty"`
	// SinceMs is the relay's wall clock (Unix, ms) at the transition: a hint for
	// people, it decides nothing.
	SinceMs int64 `cbor:"5,keyasint,omitempty"`
}
