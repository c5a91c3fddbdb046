package truth_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
)

// Regions that can talk open one fault by one id.
func TestOneFaultHasOneName(t *testing.T) {
	type naming struct {
		at     time.Duration
		region int
		host   int
		class  string
		id     string
	}
	for _, c := range []struct {
		name  string
		named []naming
		play  func(*truth.Truth)
		want  truth.Property
	}{
		{name: "one id", named: []naming{{300 * s, 0, -1, "store-down", "A"}, {301 * s, 1, -1, "store-down", "A"}}},
		{name: "two ids of a store's fault", named: []naming{{300 * s, 0, -1, "store-down", "A"}, {301 * s, 1, -1, "store-down", "B"}}, want: truth.Identity},
		{name: "two ids of a host's fault", named: []naming{{300 * s, 0, 1, "host-missing", "A"}, {301 * s, 1, 1, "host-missing", "B"}}, want: truth.Identity},
		{name: "faults of two hosts", named: []naming{{300 * s, 0, 0, "host-missing", "A"}, {301 * s, 1, 1, "host-missing", "B"}}},
		{name: "two faults of one host, one after the other", named: []naming{
			{300 * s, 0, 0, "host-missing", "A"}, {300 * s, 1, 0, "host-missing", "A"}, {310 * s, 1, 0, "host-missing", "B"}, {311 * s, 0, 0, "host-missing", "B"},
		}},
		{name: "one that the other region found much later", named: []naming{{300 * s, 0, -1, "store-down", "A"}, {350 * s, 1, -1, "store-down", "B"}}},
		{name: "a host that went away once", named: []naming{{300 * s, 0, 1, "host-missing", "A"}, {301 * s, 1, 1, "host-missing", "B"}},
			play: func(t *truth.Truth) { t.HostIs(280*s, 0, 1, false, false, 10*s) }, want: truth.Identity},
		{name: "a host that went away twice", named: []naming{{300 * s, 0, 1, "host-missing", "A"}, {301 * s, 1, 1, "host-missing", "B"}},
			play: func(t *truth.Truth) {
				t.HostIs(250*s, 0, 1, false, false, 10*s)
				t.HostIs(270*s, 0, 1, true, false, 10*s)
				t.HostIs(280*s, 0, 1, false, false, 10*s)
				t.HostIs(285*s, 0, 1, true, false, 10*s)
			}},
		{name: "the regions could not talk", named: []naming{{300 * s, 0, -1, "store-down", "A"}, {301 * s, 1, -1, "store-down", "B"}},
			play: func(t *truth.Truth) { t.BridgeIs(250*s, false); t.BridgeIs(270*s, true) }},
		{name: "a table failed", named: []naming{{300 * s, 0, -1, "store-down", "A"}, {301 * s, 1, -1, "store-down", "B"}},
			play: func(t *truth.Truth) { t.Strikes(truth.Strike{At: 290 * s, For: 20 * s, Class: truth.Table}) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := history()
			if c.play != nil {
				c.play(h)
			}
			for _, n := range c.named {
				h.Now(n.at)
				h.Named(truth.Naming{Region: n.region, Store: 0, Host: n.host, Class: n.class, ID: n.id})
			}
			v, ok := h.Judge()
			if ok != (c.want == 0) || v.Property != c.want {
				t.Errorf("it says %v %s", v.Property, v.What)
			}
		})
	}
}
