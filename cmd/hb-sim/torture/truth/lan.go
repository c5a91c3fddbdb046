package truth

import (
	"fmt"
	"slices"
	"time"
)

const (
	// lanHosts are so many that a LAN is dead without them, and lanShare (%) of those
	// that its relay knew to live (L3).
	lanHosts = 3
	lanShare = 80
	// lanKnows is how long a relay ran, and its hosts beat to it, before it is sure to
	// know all of them: the longest promise, and room.
	lanKnows = 60 * time.Second
	// lanGather is how long the first hosts that vanish wait for the others, and
	// oneGathers how long the first of all waits for a second one, less room.
	lanGather, oneGathers = 8 * time.Second, 1500 * time.Millisecond
	// lanReturns is how long a LAN that is back counts as dead, while not all of its
	// hosts are: until one of them beats, and a minute (L3).
	lanReturns = 20*time.Second + 60*time.Second
)

// lanSince is when a host's LAN died that goes out at an instant, where the LAN was
// back too shortly: the host goes out under it. Else that instant.
func (t *Truth) lanSince(s, h int, from time.Duration) time.Duration {
	if h < 0 || !t.stores[s].relayed || t.stores[s].hosts[h].direct {
		return from
	}
	since := from
	for _, d := range t.stores[s].hosts[h].cable.spans {
		if d.from < from && after(d.until, lanReturns) >= from && t.unplugged(s, d.from) >= lanHosts {
			since = min(since, d.from)
		}
	}
	return since
}

// unplugged counts the hosts of a store whose cables are out at an instant.
func (t *Truth) unplugged(s int, at time.Duration) (n int) {
	for i := range t.stores[s].hosts {
		if t.stores[s].hosts[i].cable.held(at, at, 0) {
			n++
		}
	}
	return n
}

// deadLans are the times in which the LAN of a store was dead, for its relay too:
// it ran, and its hosts beat to it, until their cables went out together.
func (t *Truth) deadLans(s int) (all []span) {
	st := &t.stores[s]
	if !st.relayed {
		return nil
	}
	for i := range st.hosts {
		for _, d := range st.hosts[i].cable.spans {
			if slices.ContainsFunc(all, func(x span) bool { return x.from == d.from }) {
				continue
			}
			if until := st.lanGone(d.from); until > 0 && !st.down.again(d.from-lanKnows, until, 0) && !st.twoLived(d.from-lanKnows, until) && !st.full.held(d.from-lanKnows, until, tail) && !st.torn(d.from, until) {
				all = append(all, span{d.from, until})
			}
		}
	}
	return all
}

// lanGone is until when the LAN is dead whose hosts' cables went out at an instant;
// 0: it is not.
func (st *store) lanGone(from time.Duration) time.Duration {
	gone, alive, until := 0, 0, never
	for i := range st.hosts {
		h := &st.hosts[i]
		switch k := slices.IndexFunc(h.cable.spans, func(x span) bool { return x.from == from }); {
		case h.moved || h.flips() || len(h.two.spans) > 0 || h.bye.held(from-lanKnows, from, 0):
			return 0 // what its relay knows of it nobody knows here
		case h.direct:
		case h.dead.held(from-lanKnows, from, 0) || h.cable.held(from-lanKnows, from-1, 0):
			return 0
		case k >= 0:
			gone, until = gone+1, min(until, h.cable.spans[k].until)
		default:
			alive++
		}
	}
	if gone < lanHosts || gone*100 < lanShare*(gone+alive) {
		return 0
	}
	return until
}

