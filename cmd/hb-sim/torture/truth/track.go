package truth

import (
	"cmp"
	"slices"
	"time"
)

// span is a time in which something held; until is never while it lasts.
type span struct{ from, until time.Duration }

const never = time.Duration(1<<63 - 1)

// track is when something held: spans in order, no two touching.
type track struct{ spans []span }

func (t *track) reset() { t.spans = t.spans[:0] }

func (t *track) on() bool { return len(t.spans) > 0 && t.spans[len(t.spans)-1].until == never }

// set says that it holds, or does not, from an instant on.
func (t *track) set(at time.Duration, on bool) {
	switch {
	case on == t.on():
	case on:
		t.spans = append(t.spans, span{at, never})
	default:
		t.spans[len(t.spans)-1].until = at
	}
}

// after is an instant d after at.
func after(at, d time.Duration) time.Duration {
	if at > never-d {
		return never
	}
	return at + d
}

// held says whether it held at some instant of [from, until], where each time
// lasts tail longer.
func (t *track) held(from, until, tail time.Duration) bool {
	for _, s := range t.spans {
		if s.from <= until && after(s.until, tail) >= from {
			return true
		}
	}
	return false
}

// again is held, but for the time before something began.
func (t *track) again(from, until, tail time.Duration) bool {
	for _, s := range t.spans {
		if s.from > 0 && s.from <= until && after(s.until, tail) >= from {
			return true
		}
	}
	return false
}

// both are the spans in which the one and the other held.
func both(a, b *track) (all []span) {
	for _, x := range a.spans {
		for _, y := range b.spans {
			if s := (span{max(x.from, y.from), min(x.until, y.until)}); s.from < s.until {
				all = append(all, s)
			}
		}
	}
	return all
}

// either are the spans in which one or the other held.
func either(a, b *track) (all []span) {
	if len(b.spans) == 0 {
		return a.spans
	}
	sum := slices.Concat(a.spans, b.spans)
	slices.SortFunc(sum, func(x, y span) int { return cmp.Compare(x.from, y.from) })
	for _, x := range sum {
		if n := len(all); n > 0 && x.from <= all[n-1].until {
			all[n-1].until = max(all[n-1].until, x.until)
		} else {
			all = append(all, x)
		}
	}
	return all
}
