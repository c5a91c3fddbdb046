package incident

import (
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Event is what Step takes: one of the pointers to the types below, or nil for
// the passing of time alone.
type Event interface{ event() }

type (
	// Decided is a verdict of this region's presence.
	Decided struct{ Verdict presence.Verdict }
	// Forwarded are verdicts of the other region's presence.
	Forwarded struct {
		From     beat.Region
		Verdicts []presence.Verdict
	}
	// Asked is the other region's question who tells.
	Asked struct{ Question ToldQuestion }
	// Answered is the other region's answer to an Ask of this node.
	Answered struct {
		ID     uint64
		Answer ToldAnswer
	}
	// Unanswered is an Ask of this node that got no answer in time.
	Unanswered struct{ ID uint64 }
	// MarksRead answers a ReadMarks: where the marks of either region in the
	// table call each of its items sent (KnownBy). Failed says that the table
	// could not be read.
	MarksRead struct {
		ID     uint64
		Known  []Known
		Failed bool
	}
	// Wrote is the result of a Write.
	Wrote struct {
		Op     uint64
		Result Result
	}
	// Published is the result of a Publish.
	Published struct {
		Op     uint64
		Result Result
	}
	// Loaded is what the table remembers of both regions, before the node is
	// ready: incidents that have not ended, and the notices of the last day.
	Loaded struct {
		Incidents []Incident
		Notices   []Notice
	}
	// Settings is a new snapshot of what operators say.
	Settings struct{ Fleet *setting.Fleet }
	// Lease says until when this node may claim and publish, on its monotonic
	// clock: the region's lease fences both. 0: it may not.
	Lease struct{ Until time.Duration }
	// PeerIs is what presence knows of the other region (P3a).
	PeerIs struct{ State presence.PeerState }
	// Woke says that this node stood still for longer than its lease: the other
	// region may have told what this one was to tell.
	Woke struct{}
)

func (*Decided) event()    {}
func (*Forwarded) event()  {}
func (*Asked) event()      {}
func (*Answered) event()   {}
func (*Unanswered) event() {}
func (*MarksRead) event()  {}
func (*Wrote) event()      {}
func (*Published) event()  {}
func (*Loaded) event()     {}
func (*Settings) event()   {}
func (*Lease) event()      {}
func (*PeerIs) event()     {}
func (*Woke) event()       {}

// Result is what became of a command.
type Result uint8

// The results.
const (
	// Done: it happened.
	Done Result = iota
	// Failed: it did not happen; a retry may help.
	Failed
	// Uncertain: the answer was lost; it may have happened.
	Uncertain
	// Refused: it did not happen, and a retry does not help.
	Refused
)

// Out is what Step asks the shell to do: one of the pointers to the types below.
type Out interface{ out() }

type (
	// Write puts a notice's item into the table, fenced by this node's term:
	// the first write of a notice is its claim (If its Rev is 1: only where
	// none is). The shell answers with one Wrote.
	Write struct {
		Op     uint64
		Notice Notice
	}
	// Publish hands a notice to one channel. The shell answers with one Published.
	Publish struct {
		Op      uint64
		Channel Channel
		Notice  Notice
		// NotAfter is the monotonic instant after which it must not happen: the
		// shell checks it as its last act. 0: there is no lease to keep.
		NotAfter time.Duration
	}
	// Ask asks the other region what it told. The shell answers with one
	// Answered or Unanswered.
	Ask struct {
		ID       uint64
		Question ToldQuestion
	}
	// ReadMarks asks the table what any region told. The shell answers with
	// one MarksRead.
	ReadMarks struct {
		ID    uint64
		Items []ToldItem
	}
	// Reply answers an Asked.
	Reply struct{ Answer ToldAnswer }
	// Forward tells the other region what this region's presence decided.
	Forward struct{ Verdicts []presence.Verdict }
	// Save puts an incident's state into the table.
	Save struct{ Incident Incident }
	// Happened is for logs and counters: an incident changed.
	Happened struct {
		Incident Incident
		Change   Change
	}
	// GaveUp is a notice that could not be sent on a channel, ever.
	GaveUp struct {
		Notice  Notice
		Channel Channel
	}
	// Ignored is a word of the other region, or an item of the table, that was
	// set aside. ID names the item, where it is one.
	Ignored struct {
		Reason Reason
		ID     string
	}
	// Superseded is a write that a newer node of this region refused.
	Superseded struct{ Notice Notice }
)

func (*Write) out()      {}
func (*Publish) out()    {}
func (*Ask) out()        {}
func (*ReadMarks) out()  {}
func (*Reply) out()      {}
func (*Forward) out()    {}
func (*Save) out()       {}
func (*Happened) out()   {}
func (*GaveUp) out()     {}
func (*Superseded) out() {}
func (*Ignored) out()    {}
