package truth

import (
	"slices"
	"time"
)

// How long a store must really have been out for a fault of it to be true.
const (
	// shortest is the shortest absence of a relay that may be told: grace (10 s)
	// less what a relay needs to connect.
	shortest = 3 * time.Second
	// unseen is how long both ways must have been bad.
	unseen = 6 * time.Second
	// regionGone is how long a region must have been away before the other one
	// decides alone: its lease counter stood still for 30 s (P3a). A shorter
	// absence ends with a node that settles, and tells nothing false (P6).
	regionGone = 26 * time.Second
	// renewal is how often a node moves the counter: who is there for less shows
	// nobody that it lives.
	renewal = 3 * time.Second
	// startTail is how long a relay that starts may need until it is seen.
	startTail = 12 * time.Second
)

// overlap is the longest time within [from, until] in which both held, where
// the times of a last tailA longer, and those of b tailB.
func overlap(a, b *track, from, until, tailA, tailB time.Duration) (longest time.Duration) {
	for _, x := range a.spans {
		lo, hi := max(x.from, from), min(after(x.until, tailA), until)
		for _, y := range b.spans {
			longest = max(longest, min(hi, after(y.until, tailB))-max(lo, y.from))
		}
	}
	return longest
}

// longest is the longest time that something held, of those that touch [from -
// tail, until].
func (t *track) longest(from, until, tail time.Duration) (longest time.Duration) {
	for _, x := range t.spans {
		if x.from <= until && after(x.until, tail) >= from {
			longest = max(longest, min(x.until, until)-x.from)
		}
	}
	return longest
}

// longestOver is longest, where what lasts less than gap in between is no end.
func (t *track) longestOver(from, until, tail, gap time.Duration) time.Duration {
	var joined track
	for _, x := range t.spans {
		if n := len(joined.spans); n > 0 && x.from-joined.spans[n-1].until < gap {
			joined.spans[n-1].until = x.until
		} else {
			joined.spans = append(joined.spans, x)
		}
	}
	return joined.longest(from, until, tail)
}

// out says whether a store was, or seemed to both regions, out within a time.
func (t *Truth) out(s int, from, until time.Duration) bool {
	st := &t.stores[s]
	if st.relayed && st.down.longest(from, until, startTail) >= shortest {
		return true
	}
	for _, at := range st.starts { // a relay whose disk is full before it first connects has no epoch for that
		if at <= until && st.full.held(at, st.firstConnect(at), 0) && st.full.held(max(from, at), until, tail) {
			return true
		}
	}
	a, b := &st.path[0], &st.path[1]
	if overlap(a, b, from, until, tail, tail) >= unseen {
		return true
	}
	for g := range t.region {
		if overlap(&st.path[1-g], &t.region[g], from, until, tail, 0) >= regionGone {
			return true
		}
	}
	return false
}

// since is from when on an outage may count for what was told.
func (t *Truth) since(x *Told) time.Duration {
	if t.skewed {
		return x.At - lookback
	}
	return max(x.Since-5*time.Second, x.At-lookback)
}

// falsity: every told fault overlaps an outage of its subject; else it is
// labelled one-sided, and the link was cut.
func (t *Truth) falsity() {
	for i := range t.told {
		x := &t.told[i]
		if x.Change != "open" {
			continue
		}
		t.Judges(Falsity)
		from := t.since(x)
		if x.Store < 0 {
			t.regionFalsity(x)
			continue
		}
		if x.OneSided && t.apart(x.Region, from, x.At) {
			if t.tooSoon(x) {
				t.Fail(Falsity, x.At, subject(x.Store, x.Host)+" was told as seen from one side before blind was over")
			}
			continue
		}
		if why := t.untrue(x, from); why != "" {
			t.Fail(Falsity, x.At, subject(x.Store, x.Host)+" was told to be "+why+", and was not")
		}
	}
	t.silence()
}

// apart says whether a region could not ask the other within a time: neither
// directly, nor by letters through the tables.
func (t *Truth) apart(g int, from, until time.Duration) bool {
	return t.bridge.held(from, until, tail) && t.lettersLost(from, until) || t.region[1-g].held(from, until, tail)
}

// lettersLost says whether something may have kept letters from going between the
// regions within a time: of the tables, or of the nodes that write and read them.
func (t *Truth) lettersLost(from, until time.Duration) bool {
	for i := range t.strikes {
		s := &t.strikes[i]
		if (s.Class == Table || s.Class == Node) && s.At <= until && s.At+s.For+tail >= from {
			return true
		}
	}
	return t.skewed
}

