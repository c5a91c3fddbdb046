package truth_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
)

// A store is out while its relay cannot speak: with a full disk only one that
// begins anew, and has no epoch yet. What was sent within a short cut is heard
// after it.
func TestWhenAStoreIsSilent(t *testing.T) {
	stands := func(h *truth.Truth, from, until time.Duration) {
		h.RelayStands(from*s, 0, true)
		h.RelayIs(from*s, 0, false)
		h.RelayStands(until*s, 0, false)
		h.RelayIs(until*s, 0, true)
	}
	tells := func(h *truth.Truth) {
		told(h, 245*s, "open", "store-down", 1, func(x *truth.Told) { x.Since = 203 * s })
		told(h, 270*s, "recovered", "store-down", 2, nil)
	}
	cut := func(h *truth.Truth, from, until time.Duration) {
		for g := range 2 {
			h.CutIs(from*s, 0, g, true)
			h.CutIs(until*s, 0, g, false)
		}
	}
	judge(t, []judgement{
		{"its relay begins, and its disk is full", func(h *truth.Truth) {
			h.RelayIs(200*s, 0, false)
			h.RelayStarts(210*s, 0)
			h.RelayIs(210*s, 0, true)
			h.Full(211*s, 0, true)
		}, truth.Loss},
		{"its relay stood still, and its disk is full", func(h *truth.Truth) {
			stands(h, 200, 210)
			h.Full(211*s, 0, true)
		}, 0},
		{"its relay stood still for a moment, and it is told as down for its full disk", func(h *truth.Truth) {
			stands(h, 200, 201)
			h.Full(202*s, 0, true)
			tells(h)
		}, truth.Falsity},
		{"its relay begins anew at once, and it is told as down for its full disk", func(h *truth.Truth) {
			h.RelayIs(200*s, 0, false)
			h.RelayStarts(201*s, 0)
			h.RelayIs(201*s, 0, true)
			h.Full(202*s, 0, true)
			tells(h)
		}, 0},
		{"a short cut, and its relay stands still in it, until it is back", func(h *truth.Truth) {
			cut(h, 200, 220)
			stands(h, 219, 270)
		}, 0},
		{"the same, for longer", func(h *truth.Truth) {
			cut(h, 200, 220)
			stands(h, 219, 290)
		}, truth.Loss},
		{"a long cut, which a relay gives its connection up for", func(h *truth.Truth) {
			cut(h, 200, 230)
			stands(h, 229, 270)
		}, truth.Loss},
		{"a short cut, and its relay loses power in it", func(h *truth.Truth) {
			cut(h, 200, 220)
			down(h, 219*s, 270*s)
		}, truth.Loss},
	})
}
