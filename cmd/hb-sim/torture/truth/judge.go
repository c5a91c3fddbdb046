package truth

import (
	"fmt"
	"slices"
	"time"
)

const (
	// tail is how long after something is mended a relay may need to be back:
	// its backoff of 30 s, and a handshake.
	tail = 45 * time.Second
	// lookback is how far before a notice its outage may lie.
	lookback = 10 * time.Minute
	// storeBound is when a lost store is told: 30 s of silence, grace, gather,
	// a second, and room.
	storeBound = 52 * time.Second
	// hostSlack is what a lost host takes beside its promise.
	hostSlack = 12 * time.Second
)

// Judge judges the schedule; ok is true where every property holds.
func (t *Truth) Judge() (v Violation, ok bool) {
	if t.first.Property == 0 {
		t.falsity()
		t.tellings()
		t.duplicates()
		t.closure()
		t.identity()
		t.loss()
		t.isolation()
		t.convergence()
		t.storm()
	}
	return t.first, t.first.Property == 0
}

func subject(s, h int) string {
	if h < 0 {
		return fmt.Sprintf("s%d", s+1)
	}
	return fmt.Sprintf("s%d/pos%d", s+1, h+1)
}

// blind says whether a region could not see a store at some instant.
func (t *Truth) blind(s, g int, from, until time.Duration) bool {
	return t.stores[s].path[g].held(from, until, tail) || t.region[g].held(from, until, tail)
}

// out says whether a store was, or seemed, out at some instant: its relay did
// not run, or no region saw it.
func (t *Truth) out(s int, from, until time.Duration) bool {
	st := &t.stores[s]
	if st.relayed && st.down.held(from, until, tail) {
		return true
	}
	a, b := &st.path[0], &st.path[1]
	return both(a, b, from, until, tail) || both(a, &t.region[1], from, until, tail) ||
		both(&t.region[0], b, from, until, tail) || both(&t.region[0], &t.region[1], from, until, tail)
}

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
		if x.Change != "open" || x.Store < 0 {
			continue
		}
		t.Judges(Falsity)
		from := t.since(x)
		st := &t.stores[x.Store]
		if x.OneSided && (t.bridge.held(from, x.At, tail) || t.region[1-x.Region].held(from, x.At, tail)) {
			continue
		}
		switch x.Kind {
		case "store-down", "relay-dead":
			if !t.out(x.Store, from, x.At) && !st.odd {
				t.Fail(Falsity, x.At, subject(x.Store, -1)+" was told to be down, and was not")
			}
		case "host-missing":
			h := &st.hosts[x.Host]
			if h.moved && t.bridge.held(from, x.At, tail) {
				continue // the other region could not know its new way
			}
			lost := h.dead.held(from, x.At, h.interval) || h.cable.held(from, x.At, h.interval) || h.bye.held(from, x.At, h.interval)
			if !lost && !t.out(x.Store, from, x.At) && !st.odd {
				t.Fail(Falsity, x.At, subject(x.Store, x.Host)+" was told to be missing, and was not")
			}
		}
	}
}

// tellings are what one channel was told of one incident, in order.
type tellings struct {
	incident string
	channel  int
	told     []int
}

func (t *Truth) tellings() {
	for i := range t.told {
		x := &t.told[i]
		k := slices.IndexFunc(t.keys, func(o tellings) bool { return o.incident == x.Incident && o.channel == x.Channel })
		if k < 0 {
			k = len(t.keys)
			if k < cap(t.keys) {
				t.keys = t.keys[:k+1]
				t.keys[k].incident, t.keys[k].channel, t.keys[k].told = x.Incident, x.Channel, t.keys[k].told[:0]
			} else {
				t.keys = append(t.keys, tellings{incident: x.Incident, channel: x.Channel})
			}
		}
		t.keys[k].told = append(t.keys[k].told, i)
	}
}

