package setting

import (
	"slices"
	"time"
)

// horizon is how far Opens and Opened look.
const horizon = 31 * daySeconds

// open says whether a store is open at an instant, and when that changes next.
func (h *Hours) open(at int64) (open bool, edge int64, ok bool) {
	w := wallAt(h.zone, at)
	if end, open := h.covering(&w, at); open {
		edge, ok = h.closes(&w, end)
		return true, edge, ok
	}
	edge, ok = h.starts(&w, at)
	return false, edge, ok
}

// covering is the end of the span that an instant is in.
func (h *Hours) covering(w *wall, at int64) (end int64, open bool) {
	day := w.day(at)
	for d := day - 1; d <= day; d++ {
		for _, s := range h.on(d) {
			if from, to := w.instant(d, s.From), w.instant(d, s.To); from <= at && at < to {
				end, open = max(end, to), true
			}
		}
	}
	return end, open
}

// closes goes on from the end of a span while another begins there or before.
func (h *Hours) closes(w *wall, end int64) (edge int64, ok bool) {
	for {
		if h.always {
			// Whole days without an exception are open to their end.
			day := w.day(end)
			i := h.exception(day - 1)
			if i == len(h.dates) {
				return 0, false
			}
			if first := h.dates[i].From; first > day+1 {
				end = w.instant(first-1, 0)
			}
		}
		next, open := h.covering(w, end)
		if !open {
			return end, true
		}
		end = next
	}
}

// starts is the first beginning of a span after an instant at which the store
// is closed.
func (h *Hours) starts(w *wall, at int64) (edge int64, ok bool) {
	for d := w.day(at); ; d++ {
		if i := h.exception(d); i == len(h.dates) {
			if h.never {
				return 0, false
			}
		} else if x := &h.dates[i]; h.never && d < x.From {
			d = x.From
		} else if x.From <= d && len(x.Spans) == 0 {
			d = x.To // closed to its end
		}
		for _, s := range h.on(d) {
			if from, to := w.instant(d, s.From), w.instant(d, s.To); from > at && from < to {
				return from, true
			}
		}
	}
}

// opens is the next instant after at when a closed store opens.
func (h *Hours) opens(at int64) (int64, bool) {
	open, edge, ok := h.open(at)
	if open && ok {
		w := wallAt(h.zone, edge)
		edge, ok = h.starts(&w, edge)
	} else if open {
		return 0, false
	}
	return edge, ok && edge-at <= horizon
}

// opened is the last instant at or before at when a closed store opened.
func (h *Hours) opened(at int64) (int64, bool) {
	w := wallAt(h.zone, at)
	first := w.day(at)
	var from int64
	found := false
	for d := first; d >= first-horizon/daySeconds; d-- {
		for _, s := range slices.Backward(h.on(d)) {
			begin, end := w.instant(d, s.From), w.instant(d, s.To)
			switch {
			case begin > at || begin >= end:
			case !found:
				from, found = begin, true
			case end >= from:
				from = min(from, begin)
			}
		}
		// A span of two days before cannot reach the one that was found.
		if found && d < w.day(from)-1 {
			return from, true
		}
	}
	return 0, false
}

func instant(at int64, ok bool) time.Time {
	if !ok {
		return time.Time{}
	}
	return time.Unix(at, 0).UTC()
}
