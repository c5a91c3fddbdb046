package truth

import (
	"cmp"
	"fmt"
	"slices"
)

// Entry is one transition of a relay's journal, or a range of them that it shed.
type Entry struct {
	Store       int
	Incarnation string
	Number      uint64
	Until       uint64 // the last of a range; 0: it is one transition
	What        string // whose, and which state
}

func (e *Entry) last() uint64 { return max(e.Number, e.Until) }

func compareEntries(a, b Entry) int {
	return cmp.Or(cmp.Compare(a.Store, b.Store), cmp.Compare(a.Incarnation, b.Incarnation), cmp.Compare(a.Number, b.Number), cmp.Compare(a.Until, b.Until))
}

func (e *Entry) String() string {
	if e.Until != 0 {
		return fmt.Sprintf("the range %d to %d of the journal of %s", e.Number, e.Until, subject(e.Store, -1))
	}
	return fmt.Sprintf("entry %d of the journal of %s (%s)", e.Number, subject(e.Store, -1), e.What)
}

// journals is what became of the entries that relays wrote.
type journals struct {
	left, freed, recorded []Entry
	// audited says that the history was read at the end.
	audited bool
}

func (j *journals) reset() {
	j.left, j.freed, j.recorded, j.audited = j.left[:0], j.freed[:0], j.recorded[:0], false
}

// Left says that a relay sent an entry to a region.
func (t *Truth) Left(e Entry) { t.journal.left = append(t.journal.left, e) }

// Freed says that a relay dropped an entry, since a region took it.
func (t *Truth) Freed(e Entry) { t.journal.freed = append(t.journal.freed, e) }

// Recorded is an entry of the history at the end, as both regions' items say
// together; Audited says that these are all.
func (t *Truth) Recorded(e Entry) { t.journal.recorded = append(t.journal.recorded, e) }

// Audited says that all of the history was handed over.
func (t *Truth) Audited() { t.journal.audited = true }

// Backlog is how many entries wait in the journal of a store's relay at the end.
func (t *Truth) Backlog(s int, depth uint64) {
	if !t.calm(s) || t.stores[s].down.on() {
		return
	}
	t.Judges(Bounds)
	if depth > 0 {
		t.Fail(Bounds, t.End, fmt.Sprintf("%d entries still wait in the journal of %s, though all is healed", depth, subject(s, -1)))
	}
}

// Bounded says that a queue is longer than it may be.
func (t *Truth) Bounded(what string, n, most int) {
	t.Fail(Bounds, t.now, fmt.Sprintf("%d %s, at most %d may be", n, what, most))
}

// history: what a relay freed is in the history, once, or inside a range that it
// shed; and nothing is in the history that no relay sent.
func (t *Truth) history() {
	j := &t.journal
	if !j.audited {
		return
	}
	for _, list := range [...][]Entry{j.left, j.freed, j.recorded} {
		slices.SortStableFunc(list, compareEntries)
	}
	for i := range j.left {
		if e := &j.left[i]; i > 0 && e.Until == 0 && compareEntries(j.left[i-1], *e) == 0 && j.left[i-1].What != e.What && !t.stores[e.Store].cloned {
			t.Fail(Bounds, t.End, fmt.Sprintf("%s was %s before: a number is used twice", e, j.left[i-1].What))
		}
	}
	for i := range j.recorded {
		e := &j.recorded[i]
		if t.stores[e.Store].cloned {
			continue
		}
		t.Judges(Bounds)
		if i > 0 && j.recorded[i-1].Incarnation == e.Incarnation && j.recorded[i-1].Number == e.Number {
			t.Fail(Bounds, t.End, fmt.Sprintf("%s is in the history twice", e))
		}
		if at, ok := slices.BinarySearchFunc(j.left, *e, compareEntries); !ok || e.Until == 0 && j.left[at].What != e.What {
			t.Fail(Bounds, t.End, fmt.Sprintf("%s is in the history, and no relay sent it", e))
		}
	}
	for i := range j.freed {
		if e := &j.freed[i]; !t.stores[e.Store].cloned && !j.holds(e) {
			t.Fail(Bounds, t.End, fmt.Sprintf("%s was acked, and is not in the history", e))
		}
	}
}

// holds says whether an entry is in the history, or inside a range of it.
func (j *journals) holds(e *Entry) bool {
	first, _ := slices.BinarySearchFunc(j.recorded, Entry{Store: e.Store, Incarnation: e.Incarnation}, compareEntries)
	for i := first; i < len(j.recorded); i++ {
		r := &j.recorded[i]
		if r.Store != e.Store || r.Incarnation != e.Incarnation || r.Number > e.Number {
			return false
		}
		if r.Number == e.Number && r.Until == e.Until || r.Until != 0 && r.last() >= e.last() {
			return true
		}
	}
	return false
}
