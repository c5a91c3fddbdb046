package truth

import (
	"fmt"
	"slices"
	"time"
)

// healed is how long after the last fault a mesh has to agree with the truth:
// a settle, a relay's backoff and room.
const healed = 100 * time.Second

// Seen is what a region says of a store (Host -1) or a host at the end.
type Seen struct {
	Region, Store, Host int
	State               string
}

// Open is an incident that is open in a region at the end.
type Open struct {
	Region, Store, Host int // Store -1: a region's
	Kind, Incident      string
}

// See is what a region knows at the end.
func (t *Truth) See(s Seen) { t.seen = append(t.seen, s) }

// Opened is an incident that a region shows as open at the end.
func (t *Truth) Opened(o Open) { t.open = append(t.open, o) }

// Waits is how many notices a region has not sent at the end, and how many letters
// the other one wrote to it in the last minute.
func (t *Truth) Waits(region, notices, letters int) {
	t.waiting[region] = waiting{notices, letters}
}

// waiting is what a region has not done yet.
type waiting struct{ notices, letters int }

// Connects is a new session of a store's relay.
func (t *Truth) Connects(s int) { t.stores[s].connects = append(t.stores[s].connects, t.now) }

// Now is the instant of what is said next.
func (t *Truth) Now(at time.Duration) { t.now = at }

// calm says whether nothing happened to a store, or to the regions, since the
// end of the faults.
func (t *Truth) calm(s int) bool {
	from := t.End - healed
	st := &t.stores[s]
	if st.two.again(from, t.End, tail) || t.Quiet > from || st.down.held(from, t.End, 0) && !st.down.on() {
		return false
	}
	return !t.bridge.held(from, t.End, 0) && !t.region[0].held(from, t.End, 0) && !t.region[1].held(from, t.End, 0) &&
		!st.path[0].held(from, t.End, 0) && !st.path[1].held(from, t.End, 0)
}

// convergence: when all is healed, both regions know what is true.
func (t *Truth) convergence() {
	for _, x := range t.seen {
		st := &t.stores[x.Store]
		if !t.calm(x.Store) || !st.relayed || st.down.on() {
			continue
		}
		t.Judges(Convergence)
		if x.Host < 0 {
			if x.State != "up" && (x.State != "conflict" || !st.cloned) {
				t.Fail(Convergence, t.End, fmt.Sprintf("region %d says that %s is %s, and it is up", x.Region, subject(x.Store, -1), x.State))
			}
			continue
		}
		h := &st.hosts[x.Host]
		from := t.End - healed
		if !h.dead.held(from, t.End, 0) && !h.cable.held(from, t.End, 0) && !h.moved && x.State != "up" && x.State != "failing" {
			t.Fail(Convergence, t.End, fmt.Sprintf("region %d says that %s is %s, and it is up", x.Region, subject(x.Store, x.Host), x.State))
		}
	}
	t.remembered()
	t.openAtEnd()
	t.conflictsOver()
	t.connections()
	t.emptied()
}

// remembered: a store that is down for long both regions call so, whoever of their
// nodes began since.
func (t *Truth) remembered() {
	if len(t.seen) == 0 {
		return // nobody looked
	}
	for i := range t.strikes {
		if t.strikes[i].Class == Table {
			return // what was to be remembered may not have been written
		}
	}
	for s := range t.stores {
		st := &t.stores[s]
		if !st.relayed || !st.down.on() || !t.calm(s) || st.down.spans[len(st.down.spans)-1].from > t.End-healed ||
			st.down.spans[len(st.down.spans)-1].from < settledAt {
			continue
		}
		if l, _ := st.left(st.down.spans[len(st.down.spans)-1]); l != nil {
			continue // it said goodbye
		}
		for g := range t.region {
			if st.path[g].held(0, t.End, 0) {
				continue
			}
			t.Judges(Convergence)
			knows := slices.ContainsFunc(t.seen, func(x Seen) bool {
				return x.Store == s && x.Host < 0 && x.Region == g && (x.State == "down" || x.State == "relay-dead")
			})
			if !knows {
				t.Fail(Convergence, t.End, fmt.Sprintf("region %d does not say that %s is down, and it is, since %.3f", g, subject(s, -1), st.down.spans[len(st.down.spans)-1].from.Seconds()))
			}
		}
	}
}

