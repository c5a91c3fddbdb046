package truth_test

import (
	"testing"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
)

// What two computers say as one host may flap, and no other host does.
func TestWhatTwoComputersMayFlap(t *testing.T) {
	judge(t, []judgement{
		{"a host that two computers beat as for a while may flap", func(h *truth.Truth) {
			h.TwoHosts(90*s, 0, 1, true)
			h.TwoHosts(130*s, 0, 1, false)
			told(h, 200*s, "open", "flapping", 1, func(x *truth.Told) { x.Host = 1 })
		}, 0},
		{"a host is told to flap whose neighbour had a double", func(h *truth.Truth) {
			h.TwoHosts(90*s, 0, 1, true)
			h.TwoHosts(130*s, 0, 1, false)
			told(h, 200*s, "open", "flapping", 1, func(x *truth.Told) { x.Host = 0 })
		}, truth.Falsity},
	})
}
