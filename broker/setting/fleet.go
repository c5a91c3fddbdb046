package setting

import (
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Fleet is all that operators said, joined over the regions: an immutable
// snapshot. A nil Fleet is one of which nothing is said.
type Fleet struct {
	stores map[beat.StoreID]*Store
	// rest is of stores of which nothing is said, while all are in maintenance.
	rest *Store
	// rules are all but acknowledgements, those that end last first.
	rules []Rule
	// acks are the acknowledgements, by incident.
	acks map[string]*Rule
	// inventory says that at least one host is declared.
	inventory bool
}

// Store is what operators declared of a store; nil: nothing.
func (f *Fleet) Store(id beat.StoreID) *Store {
	if f == nil {
		return nil
	}
	if s := f.stores[id]; s != nil {
		return s
	}
	return f.rest
}

// Stores are all of which something is said, by id.
func (f *Fleet) Stores() iter.Seq[*Store] {
	return func(yield func(*Store) bool) {
		if f == nil {
			return
		}
		for _, id := range slices.Sorted(maps.Keys(f.stores)) {
			if !yield(f.stores[id]) {
				return
			}
		}
	}
}

// Len is how many stores there are of which something is said.
func (f *Fleet) Len() int {
	if f == nil {
		return 0
	}
	return len(f.stores)
}

// Inventory says whether any host is declared in the fleet.
func (f *Fleet) Inventory() bool { return f != nil && f.inventory }

// Adopts says whether a host that nobody declared pages people at once: by its
// store's declaration; in a store without one, where the fleet has no inventory.
func (f *Fleet) Adopts(id beat.StoreID) bool {
	if s := f.Store(id); s != nil && s.Version > 0 {
		return s.AutoAdopt
	}
	return !f.Inventory()
}

// Rules are all silences, pauses, maintenance windows and acknowledgements that
// are not over at an instant, by their ids.
func (f *Fleet) Rules(at time.Time) []Rule {
	if f == nil {
		return nil
	}
	var out []Rule
	for i := range f.rules {
		if !f.rules[i].Over(at) {
			out = append(out, f.rules[i])
		}
	}
	for _, r := range f.acks {
		if !r.Over(at) {
			out = append(out, *r)
		}
	}
	slices.SortFunc(out, func(a, b Rule) int { return compareIDs(a.ID, b.ID, a.Kind, b.Kind) })
	return out
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
	// Kind is the kind of the rule: Silence, Pause, Maintenance or Ack.
	Kind Kind
}

// Held says whether there is a reason not to tell.
func (h Hush) Held() bool { return h.Why != "" }

// Hush is the strongest reason not to tell people of s at an instant: of the
// silences, pauses, maintenance windows and the acknowledgement that hold, the
// one that ends last. Opening hours are Store.Open's, and not looked at here.
func (f *Fleet) Hush(s Subject, at time.Time) Hush {
	if f == nil || len(f.rules) == 0 && len(f.acks) == 0 {
		return Hush{}
	}
	store := f.Store(s.Store)
	var found *Rule
	if r := f.acks[s.Incident]; r != nil && r.Holds(at) {
		found = r
	}
	for i := range f.rules {
		r := &f.rules[i]
		if found != nil && found.outlasts(r) {
			break // so do all that follow
		}
		if r.Holds(at) && r.fits(store, &s) {
			found = r
			break
		}
	}
	if found == nil {
		return Hush{}
	}
	return Hush{Why: found.Reason(at, store.Zone()), Until: found.Until, Kind: found.Kind}
}