// blindFor is how long a region must have waited for the other one's answer
// before it tells of a store by itself: blind, after a loss that followed the
// last proof of life by grace.
const blindFor = 60 * time.Second

// tooSoon says whether a store was told as seen from one side before blind,
// although the relay had a session in the region that did not answer, and that
// one lived.
func (t *Truth) tooSoon(x *Told) bool {
	g := 1 - x.Region
	if x.Elsewhere {
		g = x.Region
	}
	return x.Host < 0 && x.Kind == "store-down" && !t.skewed && x.At-x.Since < blindFor &&
		!t.stores[x.Store].path[g].held(0, x.At, tail) && t.region[g].longest(10*time.Second, x.At, tail) < regionGone
}

// underStore says whether a host that did not beat by itself to a region was
// told although its store's relay was away, and the host no longer than that.
func (t *Truth) underStore(x *Told) bool {
	st := &t.stores[x.Store]
	h := &st.hosts[x.Host]
	if !st.relayed || h.direct || h.moved || h.cable.held(0, x.At, 0) {
		return false
	}
	for _, d := range st.down.spans {
		if d.from > 0 && d.from < x.At-20*time.Second && d.until > x.At && !h.dead.again(d.from-5*time.Minute, d.from-1, 0) {
			return true
		}
	}
	return false
}

// untrue says what a told fault of a store or a host falsely claims; "": it is
// true.
func (t *Truth) untrue(x *Told, from time.Duration) string {
	st := &t.stores[x.Store]
	// Two relays or computers tell two stories (P14, L1), and a torn disk forgot one
	// (L2); the store itself is judged by its sessions, whatever its disk.
	if x.Kind != "store-down" && (st.twoLived(from, x.At) || st.torn(from, x.At)) || x.Host >= 0 && st.hosts[x.Host].two.held(from, x.At, tail) {
		return ""
	}
	if x.Host >= 0 && x.Channel == People && st.hosts[x.Host].stray {
		return "one that pages somebody"
	}
	switch x.Kind {
	case "store-down", "relay-dead":
		if !t.out(x.Store, from, x.At) || t.excused(st, from, x.At) {
			return "down"
		}
		if x.Kind == "relay-dead" && !slices.ContainsFunc(st.hosts, func(h host) bool { return h.direct || h.moved }) {
			return "without a relay that hosts do without"
		}
		if x.Kind == "store-down" && t.goesWithout(x, from) {
			return "down, and not its relay alone"
		}
	case "host-missing", "did-not-come-up":
		if !t.hostOut(x, from) {
			return "missing"
		}
		if x.Kind == "host-missing" && x.Host >= 0 && t.underStore(x) {
			return "missing by itself, while its store was down"
		}
		if t.underLan(x) {
			return "missing by itself, and its LAN was dead"
		}
	case "host-failing":
		if x.Host >= 0 && !st.hosts[x.Host].failing.held(from, x.At, st.hosts[x.Host].interval) {
			return "failing"
		}
	case "store-lan":
		if t.vanished(x.Store, from-10*time.Second, x.At) < 2 {
			return "without a LAN"
		}
	case "conflict":
		return "two"
	case "flapping":
		if t.changes(x.Store, x.Host, x.At) < 2 && !t.saidByTwo(x) {
			return "flapping"
		}
	case "never-seen":
		if x.Host < 0 || !t.neverSeen(&st.hosts[x.Host], x.At) {
			return "never seen"
		}
	}
	return ""
}

// hostOut says whether what was told to be missing was: a host, or (Host -1)
// some of a store.
func (t *Truth) hostOut(x *Told, from time.Duration) bool {
	if t.out(x.Store, from, x.At) {
		return true
	}
	st := &t.stores[x.Store]
	for i := range st.hosts {
		if x.Host >= 0 && i != x.Host {
			continue
		}
		h := &st.hosts[i]
		if h.dead.held(from, x.At, h.interval) || h.cable.held(from, x.At, h.interval) {
			if !t.promised(st, h, from, x.At) || h.lived(from, x.At) {
				return true
			}
		}
		if h.moved && t.bridge.held(from, x.At, tail) {
			return true // the other region could not know its new way
		}
		if h.direct && (overlap(&st.path[0], &st.path[1], from, x.At, h.interval, h.interval) > 0 || t.unreached(st, from, x.At)) {
			return true // it reached nobody
		}
	}
	return false
}

// lived says whether a host also ended without a goodbye within a time.
func (h *host) lived(from, until time.Duration) bool {
	if h.cable.held(from, until, h.interval) {
		return true
	}
	n := 0
	for _, x := range h.dead.spans {
		if x.from > 0 && x.from <= until && after(x.until, h.interval) >= from {
			n++
		}
	}
	return n > 1
}

