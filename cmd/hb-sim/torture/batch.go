package torture

import (
	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/wan"
)

// turn says whether it is this region's turn to get entries.
func (l *uplink) turn() bool {
	due, _ := l.u.courier.Due(l.to, l.u.r.w.now)
	depth, _ := l.u.r.disk.Backlog()
	return due && depth > 0
}

// addJournal adds a batch of the journal to a report, and says how many bytes it
// takes.
func (l *uplink) addJournal(rep *beat.Report) int {
	r, w, courier := l.u.r, l.u.r.w, l.u.courier
	rep.Journal, _ = r.disk.Batch(0, l.limit.Room(beat.MaxReport/2), beat.MaxBatch)
	n := len(rep.Journal)
	switch {
	case n > 0:
		last := rep.Journal[n-1]
		courier.Left(l.to, max(last.Number, last.Until), w.now)
		w.truth.left(r, rep.Incarnation, rep.Journal)
	case l.limit.Halved(): // the oldest entry alone is more than the half
		l.silence()
	default:
		courier.Block(l.to, w.now+reportEvery)
	}
	return n * entrySize // about
}

// free lets go of what a region took.
func (l *uplink) free(a beat.Ack) {
	u := l.u
	if a.Incarnation == u.r.disk.Incarnation() {
		u.r.w.truth.freed(u.r, a.Through)
		_ = u.r.disk.Free(a.Through) // they are sent again
		u.courier.Taken(l.to, a.Through)
	}
	u.look()
}

// silence keeps the journal from a region that refuses it.
func (l *uplink) silence() {
	l.limit, l.silent = wan.Limiter{}, l.u.r.w.now+wan.Silence
	l.u.courier.Block(l.to, l.silent)
}
