package dashboard

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// The bounds of a view, beyond Options.MaxStores and MaxOpen.
const (
	viewIncidents = 50
	viewNotices   = 12
	viewActivity  = 20
	viewRules     = 10
	// smallFleet is how many stores a view may find for all of them to be open
	// without being asked.
	smallFleet = 3
	maxQuery   = 200
)

// View is what a live page shows. It holds no time of a report, beat or answer,
// so that it changes only when something happened: those come as Times.
type View struct {
	At      time.Time `json:"at"`
	Title   string    `json:"title,omitempty"`
	Version string    `json:"version,omitempty"`
	// HeartbeatMs is how long a stream that lives is silent at most.
	HeartbeatMs int64    `json:"heartbeatMs"`
	Summary     Summary  `json:"summary"`
	Regions     []Region `json:"regions"`
	// Incidents are the newest open ones; Summary.OpenIncidents counts all.
	Incidents []Incident  `json:"incidents"`
	Stores    []ViewStore `json:"stores"`
	// Found is how many stores answer the search, listed or not.
	Found    int        `json:"found"`
	Notices  []Notice   `json:"notices"`
	Activity []Activity `json:"activity"`
	// Rules are silences, pauses and maintenance windows in force, those that
	// end first first; RuleCount counts all.
	Rules     []setting.Rule `json:"rules"`
	RuleCount int            `json:"ruleCount"`
}

// ViewStore is one store of a View.
type ViewStore struct {
	Store
	// Open says that Members are its hosts, by id; else they are left out.
	Open    bool   `json:"open"`
	Members []Host `json:"members,omitempty"`
}

// Times are the instants that change without anything having happened.
type Times struct {
	At      time.Time                   `json:"at"`
	Regions map[beat.Region]time.Time   `json:"regions,omitempty"`
	Stores  map[beat.StoreID]StoreTimes `json:"stores,omitempty"`
}

// StoreTimes are those of one store: its relay's last report, and the last
// beats of its hosts where it is open.
type StoreTimes struct {
	Report time.Time                 `json:"report,omitzero"`
	Beats  map[beat.HostID]time.Time `json:"beats,omitempty"`
}

// look is what somebody looks at: the query of a stream.
type look struct {
	words []string
	open  []beat.StoreID
}

// parseLook reads q (a search) and open (store ids, separated by commas).
func parseLook(q url.Values, maxOpen int) look {
	l := look{words: words(q.Get("q"))}
	for id := range strings.SplitSeq(q.Get("open"), ",") {
		if store, err := beat.ParseStoreID(id); err == nil && len(l.open) < maxOpen {
			l.open = append(l.open, store)
		}
	}
	return l
}

// view shows a snapshot to somebody who looks at l, and names the stores whose
// hosts are seen.
func (s *Server) view(snap *snapshot, l look) (View, Times, []beat.StoreID) {
	v := View{
		At: snap.at, Title: s.o.Title, Version: s.o.Version, HeartbeatMs: s.o.Heartbeat.Milliseconds(), Summary: snap.summary,
		Regions:   slices.Clone(snap.overview.Regions),
		Incidents: first(filter(snap.overview.Incidents, func(i Incident) bool { return i.Open }), viewIncidents),
		Notices:   first(snap.overview.Notices, viewNotices),
		Activity:  first(snap.overview.Activity, viewActivity),
		Stores:    []ViewStore{},
	}
	rules := filter(snap.overview.Rules, func(r setting.Rule) bool { return r.Kind != setting.Ack })
	slices.SortFunc(rules, func(a, b setting.Rule) int { return cmp.Or(a.Until.Compare(b.Until), cmp.Compare(a.ID, b.ID)) })
	v.Rules, v.RuleCount = first(rules, viewRules), len(rules)
	v.Summary.At = time.Time{}
	t := Times{At: snap.at, Regions: map[beat.Region]time.Time{}, Stores: map[beat.StoreID]StoreTimes{}}
	for i := range v.Regions {
		if r := &v.Regions[i]; !r.HeardAt.IsZero() {
			t.Regions[r.Region], r.HeardAt = r.HeardAt, time.Time{}
		}
	}
	found := snap.ranked
	if len(l.words) > 0 {
		found = filter(found, func(x Store) bool { return matches(&x, l.words) })
	}
	v.Found = len(found)
	var seen []beat.StoreID
	for _, store := range s.listed(found, snap, l) {
		row, times := s.viewStore(store, len(found) <= smallFleet || slices.Contains(l.open, store.Store))
		if row.Open {
			seen = append(seen, store.Store)
		}
		v.Stores, t.Stores[store.Store] = append(v.Stores, row), times
	}
	return v, t, seen
}

// listed are the stores that a view lists: the first of those found, and the
// open ones wherever they rank, so that none closes under somebody's eyes.
func (s *Server) listed(found []Store, snap *snapshot, l look) []Store {
	out := slices.Clip(first(found, s.o.MaxStores))
	for _, id := range l.open {
		if slices.ContainsFunc(out, func(x Store) bool { return x.Store == id }) {
			continue
		}
		if i, ok := slices.BinarySearchFunc(snap.stores, id, func(x Store, id beat.StoreID) int { return cmp.Compare(x.Store, id) }); ok {
			out = append(out, snap.stores[i])
		}
	}
	return out
}

func (s *Server) viewStore(store Store, open bool) (ViewStore, StoreTimes) {
	times := StoreTimes{Report: store.LastReport}
	store.LastReport = time.Time{}
	row := ViewStore{Store: store}
	if !open {
		return row, times
	}
	hosts, ok := s.o.Source.Hosts(store.Store)
	if !ok {
		return row, times
	}
	sortHosts(hosts)
	row.Open, row.Members = true, hosts
	times.Beats = make(map[beat.HostID]time.Time, len(hosts))
	for i := range hosts {
		if h := &hosts[i]; !h.LastBeat.IsZero() {
			times.Beats[h.Host], h.LastBeat = h.LastBeat, time.Time{}
		}
	}
	return row, times
}

func sortHosts(hosts []Host) {
	slices.SortFunc(hosts, func(a, b Host) int { return cmp.Compare(a.Host, b.Host) })
}

func first[T any](in []T, n int) []T {
	if len(in) > n {
		return in[:n]
	}
	if in == nil {
		return []T{}
	}
	return in
}
