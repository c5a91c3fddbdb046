package torture

import (
	"time"

	"github.com/hb-mesh/hb-mesh/broker/record"
)

// What may be under way, or wait, at once.
const (
	// mostReports is how many reports of a connection may lack their PUBACK: a
	// relay holds the newest picture only.
	mostReports = 1
	// mostCalls is how many calls of the other region a process may have under
	// way: one question is about all stores.
	mostCalls = 32
	// mostPublishes is how many notices it may be handing over.
	mostPublishes = 16
	// mostOps is how many calls of the table it may have under way, beside one
	// batch of each relay's journal: the shells have room for 64 about notices.
	mostOps = 64
)

// bounded says how long a queue is.
func (t *witness) bounded(what string, n, most int) {
	if n > most {
		t.truth.Now(t.w.now)
		t.truth.Bounded(what, n, most)
	}
}

// needless is how long after the last trouble a letter is none that the link needs.
const needless = 60 * time.Second

// letters counts those that a region was written of late.
func (t *tables) letters(region int, late time.Duration) (n int) {
	since := t.w.wall().Add(-late).UnixNano()
	t.replicas[region].rows(record.MailPK(t.w.names[region]), func(r *row) {
		if r.stamp.at > since {
			n++
		}
	})
	return n
}
