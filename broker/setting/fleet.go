package setting

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Fleet is all that operators said, joined over the regions: an immutable
// snapshot. A nil Fleet is one of which nothing is said.
type Fleet struct {
	stores map[beat.StoreID]*Store
	rules  []Rule
}

// Store is what operators declared of a store; nil: nothing.
func (f *Fleet) Store(id beat.StoreID) *Store {
	if f == nil {
		return nil
	}
	return f.stores[id]
}

// Subject is what a rule may be about. Host is "" for a store, Store "" for a
// region.
type Subject struct {
	Store beat.StoreID
	Host  beat.HostID
	// Kind is the incident's kind, as incident.Kind has it; Incident its id.
	Kind, Incident string
}

// Hush is why people are not told of a subject now. The zero Hush: they are.
type Hush struct {
	// Why completes "not told: …", such as "silenced by anna until 06:00 CET".
	Why string
	// Until is when to look again; zero: when the settings change.
	Until time.Time
}

// Held says whether there is a reason not to tell.
func (h Hush) Held() bool { return h.Why != "" }

// Hush is the strongest reason not to tell people of s at an instant: a
// silence, an acknowledgement, a pause or a maintenance window. Opening hours
// are Store.Open's, and not looked at here.
func (f *Fleet) Hush(s Subject, at time.Time) Hush {
	if f == nil {
		return Hush{}
	}
	for i := range f.rules {
		if h := f.rules[i].holds(f, s, at); h.Held() {
			return h
		}
	}
	return Hush{}
}

// Rule is one silence, pause, maintenance window or acknowledgement.
type Rule struct{}

func (r *Rule) holds(*Fleet, Subject, time.Time) Hush { return Hush{} }
