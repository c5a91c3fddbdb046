package torture

import "time"

// slot is what happens at an instant: do, in the life of a process or relay
// that it belongs to, if it belongs to one.
type slot struct {
	do      func()
	process *process
	relay   *relay
	life    int
}

// key is the place of an event in the queue.
type key struct {
	at   time.Duration
	seq  uint32
	slot uint32
}

// queue is the events to come: a heap in the order of (at, seq), whose children
// are four, to keep it flat. What happens stands apart, so that little moves.
type queue struct {
	heap  []key
	slots []slot
	free  []uint32
	seq   uint32
}

const children = 4

func (q *queue) reset() {
	clear(q.slots)
	q.heap, q.slots, q.free, q.seq = q.heap[:0], q.slots[:0], q.free[:0], 0
}

func before(a, b *key) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

// add puts an event in its place.
func (q *queue) add(at time.Duration, s slot) {
	var i uint32
	if n := len(q.free); n > 0 {
		i = q.free[n-1]
		q.free = q.free[:n-1]
		q.slots[i] = s
	} else {
		i = uint32(len(q.slots)) //nolint:gosec // far below
		q.slots = append(q.slots, s)
	}
	q.seq++
	e := key{at, q.seq, i}
	q.heap = append(q.heap, e)
	h := q.heap
	k := len(h) - 1
	for k > 0 {
		up := (k - 1) / children
		if !before(&e, &h[up]) {
			break
		}
		h[k] = h[up]
		k = up
	}
	h[k] = e
}

// next is when the first event is; ok is false where there is none.
func (q *queue) next() (at time.Duration, ok bool) {
	if len(q.heap) == 0 {
		return 0, false
	}
	return q.heap[0].at, true
}

// take removes the first event; the queue must not be empty.
func (q *queue) take() (time.Duration, slot) {
	first := q.heap[0]
	s := q.slots[first.slot]
	q.slots[first.slot] = slot{}
	q.free = append(q.free, first.slot)
	n := len(q.heap) - 1
	e := q.heap[n]
	h := q.heap[:n]
	q.heap = h
	if n == 0 {
		return first.at, s
	}
	i := 0
	for {
		k := children*i + 1
		if k >= n {
			break
		}
		for c := k + 1; c < min(k+children, n); c++ {
			if before(&h[c], &h[k]) {
				k = c
			}
		}
		if !before(&h[k], &e) {
			break
		}
		h[i] = h[k]
		i = k
	}
	h[i] = e
	return first.at, s
}

// fire does what is due, unless whoever it belongs to has another life; who
// stands still does it later.
func (s *slot) fire() {
	switch {
	case s.process != nil && s.process.life != s.life, s.relay != nil && s.relay.life != s.life:
	case s.process != nil:
		s.process.run(s.do)
	case s.relay != nil:
		s.relay.run(s.do)
	default:
		s.do()
	}
}
