package truth

import (
	"fmt"
	"slices"
	"time"
)

const (
	// stormStores make a storm, and stormWindow is how long it is counted.
	stormStores = 3
	stormWindow = 5 * time.Minute
	// stormMessages is how many messages it may make on each channel.
	stormMessages = 8
)

// storm: many stores at once make few messages, and each of them is in one; and
// so when they come back (I6).
func (t *Truth) storm() {
	for _, s := range t.strikes {
		if s.Many < stormStores || t.disturbed() {
			continue
		}
		t.Judges(Storm)
		others := t.others(s)
		for ch := range t.channels() {
			if n := t.messages(ch, "open", s.At, s.At+stormWindow); n > stormMessages+others {
				t.Fail(Storm, s.At, fmt.Sprintf("%d stores at once made %d messages to %s in five minutes", s.Many, n, channelName(ch)))
			}
			if back := s.At + s.For; s.For > 0 {
				if n := t.messages(ch, "recovered", back, back+stormWindow); n > stormMessages+others {
					t.Fail(Storm, back, fmt.Sprintf("the return of %d stores made %d messages to %s in five minutes", s.Many, n, channelName(ch)))
				}
			}
			if others == 0 {
				t.once(s, ch)
			}
		}
	}
}

// once: each store of a storm is in one message of its fault.
func (t *Truth) once(s Strike, ch int) {
	for store := range s.Many {
		t.names = t.names[:0]
		for i := range t.told {
			x := &t.told[i]
			if x.Channel == ch && x.Store == store && x.Host < 0 && x.Change == "open" && x.At >= s.At {
				if t.names = append(t.names, x.Notice); len(t.names) > 1 {
					t.Fail(Storm, x.At, fmt.Sprintf("%s is in %d messages of one storm to %s", subject(store, -1), len(t.names), channelName(ch)))
				}
			}
		}
	}
}

// messages counts the notices of faults, or of their ends, that a channel got in
// a time.
func (t *Truth) messages(ch int, change string, from, until time.Duration) int {
	t.names = t.names[:0]
	for i := range t.told {
		x := &t.told[i]
		if x.Channel == ch && x.Change == change && x.At >= from && x.At < until && !slices.Contains(t.names, x.Notice) {
			t.names = append(t.names, x.Notice)
		}
	}
	return len(t.names)
}

// others counts what else may have been told.
func (t *Truth) others(s Strike) int {
	n := 0
	for _, o := range t.strikes {
		if o != s && o.Class == Outage {
			n += max(1, o.Many, o.Times)
		}
	}
	return n
}

// disturbed says whether something struck after which more may be told.
func (t *Truth) disturbed() bool {
	for i := range t.strikes {
		switch t.strikes[i].Class {
		case Node, Channel, Table, Bridge, Word:
			return true
		default:
		}
	}
	for s := range t.stores {
		if len(t.stores[s].said) > 0 {
			return true // an opening is another wave
		}
	}
	return false
}

// flapsTold is how many faults of one subject people are told of at most in a
// schedule, which is shorter than ten minutes: more than 6 changes are flapping,
// and quiet from then on (I8).
const flapsTold = 5

// flapping: what comes and goes is not told each time.
func (t *Truth) flapping() {
	for i := range t.told {
		x := &t.told[i]
		if x.Channel != People || x.Change != "open" || x.Store < 0 || t.disturbed() {
			continue
		}
		if n := t.faults(t.told, x); n > flapsTold {
			t.Fail(Storm, x.At, fmt.Sprintf("people were told of %d faults of %s", n, subject(x.Store, x.Host)))
		}
	}
}
