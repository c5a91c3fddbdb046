package incident

import (
	"fmt"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Kind is the kind of an incident, as people and programs read it.
type Kind string

// The kinds that this version opens.
const (
	HostMissing Kind = "host-missing"
	HostFailing Kind = "host-failing"
	StoreDown   Kind = "store-down"
	RelayDead   Kind = "relay-dead"
	// StoreLan: the relay lives, and its LAN does not.
	StoreLan Kind = "store-lan"
	// DidNotComeUp: missing since before the store opened, or since before its
	// maintenance ended.
	DidNotComeUp Kind = "did-not-come-up"
	// NeverSeen is expected, and never came.
	NeverSeen Kind = "never-seen"
	// Flapping changes too often: it is told once, until it is calm.
	Flapping Kind = "flapping"
	// Conflict is two live relays with one identity.
	Conflict Kind = "conflict"
	// RegionDown is a region that is dead; RegionPath one to which stores are
	// lost that the other region sees; RegionBlind the same without an answer of
	// the other one.
	RegionDown  Kind = "region-down"
	RegionPath  Kind = "region-path"
	RegionBlind Kind = "region-blind"
)

// Kinds are all of them, in the order in which people read them.
func Kinds() []Kind {
	return []Kind{
		HostMissing, HostFailing, StoreDown, RelayDead, StoreLan, DidNotComeUp, NeverSeen, Flapping, Conflict, RegionDown, RegionPath, RegionBlind,
	}
}

// Change is what happened to an incident.
type Change string

// The changes.
const (
	Opened    Change = "open"
	Recovered Change = "recovered"
	Changed   Change = "changed"
)

// Ending is why an incident ended, where its host did not come back.
type Ending string

// The endings.
const (
	// Retired: an operator said that the host does not exist any more.
	Retired Ending = "retired"
	// Stopped: the host said goodbye.
	Stopped Ending = "stopped"
)

// ID names one fault of one subject, the same wherever it is computed.
type ID string

// Channel names a destination of notices; it has one name in both regions.
type Channel string

// Mark says what became of a notice on one channel.
type Mark uint8

// The marks, weakest first: Join takes the strongest.
const (
	Unsent Mark = iota
	Cancelled
	Sent
)

var markNames = [...]string{"unsent", "cancelled", "sent"}

func (m Mark) String() string { return markNames[min(int(m), len(markNames)-1)] }

// MarshalText is the mark's name, as the table keeps it.
func (m Mark) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads a mark's name.
func (m *Mark) UnmarshalText(text []byte) error {
	for i, name := range markNames {
		if name == string(text) {
			*m = Mark(i)
			return nil
		}
	}
	return fmt.Errorf("mark %q is not one of %v", text, markNames)
}

// Join is the mark that two regions' marks make together, in any order.
func Join(a, b Mark) Mark { return max(a, b) }

// Item is one transition of one incident in a Notice. Its JSON is the
// contract's: absent fields are left out.
type Item struct {
	Kind   Kind         `json:"kind"`
	Change Change       `json:"change"`
	Store  beat.StoreID `json:"store,omitempty"`
	Host   beat.HostID  `json:"host,omitempty"`
	// Region is what a region's incident is about; then Store is "".
	Region   beat.Region `json:"region,omitempty"`
	Incident ID          `json:"incident"`
	// K counts the incident's transitions, from 1.
	K int `json:"k"`
	// Since is the last proof of life before the fault; the truth lies within
	// SinceUncertaintyMs after it.
	Since              time.Time `json:"since"`
	SinceUncertaintyMs int64     `json:"sinceUncertaintyMs,omitempty"`
	// DurationMs is how long it lasted; in a recovery only.
	DurationMs int64             `json:"durationMs,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	// Message is what a failing host says of itself.
	Message string `json:"message,omitempty"`
	// Ended is why it ended, where the host did not come back.
	Ended Ending `json:"ended,omitempty"`
	// Lost are the stores that a region's incident lists.
	Lost []beat.StoreID `json:"lost,omitempty"`
}

// Notice is one message to people about one or many transitions. It is an item
// of the table before it is sent: writing it is the claim.
type Notice struct {
	// V is the version of its document; 0 is 1.
	V int `json:"v,omitempty"`
	// ID is a ULID: the key of the notice, the same for every retry.
	ID string `json:"id"`
	// Region claimed it.
	Region beat.Region `json:"region"`
	At     time.Time   `json:"at"`
	// Known is when that region first knew of one of the items: At is later where
	// it gathered, was held back or was taken over. Zero: not known.
	Known time.Time `json:"known,omitzero"`
	Items []Item    `json:"items"`
	// SeenFrom are the regions whose evidence it is; OneSided says that the
	// other region gave no answer.
	SeenFrom []beat.Region `json:"seenFrom"`
	OneSided bool          `json:"oneSided,omitempty"`
	// Suppressed is for programs alone: people are not told now, for the reason
	// that Why gives.
	Suppressed bool   `json:"suppressed,omitempty"`
	Why        string `json:"why,omitempty"`
	// Quiet wakes nobody: a recovery that was held back, and is told now.
	Quiet bool `json:"quiet,omitempty"`
	// Digest lists what happened in many stores within a while (I6).
	Digest bool `json:"digest,omitempty"`
	// FleetWide says that most of the fleet is lost: look at ourselves first.
	FleetWide bool             `json:"fleetWide,omitempty"`
	Marks     map[Channel]Mark `json:"marks"`
	// SentAt is when a channel took it; only where its mark is Sent.
	SentAt map[Channel]time.Time `json:"sentAt,omitempty"`
	// Left are the items, by their places, that a channel took the notice without:
	// it had them by another one, or knows nothing of their faults.
	Left map[Channel][]int `json:"left,omitempty"`
	// Rev counts the writes of its item.
	Rev int64 `json:"rev"`
}

// Incident is one fault of one store or host, from its opening to its end, as
// a region remembers it.
type Incident struct {
	// V is the version of its document; 0 is 1.
	V     int          `json:"v,omitempty"`
	ID    ID           `json:"id"`
	Kind  Kind         `json:"kind"`
	Store beat.StoreID `json:"store,omitempty"`
	Host  beat.HostID  `json:"host,omitempty"`
	// ToldAs is the kind by which it was told, where Kind is another by now: so is
	// its end.
	ToldAs Kind `json:"toldAs,omitempty"`
	// Region is what a region's incident is about; Lost are the stores that it
	// lists.
	Region beat.Region    `json:"region,omitempty"`
	Lost   []beat.StoreID `json:"lost,omitempty"`
	// K counts its transitions so far.
	K                  int           `json:"k"`
	Open               bool          `json:"open"`
	Since              time.Time     `json:"since"`
	SinceUncertaintyMs int64         `json:"sinceUncertaintyMs,omitempty"`
	OpenedAt           time.Time     `json:"openedAt"`
	EndedAt            time.Time     `json:"endedAt,omitzero"`
	SeenFrom           []beat.Region `json:"seenFrom,omitempty"`
	OneSided           bool          `json:"oneSided,omitempty"`
	FleetWide          bool          `json:"fleetWide,omitempty"`
	Reason             string        `json:"reason,omitempty"`
	Message            string        `json:"message,omitempty"`
	// Ended is why it ended, where the host did not come back.
	Ended Ending `json:"ended,omitempty"`
	// ByRelay says that its cause is a relay's word of a host: both regions have
	// the same id of it.
	ByRelay bool `json:"byRelay,omitempty"`
	// Teller is the region that tells it; "" until one did: then home will.
	Teller beat.Region `json:"teller,omitempty"`
	// Told is where the fault and its recovery were told; Suppressed says that
	// those were programs, and people were not told.
	Told       []Channel `json:"told,omitempty"`
	Suppressed bool      `json:"suppressed,omitempty"`
	// Untold says that it has ended, and that nobody was told of the end yet.
	Untold bool `json:"untold,omitempty"`
	// Waits says why an untold transition is not told yet; for people.
	Waits string `json:"waits,omitempty"`
}
