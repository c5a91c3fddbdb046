package setting

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Item is one region's document of a setting.
type Item struct {
	Region beat.Region
	Setting
}

// Key names a setting, whichever region wrote it.
type Key struct {
	Kind Kind
	ID   string
}

// Key is the setting's name.
func (s *Setting) Key() Key { return Key{s.Kind, s.ID} }

// Later says whether i counts, of two documents of one setting: the one of the
// higher version, else the deletion, else that of the region that sorts first.
func (i *Item) Later(other *Item) bool {
	switch {
	case i.Version != other.Version:
		return i.Version > other.Version
	case i.Deleted != other.Deleted:
		return i.Deleted
	default:
		return i.Region < other.Region
	}
}

// Latest are the documents that count, one of each setting, in no order that
// depends on the order of items. Deletions are among them.
func Latest(items []Item) []*Item {
	best := make(map[Key]*Item, len(items))
	for i := range items {
		it := &items[i]
		if b := best[it.Key()]; b == nil || it.Later(b) {
			best[it.Key()] = it
		}
	}
	out := slices.Collect(maps.Values(best))
	slices.SortFunc(out, func(a, b *Item) int { return compareIDs(a.ID, b.ID, a.Kind, b.Kind) })
	return out
}

func compareIDs(a, b string, k, l Kind) int { return cmp.Or(strings.Compare(a, b), cmp.Compare(k, l)) }

// Join makes a fleet of what the regions wrote; the same for the same items in
// any order. Items must have been made by Decode or Validate.
func Join(items []Item) *Fleet {
	f := &Fleet{stores: make(map[beat.StoreID]*Store), acks: make(map[string]*Rule)}
	latest := Latest(items)
	for _, it := range latest {
		if it.Kind == Declared && !it.Deleted && it.store != nil {
			s := *it.store
			s.Version, s.writer = it.Version, it.Region
			f.stores[s.ID] = &s
			f.inventory = f.inventory || len(s.Hosts) > 0
		}
	}
	for _, it := range latest {
		switch {
		case it.Deleted:
		case it.Kind == Pin:
			if it.Pin != "" {
				f.add(beat.StoreID(it.ID)).Pin = it.Pin
			}
		case it.Rule != nil && it.Kind == Ack:
			if old := f.acks[it.Rule.Incident]; old == nil || it.Rule.outlasts(old) {
				f.acks[it.Rule.Incident] = it.Rule
			}
		case it.Rule != nil:
			f.rules = append(f.rules, *it.Rule)
		}
	}
	slices.SortFunc(f.rules, func(a, b Rule) int {
		switch {
		case a.outlasts(&b):
			return -1
		case b.outlasts(&a):
			return 1
		default:
			return cmp.Compare(a.Kind, b.Kind)
		}
	})
	f.maintain()
	return f
}

// add is the store to say something of, which may be undeclared.
func (f *Fleet) add(id beat.StoreID) *Store {
	s := f.stores[id]
	if s == nil {
		s = &Store{ID: id, ComeUp: DefaultComeUp}
		f.stores[id] = s
	}
	return s
}

// maintain gives each store its maintenance windows.
func (f *Fleet) maintain() {
	var windows []*Rule
	for i := range f.rules {
		if f.rules[i].Kind == Maintenance {
			windows = append(windows, &f.rules[i])
		}
	}
	if len(windows) == 0 {
		return
	}
	for _, r := range windows {
		for _, id := range r.Stores {
			if id == "*" && len(r.Tags) == 0 && f.rest == nil {
				f.rest = &Store{ComeUp: DefaultComeUp}
			} else if id != "*" {
				f.add(beat.StoreID(id))
			}
		}
	}
	for _, s := range f.stores {
		s.windows = windowsOf(s, windows)
	}
	if f.rest != nil {
		f.rest.windows = windowsOf(f.rest, windows)
	}
}

// windowsOf are the windows of rules that fit a store, in order, those that
// touch as one.
func windowsOf(s *Store, rules []*Rule) []window {
	var all []window
	for _, r := range rules {
		if s.ID == "" && !slices.Contains(r.Stores, "*") || !r.fits(s, &Subject{Store: cmp.Or(s.ID, "any")}) {
			continue
		}
		all = append(all, window{r.From, r.Until})
	}
	slices.SortFunc(all, func(a, b window) int { return cmp.Or(a.from.Compare(b.from), a.until.Compare(b.until)) })
	var out []window
	for _, w := range all {
		if n := len(out); n > 0 && !w.from.After(out[n-1].until) {
			if w.until.After(out[n-1].until) {
				out[n-1].until = w.until
			}
			continue
		}
		out = append(out, w)
	}
	return out
}

// Changed are the stores of which two fleets say different things, by id. All
// says that stores of which nothing is said may be among them.
func Changed(before, after *Fleet) (stores []beat.StoreID, all bool) {
	for s := range after.Stores() {
		var old *Store
		if before != nil {
			old = before.stores[s.ID]
		}
		if !s.same(old) {
			stores = append(stores, s.ID)
		}
	}
	for s := range before.Stores() {
		if after == nil || after.stores[s.ID] == nil {
			stores = append(stores, s.ID)
		}
	}
	slices.Sort(stores)
	var a, b *Store
	if before != nil {
		a = before.rest
	}
	if after != nil {
		b = after.rest
	}
	return stores, !a.same(b) || before.Inventory() != after.Inventory()
}
