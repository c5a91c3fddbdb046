//go:build !linux

package bench

import (
	"runtime"
	"time"
)

// processorTime is not known here: the wall clock has to do.
func processorTime() (time.Duration, bool) { return 0, false }

// residentMemory is what the runtime has of the system's memory, in bytes.
func residentMemory() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys - m.HeapReleased) //nolint:gosec // far below the limit
}