// lans: a LAN that is dead is told as one fault (L3).
func (t *Truth) lans() {
	for s := range t.stores {
		st := &t.stores[s]
		for _, d := range t.deadLans(s) {
			bound := time.Duration(0)
			for i := range st.hosts {
				bound = max(bound, st.hosts[i].bound())
			}
			if t.sightless(s, d) > 0 {
				continue
			}
			for ch := range t.channels() {
				by := t.heldBack(s, ch, d.from, t.deadline(d.from, bound+t.pinned(s, d.from, bound), ch))
				if min(d.until, t.End) < by {
					continue
				}
				t.Judges(Loss)
				if !t.lanStands(s, ch, d.from, by) {
					t.Fail(Loss, d.from, fmt.Sprintf("the LAN of %s was dead from %.3f to %.3f, and %s had not been told of that by %.3f",
						subject(s, -1), d.from.Seconds(), min(d.until, t.End).Seconds(), channelName(ch), by.Seconds()))
				}
			}
		}
	}
}

// lanStands says whether a channel was told of a dead LAN, or of what covers it,
// at some instant within a time.
func (t *Truth) lanStands(s, ch int, from, by time.Duration) bool {
	return slices.ContainsFunc(t.told, func(x Told) bool {
		return x.Channel == ch && x.Change != "recovered" && x.At <= by && x.Host < 0 && t.covers(&x, s, -1, span{from, by}) &&
			(x.At >= from || !t.recovered(&x, from))
	})
}

// underLan says whether a host was told to be missing that its dead LAN had taken
// along: once that was told, or although all of its hosts had vanished before the
// first of them could be told.
func (t *Truth) underLan(x *Told) bool {
	if x.Kind != "host-missing" || x.Host < 0 {
		return false
	}
	for _, d := range t.deadLans(x.Store) {
		h := &t.stores[x.Store].hosts[x.Host]
		if x.At < d.from || x.At > d.until || h.direct {
			continue
		}
		if t.lanToldBefore(x, d.from) && !t.refusedThen(h, d.from) || t.goneTogether(x.Store, d.from) && !t.ails(d.from-tail, x.At) {
			return true
		}
	}
	return false
}

// lanToldBefore says whether a channel knew of a dead LAN before it was told of a
// host.
func (t *Truth) lanToldBefore(x *Told, from time.Duration) bool {
	return slices.ContainsFunc(t.told, func(y Told) bool {
		return y.Channel == x.Channel && y.Store == x.Store && y.Kind == "store-lan" && y.Change == "open" && y.At >= from && y.At <= x.At && y.Notice != x.Notice && !t.recovered(&y, x.At)
	})
}

// refusedThen says whether a channel refused notices when a host vanished with its LAN,
// or soon after: the first one's was on its way then, and goes when that takes it.
func (t *Truth) refusedThen(h *host, from time.Duration) bool {
	k := slices.IndexFunc(h.missed, func(at time.Duration) bool { return at > from })
	return k >= 0 && slices.ContainsFunc(t.strikes, func(s Strike) bool {
		return (s.Class == Channel || s.Class == Table) && s.At <= h.missed[k]+lanGather && s.At+s.For >= h.missed[k]
	})
}

// goneTogether says whether the hosts of a LAN that died were missing for its relay
// so soon one after the other that none of them was told before.
func (t *Truth) goneTogether(s int, from time.Duration) bool {
	var gone []time.Duration
	for i := range t.stores[s].hosts {
		h := &t.stores[s].hosts[i]
		if h.direct || !h.cable.held(from, from, 0) {
			continue
		}
		k := slices.IndexFunc(h.missed, func(at time.Duration) bool { return at > from })
		if k < 0 {
			return false
		}
		gone = append(gone, h.missed[k])
	}
	slices.Sort(gone)
	return len(gone) >= lanHosts && gone[1]-gone[0] < oneGathers && gone[len(gone)-1]-gone[0] < lanGather
}

// ails says whether something struck within a time that may delay what a region
// knows or tells.
func (t *Truth) ails(from, until time.Duration) bool {
	return slices.ContainsFunc(t.strikes, func(s Strike) bool {
		return s.after() > 0 && s.At <= until && s.At+s.For+s.after() >= from
	})
}
