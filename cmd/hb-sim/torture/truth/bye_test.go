package truth_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
)

// A goodbye promises a return at the next opening and comeUp, for who may still
// change.
func TestAGoodbyeIsAPromise(t *testing.T) {
	// says: the host of a store that opens at an instant says goodbye at 100 s, and
	// is told to be missing.
	says := func(h *truth.Truth, opens, at time.Duration) {
		h.Clock(time.Unix(0, 0), 60*s)
		h.Says(opens-30*s, opens, 0, truth.Closed, 0)
		h.HostIs(100*s, 0, 0, false, false, 10*s)
		h.Bye(100*s, 0, 0)
		h.Heard(100*s, 0, 0)
		host := func(x *truth.Told) { x.Host, x.Since = 0, 100*s }
		told(h, at, "open", "host-missing", 1, host)
		h.HostIs(260*s, 0, 0, true, false, 10*s)
		told(h, 262*s, "recovered", "host-missing", 2, host)
	}
	judge(t, []judgement{
		{"told when it is over", func(h *truth.Truth) { says(h, 120*s, 182*s) }, 0},
		{"told before it is over", func(h *truth.Truth) { says(h, 120*s, 178*s) }, truth.Falsity},
		{"not told when it is over", func(h *truth.Truth) {
			h.Clock(time.Unix(0, 0), 60*s)
			h.Says(90*s, 120*s, 0, truth.Closed, 0)
			h.HostIs(100*s, 0, 0, false, false, 10*s)
			h.Bye(100*s, 0, 0)
			h.Heard(100*s, 0, 0)
			h.HostIs(260*s, 0, 0, true, false, 10*s)
		}, truth.Loss},
		{"the store opened before it", func(h *truth.Truth) { says(h, 99*s, 162*s) }, truth.Falsity},
		{"the host changed too often to be heeded", func(h *truth.Truth) {
			flaps(h, 3)
			says(h, 120*s, 178*s)
		}, 0},
		{"the host changed before it, and not too often", func(h *truth.Truth) {
			flaps(h, 2)
			says(h, 120*s, 178*s)
		}, truth.Falsity},
	})
}

// flaps lets the first host go and come before 100 s.
func flaps(h *truth.Truth, times int) {
	for i := range times {
		at := 20*s + time.Duration(i)*20*s
		h.HostIs(at, 0, 0, false, false, 10*s)
		h.HostIs(at+8*s, 0, 0, true, false, 10*s)
	}
}
