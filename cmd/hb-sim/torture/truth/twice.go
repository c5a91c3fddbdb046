package truth

import (
	"fmt"
	"slices"
	"time"
)

// duplicates: each transition is sent once for each channel, and once more for
// each crash or pause between the lease's check and the mark, each answer that
// was lost, and a takeover or an unclaimed send that nothing could prevent (I4).
func (t *Truth) duplicates() {
	for i := range t.keys {
		told := t.keys[i].told
		for a, x := range told {
			first := &t.told[x]
			t.sends = append(t.sends[:0], first)
			for _, y := range told[a+1:] {
				if v := &t.told[y]; first.K == v.K && first.Change == v.Change {
					t.sends = append(t.sends, v)
				}
			}
			t.Judges(Duplicates)
			n, last := len(t.sends), t.sends[len(t.sends)-1]
			if n == 1 {
				continue
			}
			if most := 1 + t.excuses(t.sends); n > most {
				t.Fail(Duplicates, last.At, fmt.Sprintf("%s of %s (k=%d) was sent %d times to %s, at most %d are excused", first.Change, subject(first.Store, first.Host), first.K, n, channelName(first.Channel), most))
			}
		}
	}
}

const (
	// inFlight is how long before a send what disturbs it may begin: the claim,
	// takeover (30 s), and a table that is tried for 30 s.
	inFlight = 70 * time.Second
	// leaseLasts is how long a table must fail for a node to lose the lease: it
	// lasts for 10 s, and was renewed up to 3 s before.
	leaseLasts = 7 * time.Second
	// sending is how long before a channel takes a notice the lease was checked,
	// at most: a channel is waited for 10 s; marking is when its mark is written
	// after that, where the table is well.
	sending, marking = 10 * time.Second, 2 * time.Second
)

// excuses counts what may have made a transition be sent again.
func (t *Truth) excuses(sends []*Told) int {
	first, last := sends[0], sends[len(sends)-1]
	n, tables, words := 0, [2]bool{}, false
	for i := range t.strikes {
		s := &t.strikes[i]
		if s.At > last.At || s.At+s.For+inFlight < first.At {
			continue
		}
		switch s.Class {
		case Node:
			if slices.ContainsFunc(sends[:len(sends)-1], func(x *Told) bool { return x.Region == s.Region && t.unmarked(x, s.At) }) {
				n++ // it died between the lease's check and the mark
			}
		case Table:
			tables[s.Region&1] = true
		case Word:
			words = words || s.Pins && s.Store == first.Store
		default:
		}
	}
	if slices.ContainsFunc(sends[:len(sends)-1], t.standbyUnmarked) {
		n++ // the mark could not be written while the standby took the lease
	}
	if t.teller(sends) && (tables[0] || tables[1]) {
		n++ // a takeover while the teller was reachable by neither
	}
	if tables[0] && tables[1] {
		n += 2 // both send unclaimed
	}
	if words {
		n++ // a pin moves the home while something is told
	}
	return n + t.answersLost(first)
}

// unmarked says whether at an instant a send was perhaps under way, or not yet
// marked: the table may not have taken the mark.
func (t *Truth) unmarked(x *Told, at time.Duration) bool {
	until := x.At + marking
	for i := range t.strikes {
		s := &t.strikes[i]
		if (s.Class == Table || s.Class == Channel) && s.Region == x.Region && s.At <= until && s.At+s.For+inFlight >= x.At {
			until = max(until, s.At+s.For+inFlight)
		}
	}
	return at >= x.At-sending && at <= until
}

// standbyUnmarked says whether the table of the region that sent could not take
// the mark, for so long that a standby may have taken the lease.
func (t *Truth) standbyUnmarked(x *Told) bool {
	for i := range t.strikes {
		s := &t.strikes[i]
		if s.Class == Table && !s.Carries && s.Region == x.Region && s.For >= leaseLasts && s.At <= x.At+marking && s.At+s.For+marking >= x.At {
			return true
		}
	}
	return false
}

