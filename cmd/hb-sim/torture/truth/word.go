package truth

import (
	"fmt"
	"slices"
	"time"
)

// The channels of a mesh.
const (
	People = iota
	Programs
	channelCount
)

func (t *Truth) channels() int { return channelCount }

// Saying is what an operator says.
type Saying uint8

// The words.
const (
	Silenced   Saying = iota + 1 // people are not told
	Maintained                   // nobody is, until a while after it
	Closed                       // the same
	Acked                        // people know
)

// said is a word about a store: from when it was said until it ends.
type said struct {
	word        Saying
	from, until time.Duration
	region      int // where it was said
}

// Says tells of a word of an operator about a store.
func (t *Truth) Says(at, until time.Duration, store int, w Saying, region int) {
	st := &t.stores[store]
	st.said = append(st.said, said{w, at, until, region})
}

// releases is when a word holds back a fault of its store no more: what is still
// down when a silence ends is told then (I9), after maintenance and an opening
// once comeUp is over (P10); what is acknowledged is not (I9).
func (t *Truth) releases(w *said) time.Duration {
	switch w.word {
	case Acked:
		return never
	case Maintained, Closed:
		return w.until + t.comeUp
	default:
		return w.until
	}
}

// afterWord is how long after that it is told: the word's end is known, and
// gather.
const afterWord = known + 12*time.Second

// heldBack is when a channel must be told of a fault that began at an instant,
// and must else be told by another: a word that began before it was told holds it
// back. Programs are told at once, whatever people say (I9). never: nobody knows.
func (t *Truth) heldBack(s, ch int, from, by time.Duration) time.Duration {
	words := t.stores[s].said
	if ch == Programs || len(words) == 0 {
		return by
	}
	if t.skewed {
		return never // each region has its own time
	}
	for again := true; again; {
		again = false
		for i := range words {
			w := &words[i]
			if w.from > by || w.until < from && w.word != Acked {
				continue
			}
			at := t.releases(w)
			if at == never {
				return never
			}
			if at = t.deadline(at, afterWord, ch); at > by {
				by, again = at, true
			}
		}
	}
	return by
}

// heldEnd is the same for the end of a fault: it is told when a silence,
// maintenance or closing ends (I10), without comeUp.
func (t *Truth) heldEnd(s, ch int, from, by time.Duration) time.Duration {
	words := t.stores[s].said
	if ch == Programs || len(words) == 0 {
		return by
	}
	if t.skewed {
		return never
	}
	for again := true; again; {
		again = false
		for i := range words {
			w := &words[i]
			if w.word == Acked || w.from > by || w.until < from {
				continue
			}
			if at := t.deadline(w.until, recoveryBound, ch); at > by {
				by, again = at, true
			}
		}
	}
	return by
}

// known is how long a word takes to be known in both regions: its replication,
// and a refresh.
const known = 8 * time.Second

// silence: while a word holds a store's notices back, people are told of no
// fault of it; nor of what was out before, until comeUp is over.
func (t *Truth) silence() {
	for i := range t.told {
		x := &t.told[i]
		if x.Store < 0 || x.Change != "open" {
			continue
		}
		t.punctual(x)
		if x.Channel != People || x.Suppressed {
			continue
		}
		for k := range t.stores[x.Store].said {
			w := &t.stores[x.Store].said[k]
			until := w.until
			if x.Since+longBefore < until && x.Kind != "flapping" {
				until = t.releases(w)
			}
			if w.word == Acked || x.At < w.from+known || x.At > until-time.Second || t.unsaid(w.from, x.At) {
				continue
			}
			t.Judges(Falsity)
			t.Fail(Falsity, x.At, fmt.Sprintf("people were told of %s (%s) although an operator had said not to from %.3f to %.3f", subject(x.Store, x.Host), x.Kind, w.from.Seconds(), until.Seconds()))
		}
	}
}

// longBefore is how long before an opening what is lost is surely known by then:
// the bound of a store, and blind.
const longBefore = storeBound + 60*time.Second

// punctual: that something did not come up is told comeUp after an opening, or a
// maintenance, and not before (P10).
func (t *Truth) punctual(x *Told) {
	if x.Kind != "did-not-come-up" || t.skewed {
		return
	}
	t.Judges(Falsity)
	if !slices.ContainsFunc(t.stores[x.Store].said, func(w said) bool {
		return (w.word == Closed || w.word == Maintained) && x.At >= w.until+t.comeUp-time.Second
	}) {
		t.Fail(Falsity, x.At, fmt.Sprintf("%s was told not to have come up, and had time", subject(x.Store, x.Host)))
	}
}

// unsaid says whether something could keep a word from being known, or a node
// from taking back what it had begun to say.
func (t *Truth) unsaid(from, until time.Duration) bool {
	if t.skewed {
		return true
	}
	for i := range t.strikes {
		s := &t.strikes[i]
		switch s.Class {
		case Table, Node, Channel:
			if s.At <= until && s.At+s.For+30*time.Second >= from {
				return true
			}
		default:
		}
	}
	return false
}
