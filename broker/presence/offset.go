package presence

import "time"

// offset dates a relay's monotonic clock by ours: the smallest difference
// (ours - theirs) of the last 10 minutes belongs to the report that waited
// least, so a report that waited in a socket does not look fresh, and a
// drifting clock does not look old.
type offset struct {
	cur, prev time.Duration
	since     time.Duration
	valid     bool
}

const offsetHalf = 5 * time.Minute

// sample adds one pair of instants.
func (o *offset) sample(ours, theirs time.Duration) {
	d := ours - theirs
	switch {
	case !o.valid:
		*o = offset{cur: d, prev: d, since: ours, valid: true}
	case ours-o.since >= offsetHalf:
		o.prev, o.cur, o.since = o.cur, d, ours
	default:
		o.cur = min(o.cur, d)
	}
}

// date is theirs on our clock.
func (o *offset) date(theirs time.Duration) time.Duration { return theirs + min(o.cur, o.prev) }
