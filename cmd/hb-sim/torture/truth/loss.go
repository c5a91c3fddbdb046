package truth

import (
	"fmt"
	"slices"
	"time"
)

// The bounds of "told within", each from the times of the design.
const (
	// storeBound: a store without power is silent for min(1.5 × 20 s, 3 × 15 s)
	// from its last packet on (30 s), grace follows (10 s), then one question
	// (100 ms to gather, an answer at once; open and settling are asked again
	// after 10 s, while the other region's own silence runs), gather (2 s), the
	// claim, and room.
	storeBound = 58 * time.Second
	// hostBound is what a lost host takes beside its promise: the keepalive of
	// its connection is 1.5 times it, blip (2 s) and gather (2 s, 10 s once two
	// have vanished) follow, and room.
	hostBound = 18 * time.Second
	// suddenHost is when a host is told whose connection ended with it: blip (2 s),
	// gather (10 s once two have vanished), and room.
	suddenHost = 2*time.Second + 10*time.Second + 4*time.Second
	// suddenStore is the same of a relay: grace (10 s), a question that finds the
	// other region within its own, and another one (10 s), gather, and room.
	suddenStore = 10*time.Second + 10*time.Second + 2*time.Second + 8*time.Second
	// onItsWay is how long the end of a connection may be under way: a cut loses it.
	onItsWay = 100 * time.Millisecond
	// askBound is what the question of the other region adds for a host that
	// beats to the regions: an answer (5 s), or another question (10 s).
	askBound = 16 * time.Second
	// afterNode is when the mesh is as before once a node runs again: settle (60
	// to 75 s), grace, a question, takeover (30 s) and gather.
	afterNode = 75*time.Second + 10*time.Second + 10*time.Second + 30*time.Second + 10*time.Second
	// afterBridge: the regions ask again every 10 s, and tell with blind (60 s)
	// after the loss at the latest.
	afterBridge = 60*time.Second + 25*time.Second
	// afterPath: a relay's backoff of 30 s, its birth, and what it lost by then.
	afterPath = tail + 15*time.Second
	// afterTable: retries wait twice as long each time, but the other region
	// takes over what was refused for 30 s, after its own takeover.
	afterTable = 30*time.Second + 30*time.Second + 30*time.Second
	// afterPin is when both regions know of a pin.
	afterPin = 20 * time.Second
	// warmUp is how long a relay that starts says nothing of a host that does not
	// come back (L2).
	warmUp = 6 * time.Minute
)

// after is how long after the end of a fault it may still delay a notice.
func (s *Strike) after() time.Duration {
	switch s.Class {
	case Node:
		return afterNode
	case Bridge:
		return afterBridge
	case Path:
		return afterPath
	case Table, Channel:
		return afterTable + min(s.For, time.Minute)
	default:
		return 0
	}
}

// takenOver is when the other region tells what one region cannot, whatever is
// wrong with that one: its lease must have stood for 30 s, or the question have
// had no answer for blind (60 s), then takeover (30 s), a look at the marks, and
// gather.
const takenOver = 60*time.Second + 30*time.Second + 30*time.Second + 20*time.Second

// oneRegion says whether all that may delay a notice within a time is wrong with
// one region alone. A channel that refuses while another one takes the notice is
// waited for.
func (t *Truth) oneRegion(from, until time.Duration) bool {
	region := -1
	for i := range t.strikes {
		s := &t.strikes[i]
		after := s.after()
		if after == 0 || s.At > until || s.At+s.For+after <= from {
			continue
		}
		if s.Class == Bridge || s.Class == Path || s.Class == Channel || region >= 0 && region != s.Region {
			return false
		}
		region = s.Region
	}
	return true
}

// oneSided is when a region tells by itself while the link is cut: blind after its
// loss, and what a question and a letter wait before.
const oneSided = 60*time.Second + 20*time.Second

// onlyApart says whether all that may delay a notice within a time is that the
// regions cannot talk.
func (t *Truth) onlyApart(from, until time.Duration) bool {
	for i := range t.strikes {
		s := &t.strikes[i]
		if after := s.after(); after != 0 && s.At <= until && s.At+s.For+after > from && (s.Class != Bridge && !s.Carries || s.Alone) {
			return false
		}
	}
	return true
}

