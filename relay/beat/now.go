package beat

import "time"

// Now is the instant at which a pure package decides. Mono orders events and
// measures durations; Wall dates what people read, and decides no order.
type Now struct {
	// Mono is the time since an arbitrary start on a clock that never jumps.
	Mono time.Duration
	// Wall is the same instant on the wall clock, in UTC.
	Wall time.Time
}

// Add returns the instant d later on both clocks.
func (n Now) Add(d time.Duration) Now {
	return Now{Mono: n.Mono + d, Wall: n.Wall.Add(d)}
}

// At dates the monotonic instant mono on n's wall clock.
func (n Now) At(mono time.Duration) time.Time { return n.Wall.Add(mono - n.Mono) }

const (
	// MinInterval is the shortest promise of a beat: hb-api's 1000 ms.
	MinInterval = time.Second
	// MaxInterval is the longest: hb-api's 43200000 ms.
	MaxInterval = 12 * time.Hour
	// DefaultInterval holds for a beat that promises nothing and whose host has
	// no declared interval: hb-api's 600000 ms.
	DefaultInterval = 10 * time.Minute

	minHostGrace = 2 * time.Second
	maxHostGrace = 60 * time.Second
)

// HostGrace is how much later than its interval a host may beat before it is
// missing: 10 % of the interval, at least 2 s, at most 60 s.
func HostGrace(interval time.Duration) time.Duration {
	return min(max(interval/10, minHostGrace), maxHostGrace)
}
