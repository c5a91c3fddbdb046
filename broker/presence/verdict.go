package presence

import (
	"fmt"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// State is how a region sees a store.
type State uint8

// The states of a store. Their numbers are in the table.
const (
	// Unknown has no evidence yet.
	Unknown State = iota
	// Up has a relay with an open session here, or in the other region.
	Up
	// Suspect lost its session here less than grace ago, or waits for the
	// other region's word.
	Suspect
	// Down is lost in both regions; or here, and the other gives no answer.
	Down
	// Stopped said goodbye.
	Stopped
	// DirectOnly has no relay: its hosts beat to the regions themselves.
	DirectOnly
	// RelayDead is down, but hosts of the store beat directly (P5).
	RelayDead
	// Degraded is lost here and open in the other region: a path is cut, and
	// nobody is woken.
	Degraded
	// Conflict has two relays that live with one identity; one of them has an
	// open session (P14).
	Conflict

	states
)

var stateNames = [states]string{"unknown", "up", "suspect", "down", "stopped", "direct", "relay-dead", "degraded", "conflict"}

func (s State) String() string {
	if s < states {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// UnmarshalText reads a state's name.
func (s *State) UnmarshalText(text []byte) error {
	for i, name := range stateNames {
		if name == string(text) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("store state %.40q is not one of %s", text, strings.Join(stateNames[:], ", "))
}

// MarshalText is the state's name, as JSON shows it.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Condition is what a Verdict says about its subject.
type Condition uint8

// The conditions.
const (
	// Well ends every incident of the subject.
	Well Condition = iota + 1
	// HostMissing, HostFailing: see beat.HostState.
	HostMissing
	HostFailing
	// HostStopped said goodbye: it ends the subject's incidents.
	HostStopped
	// HostForgotten was retired: it ends the subject's incidents.
	HostForgotten
	// StoreDown is a store whose relay is lost to both regions.
	StoreDown
	// StoreRelayDead is the same while hosts of the store beat directly.
	StoreRelayDead
	// StoreStopped said goodbye.
	StoreStopped
	// StoreLan is a store whose relay lives and whose LAN is dead: its hosts
	// vanished together (L3). LanWell ends it.
	StoreLan
	LanWell
	// StoreConflict is two live relays with one identity (P14). ConflictOver
	// ends it.
	StoreConflict
	ConflictOver
	// HostFlaps changes too often, by its relay's count (I8). HostCalm ends it.
	HostFlaps
	HostCalm
	// HostNeverSeen is expected and never came (P11): a host; or, where Host is
	// "", a whole store.
	HostNeverSeen
	// RegionDown is the other region, dead to this one (P3a); RegionPath is this
	// region, to which many stores are lost that the other one sees; RegionBlind
	// the same without an answer (I7). RegionWell ends them. The verdict names
	// the Region.
	RegionDown
	RegionPath
	RegionBlind
	RegionWell
)

var conditionNames = map[Condition]string{
	Well: "well", HostMissing: "host missing", HostFailing: "host failing", HostStopped: "host stopped",
	HostForgotten: "host forgotten", StoreDown: "store down", StoreRelayDead: "relay dead", StoreStopped: "store stopped",
	StoreLan: "store LAN dead", LanWell: "store LAN well", StoreConflict: "two relays as one", ConflictOver: "one relay again",
	HostFlaps: "host flaps", HostCalm: "host calm", HostNeverSeen: "host never seen",
	RegionDown: "region down", RegionPath: "region's path cut", RegionBlind: "region blind", RegionWell: "region well",
}

func (c Condition) String() string { return conditionNames[c] }

// Cause identifies one fault wherever it is computed (I1).
type Cause struct {
	// Incarnation and Number: what a relay decided. For a store, Number is the
	// highest epoch that either region names.
	Incarnation beat.Incarnation `json:"incarnation,omitzero"`
	Number      uint64           `json:"number"`
	// Node and Term: what a region decided about a direct host.
	Node string `json:"node,omitempty"`
	Term int64  `json:"term,omitempty"`
}

// Verdict is a judgement about a store (Host is "") or one of its hosts. Its
// JSON is what the regions forward to each other.
type Verdict struct {
	Store beat.StoreID `json:"store"`
	Host  beat.HostID  `json:"host,omitempty"`
	// Region is the subject where Store is ""; Lost are the stores that a
	// region's verdict lists.
	Region    beat.Region    `json:"region,omitempty"`
	Lost      []beat.StoreID `json:"lost,omitempty"`
	Condition Condition      `json:"condition"`
	Cause     Cause          `json:"cause"`
	// At is when it was decided, on the wall clock of the region that did.
	At time.Time `json:"at"`
	// Since is the last proof of life; the truth lies within Uncertainty after it.
	Since       time.Time     `json:"since"`
	Uncertainty time.Duration `json:"uncertainty,omitempty"`
	// SeenFrom are the regions whose evidence this is.
	SeenFrom []beat.Region `json:"seenFrom,omitempty"`
	// OneSided says that the other region was asked and gave no answer.
	OneSided bool `json:"oneSided,omitempty"`
	// Unadopted is a host that nobody declared or adopted, and that was not seen
	// on enough days: it pages nobody. The verdict comes again when that ends.
	Unadopted bool `json:"unadopted,omitempty"`
	// FleetWide says that most of the fleet is lost at once: check us first.
	FleetWide bool `json:"fleetWide,omitempty"`
	// First is the first word about the subject since this node started.
	First bool `json:"-"`
	// Old says that it happened before this node started to look: somebody may
	// have told it already.
	Old    bool   `json:"old,omitempty"`
	Reason Reason `json:"reason"`
	// Message is the host's own word, where it fails.
	Message string `json:"message,omitempty"`
}

// Reason is why a verdict was given, or why a store is in its state.
type Reason string

// The reasons of Decide and Step.
const (
	SessionOpen      Reason = "the relay reports here"
	OpenThere        Reason = "the relay reports to the other region"
	WithinGrace      Reason = "the session ended, within grace"
	WaitsForAnswer   Reason = "waits for the other region's answer"
	OtherSettles     Reason = "waits: the other region settles"
	LostInBoth       Reason = "lost in both regions"
	OnlyRegion       Reason = "lost, and there is no other region"
	NoAnswerForBlind Reason = "lost here, and the other region does not answer"
	SaidGoodbye      Reason = "said goodbye"
	ByeExpired       Reason = "said goodbye and did not return"
	NoRelay          Reason = "no relay is enrolled"
	Settling         Reason = "this region settles"
	NothingSeen      Reason = "nothing seen yet"
	RelaySays        Reason = "the relay says so"
	NoWayLeft        Reason = "no beat in time, by any way"
	BeatCame         Reason = "a beat came"
	Operator         Reason = "an operator retired it"
	OtherSays        Reason = "the other region says so"
	OtherDecided     Reason = "the other region decides about it"
	OtherDead        Reason = "the other region is dead"
	OtherAnswers     Reason = "the other region lives"
	RegionIsBlind    Reason = "this region has lost too many stores, and nobody answers it"
	SuspectsItself   Reason = "waits: this region has lost too many stores to trust itself"
	HearsNobody      Reason = "waits: no relay has reported to this region since, which may be cut off"
	SeesAgain        Reason = "this region sees its stores again"
	TwoRelays        Reason = "two relays connect as one"
	OneRelay         Reason = "one relay connects again"
	NeverCame        Reason = "expected, and never seen"
	LanDead          Reason = "the relay lives, and its LAN is dead"
	// NotBack is the word of a relay that saw no life of the host since its start,
	// and may have forgotten what it said before.
	NotBack Reason = "the relay says that it did not return after the relay's start"

	// NoAnswerNoSession is a loss without an answer, of a store whose relay had
	// no session with the other region anyway.
	NoAnswerNoSession Reason = "lost here, no session there, and the other region does not answer"
)
