package torture

import "time"

// event is something that happens at an instant of the virtual clock.
type event struct {
	at  time.Duration
	seq uint64
	do  func()
}

// queue is the events to come, a heap in the order of (at, seq).
type queue struct {
	events []event
	seq    uint64
}

func (q *queue) reset() {
	clear(q.events)
	q.events, q.seq = q.events[:0], 0
}

func before(a, b *event) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

// add puts an event in its place.
func (q *queue) add(at time.Duration, do func()) {
	q.seq++
	q.events = append(q.events, event{at, q.seq, do})
	h := q.events
	i := len(h) - 1
	e := h[i]
	for i > 0 {
		up := (i - 1) / 2
		if !before(&e, &h[up]) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = e
}

// take removes the first event; the queue must not be empty.
func (q *queue) take() event {
	h := q.events
	first := h[0]
	n := len(h) - 1
	e := h[n]
	h[n] = event{}
	q.events = h[:n]
	if n == 0 {
		return first
	}
	i := 0
	for {
		k := 2*i + 1
		if k >= n {
			break
		}
		if k+1 < n && before(&h[k+1], &h[k]) {
			k++
		}
		if !before(&h[k], &e) {
			break
		}
		h[i] = h[k]
		i = k
	}
	h[i] = e
	return first
}
