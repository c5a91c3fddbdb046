package truth

import "time"

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
		if first := st.firstConnect(d.until); d.until != never && st.full.held(d.until, first, 0) {
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
