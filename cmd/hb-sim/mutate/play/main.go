// Command play plays seeds of the simulation in a mutated build, and says which
// of them break a property: one line "seed property what" for each.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
)

const (
	// chunk is how many seeds are played between two signs of life.
	chunk = 64
	// stuckAfter is how long a chunk may take, on a machine that is busy with
	// other things: a mutant may run for ever.
	stuckAfter = 4 * time.Minute
	// maxMemory bounds what a mutant may take, in bytes: it may fill a queue for ever.
	maxMemory = 2 << 30
)

func main() { os.Exit(run()) }

func run() int {
	from := flag.Uint64("from", 1, "the first seed")
	seeds := flag.Uint64("seeds", 20000, "how many")
	jobs := flag.Int("jobs", 2, "how many at once")
	known := flag.String("known", "", "seeds that break a property without the mutant, separated by commas")
	limit := flag.Duration("limit", 10*time.Minute, "how long at most")
	flag.Parse()
	skip := map[uint64]bool{}
	for s := range strings.SplitSeq(*known, ",") {
		if n, err := strconv.ParseUint(s, 10, 64); err == nil {
			skip[n] = true
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	var played atomic.Uint64
	go watch(&played)
	found := false
	for n := uint64(0); n < *seeds && !found && ctx.Err() == nil; n += chunk {
		played.Add(torture.Each(ctx, *from+n, min(chunk, *seeds-n), *jobs, func(seed uint64, v truth.Violation) bool {
			if !skip[seed] {
				found = true
				fmt.Printf("%d\t%s\t%s\n", seed, v.Property, v.What)
			}
			return found
		}))
	}
	fmt.Printf("played %d\n", played.Load())
	return 0
}

// watch ends the process where it makes no progress, or takes too much memory.
func watch(played *atomic.Uint64) {
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	last, since := uint64(0), time.Now()
	for range time.Tick(200 * time.Millisecond) {
		if n := played.Load(); n != last {
			last, since = n, time.Now()
		}
		metrics.Read(heap)
		switch {
		case time.Since(since) > stuckAfter:
			fmt.Println("a schedule does not end")
		case heap[0].Value.Uint64() > maxMemory:
			fmt.Println("a schedule fills the memory")
		default:
			continue
		}
		os.Exit(3)
	}
}
