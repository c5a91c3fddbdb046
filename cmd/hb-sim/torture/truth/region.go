package truth

import (
	"fmt"
	"time"
)

const (
	// deadBound is when people are told that a region died: the link must have
	// been cut for blind (60 s) where there are few witnesses, each of which was
	// fresh for 30 s, then gather, and room.
	deadBound = 60*time.Second + 30*time.Second + 5*time.Second + 20*time.Second
	// lonelyBound is when a region that sees no store any more says so: silence
	// (45 s), grace, letters (30 s), and either 30 s in which the other region
	// sees the stores or blind (60 s), gather, and room.
	lonelyBound = 45*time.Second + 10*time.Second + 60*time.Second + 5*time.Second + 20*time.Second
)

// regionLoss: a region that is dead, or that sees none of its stores, is told of
// on each channel.
func (t *Truth) regionLoss() {
	for g := range t.region {
		for _, d := range t.region[g].spans {
			by := d.from + deadBound
			if d.from > 0 && min(d.until, t.End) >= by && t.undisturbedBut(Node, g, by) && t.sees(1-g, by) > 0 {
				t.mustTellRegion(g, d.from, by, "dead", "region-down")
			}
		}
	}
	for i := range t.strikes {
		s := &t.strikes[i]
		by := s.At + lonelyBound
		if s.Alone && s.At+s.For >= by && t.undisturbedBut(Bridge, s.Region, by) && t.sees(1-s.Region, by) > 1 {
			t.mustTellRegion(s.Region, s.At, by, "alone", "region-path", "region-blind")
		}
	}
}

// undisturbedBut says whether until an instant nothing struck but one class, of
// one region; what is carried between the tables does not count.
func (t *Truth) undisturbedBut(c Class, g int, until time.Duration) bool {
	for i := range t.strikes {
		if s := &t.strikes[i]; s.At <= until && s.Class != Harmless && !s.Carries && (s.Class != c || s.Region != g || c == Bridge && !s.Alone) {
			return false
		}
	}
	return !t.skewed
}

// sees counts the stores whose relays a region saw from the first until an
// instant.
func (t *Truth) sees(g int, until time.Duration) (n int) {
	for s := range t.stores {
		if st := &t.stores[s]; st.relayed && !st.down.again(0, until, 0) && !st.path[g].held(0, until, 0) {
			n++
		}
	}
	return n
}

func (t *Truth) mustTellRegion(g int, from, by time.Duration, what string, kinds ...string) {
	for ch := range t.channels() {
		t.Judges(Loss)
		told := false
		for i := range t.told {
			x := &t.told[i]
			for _, kind := range kinds {
				told = told || x.Kind == kind && x.Change == "open" && x.Channel == ch && x.At >= from && x.At <= by && (x.About < 0 || x.About == g)
			}
		}
		if !told {
			t.Fail(Loss, from, fmt.Sprintf("region %d was %s from %.3f on, and %s had not been told by %.3f", g, what, from.Seconds(), channelName(ch), by.Seconds()))
		}
	}
}
