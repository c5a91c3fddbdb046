package truth

import (
	"fmt"
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

// comeUp is how long after an opening a store may be missing.
const comeUp = 10 * time.Minute

// Says tells of a word of an operator about a store.
func (t *Truth) Says(at, until time.Duration, store int, w Saying, region int) {
	st := &t.stores[store]
	st.said = append(st.said, said{w, at, until, region})
}

// hushed says whether an operator's word may hold back what a channel is told
// of a store within a time. After a silence what is still down is told; a
// maintenance and an opening are followed by comeUp.
func (t *Truth) hushed(s, ch int, from, until time.Duration) bool {
	for _, w := range t.stores[s].said {
		end := w.until + 40*time.Second
		switch w.word {
		case Silenced:
			if ch == Programs {
				continue
			}
		case Acked:
			if ch == Programs {
				continue
			}
			end = never
		case Maintained:
			end = w.until + comeUp + 2*time.Minute
		case Closed:
			end = w.until + time.Minute + 40*time.Second
		}
		if w.from <= until && end >= from {
			return true
		}
	}
	return false
}

// due is from when on a channel is to be told of an outage that began at from:
// once a silence is over, it is; never: an operator's word may hold it for long.
func (t *Truth) due(s, ch int, from time.Duration) time.Duration {
	at := from
	for _, w := range t.stores[s].said {
		switch {
		case ch == Programs && (w.word == Silenced || w.word == Acked):
		case w.word == Silenced && w.from <= from+2*time.Minute && w.until+time.Minute >= from:
			at = max(at, w.until+41*time.Second)
		case w.word == Acked, w.word == Maintained:
			return never
		case w.word == Closed && w.from <= from+2*time.Minute:
			at = max(at, w.until+2*time.Minute+time.Minute+41*time.Second)
		}
	}
	return at
}

// known is how long a word takes to be known in both regions: its replication,
// and a refresh.
const known = 8 * time.Second

// silence: while a word holds a store's notices back, people are told of no
// fault of it.
func (t *Truth) silence() {
	for i := range t.told {
		x := &t.told[i]
		if x.Channel != People || x.Store < 0 || x.Change != "open" || x.Suppressed {
			continue
		}
		for _, w := range t.stores[x.Store].said {
			if w.word == Acked || x.At < w.from+known || x.At > w.until-time.Second || t.unsaid(w.from, x.At) {
				continue
			}
			t.Judges(Falsity)
			t.Fail(Falsity, x.At, fmt.Sprintf("people were told of %s (%s) although an operator had said not to from %.3f to %.3f", subject(x.Store, x.Host), x.Kind, w.from.Seconds(), w.until.Seconds()))
		}
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
