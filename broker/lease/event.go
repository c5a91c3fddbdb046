package lease

import (
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
)

// Item is what the table says of a region's active node.
type Item struct {
	Node string `json:"node"`
	// Term is raised by who takes over, and never otherwise.
	Term int64 `json:"term"`
	// Counter moves with each renewal.
	Counter int64 `json:"counter"`
	// Life tells two starts of one node apart.
	Life string `json:"life,omitempty"`
	// Address is the node's own HTTP door, for who takes over from it.
	Address string `json:"address,omitempty"`
	// Released says that the node stopped: anybody may take over at once.
	Released bool `json:"released,omitempty"`
}

// Event is what Step takes: one of the pointers to the types below, or nil for
// the passing of time alone.
type Event interface{ event() }

type (
	// Read is the result of a Look: the items of both regions, nil where there
	// is none. Failed says that the table could not be read.
	Read struct {
		Op          uint64
		Own, Theirs *Item
		Failed      bool
	}
	// Wrote is the result of a Write.
	Wrote struct {
		Op     uint64
		Result Result
	}
	// Called is the end of a Call: the older holder knows, or cannot be reached.
	Called struct{ Op uint64 }
	// Superseded says that somebody knows a higher term of this region.
	Superseded struct{ Term int64 }
	// Woke says that this node stood still: it looks before anything else.
	Woke struct{}
	// Doubt says that a fenced write was refused: this node looks at once.
	Doubt struct{}
	// Leave gives the lease up: the node stops.
	Leave struct{}
)

func (*Read) event()       {}
func (*Wrote) event()      {}
func (*Called) event()     {}
func (*Superseded) event() {}
func (*Woke) event()       {}
func (*Doubt) event()      {}
func (*Leave) event()      {}

// Result is what became of a Write.
type Result uint8

// The results.
const (
	// Done: it happened.
	Done Result = iota
	// Failed: it did not happen; a retry may help.
	Failed
	// Uncertain: the answer was lost; it may have happened.
	Uncertain
	// Refused: its condition did not hold.
	Refused
)

// Out is what Step asks the shell to do: one of the pointers to the types below.
type Out interface{ out() }

type (
	// Look reads the lease's items; the shell answers with one Read.
	Look struct{ Op uint64 }
	// Write puts this region's item, under a condition, with the term as its
	// revision. The shell answers with one Wrote.
	Write struct {
		Op   uint64
		Item Item
		If   table.Condition
		Rev  int64
	}
	// Call tells the node that held the lease that it does not any more. The
	// shell answers with one Called, within a second or two.
	Call struct {
		Op      uint64
		Address string
		Term    int64
	}
	// Active says that this node is the active one from now on.
	Active struct{ Term int64 }
	// Until says until when it may claim and publish; 0: not at all.
	Until struct{ Until time.Duration }
	// Over ends this node's life: it must be started anew.
	Over struct {
		Reason Reason
		Term   int64
	}
)

func (*Look) out()   {}
func (*Write) out()  {}
func (*Call) out()   {}
func (*Active) out() {}
func (*Until) out()  {}
func (*Over) out()   {}

// Reason is why a node holds no lease, or does not hold it any more.
type Reason string

// The reasons.
const (
	// Starting has not read the lease yet.
	Starting Reason = "the lease is not read yet"
	// Held: another node holds it.
	Held Reason = "another node of the region is active"
	// Taking: a write is under way.
	Taking Reason = "takes the lease"
	// Unreadable: the table does not answer.
	Unreadable Reason = "the lease cannot be read"
	// Outbid: another node has a higher term.
	Outbid Reason = "another node of the region took over"
	// Released: this node gave it up.
	Released Reason = "stopped"
)
