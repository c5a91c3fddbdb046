package dashboard

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// snapshot is one reading of the Source, shared by every reader. It is never
// changed once it is made.
type snapshot struct {
	version  uint64
	at       time.Time
	overview Overview
	stores   []Store // by id
	ranked   []Store // problems first
	summary  Summary
}

// snapshots reads the Source at most once per change and Coalesce, however
// many read: of a fleet of 50,000 stores a reading costs milliseconds.
type snapshots struct {
	source Source
	now    func() time.Time

	mu   sync.Mutex // guards what follows; held while the Source is read
	last *snapshot
	cost time.Duration
}

const (
	// costFactor bounds the share of a core that readings take under a storm of
	// changes. Only what follows the reading of the Source is measured, which
	// costs about as much again: the rest may be a wait for a lock.
	costFactor = 20
	// maxKept bounds how old a reading may become, whatever it took: a process
	// that was stopped for a minute measures that minute.
	maxKept = 5 * time.Second
)

// get returns a reading that is at most fresh old. One that took long is kept
// for costFactor times as long, but no longer than maxKept, even if something
// changed.
func (s *snapshots) get(fresh time.Duration) *snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.last != nil {
		age := now.Sub(s.last.at)
		if age >= 0 && (age < min(s.cost*costFactor, maxKept) || age < fresh && s.last.version == s.source.Version()) {
			return s.last
		}
	}
	snap := &snapshot{version: s.source.Version(), at: now, overview: s.source.Overview(), stores: s.source.Stores()}
	read := s.now()
	slices.SortFunc(snap.stores, func(a, b Store) int { return cmp.Compare(a.Store, b.Store) })
	snap.ranked = rankStores(snap.stores)
	sortOverview(&snap.overview)
	snap.summary = Summarize(snap.overview, snap.stores)
	s.last, s.cost = snap, max(0, s.now().Sub(read))
	return snap
}

func sortOverview(o *Overview) {
	slices.SortFunc(o.Incidents, func(a, b Incident) int { return cmp.Compare(incidentKey(b), incidentKey(a)) })
	slices.SortFunc(o.Notices, func(a, b Notice) int { return cmp.Compare(b.ID, a.ID) })
	slices.SortStableFunc(o.Activity, func(a, b Activity) int { return b.At.Compare(a.At) })
}

// incidentKey orders incidents by the instant they opened.
func incidentKey(i Incident) string {
	return i.OpenedAt.UTC().Format("2006-01-02T15:04:05.000000000") + string(i.ID)
}

func filter[T any](in []T, keep func(T) bool) []T {
	out := []T{}
	for _, x := range in {
		if keep(x) {
			out = append(out, x)
		}
	}
	return out
}

// wellRank is the rank of a store that needs nobody.
const wellRank = 8

// rank orders stores by how much they need a person, 0 most.
func rank(s *Store) int {
	if s.rests() {
		return wellRank
	}
	switch s.State {
	case presence.Down.String():
		return 0
	case presence.RelayDead.String():
		return 1
	case presence.Suspect.String():
		return 4
	case presence.Unknown.String():
		return 6
	}
	switch {
	case s.Hosts.Missing > 0:
		return 2
	case s.Hosts.Failing > 0:
		return 3
	case s.shown() == presence.Degraded.String():
		return 5
	case s.State == presence.Stopped.String():
		return 7
	}
	return wellRank
}

// rankStores copies stores, the gravest first; equals stay in order of id.
func rankStores(stores []Store) []Store {
	out := slices.Clone(stores)
	slices.SortStableFunc(out, func(a, b Store) int { return cmp.Compare(rank(&a), rank(&b)) })
	return out
}

// matches says whether a store answers a search: every word is part of its id,
// its state, its relay or its home.
func matches(s *Store, words []string) bool {
	for _, w := range words {
		if !strings.Contains(string(s.Store), w) && !strings.Contains(s.State, w) &&
			!strings.Contains(string(s.Relay), w) && !strings.Contains(string(s.Home), w) {
			return false
		}
	}
	return true
}

// words are the words of a search, in lower case. One that is longer than
// maxQuery is cut: each store is looked at for each word.
func words(q string) []string {
	return strings.Fields(strings.ToLower(beat.CutText(q, maxQuery)))
}
