package node

import (
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Event is what Step takes, or nil for the passing of time alone:
//
//   - of the gate: presence.Report, Ended, Direct, Clashed; of people:
//     presence.Forget, Want
//   - of the table and the channels: incident.Wrote, Published, MarksRead;
//     lease.Read, Wrote, Called; link.MailRead
//   - of the other region: link.Called, and Received
//   - Loaded, Settings, Drain and Leave
//
// All are pointers.
type Event any

type (
	// Loaded answers a Load: what the table remembers of both regions, and what
	// operators say.
	Loaded struct {
		Term      int64
		Stores    []presence.StoreItem
		Incidents []incident.Incident
		Notices   []incident.Notice
		Fleet     *setting.Fleet
	}
	// Settings is a new snapshot of what operators say. Changed are the stores
	// whose own part changed; nil: any.
	Settings struct {
		Fleet   *setting.Fleet
		Changed []beat.StoreID
	}
	// Received is a request of the other region by HTTPS. It is answered within
	// the same Step by one Respond.
	Received struct {
		Token   uint64
		Request *wire.Request
	}
	// Knows is a higher term of this region's lease that somebody named.
	Knows struct{ Term int64 }
	// Drain says that the node stops: what its door does from now on is no
	// evidence (P7), and it claims nothing any more.
	Drain struct{}
	// Leave gives the lease up, when the last marks are written.
	Leave struct{}
)

// Out is what Step asks the shell to do, or tells people:
//
//   - relays: presence.Rebirth, Acked, Command, Close
//   - the table: presence.Save, Journal; incident.Write, ReadMarks, Save;
//     lease.Look, Write; link.Post, ReadMail, Drop; Load
//   - channels: incident.Publish
//   - the other region: link.Call, Respond; the older holder of the lease:
//     lease.Call
//   - the door: Ready, Over
//   - people: presence.Decided, Adopted, RelayChanged, PeerIs, Refused;
//     incident.Happened, GaveUp, Superseded; link.Ignored; Woke, Linked
//
// All are pointers.
type Out any

type (
	// Load reads what the table remembers: this node is the active one, with
	// that term. The shell tries until it works, and answers with one Loaded.
	Load struct{ Term int64 }
	// Ready opens the door.
	Ready struct{ Term int64 }
	// Respond answers a Received; Blocked says why it is not answered.
	Respond struct {
		Token    uint64
		Response *wire.Response
		Blocked  Reason
	}
	// Woke says that the node stood still for that long.
	Woke struct{ For time.Duration }
	// Linked is a change of the link's first way.
	Linked struct{ OK bool }
	// Over ends this node's life. Clean says that it was asked to.
	Over struct {
		Reason Reason
		Term   int64
		Clean  bool
	}
)

// Reason is why a node does not answer, or is over.
type Reason string

// The reasons, beside those of package lease.
const (
	Loading  Reason = "reads what the table remembers"
	Waking   Reason = "stood still, and reads the lease"
	Draining Reason = "stops"
)
