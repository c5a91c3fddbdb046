package link

import (
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/broker/presence"
)

// Event is what Step takes: one of the pointers to the types below, or nil for
// the passing of time alone.
type Event interface{ event() }

type (
	// Ask is a question of this node's presence, by its id.
	Ask struct {
		ID       uint64
		Question *presence.Question
	}
	// Told is one of its book.
	Told struct {
		ID       uint64
		Question *incident.ToldQuestion
	}
	// Tell is news for the other region.
	Tell struct{ News []presence.News }
	// Forward is what this region decided, for the other one.
	Forward struct{ Verdicts []presence.Verdict }
	// Called is the result of a Call: nil is no answer.
	Called struct {
		ID       uint64
		Response *wire.Response
	}
	// MailRead is the result of a ReadMail.
	MailRead struct {
		Op      uint64
		Letters []wire.Mail
		Failed  bool
	}
	// Reply answers a Received; nil: there is no answer.
	Reply struct {
		Name     wire.Name
		Kind     wire.Kind
		Response *wire.Response
	}
	// Heard says that the other region called by HTTPS.
	Heard struct{}
	// Renewed is this region's own lease, written at an instant.
	Renewed struct {
		Lease wire.Moment
		At    time.Duration
	}
	// Seen is the other region's lease, as this replica shows it.
	Seen struct{ Lease wire.Moment }
)

func (*Ask) event()      {}
func (*Told) event()     {}
func (*Tell) event()     {}
func (*Forward) event()  {}
func (*Called) event()   {}
func (*MailRead) event() {}
func (*Reply) event()    {}
func (*Heard) event()    {}
func (*Renewed) event()  {}
func (*Seen) event()     {}

// Out is what Step asks for: one of the pointers to the types below. Call,
// Post, ReadMail and Drop are for the shell, the others for the node.
type Out interface{ out() }

type (
	// Call asks by HTTPS; the shell answers with one Called, within Options.Call.
	Call struct {
		ID      uint64
		Request *wire.Request
	}
	// Post puts a letter into the table. A letter that is lost is posted again,
	// as another one.
	Post struct{ Mail wire.Mail }
	// ReadMail reads this region's letters; the shell answers with one MailRead.
	ReadMail struct{ Op uint64 }
	// Drop deletes letters of this region, by their names.
	Drop struct{ Names []wire.Name }

	// Answered answers an Ask.
	Answered struct {
		ID     uint64
		Answer *presence.Answer
	}
	// ToldAnswered answers a Told.
	ToldAnswered struct {
		ID     uint64
		Answer *incident.ToldAnswer
	}
	// Unanswered ends an Ask, or a Told, that found no answer by either way.
	Unanswered struct {
		ID   uint64
		Told bool
	}
	// Received is a fresh request by mail; the node answers with one Reply.
	Received struct {
		Name    wire.Name
		Request *wire.Request
	}
	// Linked says that a call was answered or not; an answer by mail counts.
	Linked struct{ OK bool }
	// Learned is what the other region said of itself.
	Learned struct{ State wire.State }
	// Ignored is a letter, or an answer, that was set aside.
	Ignored struct{ Reason Reason }
)

func (*Call) out()         {}
func (*Post) out()         {}
func (*ReadMail) out()     {}
func (*Drop) out()         {}
func (*Answered) out()     {}
func (*ToldAnswered) out() {}
func (*Unanswered) out()   {}
func (*Received) out()     {}
func (*Linked) out()       {}
func (*Learned) out()      {}
func (*Ignored) out()      {}

// Reason is why a letter or an answer was set aside.
type Reason string

// The reasons.
const (
	// Stale is a letter that cannot be proven fresh.
	Stale Reason = "stale"
	// OldTerm is one of a node that was replaced.
	OldTerm Reason = "old term"
	// Late is an answer to a question that waits no more.
	Late Reason = "late"
	// Unreadable is one whose body is not what its kind says.
	Unreadable Reason = "unreadable"
)
