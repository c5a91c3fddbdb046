//go:build linux

package e2e_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// release is where hb-broker and hb-relay of the release before are: `make
// chaos` builds them from the history. Without it the same is played with this
// build's own.
var release = flag.String("release", "", "folder with hb-broker and hb-relay of the release before")

// releaseTimes are brokerTimes as far as the release before knows them.
const releaseTimes = "\ntimes: {grace: 2s, settle: 3s, ask: 1s, takeover: 5s, blind: 8s}\n"

// fleet is a field whose programs change their release.
type fleet struct {
	*field
	step func(format string, args ...any)
}

// as lets a server be of the release before, or of this one, from its next
// start on.
func (f *fleet) as(s *server, before bool) {
	f.t.Helper()
	was := strings.TrimSuffix(s.config, ".before")
	s.from, s.config = "", was
	if !before {
		return
	}
	s.from, s.config = *release, was+".before"
	raw, err := os.ReadFile(was)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(s.config, []byte(strings.Replace(string(raw), brokerTimes, releaseTimes, 1)), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// change stops a server and starts the other release in its place.
func (f *fleet) change(s *server, before bool) {
	f.t.Helper()
	if status := s.stop(); status != 0 {
		f.t.Errorf("%s ended with status %d", s.name, status)
	}
	f.as(s, before)
	s.up(f.t)
	f.whole()
}

// whole waits until both regions see the stores whose relays live.
func (f *fleet) whole() {
	f.t.Helper()
	alive := 0
	for _, s := range f.relays {
		if s.alive() {
			alive++
		}
	}
	f.count(alive)
}

// apart cuts all relays' way to a region for longer than grace: the region must
// hear from the other one, which may be of another release, that they are open.
func (f *fleet) apart(r beat.Region) {
	f.t.Helper()
	f.seen.trouble(r, regionPath)
	f.wan[r].cut()
	within(f.t, patience, string(r)+" hears that its stores are open in "+string(other(r)), func() bool {
		return slices.ContainsFunc(f.brokers[r].list("/v1/stores"), func(s row) bool { return s.State == "degraded" })
	})
	f.wan[r].heal()
	f.whole()
}

// lost loses a store, and waits until it is told.
func (f *fleet) lost(store string) *absence {
	f.t.Helper()
	out := f.lose(store)
	f.seen.told(patienceWounded, out, "open")
	f.step("%s is lost, and told", store)
	return out
}

// ended brings it back, and waits until that is told.
func (f *fleet) ended(out *absence) {
	f.t.Helper()
	f.restore(out)
	f.seen.told(patienceWounded, out, "recovered")
	f.step("%s is back, and told", out.subject)
}

// The regions, and the relays, change to this release one after the other, and
// back: in between the two releases hear each other's questions, forwards and
// reports, and each goes on with the table and the folders that the other wrote.
// What was told before is ended after, under its name; nothing is told that is
// not so, and nothing twice.
func TestTheReleaseBeforeAndThisOneAreOneMesh(t *testing.T) {
	t.Parallel() // it mostly waits
	begin := time.Now()
	f := &fleet{field: newField(t, "first", "mixed", "last", "whole")}
	f.step = func(format string, args ...any) {
		t.Helper()
		t.Logf("%6.1fs %s", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
	}
	for _, s := range slices.Concat(slices.Collect(maps.Values(f.brokers)), slices.Collect(maps.Values(f.relays))) {
		f.as(s, true)
	}
	f.up()
	f.step("all are of the release before: %s", *release)
	f.forth()
	if *release != "" {
		f.back()
	}
	time.Sleep(12 * time.Second) // takeover and an ask more: nothing follows
	f.seen.judge()
	if told := f.seen.about("whole", bySNS); len(told) > 0 {
		t.Errorf("a store that never was away: %v", told)
	}
}

// forth brings west, then some relays and east to this release.
func (f *fleet) forth() {
	f.t.Helper()
	first := f.lost("first")
	f.change(f.brokers[west], false)
	f.step("west is of this one")
	if *release != "" {
		f.apart(east)
		f.apart(west)
		f.step("each heard of the other that the stores are open")
	}
	f.ended(first)
	mixed := f.lost("mixed")
	f.change(f.relays["whole"], false)
	f.change(f.relays["last"], false)
	f.change(f.brokers[east], false)
	f.step("both regions and the relays are of this one")
	f.ended(mixed)
}

// back brings west, a relay and then east back to the release before.
func (f *fleet) back() {
	f.t.Helper()
	last := f.lost("last")
	f.change(f.brokers[west], true)
	f.change(f.relays["whole"], true)
	f.step("west and a relay are of the release before again")
	f.apart(west)
	f.ended(last)
	again := f.lost("first")
	f.change(f.brokers[east], true)
	f.step("both regions are")
	f.ended(again)
}
