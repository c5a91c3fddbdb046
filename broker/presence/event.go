package presence

import (
	"time"

	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Conn is the gate's handle of one connection of a relay. It is never reused
// in the life of a node; 0 is none.
type Conn uint64

// Event is what Step takes: one of the pointers to the types below, or nil for
// the passing of time alone.
type Event interface{ event() }

type (
	// Report is an envelope of a relay, authenticated: its names are its own.
	Report struct {
		Conn   Conn
		Report *beat.Report // read during Step only, never kept
	}
	// Ended is the end of a connection: a will, a close, a timeout. Death is
	// the Last-Will that the connection brought at CONNECT: it names the session.
	Ended struct {
		Conn  Conn
		ID    beat.Identity
		Death beat.Death
	}
	// Direct is a beat that reached this region without a relay.
	Direct struct {
		Store beat.StoreID
		Beat  beat.Beat
	}
	// Forget retires a host: an operator says that it does not exist any more.
	Forget struct {
		Store beat.StoreID
		Host  beat.HostID
	}
	// Want asks for the whole pictures of the stores that somebody looks at.
	Want struct{ Stores []beat.StoreID }
	// Asked is the other region's question.
	Asked struct{ Question Question }
	// Answered is the other region's answer to an Ask of this node.
	Answered struct {
		ID     uint64
		Answer Answer
	}
	// Unanswered is an Ask of this node that got no answer in time.
	Unanswered struct{ ID uint64 }
	// Heard is what the other region learned by itself, unasked.
	Heard struct{ News []News }
	// Forwarded is what the other region decided: it counts where this region
	// has no evidence of its own.
	Forwarded struct{ Verdicts []Verdict }
	// Loaded is what the table remembers, before the node is ready.
	Loaded struct{ Stores []StoreItem }
	// Doubted are the subjects of open incidents whose end this region may have
	// missed: the node, or the other region's, is a new one, or stood still. The
	// other region is asked about those that this one has no evidence of.
	Doubted struct{ Subjects []Subject }
	// Settings is a new snapshot of what operators say. Changed are the stores
	// whose own part changed; nil: any.
	Settings struct {
		Fleet   *setting.Fleet
		Changed []beat.StoreID
	}
	// Woke says that the node's loop stood still for 10 s or more: what was
	// queued meanwhile is no evidence of silence, and the node settles (P6).
	Woke struct{}
	// Lease is the other region's lease, as this region's replica shows it: a
	// counter that moves while a node there lives (P3a).
	Lease struct {
		Term    int64
		Counter int64
	}
	// Linked is the result of a probe of the other region by the link's first
	// way (HTTPS): questions count as probes too, by Answered and Unanswered.
	Linked struct{ OK bool }
	// Clashed is a CONNECT that Admit refused as a second relay of one identity.
	Clashed struct {
		ID    beat.Identity
		Death beat.Death
	}
)

func (*Report) event()     {}
func (*Ended) event()      {}
func (*Direct) event()     {}
func (*Forget) event()     {}
func (*Want) event()       {}
func (*Asked) event()      {}
func (*Answered) event()   {}
func (*Unanswered) event() {}
func (*Heard) event()      {}
func (*Forwarded) event()  {}
func (*Loaded) event()     {}
func (*Doubted) event()    {}
func (*Settings) event()   {}
func (*Woke) event()       {}
func (*Lease) event()      {}
func (*Linked) event()     {}
func (*Clashed) event()    {}

// Out is what Step asks the shell to do: one of the pointers to the types below.
type Out interface{ out() }

type (
	// Ask is one batched question for the other region. The shell answers it
	// with exactly one Answered or Unanswered of the same ID.
	Ask struct {
		ID       uint64
		Question Question
	}
	// Reply is the answer to an Asked.
	Reply struct{ Answer Answer }
	// Tell is news for the other region, unasked: the shell forwards it once;
	// a loss is repaired by the next question.
	Tell struct{ News []News }
	// Rebirth tells a relay to come back with an epoch above Exceed.
	Rebirth struct {
		Conn   Conn
		ID     beat.Identity
		Exceed beat.Epoch
	}
	// Acked answers an accepted birth: the shell adds the home region.
	Acked struct {
		Conn Conn
		ID   beat.Identity
		Ack  beat.Ack
	}
	// Journal hands the entries of an accepted report to the history. The
	// shell acks them when the table took them all.
	Journal struct {
		Conn        Conn
		ID          beat.Identity
		Epoch       beat.Epoch
		Seq         beat.Seq
		Incarnation beat.Incarnation
		Entries     []beat.Transition
		Dated       []time.Time // when each entry happened, by this region's clock
	}
	// Command asks a relay for its whole picture, or to retire a host.
	Command struct {
		Conn    Conn
		ID      beat.Identity
		Command beat.Command
	}
	// Close ends a connection that an accepted birth replaced, or that speaks
	// for a relay that was replaced.
	Close struct {
		Conn   Conn
		Reason Refusal
	}
	// Save writes what a restart needs of a store, or of a direct host.
	Save struct{ Item StoreItem }
	// Decided is a changed judgement about a store or a host.
	Decided struct{ Verdict Verdict }
	// Learned is what the other region answered about a subject that was Doubted:
	// the incidents take it as that region's word.
	Learned struct{ Verdict Verdict }
	// Adopted is a host that was never seen before.
	Adopted struct {
		Store beat.StoreID
		Host  beat.HostID
		Via   Way
	}
	// RelayChanged is a store whose relay is another one from now on.
	RelayChanged struct {
		Store    beat.StoreID
		From, To beat.RelayID
	}
	// PeerIs is a change of what this region knows of the other one as a whole:
	// the shell hands it to the incidents.
	PeerIs struct{ State PeerState }
	// SetAside is one word of a question or forward of the other region that was
	// set aside, for logs and counters: what else it says counts.
	SetAside struct {
		Subject Subject
		Reason  Refusal
	}
	// Refused is an event that changed nothing, for logs and counters.
	Refused struct {
		ID     beat.Identity
		Reason Refusal
	}
)

func (*Ask) out()          {}
func (*Reply) out()        {}
func (*Tell) out()         {}
func (*Rebirth) out()      {}
func (*Acked) out()        {}
func (*Journal) out()      {}
func (*Command) out()      {}
func (*Close) out()        {}
func (*Save) out()         {}
func (*Decided) out()      {}
func (*Learned) out()      {}
func (*Adopted) out()      {}
func (*RelayChanged) out() {}
func (*PeerIs) out()       {}
func (*SetAside) out()     {}
func (*Refused) out()      {}

// Way is how a region sees a host.
type Way uint8

// The ways.
const (
	NoWay Way = iota
	ByRelay
	ByDirect
)

func (w Way) String() string {
	switch w {
	case ByRelay:
		return "relay"
	case ByDirect:
		return "direct"
	default:
		return ""
	}
}

// MarshalText is the way's name, as JSON shows it.
func (w Way) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// Refusal is why an event or a connection was refused.
type Refusal uint8

// The refusals.
const (
	NotRefused Refusal = iota
	// OldEpoch is a birth at or below the known epoch (P2).
	OldEpoch
	// FutureEpoch is a birth more than 2^32 above the known epoch (P2).
	FutureEpoch
	// NotOpen is a report under a session that is lost or was never born (P2).
	NotOpen
	// Duplicate is the same (boot, epoch, seq) again.
	Duplicate
	// StaleEnd is the end of a session that is not the open one (P1).
	StaleEnd
	// Replaced is a connection whose identity came back on a newer one.
	Replaced
	// Retired is a relay whose store has a newer one.
	Retired
	// UnknownSubject is a word about a store or host that nobody knows.
	UnknownSubject
	// TooMany is one host more than a store may have.
	TooMany
	// NotAnswer is an answer that nobody waits for, or from an old term.
	NotAnswer
	// Clash is a second relay of one identity, while the first has a session.
	Clash
	// BadReport and BadPicture contradict themselves, or are out of range.
	BadReport
	BadPicture
	// BadItem is an item of the table that cannot be read, NewerItem one that a
	// later version wrote: it is set aside.
	BadItem
	NewerItem

	refusals
)

var refusalNames = [refusals]string{
	"not refused", "old epoch", "epoch from the future", "no open session", "duplicate", "stale end",
	"replaced by a newer connection", "replaced by a newer relay", "unknown store or host", "too many hosts", "no answer to a question",
	"two relays connect as one", "a report that cannot be", "a picture that cannot be", "an item that cannot be read", "an item of a newer version",
}

func (r Refusal) String() string {
	if r < refusals {
		return refusalNames[r]
	}
	return "refused"
}
