//go:build !linux

package bench

import "time"

// processorTime is not known here: the wall clock has to do.
func processorTime() (time.Duration, bool) { return 0, false }
