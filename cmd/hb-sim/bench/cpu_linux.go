package bench

import (
	"time"

	"golang.org/x/sys/unix"
)

// processorTime is how long this thread has computed: what else the machine
// does meanwhile does not count.
func processorTime() (time.Duration, bool) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0, false
	}
	return time.Duration(t.Nano()), true
}
