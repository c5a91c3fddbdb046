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
	// the wait for the host after its old connection was lost.
	Connected struct {
		From Source
		Host beat.HostID
	}
	// Closed is the end of a connection; Clean says that it said DISCONNECT.
	Closed struct {
		From  Source
		Clean bool
	}
	// Forget retires a host: an operator says that it does not exist any more.
	Forget struct{ Host beat.HostID }
	// Numbers are transition numbers that are reserved on disk, From to To.
	Numbers struct{ From, To beat.Number }
	// Loaded is what the journal remembers, before the first beat.
	Loaded struct{ Hosts []Record }
)

func (*Beat) event()      {}
func (*Gone) event()      {}
func (*Bye) event()       {}
func (*Connected) event() {}
func (*Closed) event()    {}
func (*Forget) event()    {}
func (*Numbers) event()   {}
func (*Loaded) event()    {}

// Out is what Step asks the shell to do: one of the pointers to the types below.
type Out interface{ out() }

type (
	// Changed is a host that entered a state. The shell journals Transition and
	// Record as one, and lets the uplinks report.
	Changed struct {
		Transition beat.Transition // Boot is left to the shell
		Record     Record
	}
	// Forgot is a host that was retired: its record is deleted.
	Forgot struct {
		Transition beat.Transition
		Host       beat.HostID
	}
	// NeedNumbers asks for a Numbers event, while some are still left.
	NeedNumbers struct{}
	// Conflict is two live connections that beat as one host.
	Conflict struct {
		Host beat.HostID
		A, B netip.Addr
	}
	// Ignored is a word that changed nothing, for counters.
	Ignored struct {
		Host beat.HostID
		Why  Ignorance
	}
)

func (*Changed) out()     {}
func (*Forgot) out()      {}
func (*NeedNumbers) out() {}
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
	// TooMany is one host more than beat.MaxHosts.
	TooMany
)

func (w Ignorance) String() string {
	return [...]string{"", "not its connection", "unknown host", "too many hosts"}[min(w, TooMany)]
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
}
