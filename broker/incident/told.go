package incident

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// ToldQuestion asks the other region what became of transitions that it was to
// tell (I3).
type ToldQuestion struct {
	From  beat.Region `json:"from"`
	Node  string      `json:"node"`
	Term  int64       `json:"term"`
	Items []ToldItem  `json:"items"`
}

// ToldItem names one transition, and its subject: the other region may know the
// subject's incident by another id.
type ToldItem struct {
	Incident ID           `json:"incident"`
	K        int          `json:"k"`
	Kind     Kind         `json:"kind"`
	Change   Change       `json:"change"`
	Store    beat.StoreID `json:"store,omitempty"`
	Host     beat.HostID  `json:"host,omitempty"`
	Region   beat.Region  `json:"region,omitempty"`
	// Since is the last proof of life before the fault.
	Since time.Time `json:"since"`
}

// ToldBy says whether a transition that a notice lists is this one: by its id,
// or, where each region computed an id by itself, by its subject and time.
func (t *ToldItem) ToldBy(n *Notice, i *Item) bool {
	if i.Change != t.Change || n.Suppressed {
		return false // people were not told
	}
	if i.Incident == t.Incident && i.K == t.K {
		return true
	}
	return i.Store == t.Store && i.Host == t.Host && i.Region == t.Region && classOf(i.Kind) == classOf(t.Kind) && n.At.After(t.Since)
}

// ToldAnswer answers a ToldQuestion, in its order.
type ToldAnswer struct {
	Node  string    `json:"node"`
	Term  int64     `json:"term"`
	Words []Telling `json:"words"`
}

// Telling is the word of the region that was asked about one transition.
type Telling string

// The words.
const (
	// TellingSent: it was told here.
	TellingSent Telling = "sent"
	// TellingMine: it will be told here (also gathering).
	TellingMine Telling = "mine"
	// TellingYours: tell it yourself.
	TellingYours Telling = "yours"
	// TellingOver: here the incident has ended untold, or never was.
	TellingOver Telling = "over"
)
