package truth

import (
	"slices"
	"time"
)

// conflictBound is when two relays that live with one identity are told: each
// takes the session from the other until a boot is accepted again, then gather.
const conflictBound = 75 * time.Second

// conflicts: two relays that live with one identity are told (P14).
func (t *Truth) conflicts() {
	for i := range t.strikes {
		s := &t.strikes[i]
		by := s.At + conflictBound
		if !s.Twin || s.For < conflictBound || t.disturbed() || t.stores[s.Store].down.again(s.At-time.Minute, by, 0) ||
			t.stores[s.Store].path[0].held(0, by, 0) || t.stores[s.Store].path[1].held(0, by, 0) {
			continue
		}
		t.Judges(Convergence)
		if !slices.ContainsFunc(t.told, func(x Told) bool {
			return x.Store == s.Store && x.Kind == "conflict" && x.Change == "open" && x.At <= by+t.digest(by, x.Channel)
		}) {
			t.Fail(Convergence, by, "two relays lived as "+subject(s.Store, -1)+", and nobody was told")
		}
	}
}
