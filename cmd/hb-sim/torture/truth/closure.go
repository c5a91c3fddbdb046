package truth

import (
	"fmt"
	"slices"
	"time"
)

// recoveryBound is when the end of a fault is told: the next beat or report (15
// s), settled or asked, and gather; twice for room.
const recoveryBound = 50 * time.Second

// closure: each told fault gets its recovery on the same channel, and none
// comes without a fault, or before it.
func (t *Truth) closure() {
	for i := range t.keys {
		open, last, first := false, 0, 0
		var x *Told
		for _, at := range t.keys[i].told {
			x = &t.told[at]
			t.Judges(Closure)
			switch x.Change {
			case "open":
				if x.K <= last {
					t.Fail(Closure, x.At, fmt.Sprintf("a fault of %s (k=%d) came after its recovery (k=%d)", subject(x.Store, x.Host), x.K, last))
				}
				open, first = true, x.K
			case "recovered":
				if open && x.K <= first {
					t.Fail(Closure, x.At, fmt.Sprintf("the recovery of %s (k=%d) is not behind its fault (k=%d)", subject(x.Store, x.Host), x.K, first))
				}
				if last == 0 && !open {
					t.Fail(Closure, x.At, "a recovery without a fault: "+subject(x.Store, x.Host))
				}
				open, last = false, max(last, x.K)
			}
		}
		if open && t.mustEnd(x) {
			t.Fail(Closure, x.At, fmt.Sprintf("%s were told of %s (%s), and never of its end", channelName(x.Channel), subject(x.Store, x.Host), x.Kind))
		}
	}
}

// mustEnd says whether a told fault was over for so long that its end must have
// been told.
func (t *Truth) mustEnd(x *Told) bool {
	if t.forgotten(x) {
		return false
	}
	if x.Store < 0 {
		return x.Kind == "region-down" && t.regionsWell(x.At)
	}
	st := &t.stores[x.Store]
	if x.Kind == "conflict" {
		from := t.conflictEnds(st)
		return from != never && t.heldEnd(x.Store, x.Channel, from, t.deadline(from, recoveryBound, x.Channel)) <= t.End
	}
	// Two relays or computers tell two stories (P14, L1), and a torn disk forgot one
	// (L2).
	if st.twoLived(x.At, t.End) || st.torn(x.At, t.End) || x.Host >= 0 && len(st.hosts[x.Host].two.spans) > 0 {
		return false
	}
	from := max(x.At, t.lastBad(x.Store, x.Host, t.End))
	if from != never && (x.Kind == "flapping" || t.changes(x.Store, x.Host, t.End) >= 4) {
		from = t.calmFrom(from, flapsFor) // it is quiet for so long (I8)
	}
	switch x.Kind {
	case "flapping":
	case "store-down", "relay-dead", "host-missing", "store-lan", "did-not-come-up", "never-seen":
	case "host-failing":
		if k := &st.hosts[x.Host].failing; k.held(x.At, t.End, 0) && len(k.spans) > 0 {
			from = max(from, k.spans[len(k.spans)-1].until) // never, while it lasts
		}
	default:
		return false
	}
	if from == never {
		return false
	}
	return t.heldEnd(x.Store, x.Channel, from, t.deadline(from, recoveryBound, x.Channel)) <= t.End
}

// forgotten says whether a fault was sent without a claim, since the table failed
// (I4), by a node that was replaced afterwards: its memory alone knew of it.
func (t *Truth) forgotten(x *Told) bool {
	return t.region[x.Region].held(x.At, t.End, 0) && slices.ContainsFunc(t.unfenced, func(u unfenced) bool {
		return u.region == x.Region && u.at <= x.At && x.At <= u.at+10*time.Second
	})
}

// regionsWell says whether both regions were well, and joined, for long at the
// end.
func (t *Truth) regionsWell(at time.Duration) bool {
	from := t.End - 100*time.Second
	return at < from && t.Quiet < from && !t.bridge.held(from, t.End, 0) && !t.region[0].held(from, t.End, 0) && !t.region[1].held(from, t.End, 0)
}