// settledAt is when a mesh knows its stores.
const settledAt = 70 * time.Second

// openAtEnd: an incident is open if its subject is out, and the same in both.
func (t *Truth) openAtEnd() {
	from := t.End - healed
	for i, x := range t.open {
		if x.Store < 0 || !t.calm(x.Store) {
			continue
		}
		st := &t.stores[x.Store]
		t.Judges(Convergence)
		out := st.down.on()
		switch x.Kind {
		case "host-missing":
			h := &st.hosts[x.Host]
			out = out || h.dead.held(from, t.End, 0) || h.cable.held(from, t.End, 0)
		case "store-down", "relay-dead":
		default:
			continue
		}
		if !out {
			t.Fail(Convergence, t.End, fmt.Sprintf("region %d still has %s of %s open", x.Region, x.Kind, subject(x.Store, x.Host)))
		}
		for _, y := range t.open[i+1:] {
			if y.Store == x.Store && y.Host == x.Host && y.Kind == x.Kind && y.Region != x.Region {
				t.Judges(Identity)
				if y.Incident != x.Incident && !t.openedApart(x.Store) && !st.twoLived(t.lastOut(x.Store, x.Host), t.End) {
					t.Fail(Identity, t.End, fmt.Sprintf("the regions know the %s of %s by two ids", x.Kind, subject(x.Store, x.Host)))
				}
			}
		}
	}
}

// connections: once all is healed a relay connects at most three times more.
func (t *Truth) connections() {
	for s := range t.stores {
		st := &t.stores[s]
		if !t.calm(s) || !st.relayed {
			continue
		}
		n := 0
		for _, at := range st.connects {
			if at > t.End-healed {
				n++
			}
		}
		if n > 3 {
			t.Fail(Convergence, t.End, fmt.Sprintf("the relay of %s connected %d times after all was healed", subject(s, -1), n))
		}
	}
}

// emptied: when nothing was wrong for long, no notice waits, and the regions write
// no letters: the table carries them only while the link fails.
func (t *Truth) emptied() {
	from := t.End - healed
	for g := range t.waiting {
		x := t.waiting[g]
		if t.bridge.held(from, t.End, 0) || t.region[0].held(from, t.End, 0) || t.region[1].held(from, t.End, 0) {
			continue
		}
		t.Judges(Convergence)
		if x.letters > 0 {
			t.Fail(Bounds, t.End, fmt.Sprintf("%d letters were written to region %d, and the link is well", x.letters, g))
		}
		if x.notices > 0 && t.allSent() <= t.End && !t.flaps() {
			t.Fail(Convergence, t.End, fmt.Sprintf("region %d has not sent %d notices", g, x.notices))
		}
	}
}

// allSent is when no notice may wait any more: what the other region took over
// waits for its digest, and the notice for that (I3).
func (t *Truth) allSent() time.Duration {
	by := t.undisturbed(t.Quiet, afterWord)
	most := time.Duration(0)
	for _, ch := range [...]int{People, Programs} {
		most = max(most, t.digest(by, by, ch))
	}
	return by + most
}

// flaps says whether people were told of something that flaps: what else is told of
// it waits until it was calm for 10 minutes (I8).
func (t *Truth) flaps() bool {
	return slices.ContainsFunc(t.told, func(x Told) bool { return x.Kind == "flapping" })
}

// openedApart says whether the regions could talk by neither way, not even by the
// table, when a store's last outage began: each named it by the highest epoch that
// it knew (I1).
func (t *Truth) openedApart(s int) bool {
	spans := t.stores[s].down.spans
	if len(spans) == 0 {
		return false
	}
	from := spans[len(spans)-1].from
	until := from + 2*time.Minute // blind, and the loss before it
	return t.bridge.held(from, until, 0) && slices.ContainsFunc(t.strikes, func(s Strike) bool {
		return s.Class == Table && s.At <= until && s.At+s.For >= from
	})
}

// lastOut is when the last outage of a subject began.
func (t *Truth) lastOut(s, h int) (from time.Duration) {
	last := func(k *track) {
		if n := len(k.spans); n > 0 {
			from = max(from, k.spans[n-1].from)
		}
	}
	st := &t.stores[s]
	last(&st.down)
	if h >= 0 {
		last(&st.hosts[h].dead)
		last(&st.hosts[h].cable)
	}
	return from
}
