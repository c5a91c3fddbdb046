package dashboard

import (
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Overview is what a region knows apart from its stores: bounded lists, the
// newest first.
type Overview struct {
	// Region answers: the region of this node.
	Region beat.Region
	// Regions are the configured ones, this node's first.
	Regions []Region
	// Incidents are the open ones, and those that ended lately.
	Incidents []Incident
	Notices   []Notice
	Activity  []Activity
	// Rules are the silences, pauses, maintenance windows and acknowledgements
	// that are in force.
	Rules []setting.Rule
}

// RegionState is how a node sees a region.
type RegionState string

// The states of a region.
const (
	// RegionReady judges and tells.
	RegionReady RegionState = "ready"
	// RegionSettling started lately and opens nothing from silence.
	RegionSettling RegionState = "settling"
	// RegionUnreachable does not answer this node: it may be down, or the way
	// to it.
	RegionUnreachable RegionState = "unreachable"
	// RegionUnknown was not heard of since this node's start.
	RegionUnknown RegionState = "unknown"
)

// Region is the health of a region, as this node knows it.
type Region struct {
	Region beat.Region `json:"region"`
	// Self marks the region of this node: what is said of it is first-hand.
	Self  bool        `json:"self"`
	State RegionState `json:"state"`
	// Since is when it entered State.
	Since   time.Time `json:"since,omitzero"`
	Detail  string    `json:"detail,omitempty"`
	Node    string    `json:"node,omitempty"`
	Version string    `json:"version,omitempty"`
	// Sessions is how many relays have an open session there; nil: not known.
	Sessions *int `json:"sessions,omitempty"`
	// Table is the region's replica; nil: not known.
	Table *Health `json:"table,omitempty"`
	// Link is the way between this node and that region; nil for the own one.
	Link *Health `json:"link,omitempty"`
	// HeardAt is the last answer of that region; zero for the own one.
	HeardAt time.Time `json:"heardAt,omitzero"`
	// Channels are the region's ways to people; empty: not known.
	Channels []Channel `json:"channels,omitempty"`
	// URL is the region's own page; "" is not known.
	URL string `json:"url,omitempty"`
}

// Health says whether one thing works.
type Health struct {
	OK bool `json:"ok"`
	// Since is when OK became what it is.
	Since time.Time `json:"since,omitzero"`
	// Detail is the error, or what the trouble means, in words.
	Detail string `json:"detail,omitempty"`
}

// Channel is the health of one channel of notices.
type Channel struct {
	Name incident.Channel `json:"name"`
	Health
}

// Store is the rollup of one store. Its State is a presence.State by name: up,
// suspect, down, stopped, direct, relay-dead, degraded or unknown.
type Store struct {
	Store beat.StoreID `json:"store"`
	State string       `json:"state"`
	Since time.Time    `json:"since,omitzero"`
	// Reason is why it is in State, in words.
	Reason string `json:"reason,omitempty"`
	// Home is the region that tells its incidents first.
	Home  beat.Region  `json:"home,omitempty"`
	Relay beat.RelayID `json:"relay,omitempty"`
	// RelayVersion is the software of the relay.
	RelayVersion string `json:"relayVersion,omitempty"`
	// LastReport is the relay's last report to this region: a host behind a
	// relay whose picture stands is confirmed as of then.
	LastReport time.Time `json:"lastReport,omitzero"`
	// Paths are the views of the regions: what each knows of the store by itself.
	Paths []Path `json:"paths,omitempty"`
	Hosts Counts `json:"hosts"`
	// Journal is how many transitions the relay still has to hand over, and
	// JournalLost how many it had to shed.
	Journal     uint64 `json:"journal,omitempty"`
	JournalLost uint64 `json:"journalLost,omitempty"`
	// Closed says that it is outside its opening hours; Opens is when that ends,
	// where it is known.
	Closed bool      `json:"closed,omitempty"`
	Opens  time.Time `json:"opens,omitzero"`
	// Maintenance is until when the store is in maintenance; zero: it is not.
	Maintenance time.Time `json:"maintenance,omitzero"`
	// Zone is the store's time zone, where one is declared.
	Zone string `json:"zone,omitempty"`
	// Pinned says that Home is an operator's choice.
	Pinned bool              `json:"pinned,omitempty"`
	Tags   map[string]string `json:"tags,omitempty"`
}

// Path is what one region knows of a store by itself.
type Path struct {
	Region beat.Region `json:"region"`
	// View is open, lost, stopped, settling or never; "" is not known.
	View  string    `json:"view,omitempty"`
	Since time.Time `json:"since,omitzero"`
}

// Counts is how many hosts are in each state.
type Counts struct {
	Up      int `json:"up"`
	Failing int `json:"failing"`
	Missing int `json:"missing"`
	Stopped int `json:"stopped"`
	Unknown int `json:"unknown"`
	Covered int `json:"covered"`
}

// of is how many hosts are in a state.
func (c *Counts) of(s beat.HostState) int {
	switch s {
	case beat.Up:
		return c.Up
	case beat.Failing:
		return c.Failing
	case beat.Missing:
		return c.Missing
	case beat.Stopped:
		return c.Stopped
	case beat.Unknown:
		return c.Unknown
	case beat.Covered:
		return c.Covered
	}
	return 0
}

func (c *Counts) total() int {
	return c.Up + c.Failing + c.Missing + c.Stopped + c.Unknown + c.Covered
}

// Add counts one more host.
func (c *Counts) Add(s beat.HostState) {
	switch s {
	case beat.Up:
		c.Up++
	case beat.Failing:
		c.Failing++
	case beat.Missing:
		c.Missing++
	case beat.Stopped:
		c.Stopped++
	case beat.Covered:
		c.Covered++
	default:
		c.Unknown++
	}
}

// Total is the number of hosts.
func (c Counts) Total() int {
	return c.Up + c.Failing + c.Missing + c.Stopped + c.Unknown + c.Covered
}

func (c *Counts) sum(d Counts) {
	c.Up += d.Up
	c.Failing += d.Failing
	c.Missing += d.Missing
	c.Stopped += d.Stopped
	c.Unknown += d.Unknown
	c.Covered += d.Covered
}

// Host is one computer of a store.
type Host struct {
	Store      beat.StoreID   `json:"store"`
	Host       beat.HostID    `json:"host"`
	State      beat.HostState `json:"state"`
	IntervalMs int64          `json:"intervalMs"`
	// LastBeat is the host's last beat, dated by this region. Behind a relay it
	// is as of the last whole picture: see Store.LastReport.
	LastBeat time.Time `json:"lastBeat,omitzero"`
	// Via is relay or direct: how its last beat came; "" is not known.
	Via string `json:"via,omitempty"`
	// Since is when it entered State.
	Since time.Time `json:"since,omitzero"`
	// Reason is why it is in State, in words.
	Reason string `json:"reason,omitempty"`
	// Message is what the host says of itself, and Version its software.
	Message  string `json:"message,omitempty"`
	Version  string `json:"version,omitempty"`
	Flapping bool   `json:"flapping,omitempty"`
	// Declared says that an operator declared it; Unadopted that nobody did, and
	// that it pages nobody yet; NeverSeen that it is expected and never came.
	Declared  bool `json:"declared,omitempty"`
	Unadopted bool `json:"unadopted,omitempty"`
	NeverSeen bool `json:"neverSeen,omitempty"`
}

// Incident is one fault, and the region that tells it first.
type Incident struct {
	incident.Incident
	Home beat.Region `json:"home,omitempty"`
	// Held is why people are not told of it; nil: they are.
	Held *Held `json:"held,omitempty"`
}

// Held is a reason not to tell people of an incident now.
type Held struct {
	// Kind is silence, pause, maintenance, ack or closed.
	Kind string `json:"kind"`
	// Why completes "not told: …".
	Why string `json:"why"`
	// Until is when it ends; zero: not known.
	Until time.Time `json:"until,omitzero"`
}

// Notice is one message to people, with its words and what became of it.
type Notice struct {
	ID     string      `json:"id"`
	Region beat.Region `json:"region"`
	At     time.Time   `json:"at"`
	Title  string      `json:"title"`
	Text   string      `json:"text,omitempty"`
	// Severity is the notice's, as its event has it.
	Severity string          `json:"severity,omitempty"`
	Items    []incident.Item `json:"items"`
	SeenFrom []beat.Region   `json:"seenFrom,omitempty"`
	OneSided bool            `json:"oneSided,omitempty"`
	Channels []Delivery      `json:"channels"`
}

// Delivery is what became of a notice on one channel.
type Delivery struct {
	Name incident.Channel `json:"name"`
	Mark incident.Mark    `json:"mark"`
	// SentAt is when the channel took it.
	SentAt time.Time `json:"sentAt,omitzero"`
	// Detail is why it is not sent yet.
	Detail string `json:"detail,omitempty"`
}

// Activity is one line of what happened and woke nobody.
type Activity struct {
	At time.Time `json:"at"`
	// Kind is a word for programs: adopted, forgotten, refused, and so on.
	Kind  string       `json:"kind"`
	Store beat.StoreID `json:"store,omitempty"`
	Host  beat.HostID  `json:"host,omitempty"`
	// Text is the line for people.
	Text string `json:"text"`
}

// Entry is one transition of a store's history.
type Entry struct {
	At     time.Time      `json:"at"`
	Store  beat.StoreID   `json:"store"`
	Host   beat.HostID    `json:"host,omitempty"`
	State  beat.HostState `json:"state"`
	Reason string         `json:"reason,omitempty"`
	// Incarnation and Number name the entry; Until ends a range that a full
	// journal shed.
	Incarnation string      `json:"incarnation,omitempty"`
	Number      beat.Number `json:"number,omitempty"`
	Until       beat.Number `json:"until,omitempty"`
	// Regions took the entry.
	Regions []beat.Region `json:"regions,omitempty"`
	Message string        `json:"message,omitempty"`
}

// Role is what a key may do: beat, read or admin; relay is the password of
// relays, which opens no API.
type Role string

// Key is an API key, without its secret.
type Key struct {
	ID    string `json:"id"`
	Name  string `json:"name,omitempty"`
	Roles []Role `json:"roles"`
	// Store binds the key to one store; "" is the fleet.
	Store beat.StoreID `json:"store,omitempty"`
	// Relay binds a relay's password to one relay of Store; "" is each of them.
	Relay   beat.RelayID `json:"relay,omitempty"`
	Created time.Time    `json:"created,omitzero"`
	// Static says that the key is from the configuration: it cannot be revoked here.
	Static bool `json:"static,omitempty"`
}
