package truth_test

import (
	"testing"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
)

// entry is one of the first store's journal.
func entry(number, until uint64, what string) truth.Entry {
	return truth.Entry{Incarnation: "i", Number: number, Until: until, What: what}
}

// journal says that a relay sent entries, that they were acked, and recorded.
func journal(t *truth.Truth, entries ...truth.Entry) {
	for _, e := range entries {
		t.Left(e)
		t.Freed(e)
		t.Recorded(e)
	}
	t.Audited()
}

func TestJournals(t *testing.T) {
	judge(t, []judgement{
		{"a journal is in the history", func(h *truth.Truth) { journal(h, entry(1, 0, "up"), entry(2, 5, "")) }, 0},
		{"an entry waits in a journal for ever", func(h *truth.Truth) { h.Backlog(0, 1) }, truth.Bounds},
		{"an acked entry is in no history", func(h *truth.Truth) {
			h.Freed(entry(1, 0, "up"))
			h.Audited()
		}, truth.Bounds},
		{"an acked entry is inside a range that was shed", func(h *truth.Truth) {
			h.Freed(entry(3, 0, "up"))
			journal(h, entry(2, 5, ""))
		}, 0},
		{"an entry is in the history twice", func(h *truth.Truth) { journal(h, entry(1, 0, "up"), entry(1, 0, "up")) }, truth.Bounds},
		{"an entry of the history was never sent", func(h *truth.Truth) {
			h.Left(entry(1, 0, "up"))
			h.Recorded(entry(1, 0, "missing"))
			h.Audited()
		}, truth.Bounds},
		{"a number is used twice", func(h *truth.Truth) {
			h.Left(entry(1, 0, "up"))
			h.Left(entry(1, 0, "missing"))
			h.Audited()
		}, truth.Bounds},
	})
}
