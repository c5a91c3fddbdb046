package truth

import (
	"slices"
	"time"
)

// RelayStarts says that a store's relay begins anew: it has a disk, and no connection.
func (t *Truth) RelayStarts(at time.Duration, s int) {
	t.stores[s].starts = append(t.stores[s].starts, at)
}

// RelayStands says whether a store's relay stands still. What it sent is on its way.
func (t *Truth) RelayStands(at time.Duration, s int, still bool) { t.stores[s].stands.set(at, still) }

// firstConnect is when a relay that starts at an instant connects first.
func (st *store) firstConnect(from time.Duration) time.Duration {
	for _, at := range st.connects {
		if at >= from {
			return at
		}
	}
	return never
}

// speechless is when no relay ran, or one that has no epoch to connect with: its
// disk was full before it connected first.
func (st *store) speechless() *track {
	var t track
	for _, d := range st.down.spans {
		if first := st.firstConnect(d.until); slices.Contains(st.starts, d.until) && st.full.held(d.until, first, 0) {
			d.until = first
		}
		if n := len(t.spans); n > 0 && t.spans[n-1].until >= d.from {
			t.spans[n-1].until = max(t.spans[n-1].until, d.until)
		} else {
			t.spans = append(t.spans, d)
		}
	}
	return &t
}

// patience is how long a relay's connection outlives a cut: until a report is due,
// and 10 s for its PUBACK.
const patience = 15*time.Second + 10*time.Second

// silent are a store's outages: no relay speaks, or no region hears it; one outage,
// whatever goes on with it. What a relay sent within a short cut arrives after it,
// also from one that stands still by then.
func (st *store) silent() []span {
	unheard := st.unheard()
	all := either(st.speechless(), unheard)
	for i := range all {
		for _, x := range unheard.spans {
			for _, y := range st.stands.spans {
				if all[i].from == x.from && y.from > x.from && y.from < x.until && x.until < y.until && x.until-x.from <= patience {
					all[i].from = x.until
				}
			}
		}
	}
	return all
}

// unheard is when a store reached no region: it is down for both.
func (st *store) unheard() *track {
	return &track{both(&st.cut[0], &st.cut[1])}
}

// sightless is when the last time ended, of those that touch an outage, in which
// no region could hear a store's relay; 0: there was none.
func (t *Truth) sightless(s int, d span) (end time.Duration) {
	p, r := &t.stores[s].path, &t.region
	for _, pair := range [...][2]*track{{&p[0], &p[1]}, {&p[0], &r[1]}, {&p[1], &r[0]}, {&r[0], &r[1]}} {
		for _, x := range pair[0].spans {
			for _, y := range pair[1].spans {
				from, until := max(x.from, y.from), min(x.until, y.until)
				if from < until && from <= d.until && after(until, afterPath) >= d.from {
					end = max(end, after(until, afterPath))
				}
			}
		}
	}
	return end
}
