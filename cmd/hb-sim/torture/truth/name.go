package truth

import (
	"fmt"
	"time"
)

// Naming is the id by which a region opens a fault of a store (Host -1) or a host,
// whether people are told of it or not. Of one Class a subject has one fault.
type Naming struct {
	at                  time.Duration
	Region, Store, Host int
	Class, ID           string
	// answers: it is the fault that the other region opened shortly before.
	answers bool
}

// Named takes a fault that a region opens now.
func (t *Truth) Named(n Naming) {
	n.at = t.now
	t.namings = append(t.namings, n)
}

// oneFault is how long after one region the other one opens the same fault at most,
// where they can talk: a question that finds the store open is asked again after 10 s.
const oneFault = 30 * time.Second

// oneName: regions that can talk open one fault by one id (I1), also where people
// read the id of one of them alone.
func (t *Truth) oneName() {
	for i := range t.namings {
		x := &t.namings[i]
		y := t.answers(i)
		if x.answers || y == nil {
			continue
		}
		y.answers = true
		if !t.talk(x.Store, x.Host, x.at, y.at) {
			continue
		}
		t.Judges(Identity)
		if x.ID != y.ID {
			t.Fail(Identity, y.at, fmt.Sprintf("the regions open the fault of %s by two ids", subject(x.Store, x.Host)))
		}
	}
}

// answers is the same fault as the i-th, of the other region: the subject's next;
// nil: there is none.
func (t *Truth) answers(i int) *Naming {
	x := &t.namings[i]
	for k := i + 1; k < len(t.namings); k++ {
		y := &t.namings[k]
		switch {
		case y.at-x.at > oneFault:
			return nil
		case y.Store != x.Store || y.Host != x.Host || y.Class != x.Class:
		case y.Region == x.Region:
			return nil // it opened the next one meanwhile
		default:
			return y
		}
	}
	return nil
}

// talk says whether nothing kept the regions from agreeing on a fault that they
// opened within a while, and its relay was one of one disk.
func (t *Truth) talk(s, h int, from, until time.Duration) bool {
	from -= 2 * time.Minute
	st := &t.stores[s]
	if h >= 0 && st.hosts[h].moved {
		return false // the two ways of a host are numbered by two
	}
	if t.wentAway(s, h, from, until) > 1 {
		return false // each region opens the outage that it sees first
	}
	if st.cloned || st.disk || t.bridge.held(from, until, tail) || t.region[0].held(from, until, tail) || t.region[1].held(from, until, tail) {
		return false
	}
	for i := range t.strikes {
		if x := &t.strikes[i]; (x.Class == Table || x.Class == Node) && x.At <= until && x.At+x.For+tail >= from {
			return false
		}
	}
	return true
}