// unreached says whether a host that beats to the regions could reach neither at
// some instant, for more than that both stood still: a region that did knows
// nothing then (P6).
func (t *Truth) unreached(st *store, from, until time.Duration) bool {
	for g := range t.region {
		if overlap(&st.path[1-g], &t.region[g], from, until, 0, 0) > 0 {
			return true
		}
	}
	return false
}

// vanished counts the hosts of a store that were away within a time.
func (t *Truth) vanished(s int, from, until time.Duration) (n int) {
	st := &t.stores[s]
	for i := range st.hosts {
		if h := &st.hosts[i]; h.dead.held(from, until, time.Minute) || h.cable.held(from, until, time.Minute) || h.bye.held(from, until, time.Minute) {
			n++
		}
	}
	return n
}

// regionFalsity judges what was told of a region.
func (t *Truth) regionFalsity(x *Told) {
	from := x.At - lookback
	switch x.Kind {
	case "region-down":
		g := t.about(x)
		if t.region[g].longestOver(from, x.At, tail, renewal) < regionGone && !t.standsStill(g, from, x.At) {
			t.Fail(Falsity, x.At, "a region was told to be dead, and was not")
		}
	case "region-path", "region-blind":
		g := x.Region
		if x.About >= 0 {
			g = x.About
		}
		from := x.At - suspects
		if !t.suspect(g, from, x.At) && !t.region[g].held(from, x.At, tail) && !t.nodeTrouble(from, x.At) {
			t.Fail(Falsity, x.At, "a region was told to see too few stores, and saw them")
		}
	}
}

// suspects is how long before a word about a region's view its stores were lost:
// silence and grace, the answers, blind and takeover.
const suspects = 4 * time.Minute

// suspect says whether so many stores were out of a region's sight within a time
// that it must suspect itself: 20 %, at least 3, or all of those that have a relay
// (I7).
func (t *Truth) suspect(g int, from, until time.Duration) bool {
	all, lost := 0, 0
	for s := range t.stores {
		st := &t.stores[s]
		if !st.relayed {
			continue
		}
		all++
		if st.twoLived(from, until) || st.path[g].held(from, until, tail) || st.down.again(from, until, tail) || st.full.held(from, until, tail) {
			lost++
		}
	}
	return lost > 0 && 5*lost >= all && lost >= min(3, all)
}

// about is the region that a notice is about.
func (t *Truth) about(x *Told) int {
	if x.About >= 0 {
		return x.About
	}
	return 1 - x.Region
}

// heardOf says whether some relay had a good way to a region all the time: then
// it is a witness that the region lives.
func (t *Truth) heardOf(g int, from, until time.Duration) bool {
	for s := range t.stores {
		st := &t.stores[s]
		if st.relayed && !st.path[g].held(from, until, tail) && !st.path[1-g].held(from, until, tail) && !st.down.held(from, until, tail) {
			return true
		}
	}
	return false
}

// standsStill says whether a region seemed dead to the other: the link was cut,
// its lease could not be seen to move, and no relay knew better.
func (t *Truth) standsStill(g int, from, until time.Duration) bool {
	if !t.bridge.held(from, until, tail) || t.heardOf(g, max(from, until-2*time.Minute), until) && !t.region[g].held(from, until, tail) {
		return false
	}
	for i := range t.strikes {
		s := &t.strikes[i]
		if (s.Class == Table || s.Class == Node) && s.At <= until && s.At+s.For+tail >= from {
			return true
		}
	}
	return t.region[g].held(from, until, tail)
}

func (t *Truth) nodeTrouble(from, until time.Duration) bool {
	for i := range t.strikes {
		if s := &t.strikes[i]; s.Class == Node && s.At <= until && s.At+s.For+afterNode >= from {
			return true
		}
	}
	return false
}

// Vanished says that a relay calls a host missing. It must have been away, or
// its relay, within what the host had promised.
func (t *Truth) Vanished(at time.Duration, s, h int) {
	st := &t.stores[s]
	x := &st.hosts[h]
	x.missed = append(x.missed, at)
	from := at - 2*x.interval - 5*time.Second
	if st.twoLived(from, at) || st.torn(from, at) || x.two.held(from, at, tail) || x.moved || x.flips() || st.down.again(from, at, warmUp) {
		return
	}
	t.Judges(Falsity)
	if !x.dead.held(from, at, 0) && !x.cable.held(from, at, 0) {
		t.Fail(Falsity, at, subject(s, h)+" is missing for its relay, and is not")
	}
}
