package truth

import "time"

// neverBound is when people are told of a host that was declared and is not there: a
// mesh that settled (75 s) waits for comeUp, asks the other region (10 s), and gathers;
// and room. A node that begins waits anew.
const neverBound = 75*time.Second + 10*time.Second + 15*time.Second

// Declared says what operators declare of a host: absent, that it is to be there and
// never was; stray, that it is none of theirs, in a store that adopts nobody.
func (t *Truth) Declared(at time.Duration, s, h int, absent, stray bool) {
	x := &t.stores[s].hosts[h]
	if x.stray = stray; absent {
		x.absent = at
	}
}

// neverSeen says whether a host never was there until an instant.
func (t *Truth) neverSeen(h *host, at time.Duration) bool {
	return h.absent > 0 && len(h.dead.spans) > 0 && h.dead.spans[0].from == 0 && after(h.dead.spans[0].until, 5*time.Second) >= at
}

// absentLoss: who was declared and never came is told (P11), once the store can be
// looked into.
func (t *Truth) absentLoss(s, i int) {
	st := &t.stores[s]
	d := span{st.hosts[i].absent, st.hosts[i].dead.spans[0].until}
	for again := true; again; {
		again = false
		for k := range t.strikes {
			x := &t.strikes[k]
			if end := x.At + x.For; (x.Class == Node || x.Class == Table) && x.At <= d.from+neverBound+t.comeUp && end > d.from {
				d.from, again = end, true
			}
		}
	}
	if d.from >= d.until || st.down.again(0, d.until, tail) || st.path[0].held(0, d.until, tail) || st.path[1].held(0, d.until, tail) {
		return
	}
	t.mustTell(s, i, d, d.from, neverBound+t.comeUp)
}
