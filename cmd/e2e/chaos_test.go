//go:build linux

package e2e_test

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"
)

// chaos asks for the long form of the tests that hurt real processes:
// `make chaos`. The short form is in `make test`.
var chaos = flag.Bool("chaos", false, "hurt real processes for long: many more rounds")

// Each fault of the regions, with a store lost before, during and after it:
// what people are told is all, true, once, and ended.
func TestAStoreLostAroundEveryFaultOfTheRegions(t *testing.T) {
	for _, w := range wounds() {
		t.Run(w.says, func(t *testing.T) {
			t.Parallel() // it mostly waits
			playWound(newField(t, "before", "during", "after", "whole"), w)
		})
	}
}

func playWound(f *field, w wound) {
	f.up()
	begin := time.Now()
	step := func(format string, args ...any) {
		f.t.Logf("%6.1fs %s", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
	}
	before := f.lose("before")
	step("store before is lost")
	time.Sleep(time.Second) // the fault comes before grace is over
	var doubled *excuse
	if w.dead != "" {
		f.seen.trouble(w.dead, regionDown)
		doubled = f.seen.excuse("", 2, bySNS, byWebhook) // it may have told on each channel, and not marked
	}
	w.hurt(f)
	step("%s", w.says)
	time.Sleep(3 * time.Second)
	during := f.lose("during")
	step("store during is lost")
	f.seen.told(patienceWounded, before, "open")
	f.seen.told(patienceWounded, during, "open")
	step("both are told")
	w.heal(f)
	if w.untold && doubled != nil {
		f.seen.lasts(doubled) // with no table at all, home tells unclaimed
	}
	step("healed")
	after := f.lose("after")
	step("store after is lost")
	f.seen.told(patienceWounded, after, "open")
	step("it is told")
	for _, out := range []*absence{before, during, after} {
		f.restore(out)
	}
	f.healed()
	step("all stores are back")
	for _, out := range []*absence{before, during, after} {
		f.seen.told(patienceWounded, out, "recovered")
	}
	time.Sleep(12 * time.Second) // takeover and an ask more: nothing follows
	step("quiet")
	f.seen.judge()
	f.converges()
	if whole := append(f.seen.about("whole", bySNS), f.seen.about("whole", byWebhook)...); len(whole) > 0 {
		f.t.Errorf("a store that never was away: %v", whole)
	}
}

// patienceWounded is how long a message may take while the regions are hurt:
// blind, takeover, and the link's second way, on a busy machine.
const patienceWounded = 2 * time.Minute

// A broker that stands still, and then goes on with what was queued meanwhile,
// tells nothing that is not so.
func TestABrokerThatStandsStillTellsNothingFalse(t *testing.T) {
	t.Parallel() // it mostly waits
	f := newField(t, "lost", "whole")
	f.up()
	for _, r := range regions {
		f.seen.trouble(r, regionDown) // one that stands still is dead to the other
		f.brokers[r].pause()
		out := f.lose("lost")
		doubled := f.seen.excuse("lost", 2, bySNS, byWebhook)
		f.seen.told(patienceWounded, out, "open")
		f.restore(out)
		time.Sleep(5 * time.Second)
		f.brokers[r].resume()
		f.seen.lasts(doubled)
		f.healed()
		f.seen.told(patienceWounded, out, "recovered")
	}
	time.Sleep(12 * time.Second)
	f.seen.judge()
}

// Ways that are slow, narrow, half open or reset are no outage; a store that is
// lost meanwhile is told all the same.
func TestHurtWaysAreNoOutage(t *testing.T) {
	t.Parallel() // it mostly waits
	f := newField(t, "slow", "narrow", "reset", "up", "down", "whole")
	f.up()
	for _, hurt := range []struct {
		store, says string
		do          func(*way)
	}{
		{"slow", "slow", func(w *way) { w.slow(300, 200) }},
		{"narrow", "narrow", func(w *way) { w.narrow(4) }},
		{"reset", "reset", func(w *way) { w.reset() }},
		{"up", "deaf upstream", func(w *way) { w.deafen("upstream") }},
		{"down", "deaf downstream", func(w *way) { w.deafen("downstream") }},
	} {
		for _, w := range []*way{f.wan[east], f.link[west]} {
			hurt.do(w)
		}
		out := f.lose(hurt.store)
		f.seen.told(patienceWounded, out, "open")
		f.restore(out)
		for _, w := range []*way{f.wan[east], f.link[west]} {
			w.heal()
		}
		f.healed()
		f.seen.told(patienceWounded, out, "recovered")
		t.Logf("%s: told, and ended", hurt.says)
	}
	time.Sleep(12 * time.Second)
	f.seen.judge()
	if slices.ContainsFunc(f.seen.about("whole", bySNS), func(sighting) bool { return true }) {
		t.Error("the whole store was told")
	}
}