// deadline is when an outage must have been told on a channel: bound after it
// began, or after the last fault that could delay it; and not later than the
// other region takes over. What waits for a digest may be delayed until that is due.
func (t *Truth) deadline(from, bound time.Duration, ch int) time.Duration {
	d := t.delayed(from, bound)
	wait := t.digest(from, d, ch)
	if wait == 0 {
		return d
	}
	return max(d+wait, t.delayed(from, d+wait-from))
}

// delayed is deadline, but for digests.
func (t *Truth) delayed(from, bound time.Duration) time.Duration {
	d := t.undisturbed(from, bound)
	if over := from + bound + takenOver; d > over && t.oneRegion(from, over) {
		d = over
	}
	if over := from + bound + oneSided; d > over && t.onlyApart(from, over) {
		d = over
	}
	return d
}

// undisturbed is bound after an instant, or after the last fault that delays.
func (t *Truth) undisturbed(from, bound time.Duration) time.Duration {
	d := from + bound
	for again := true; again; {
		again = false
		for i := range t.strikes {
			s := &t.strikes[i]
			after := s.after()
			if after == 0 || s.At > d || s.At+s.For+after <= from {
				continue
			}
			if end := s.At + s.For + after; end > d {
				d, again = end, true
			}
		}
	}
	return d
}

// loss: every outage that is longer than its bound is told on each channel, or
// covered by a told store or region.
func (t *Truth) loss() {
	for s := range t.stores {
		st := &t.stores[s]
		if st.relayed {
			for _, d := range st.silent() {
				since := d.from
				if l := st.leftIn(d); l != nil { // it promised to return (P10)
					if d.from = t.backBy(st, l); d.from >= d.until {
						continue
					}
				}
				if d.from > 0 && !st.twoLived(since, d.until) { // neither relay's end is the store's (P14)
					t.mustTell(s, -1, d, since, st.bound(d.from))
				}
			}
		}
		for h := range st.hosts {
			t.hostLoss(s, h)
		}
	}
}

// bound is when a store is told that is down from an instant on: soon where its
// relay ran for a while, both regions could see it, and its connections ended.
func (st *store) bound(from time.Duration) time.Duration {
	if !slices.Contains(st.sudden, from) || st.down.held(from-startTail, from-time.Millisecond, 0) ||
		st.path[0].held(from-tail, from+onItsWay, tail) || st.path[1].held(from-tail, from+onItsWay, tail) {
		return storeBound
	}
	return suddenStore
}

// unheard is when a region has a node again that had none as a silence became a
// loss: it alone knew of the beats. Else that is when the silence began.
func (t *Truth) unheard(g int, from, promise time.Duration) time.Duration {
	for _, x := range t.region[g].spans {
		if x.from <= from+promise && x.until > from {
			return x.until
		}
	}
	return from
}

// missedSince is since when a host is missing that goes out at an instant. One that
// beats to the regions and reached none of them went out before.
func (t *Truth) missedSince(st *store, h *host, from time.Duration) time.Duration {
	if !h.direct {
		return from
	}
	out := &st.path // of a store without a relay its hosts' own
	if st.relayed {
		out = &st.cut
	}
	for _, d := range both(&out[0], &out[1]) {
		if d.from < from && after(d.until, h.interval) >= from {
			return d.from
		}
	}
	return from
}

// bound is within what time it is told that a host is gone.
func (h *host) bound() time.Duration {
	bound := max(h.interval*3/2, h.interval+min(max(h.interval/10, 2*time.Second), time.Minute)) + hostBound
	if h.direct {
		bound += askBound
	}
	return bound
}

