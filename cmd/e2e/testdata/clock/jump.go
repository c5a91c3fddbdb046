package time

import "sync/atomic"

// jumped is what the wall clock is off by, in seconds.
var jumped atomic.Int64

// Jump sets the wall clock forward or back, by whole seconds. The monotonic
// clock goes on, as the kernel's does.
func Jump(d Duration) { jumped.Add(int64(d / Second)) }