// teller says whether the region that sent first could not be asked by another
// one that sent later, at some instant before that.
func (t *Truth) teller(sends []*Told) bool {
	for i, x := range sends {
		for _, y := range sends[i+1:] {
			if x.Region != y.Region && (t.bridge.held(x.At-inFlight, y.At, tail) || t.region[x.Region].held(x.At, y.At, 0)) {
				return true
			}
		}
	}
	return false
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

// identity: no (id, k) names two outages between which the subject was seen, and
// one outage has one id.
func (t *Truth) identity() {
	for i := range t.told {
		x := &t.told[i]
		if x.Change != "open" || x.Store < 0 {
			continue
		}
		t.Judges(Identity)
		for j := i + 1; j < len(t.told); j++ {
			y := &t.told[j]
			if y.Change != "open" || x.Kind != y.Kind && x.Incident != y.Incident {
				continue
			}
			same := y.Store == x.Store && y.Host == x.Host
			switch {
			case x.Incident == y.Incident && !same:
				t.Fail(Identity, y.At, "one id names "+subject(x.Store, x.Host)+" and "+subject(y.Store, y.Host))
			case x.Incident == y.Incident && x.K == y.K && y.Since-x.Since > 5*time.Second && t.alive(x, y):
				t.Fail(Identity, y.At, fmt.Sprintf("one id and k=%d name two outages of %s", x.K, subject(x.Store, x.Host)))
			case x.Incident != y.Incident && same && x.Channel == y.Channel && t.twoIDs(x, y):
				t.Fail(Identity, y.At, fmt.Sprintf("one %s of %s was told with two ids", x.Kind, subject(x.Store, x.Host)))
			}
		}
	}
}

// seenFor is how long a subject must be seen between two outages: after a settle
// it is.
const seenFor = 100 * time.Second

// alive says whether a subject was well, and both regions saw it, for long
// enough between two notices.
func (t *Truth) alive(x, y *Told) bool {
	from := max(x.At, t.lastBad(x.Store, x.Host, x.At))
	return y.At-from > seenFor+30*time.Second && t.well(x.Store, x.Host, from+tail, from+seenFor)
}

// well says whether a subject was well and could be seen by both regions all the
// time.
func (t *Truth) well(s, h int, from, until time.Duration) bool {
	st := &t.stores[s]
	if st.down.held(from, until, 0) || st.twoLived(from, until) || t.bridge.held(from, until, 0) {
		return false
	}
	for g := range 2 {
		if st.path[g].held(from, until, 0) || t.region[g].held(from, until, 0) {
			return false
		}
	}
	for i := range st.hosts {
		if k := &st.hosts[i]; (h < 0 || i == h) && (k.dead.held(from, until, 0) || k.cable.held(from, until, 0)) {
			return false
		}
	}
	return true
}

// lastBad is the end of the subject's last outage that began before an instant.
func (t *Truth) lastBad(s, h int, at time.Duration) (end time.Duration) {
	st := &t.stores[s]
	bad := func(k *track) {
		for _, x := range k.spans {
			if x.from <= at {
				end = max(end, x.until)
			}
		}
	}
	bad(&st.down)
	bad(&st.path[0])
	bad(&st.path[1])
	for i := range st.hosts {
		if h < 0 || i == h {
			bad(&st.hosts[i].dead)
			bad(&st.hosts[i].cable)
		}
	}
	return end
}

// twoIDs says whether a fault was told again with another id while it stood, and
// nothing kept the regions apart.
func (t *Truth) twoIDs(x, y *Told) bool {
	if y.Since-x.Since > 5*time.Second { // the recovery between them is still to be told
		return false
	}
	if t.stores[x.Store].twoLived(x.At, y.At) || t.stores[x.Store].disk || t.recovered(x, y.At) || t.bridge.held(x.At-2*time.Minute, y.At, tail) {
		return false
	}
	for i := range t.strikes {
		s := &t.strikes[i]
		switch s.Class {
		case Table, Node, Channel:
			if s.At <= y.At && s.At+s.For+inFlight >= x.At {
				return false
			}
		default:
		}
	}
	return true
}
