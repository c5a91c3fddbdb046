package truth_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
)

func TestConflicts(t *testing.T) {
	judge(t, []judgement{
		{"two relays live as one, and nobody is told", func(h *truth.Truth) { h.Two(100*s, 0, true) }, truth.Convergence},
		{"two relays live as one, and the digest that is to tell it does not", func(h *truth.Truth) {
			hostsTold(h, 200*s, 210*s, 220*s, 281*s)
			h.Two(280*s, 0, true)
		}, truth.Convergence},
		{"two relays live as one, and the digest that is to tell it comes after the end", func(h *truth.Truth) {
			hostsTold(h, 200*s, 210*s, 230*s, 301*s)
			h.Two(300*s, 0, true)
		}, 0},
		{"two relays live as one for a moment", func(h *truth.Truth) {
			h.Two(100*s, 0, true)
			h.Two(130*s, 0, false)
		}, 0},
		{"two relays take the session from each other for ever", func(h *truth.Truth) {
			h.Two(100*s, 0, true)
			told(h, 110*s, "open", "conflict", 1, nil)
			for at := 100 * s; at < end; at += 2 * s {
				h.Now(at)
				h.Connects(0)
			}
		}, truth.Convergence},
	})
}

// hostsTold lets the hosts of both stores die, of which people hear one by one.
func hostsTold(t *truth.Truth, at ...time.Duration) {
	for i, x := range at {
		store, host := i/2, i%2
		t.HostIs(x-20*s, store, host, false, true, 10*s)
		told(t, x, "open", "host-missing", 1, func(y *truth.Told) {
			y.Store, y.Host, y.Incident, y.Notice = store, host, string(rune('A'+i)), string(rune('a'+i))
		})
	}
}
