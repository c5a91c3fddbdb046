package torture

import "testing"

// BenchmarkSchedule is one schedule on one core: the goal is 2 ms.
func BenchmarkSchedule(b *testing.B) {
	p := newPlayer()
	b.ReportAllocs()
	seed := uint64(60_000)
	for b.Loop() {
		_ = p.playSeed(seed)
		seed++
	}
}
