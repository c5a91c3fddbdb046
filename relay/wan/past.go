package wan

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Past finds out whether the relay's journal was restored from a copy: a
// region then knows an epoch or a number that this journal never gave.
type Past struct {
	// epoch is the highest that this journal ever gave.
	epoch beat.Epoch
	// trusted says that regions acked this incarnation before this start.
	trusted bool
	// renewed says that this boot made its new incarnation already.
	renewed bool
}

// NewPast begins a boot, with the highest epoch that the journal reserved, and
// whether its incarnation was ever acked.
func NewPast(top beat.Epoch, acked bool) Past { return Past{epoch: top, trusted: acked} }

// Gave says that the journal gave an epoch.
func (p *Past) Gave(e beat.Epoch) { p.epoch = max(p.epoch, e) }

// Beyond says whether the journal never gave an epoch that a region knows.
func (p *Past) Beyond(known beat.Epoch) bool { return known > p.epoch }

// Renews says whether the relay has to go on as a new incarnation, now that a
// region knows more than its journal: once per boot, and only if this
// incarnation was acked, before this boot or (here) by that region in it. An
// incarnation that nobody acked is new, and the region remembers another relay of
// this name. The caller says Failed if it cannot.
func (p *Past) Renews(here bool) bool {
	must := !p.renewed && (p.trusted || here)
	p.renewed = p.renewed || must
	return must
}

// Failed says that no new incarnation could be made.
func (p *Past) Failed() { p.renewed = false }

// maxRebirths is how many rebirths in a row are obeyed without a wait: more are
// a region, or another relay of this name, that will not have us.
const maxRebirths = 2

// Retry decides how long a link waits before its next connection.
type Retry struct{ failures, rebirths int }

// Wait is how long to wait after a connection ended: settled says that the
// region had acked its birth, reborn that it ordered a rebirth. It is a random
// part (full jitter, random is of [0, 1)) of first, doubled at each failure, of
// at most most: relays that lost a region together do not come back together. A
// CONNECT that is refused, as a clash of two relays is, counts as a failure.
func (r *Retry) Wait(settled, reborn bool, first, most time.Duration, random float64) time.Duration {
	if settled {
		*r = Retry{}
	}
	if reborn && r.rebirths < maxRebirths {
		r.rebirths++
		return 0
	}
	if r.failures < 16 {
		most = min(most, first<<r.failures)
	}
	r.failures++
	return time.Duration(random * float64(most))
}
