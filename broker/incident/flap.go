package incident

import (
	"fmt"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// changes are when a subject changed lately, for I8.
type changes struct{ at []time.Time }

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
	now := b.now.Wall
	f.at = append(f.at, now)
	for len(f.at) > 0 && now.Sub(f.at[0]) > flapWindow {
		f.at = f.at[1:]
	}
	if len(f.at) == 1 {
		b.after(calm, func() { b.calmDown(sub) })
	}
	if len(f.at) <= most || b.open[inc.about(flapClass)] != nil {
		return
	}
	v := presence.Verdict{
		Store: inc.Store, Host: inc.Host, Condition: presence.HostFlaps, At: now, Since: f.at[0], SeenFrom: inc.SeenFrom,
		Cause:  presence.Cause{Number: uint64(f.at[0].UnixMilli())},
		Reason: presence.Reason(fmt.Sprintf("changed more than %d times in %d minutes", most, int(flapWindow.Minutes()))),
	}
	b.fault(&v, Flapping, true)
}

// calmDown ends the flapping of what was stable for calm, and forgets changes
// that are too old to count.
func (b *Book) calmDown(sub subject) {
	f := b.flaps[sub]
	if f == nil {
		return
	}
	last := f.at[len(f.at)-1]
	if wait := last.Add(calm).Sub(b.now.Wall); wait > 0 {
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
