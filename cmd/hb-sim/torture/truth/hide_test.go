package truth_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
)

// regionDies lets region 1 be away, and that is told.
func regionDies(h *truth.Truth, from, until time.Duration) {
	h.Strikes(truth.Strike{At: from, For: until - from, Class: truth.Node, Region: 1})
	h.RegionIs(from, 1, false)
	h.RegionIs(until, 1, true)
	told(h, from+65*s, "open", "region-down", 1, func(x *truth.Told) { x.Store, x.About, x.Incident = -1, 1, "R" })
	told(h, until+2*s, "recovered", "region-down", 2, func(x *truth.Told) { x.Store, x.About, x.Incident = -1, 1, "R" })
}

// A region notice covers what that region's death hides, and nothing else.
func TestWhatARegionHides(t *testing.T) {
	judge(t, []judgement{
		{"a store that both regions saw is not told while one is dead", func(h *truth.Truth) {
			regionDies(h, 100*s, 400*s)
			down(h, 110*s, 380*s)
		}, truth.Loss},
		{"a store that the dead region alone saw is not told", func(h *truth.Truth) {
			h.PathIs(90*s, 0, 0, false)
			h.PathIs(390*s, 0, 0, true)
			regionDies(h, 100*s, 400*s)
			down(h, 110*s, 380*s)
		}, 0},
		{"a host that beat to the living region is not told", func(h *truth.Truth) {
			regionDies(h, 100*s, 400*s)
			h.BeatTo(0, 0, 0)
			h.HostIs(110*s, 0, 0, false, true, 10*s)
		}, truth.Loss},
		{"a store that the dead region alone had seen for long is told to be down", func(h *truth.Truth) {
			h.PathIs(100*s, 0, 0, false)
			h.PathIs(500*s, 0, 0, true)
			regionDies(h, 300*s, 420*s)
			told(h, 370*s, "open", "store-down", 1, func(x *truth.Told) { x.OneSided, x.Since = true, 299*s })
			told(h, 425*s, "recovered", "store-down", 2, nil)
		}, truth.Isolation},
		{"a store that both saw until shortly before is told to be down", func(h *truth.Truth) {
			h.PathIs(280*s, 0, 0, false)
			h.PathIs(500*s, 0, 0, true)
			regionDies(h, 300*s, 420*s)
			told(h, 370*s, "open", "store-down", 1, func(x *truth.Told) { x.OneSided, x.Since = true, 299*s })
			told(h, 425*s, "recovered", "store-down", 2, nil)
		}, 0},
	})
}

// lanDies is a store of four hosts whose cables go out together, with its relay's
// word about each.
func lanDies(h *truth.Truth) {
	h.AddStore(true, 4)
	h.RelayIs(3*s, 2, true)
	for i := range 4 {
		h.HostIs(5*s, 2, i, true, false, 10*s)
		h.Cable(100*s, 2, i, true)
		h.Vanished(112*s+time.Duration(i)*100*time.Millisecond, 2, i)
		h.Cable(300*s, 2, i, false)
	}

}

// A LAN that dies is told as one fault (L3).
func TestADeadLan(t *testing.T) {
	of := func(host int, id string) func(*truth.Told) {
		return func(x *truth.Told) { x.Store, x.Host, x.Incident = 2, host, id }
	}
	judge(t, []judgement{
		{"it is told, and its end", func(h *truth.Truth) {
			lanDies(h)
			told(h, 125*s, "open", "store-lan", 1, of(-1, "L"))
			told(h, 310*s, "recovered", "store-lan", 2, of(-1, "L"))
		}, 0},
		{"its hosts are told instead", func(h *truth.Truth) {
			lanDies(h)
			for i := range 4 {
				id := string(rune('A' + i))
				told(h, 125*s, "open", "host-missing", 1, of(i, id))
				told(h, 310*s, "recovered", "host-missing", 2, of(i, id))
			}
		}, truth.Falsity},
		{"a host is told as well", func(h *truth.Truth) {
			lanDies(h)
			told(h, 125*s, "open", "store-lan", 1, of(-1, "L"))
			told(h, 130*s, "open", "host-missing", 1, of(1, "H"))
			told(h, 310*s, "recovered", "host-missing", 2, of(1, "H"))
			told(h, 310*s, "recovered", "store-lan", 2, of(-1, "L"))
		}, truth.Falsity},
		{"nobody is told", func(h *truth.Truth) { lanDies(h) }, truth.Loss},
	})
}
