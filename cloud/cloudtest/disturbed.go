package cloudtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Disturb sets how replication treats each item from now on, also those on
// their way: by says how late an item that from wrote arrives, or that it is held.
type Disturb func(by func(from beat.Region, k table.Key) (lag time.Duration, held bool))

// RunDisturbed holds two joined replicas to what a Global Table still promises
// while its replication is late, out of order, per item, or cut.
func RunDisturbed(t *testing.T, open func(t *testing.T) (a, b Replica, disturb Disturb)) {
	t.Run("late and out of order", func(t *testing.T) {
		RunReplicas(t, func(t *testing.T) (Replica, Replica) {
			a, b, disturb := open(t)
			disturb(anyLag)
			return a, b
		})
	})
	for _, c := range []struct {
		name string
		run  func(t *testing.T, a, b *side, disturb Disturb)
	}{
		{"a cut holds one direction, and the other goes on", cutOneWay},
		{"an item is held alone, and others pass it", heldAlone},
		{"what both regions write while cut off ends as the last write in both", cutBothWays},
		{"writes of one key that arrive in any order end as the last of them", lastOfMany},
		{"a delete that overtakes an older write is not undone by it", deleteOvertakes},
	} {
		t.Run(c.name, func(t *testing.T) {
			ra, rb, disturb := open(t)
			t.Cleanup(func() { disturb(promptly) })
			a := &side{newBench(t, ra.Table), ra}
			b := &side{&bench{rb.Table, a.pk}, rb}
			c.run(t, a, b, disturb)
		})
	}
}

func promptly(beat.Region, table.Key) (time.Duration, bool) { return 0, false }

func anyLag(beat.Region, table.Key) (time.Duration, bool) {
	return rand.N(60 * time.Millisecond), false
}

// holding holds what the function says.
func holding(held func(from beat.Region, k table.Key) bool) func(beat.Region, table.Key) (time.Duration, bool) {
	return func(from beat.Region, k table.Key) (time.Duration, bool) { return 0, held(from, k) }
}

func cutOneWay(t *testing.T, a, b *side, disturb Disturb) {
	disturb(holding(func(from beat.Region, _ table.Key) bool { return from == a.replica.Region }))
	a.mustPut(t, a.item(a.sk("1"), 1, "one"))
	b.mustPut(t, b.item(b.sk("1"), 1, "one"))
	both := []string{a.sk("1") + "=one@1", b.sk("1") + "=one@1"}
	slices.Sort(both)
	a.awaits(t, both...)
	b.awaits(t, b.sk("1")+"=one@1")
	disturb(promptly)
	b.awaits(t, both...)
}

func heldAlone(t *testing.T, a, b *side, disturb Disturb) {
	slow := a.sk("slow")
	disturb(holding(func(_ beat.Region, k table.Key) bool { return k.SK == slow }))
	a.mustPut(t, a.item(slow, 1, "first"))
	a.mustPut(t, a.item(a.sk("other"), 1, "x"))
	a.mustPut(t, a.item(slow, 2, "second"))
	b.awaits(t, a.sk("other")+"=x@1")
	disturb(promptly)
	b.awaits(t, a.sk("other")+"=x@1", slow+"=second@2")
}

// apart keeps two writes apart by more than the clocks' resolution.
const apart = 5 * time.Millisecond

func cutBothWays(t *testing.T, a, b *side, disturb Disturb) {
	disturb(holding(func(beat.Region, table.Key) bool { return true }))
	for round := range 3 {
		for i, s := range []*side{a, b} {
			s.mustPut(t, s.item("shared", int64(2*round+i), fmt.Sprint("by ", i)))
			time.Sleep(apart) // the writes of real regions have real times
		}
	}
	a.awaits(t, "shared=by 0@4")
	b.awaits(t, "shared=by 1@5")
	disturb(anyLag)
	a.awaits(t, "shared=by 1@5")
	b.awaits(t, "shared=by 1@5")
}

// lastOfMany gives every write a shorter way than the one before.
func lastOfMany(t *testing.T, a, b *side, disturb Disturb) {
	const writes = 10
	var n atomic.Int64
	disturb(func(_ beat.Region, k table.Key) (time.Duration, bool) {
		if k.SK == "shared" {
			return time.Duration(writes-n.Add(1)) * 40 * time.Millisecond, false
		}
		return 400 * time.Millisecond, false
	})
	for i := range writes {
		a.mustPut(t, a.item("shared", int64(i), fmt.Sprint("write ", i)))
	}
	a.mustPut(t, a.item("then", 1, "x")) // arrives after all of them
	last := fmt.Sprintf("shared=write %d@%d", writes-1, writes-1)
	b.awaits(t, last, "then=x@1")
	a.awaits(t, last, "then=x@1")
}

func deleteOvertakes(t *testing.T, a, b *side, disturb Disturb) {
	var n atomic.Int64
	disturb(func(_ beat.Region, k table.Key) (time.Duration, bool) {
		if k.SK == "gone" && n.Add(1) == 1 {
			return 200 * time.Millisecond, false
		}
		if k.SK == "then" {
			return 500 * time.Millisecond, false
		}
		return 0, false
	})
	a.mustPut(t, a.item("gone", 1, "x"))
	time.Sleep(apart)
	if err := a.Delete(within(t), []table.Key{a.key("gone")}); err != nil {
		t.Fatal(err)
	}
	a.mustPut(t, a.item("then", 1, "x"))
	b.awaits(t, "then=x@1")
	a.awaits(t, "then=x@1")
}
