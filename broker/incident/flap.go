package incident

import (
	"fmt"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// changes are when a subject changed lately, for I8, on the clock that never jumps.
type changes struct{ at []time.Duration }

const (
	// flapWindow and maxChanges: more changes than these in the window are
	// flapping; calm is how long it must be stable then (I8).
	flapWindow = 10 * time.Minute
	maxChanges = 6
	calm       = 10 * time.Minute
	// maxRelayed is the same of a host behind a relay, which counts and says so
	// from maxChanges on: one that never does must not fill everybody's digests.
	maxRelayed = 2 * maxChanges
)

// changed counts a change of a store or host that this region tells.
func (b *Book) changed(inc *incident) {
	if c := classOf(inc.Kind); b.teller(inc) != b.opt.Region || inc.Region != "" || c != storeClass && c != missingClass {
		return
	}
	most := maxChanges
	if inc.ByRelay {
		most = maxRelayed
	}
	sub := inc.about(0)
	f := b.flaps[sub]
	if f == nil {
		f = &changes{}
		b.flaps[sub] = f
	}
	now := b.now.Mono
	f.at = append(f.at, now)
	for now-f.at[0] > flapWindow {
		f.at = f.at[1:]
	}
	if len(f.at) == 1 {
		b.after(calm, func() { b.calmDown(sub) })
	}
	if len(f.at) <= most || b.open[inc.about(flapClass)] != nil {
		return
	}
	since := b.now.Wall.Add(f.at[0] - now)
	v := presence.Verdict{
		Store: inc.Store, Host: inc.Host, Condition: presence.HostFlaps, At: b.now.Wall, Since: since, SeenFrom: inc.SeenFrom,
		Cause:  presence.Cause{Number: uint64(since.UnixMilli())},
		Reason: presence.Reason(fmt.Sprintf("changed more than %d times in %d minutes", most, int(flapWindow.Minutes()))),
	}
	b.fault(&v, Flapping, true)
}

// loadFlapping counts a subject that flapped before this node started as changed
// just now: it is calm, at the latest, when it was so for long under this node.
func (b *Book) loadFlapping(inc *incident) {
	sub := inc.about(0)
	b.flaps[sub] = &changes{at: []time.Duration{b.now.Mono}}
	b.after(calm, func() { b.calmDown(sub) })
}

// calmDown ends the flapping of what was stable for calm, and forgets changes
// that are too old to count.
func (b *Book) calmDown(sub subject) {
	f := b.flaps[sub]
	if f == nil {
		return
	}
	last := f.at[len(f.at)-1]
	if wait := last + calm - b.now.Mono; wait > 0 {
		b.after(wait, func() { b.calmDown(sub) })
		return
	}
	delete(b.flaps, sub)
	if inc := b.open[subject{sub.store, sub.host, sub.region, flapClass}]; inc != nil && inc.cause.Incarnation != (beat.Incarnation{}) {
		return // its relay said so, and says when it is calm
	}
	v := presence.Verdict{Store: sub.store, Host: sub.host, Condition: presence.HostCalm, At: b.now.Wall, Since: b.now.Wall, SeenFrom: []beat.Region{b.opt.Region}}
	b.endsAll(&v, true, flapClass)
}
