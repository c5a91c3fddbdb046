package presence_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// The journal of a boot that is over is dated by the relay's wall clock, as far
// as that can be true: a wrong one costs the date, and never the entry.
func TestAJournalIsDatedByWhatCanBeTrue(t *testing.T) {
	earlier := beat.Boot{9}
	for name, c := range map[string]struct {
		boot   beat.Boot
		monoMs uint64
		wall   func(now time.Time) int64
		before time.Duration // now; the date that is wanted
	}{
		"an earlier boot, a right clock":     {earlier, 0, func(now time.Time) int64 { return now.Add(-time.Hour).UnixMilli() }, time.Hour},
		"a clock without a battery":          {earlier, 0, func(time.Time) int64 { return 5000 }, 0},
		"a clock that was never told":        {earlier, 0, func(time.Time) int64 { return 0 }, 0},
		"a clock that says 2106":             {earlier, 0, func(time.Time) int64 { return 4_294_967_295_000 }, 0},
		"a date before any":                  {earlier, 0, func(time.Time) int64 { return -100_000_000_000_000 }, 0},
		"a date after all":                   {earlier, 0, func(time.Time) int64 { return 1<<63 - 1 }, 0},
		"this boot, whatever the wall says":  {beat.Boot{1}, 1000, func(time.Time) int64 { return -1 << 63 }, 90 * time.Second},
		"this boot, at an instant to come":   {beat.Boot{1}, 1 << 63, func(time.Time) int64 { return 0 }, 0},
		"this boot, an instant that is none": {beat.Boot{1}, 1<<64 - 1, func(time.Time) int64 { return 0 }, 0},
	} {
		w := newWorld(t, "us-east-1")
		w.birth(1, 7)
		w.at(91 * time.Second)
		r := report(beat.Steady, 7, 2, w.now.Mono)
		r.Journal = []beat.Transition{{Number: 1, Host: "pos1", State: beat.Missing, Boot: c.boot, MonoMs: c.monoMs, WallMs: c.wall(w.now.Wall)}}
		j, ok := find[*presence.Journal](w.do(&presence.Report{Conn: 1, Report: r}))
		if want := w.now.Wall.Add(-c.before); !ok || !j.Dated[0].Equal(want) {
			t.Errorf("%s: %v, want %v", name, j, want)
		}
	}
}

// A relay that starts may have forgotten what it said: that a host did not return
// is another reason than that it went.
func TestAHostThatDidNotReturnHasAReason(t *testing.T) {
	for why, want := range map[beat.Reason]presence.Reason{beat.Deadline: presence.RelaySays, beat.DidNotReturn: presence.NotBack} {
		w := newWorld(t, "us-east-1")
		w.birth(1, 7, beat.HostReport{Host: "pos1", State: beat.Up, Number: 1, IntervalMs: 5000})
		r := report(beat.Steady, 7, 2, w.now.Mono, beat.HostReport{Host: "pos1", State: beat.Missing, Number: 2, IntervalMs: 5000, Reason: why})
		if v, ok := verdict(w.do(&presence.Report{Conn: 1, Report: r}), presence.HostMissing); !ok || v.Reason != want {
			t.Errorf("%v: got %+v", why, v)
		}
	}
}
