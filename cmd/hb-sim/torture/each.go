package torture

import (
	"context"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
)

// Each plays so many seeds, jobs at once, and calls visit for each that breaks a
// property, not at once and in no order; visit says whether that is enough. It
// returns how many it played.
func Each(ctx context.Context, from, seeds uint64, jobs int, visit func(seed uint64, v truth.Violation) (stop bool)) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	var next, played atomic.Uint64
	var stop atomic.Bool
	var mu sync.Mutex // guards visit
	var wg sync.WaitGroup
	for range jobs {
		wg.Go(func() {
			p := newPlayer()
			for ctx.Err() == nil && !stop.Load() {
				i := next.Add(1) - 1
				if i >= seeds {
					return
				}
				v := p.playSeed(from + i)
				played.Add(1)
				if v == nil {
					continue
				}
				mu.Lock()
				if visit(from+i, *v) {
					stop.Store(true)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return played.Load()
}