func (t *Truth) hostLoss(s, i int) {
	st := &t.stores[s]
	h := &st.hosts[i]
	if h.absent > 0 {
		t.absentLoss(s, i)
	}
	if h.stray {
		return
	}
	if h.moved { // every way that it was seen by must expire (P13): nobody here knows when
		return
	}
	bound := h.bound()
	for _, d := range either(&h.dead, &h.cable) {
		// A double beats for it (L1), a torn disk does not know it (L2).
		if d.from == 0 || h.two.held(d.from, d.until, tail) || st.torn(d.from, d.until) || st.twoLived(d.from, d.until) {
			continue
		}
		if h.bye.held(d.from, d.until, 0) { // it promises to return (P10)
			d.from = t.returns(st, h, d)
			if d.from >= d.until {
				continue
			}
		}
		since := t.missedSince(st, h, d.from)
		if st.relayed && !h.direct {
			heard := t.sightless(s, d)
			if heard >= d.until || st.down.again(d.from, d.until, warmUp) {
				continue // the relay cannot know, or tell nobody
			}
			d.from = max(d.from, heard)
		}
		if h.direct {
			d.from = t.unheard(h.to, d.from, bound-hostBound)
			if d.from >= d.until {
				continue
			}
		}
		if !h.direct && slices.Contains(h.sudden, d.from) {
			t.mustTell(s, i, d, since, suddenHost)
		} else {
			t.mustTell(s, i, d, since, bound)
		}
	}
	for _, d := range h.failing.spans { // one that lives, and says that it is unwell
		if !h.dead.held(d.from, d.until, 0) && !h.cable.held(d.from, d.until, 0) && !h.two.held(d.from, d.until, tail) &&
			!st.twoLived(d.from, d.until) && !st.torn(d.from, d.until) && !st.down.again(d.from, d.until, warmUp) && t.sightless(s, d) == 0 {
			t.mustTell(s, i, d, d.from, bound)
		}
	}
}

// mustTell judges one outage on each channel, from when a region could know of it.
// What an operator said since it began holds it back.
func (t *Truth) mustTell(s, h int, d span, since, bound time.Duration) {
	until := min(d.until, t.End)
	for ch := range t.channels() {
		by := t.heldBack(s, ch, min(since, t.flapsSince(s, h, d.from), t.lanSince(s, h, d.from)), t.deadline(d.from, bound+t.pinned(s, d.from, bound), ch))
		if until < by {
			continue
		}
		t.Judges(Loss)
		if !t.stands(s, h, ch, d.from, by) {
			t.Fail(Loss, d.from, fmt.Sprintf("%s was out from %.3f to %.3f, and %s had not been told by %.3f", subject(s, h), d.from.Seconds(), until.Seconds(), channelName(ch), by.Seconds()))
		}
	}
}

// flapsSince is when a host began to flap that goes out at an instant, more than 6
// changes within 10 minutes; else that instant. What holds its flapping back holds
// back what is told of it then.
func (t *Truth) flapsSince(s, h int, from time.Duration) time.Duration {
	if h < 0 {
		return from
	}
	n, since := 1, from
	for _, d := range t.stores[s].hosts[h].dead.spans {
		if d.from < from && d.from > 0 && d.from > from-10*time.Minute {
			n, since = n+2, min(since, d.from)
		}
	}
	if n <= 6 {
		return from
	}
	return since
}

// pinned is how much later an outage may be told whose store's home moved
// meanwhile: until both regions know, each may take the other one to tell, until
// takeover.
func (t *Truth) pinned(s int, from, bound time.Duration) time.Duration {
	for i := range t.strikes {
		if x := &t.strikes[i]; x.Pins && x.Store == s && x.At <= from+bound && x.At+afterPin >= from {
			return 35 * time.Second
		}
	}
	return 0
}

// stands says whether a channel was told of an outage, of the store or of a
// region that hides it, and not of its end, at some instant of [from, until].
func (t *Truth) stands(s, h, ch int, from, until time.Duration) bool {
	for i := range t.told {
		x := &t.told[i]
		if x.Channel != ch || x.Change == "recovered" || x.At > until || !t.covers(x, s, h, span{from, until}) {
			continue
		}
		if x.At >= from || !t.recovered(x, from) {
			return true
		}
	}
	return false
}

// recovered says whether a told fault got its recovery by an instant.
func (t *Truth) recovered(x *Told, by time.Duration) bool {
	for i := range t.told {
		y := &t.told[i]
		if y.Incident == x.Incident && y.Channel == x.Channel && y.Change == "recovered" && y.K > x.K && y.At <= by {
			return true
		}
	}
	return false
}

func channelName(ch int) string {
	if ch == People {
		return "people"
	}
	return "programs"
}