// excuses counts the faults after which something may be told again.
func (t *Truth) excuses() int {
	n := 0
	for _, s := range t.strikes {
		switch s.Class {
		case Node, Channel, Table, Bridge, Word: // a pin moves the home while something is told
			n++
		}
	}
	return n
}

// duplicates: each transition is sent once for each channel, and once more for
// each fault that excuses it.
func (t *Truth) duplicates() {
	most := 1 + t.excuses()
	for i := range t.keys {
		told := t.keys[i].told
		for a, x := range told {
			n := 1
			for _, y := range told[a+1:] {
				if t.told[x].K == t.told[y].K && t.told[x].Change == t.told[y].Change {
					n++
				}
			}
			t.Judges(Duplicates)
			v := &t.told[x]
			if n > most && n > most+t.answersLost(v) {
				t.Fail(Duplicates, v.At, fmt.Sprintf("%s of %s (k=%d) was sent %d times, at most %d are excused", v.Change, subject(v.Store, v.Host), v.K, n, most+t.answersLost(v)))
			}
		}
	}
}

// answersLost is how often a channel took a transition and its answer got lost.
func (t *Truth) answersLost(x *Told) int {
	n := 0
	for _, l := range t.lost {
		if l.incident == x.Incident && l.k == x.K && l.channel == x.Channel {
			n++
		}
	}
	return n
}

// closure: each told fault gets its recovery on the same channel, and none
// comes without a fault, or before it.
func (t *Truth) closure() {
	for i := range t.keys {
		open, last := false, 0
		var x *Told
		for _, at := range t.keys[i].told {
			x = &t.told[at]
			t.Judges(Closure)
			switch x.Change {
			case "open":
				if x.K < last {
					t.Fail(Closure, x.At, fmt.Sprintf("a fault of %s (k=%d) came after its recovery (k=%d)", subject(x.Store, x.Host), x.K, last))
				}
				open = true
			case "recovered":
				if last == 0 && !open {
					t.Fail(Closure, x.At, "a recovery without a fault: "+subject(x.Store, x.Host))
				}
				open, last = false, max(last, x.K)
			}
		}
		if open && x.Store >= 0 && t.wellAtEnd(x) {
			t.Fail(Closure, x.At, fmt.Sprintf("a told fault of %s (%s) never got its recovery", subject(x.Store, x.Host), x.Kind))
		}
	}
}

// wellAtEnd says whether a subject was well for long enough at the end.
func (t *Truth) wellAtEnd(x *Told) bool {
	from := max(t.Quiet, x.At) + 20*time.Second
	st := &t.stores[x.Store]
	if from > t.End-60*time.Second || st.word || st.odd || st.down.held(from, t.End, 0) {
		return false
	}
	if x.Host < 0 {
		return x.Kind == "store-down" || x.Kind == "relay-dead"
	}
	h := &st.hosts[x.Host]
	return x.Kind == "host-missing" && !h.dead.held(from, t.End, 0) && !h.cable.held(from, t.End, 0)
}

// identity: no (id, k) names two outages.
func (t *Truth) identity() {
	for i := range t.keys {
		told := t.keys[i].told
		for a := range told {
			x := &t.told[told[a]]
			if x.Change != "open" {
				continue
			}
			t.Judges(Identity)
			for b := a + 1; b < len(told); b++ {
				y := &t.told[told[b]]
				if y.Change == "open" && y.K == x.K && (y.Store != x.Store || y.Host != x.Host) {
					t.Fail(Identity, y.At, "one id names "+subject(x.Store, x.Host)+" and "+subject(y.Store, y.Host))
				}
			}
		}
	}
}

// loss: every outage that is longer than its bound is told on each channel, or
// covered by a told store.
func (t *Truth) loss() {
	for s := range t.stores {
		st := &t.stores[s]
		if st.word || st.odd {
			continue
		}
		for _, d := range st.down.spans {
			until := min(d.until, t.End)
			if d.from == 0 || until-d.from < storeBound+t.delay(d.from, until)+t.crowd(d.from, until) {
				continue
			}
			t.Judges(Loss)
			for ch := range 2 {
				if !t.tells(s, -1, ch, d.from-2*time.Minute, until+time.Second) {
					t.Fail(Loss, d.from, fmt.Sprintf("%s was out from %v to %v, and channel %d was not told", subject(s, -1), d.from, until, ch))
				}
			}
		}
		t.hostLoss(s)
	}
}

