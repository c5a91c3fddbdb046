package presence

import (
	"container/heap"
	"math"
	"time"
)

// never is a deadline that does not come.
const never = time.Duration(math.MaxInt64)

// dueHeap orders stores by the instant at which something may be due. A beat
// or report does not move its store: the deadline is looked at when it was
// due, and moved on then.
type dueHeap []*store

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].dueAt < h[j].dueAt }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].dueIdx, h[j].dueIdx = i, j
}

// Push and Pop are heap.Interface's.
func (h *dueHeap) Push(x any) {
	s := x.(*store)
	s.dueIdx = len(*h)
	*h = append(*h, s)
}

// Pop removes the last store.
func (h *dueHeap) Pop() any {
	old := *h
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	s.dueIdx = -1
	return s
}

// fix puts a store where its dueAt belongs.
func (h *dueHeap) fix(s *store) {
	switch {
	case s.dueIdx < 0 && s.dueAt != never:
		heap.Push(h, s)
	case s.dueIdx >= 0 && s.dueAt == never:
		heap.Remove(h, s.dueIdx)
	case s.dueIdx >= 0:
		heap.Fix(h, s.dueIdx)
	}
}
