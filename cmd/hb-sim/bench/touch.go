package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

// promise is longer than any run: no deadline comes due in it.
const promise = 12 * time.Hour

var errNotSteady = errors.New("a beat was not steady: that was no touch")

// touch is what a steady beat costs once its host is found: a new deadline. It
// is processor time, where the system tells it: one thread computes and waits
// for nothing, so on a machine with nothing else to do it is the wall clock's.
func (b *Bench) touch(ctx context.Context) ([]Row, error) {
	b.say("touch: %d stores of %d hosts, in random order, %d times over all, %d runs", b.plan.stores, laneHosts, b.plan.passes, b.plan.runs)
	rosters := manyRosters(b.plan.stores)
	order := rand.New(rand.NewPCG(1, 2)).Perm(len(rosters)) //nolint:gosec // the same order each time
	runtime.GC()
	if !touchAll(rosters, order, 0) { // the first time the memory is mapped
		return nil, errNotSteady
	}
	runtime.LockOSThread() // whose time it is
	defer runtime.UnlockOSThread()
	var nanos, allocations []float64
	now := time.Duration(0)
	for run := range b.plan.runs {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		used, known := processorTime()
		for range b.plan.passes {
			now++
			if !touchAll(rosters, order, now) {
				return nil, errNotSteady
			}
		}
		wall := time.Since(start)
		took := wall
		if known {
			now, _ := processorTime() // known before
			took = now - used
		}
		runtime.ReadMemStats(&after)
		touched := float64(b.plan.passes * b.plan.stores * laneHosts)
		nanos = append(nanos, float64(took.Nanoseconds())/touched)
		// Whole allocations a touch, as testing.B counts them: the runtime's own
		// few do not make one in millions.
		allocations = append(allocations, float64((after.Mallocs-before.Mallocs)/uint64(touched)))
		b.say("touch: run %d: %.2f ns a touch (wall clock %.2f), %d allocations in %.0f touches", run+1, nanos[run], float64(wall.Nanoseconds())/touched, after.Mallocs-before.Mallocs, touched)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	name := fmt.Sprintf("touch of a deadline, processor time, %d hosts", b.plan.stores*laneHosts)
	return []Row{
		{Name: name, Value: median(nanos), Unit: "ns", Goal: 20, AtMost: true},
		{Name: fmt.Sprintf("touch of a deadline, memory, %d hosts", b.plan.stores*laneHosts), Value: median(allocations), Unit: "allocations", Goal: 0, AtMost: true},
	}, nil
}

func touchAll(rosters []*roster.Roster, order []int, now time.Duration) bool {
	for _, s := range order {
		r := rosters[s]
		for h := range laneHosts {
			if !r.Touch(h, now) {
				return false
			}
		}
	}
	return true
}

func manyRosters(n int) []*roster.Roster {
	at := beat.Now{Wall: time.Now()}
	all := make([]*roster.Roster, n)
	var out []roster.Out
	for s := range all {
		r := roster.New(roster.Options{})
		out = r.Step(at, &roster.Numbers{From: 1, To: 1024}, out[:0])
		for h := range laneHosts {
			out = r.Step(at, &roster.Beat{
				From: roster.Source{Conn: 1},
				Beat: beat.Beat{Host: beat.HostID(fmt.Sprintf("pos%02d", h)), Interval: promise},
			}, out[:0])
		}
		all[s] = r
	}
	return all
}