func (t *Truth) hostLoss(s int) {
	st := &t.stores[s]
	for i := range st.hosts {
		h := &st.hosts[i]
		if h.moved || h.direct {
			continue
		}
		for _, d := range h.dead.spans {
			until := min(d.until, t.End)
			bound := h.interval*11/10 + hostSlack + t.delay(d.from, until) + t.crowd(d.from, until)
			if d.from == 0 || until-d.from < bound || h.bye.held(d.from, until, 0) || st.down.held(d.from, until, 6*time.Minute) || t.out(s, d.from, until) {
				continue
			}
			t.Judges(Loss)
			for ch := range 2 {
				if !t.tells(s, i, ch, d.from-time.Second, until+time.Second) && !t.tells(s, -1, ch, d.from-lookback, until+time.Second) {
					t.Fail(Loss, d.from, fmt.Sprintf("%s was out from %v to %v, and channel %d was not told", subject(s, i), d.from, until, ch))
				}
			}
		}
	}
}

func (t *Truth) tells(s, h, ch int, from, until time.Duration) bool {
	for i := range t.told {
		x := &t.told[i]
		if x.Store == s && x.Host == h && x.Channel == ch && x.Change != "recovered" && x.At >= from && x.At <= until {
			return true
		}
	}
	return false
}

// delay is how much later something may be told for the faults around it.
func (t *Truth) delay(from, until time.Duration) time.Duration {
	var d time.Duration
	for _, s := range t.strikes {
		if s.At > until || s.At+s.For+3*time.Minute < from {
			continue
		}
		switch s.Class {
		case Node:
			d += s.For + 100*time.Second
		case Bridge:
			d += s.For + 100*time.Second
		case Path:
			d += s.For + tail
		case Table, Channel:
			d += 2*s.For + 60*time.Second
		}
	}
	return d
}

// crowd is how much later something may be told because much is told: from the
// third notice of a minute on digests leave after 10 s, 60 s and 5 min.
func (t *Truth) crowd(from, until time.Duration) time.Duration {
	n := 0
	for s := range t.stores {
		for _, d := range t.stores[s].down.spans {
			if d.from > 0 && d.from <= until && d.from >= from-6*time.Minute {
				n++
			}
		}
		for h := range t.stores[s].hosts {
			x := &t.stores[s].hosts[h]
			for _, track := range [...]*track{&x.dead, &x.cable} {
				for _, d := range track.spans {
					if d.from > 10*time.Second && d.from <= until && d.from >= from-6*time.Minute {
						n++
					}
				}
			}
		}
	}
	switch {
	case n <= 1:
		return 0
	case n <= 3:
		return 80 * time.Second
	default:
		return 6 * time.Minute
	}
}

// isolation: a region that sees neither relays nor the other region says
// nothing of stores.
func (t *Truth) isolation() {
	for g := range t.region {
		for i := range t.told {
			x := &t.told[i]
			if x.Region != g || x.Store < 0 || x.Host >= 0 || x.Change != "open" {
				continue
			}
			if t.bridge.held(x.At-90*time.Second, x.At, 0) && t.seesNobody(g, x.At) {
				t.Judges(Isolation)
				if !t.out(x.Store, x.At-lookback, x.At) {
					t.Fail(Isolation, x.At, "a region that sees nobody told of "+subject(x.Store, -1))
				}
			}
		}
	}
}

func (t *Truth) seesNobody(g int, at time.Duration) bool {
	for s := range t.stores {
		if t.stores[s].relayed && !t.stores[s].path[g].held(at, at, 0) {
			return false
		}
	}
	return true
}
