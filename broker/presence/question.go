package presence

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// View is what one region knows of a store by itself.
type View string

// The views, as they travel between the regions.
const (
	ViewNever    View = "never"
	ViewOpen     View = "open"
	ViewLost     View = "lost"
	ViewStopped  View = "stopped"
	ViewSettling View = "settling"
)

// Question is one batched ask, answered from memory. One that asks nothing is
// a probe: the answer itself is what counts.
type Question struct {
	// From, Node and Term say who asks.
	From   beat.Region `json:"from"`
	Node   string      `json:"node"`
	Term   int64       `json:"term"`
	Stores []StoreView `json:"stores,omitempty"`
	Hosts  []HostView  `json:"hosts,omitempty"`
}

// Answer answers a Question, in its order.
type Answer struct {
	Node   string      `json:"node"`
	Term   int64       `json:"term"`
	Stores []StoreView `json:"stores,omitempty"`
	Hosts  []HostView  `json:"hosts,omitempty"`
	// Settles says that the node that answers settles.
	Settles bool `json:"settles,omitempty"`
}

// StoreView is a region's view of a store. In a question it is the asker's own
// view: a loss asked about is a loss told.
type StoreView struct {
	Store       beat.StoreID     `json:"store"`
	View        View             `json:"view"`
	Incarnation beat.Incarnation `json:"incarnation,omitzero"`
	Boot        beat.Boot        `json:"boot,omitzero"`
	Epoch       beat.Epoch       `json:"epoch,omitempty"`
	// Since is the last proof of life there.
	Since time.Time `json:"since,omitzero"`
}

// HostView is a region's view of a host's direct way.
type HostView struct {
	Store beat.StoreID `json:"store"`
	Host  beat.HostID  `json:"host"`
	// View is open, lost, never, stopped or settling.
	View  View      `json:"view"`
	Since time.Time `json:"since,omitzero"`
	// Failing: it lives there, and says that it fails; absent in the word of a
	// region of an older version.
	Failing bool `json:"failing,omitempty"`
	// Node, Term and Number name the host's last direct up there, where it had
	// one: home's are the cause of its incident in both regions (I1).
	Node   string `json:"node,omitempty"`
	Term   int64  `json:"term,omitempty"`
	Number uint64 `json:"number,omitempty"`
}

func (v *HostView) cause() Cause { return Cause{Node: v.Node, Term: v.Term, Number: v.Number} }

// News is what a region tells the other unasked: a host's first direct beat,
// or that an operator retired the host.
type News struct {
	Store     beat.StoreID `json:"store"`
	Host      beat.HostID  `json:"host"`
	Forgotten bool         `json:"forgotten,omitempty"`
	// Cause is the last that was known of a retired host; absent in the news of
	// a region of an older version.
	Cause Cause `json:"cause,omitzero"`
}

// StoreItem is what the table remembers of a store (Host is ""), or of a
// direct host. Doc is opaque outside this package.
type StoreItem struct {
	Region beat.Region
	Store  beat.StoreID
	Host   beat.HostID
	Doc    []byte
	// Gone asks for a tombstone: the host was retired.
	Gone bool
}
