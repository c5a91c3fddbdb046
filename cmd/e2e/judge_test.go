//go:build linux

package e2e_test

import (
	"testing"
	"time"
)

// The observer must be able to find fault: a message that came again is excused
// by what was done to its own subject and channel at its own time, and a
// region's notice by what was done to that region.
func TestTheObserverExcusesNothingElse(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	told := func(s int, store, channel string) sighting {
		return sighting{item: item{Kind: "store-down", Change: "open", Store: store, Incident: "I-" + store, K: 1}, channel: channel, at: at(s)}
	}
	crash := func() []*excuse {
		return []*excuse{{subject: "shop", channels: []string{byWebhook}, from: at(100), to: at(100), copies: 1}}
	}
	for _, c := range []struct {
		says    string
		seen    []sighting
		excuses []*excuse
		wrong   int
	}{
		{"once on each channel", []sighting{told(99, "shop", byWebhook), told(99, "shop", bySNS)}, nil, 0},
		{"twice, and nobody died", []sighting{told(99, "shop", byWebhook), told(105, "shop", byWebhook)}, nil, 1},
		{"twice around the crash", []sighting{told(99, "shop", byWebhook), told(105, "shop", byWebhook)}, crash(), 0},
		{"the first was late to the observer", []sighting{told(103, "shop", byWebhook), told(105, "shop", byWebhook)}, crash(), 0},
		{"three times", []sighting{told(99, "shop", byWebhook), told(105, "shop", byWebhook), told(106, "shop", byWebhook)}, crash(), 1},
		{"another store's", []sighting{told(99, "mall", byWebhook), told(105, "mall", byWebhook)}, crash(), 1},
		{"on the other channel", []sighting{told(99, "shop", bySNS), told(105, "shop", bySNS)}, crash(), 1},
		{"the first was marked long before", []sighting{told(60, "shop", byWebhook), told(105, "shop", byWebhook)}, crash(), 1},
		{"both before the crash", []sighting{told(95, "shop", byWebhook), told(99, "shop", byWebhook)}, crash(), 1},
		{"both after it", []sighting{told(130, "shop", byWebhook), told(135, "shop", byWebhook)}, crash(), 1},
	} {
		o := &observer{t: t, seen: c.seen, excuses: c.excuses}
		if got := o.duplicates().wrong; len(got) != c.wrong {
			t.Errorf("%s: %d found, want %d: %v", c.says, len(got), c.wrong, got)
		}
	}

	region := func(kind string) sighting {
		return sighting{item: item{Kind: kind, Change: "open", Incident: "R", K: 1}, channel: bySNS, region: west, at: at(100)}
	}
	for _, c := range []struct {
		says     string
		s        sighting
		troubles []trouble
		wrong    int
	}{
		{"nothing was done to it", region(regionDown), nil, 1},
		{"it was killed", region(regionDown), []trouble{{regionDown, west, at(90)}}, 0},
		{"the other one was", region(regionDown), []trouble{{regionDown, east, at(90)}}, 1},
		{"it is told otherwise", region("region-blind"), []trouble{{regionDown, west, at(90)}}, 1},
		{"it was killed later", region(regionDown), []trouble{{regionDown, west, at(110)}}, 1},
	} {
		o := &observer{t: t, seen: []sighting{c.s}, troubles: c.troubles}
		if got := o.noFalsity().wrong; len(got) != c.wrong {
			t.Errorf("region, %s: %d found, want %d: %v", c.says, len(got), c.wrong, got)
		}
	}
	if s := named("Region down [us-west-2]"); s != west {
		t.Errorf("the title names %q", s)
	}
}
