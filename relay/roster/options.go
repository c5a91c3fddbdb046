package roster

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	// byeLasts is how long a goodbye holds where nobody knows opening hours.
	// After a restart of the relay it is counted anew: a wall clock must not
	// end it, and a relay's may be wrong.
	byeLasts = 24 * time.Hour
	// wakeWait is how much longer silence may last after the process stood
	// still: enough to read what waits in the sockets and to reconnect.
	wakeWait = 5 * time.Second
	// conflictLasts is how long a conflict is shown after its last proof.
	conflictLasts = 10 * time.Minute
	// lowWater is how many numbers may be left when more are asked for: two
	// for each host.
	lowWater = 2 * beat.MaxHosts

	// never is later than any deadline.
	never = time.Duration(1<<63 - 1)
)

// Options configure a Roster.
type Options struct {
	// Blip is how long a host may be without a connection.
	Blip time.Duration
	// WarmUp is the least time that hosts have to come back after a start.
	WarmUp time.Duration
	// NewHostsPerHour bounds new ids; 0 is no limit. ExemptLoopback lifts it
	// for beats from loopback.
	NewHostsPerHour int
	ExemptLoopback  bool
	// NewHostsPerAddress is how many of them one address may bring, so that one
	// does not use up what all have; 0 is no limit. It never holds for loopback,
	// where a proxy may bring everybody's.
	NewHostsPerAddress int
	// MaxChanges bounds how often a host changes in 10 minutes; 0 is no limit.
	// ExemptLoopback lifts it too.
	MaxChanges int
}
