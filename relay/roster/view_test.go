package roster_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

// A restart is no beat: what has not come back keeps the beat that the journal knows.
func TestTheLastBeatOfAHostThatIsNotBack(t *testing.T) {
	unix := func(d time.Duration) int64 { return start.Add(d).UnixMilli() }
	for what, c := range map[string]struct {
		known int64
		age   time.Duration // a minute after the start
		shown time.Time
	}{
		"known":                       {unix(-time.Hour), time.Hour + time.Minute, start.Add(-time.Hour)},
		"not known":                   {0, time.Minute, time.Time{}},
		"by a clock that was too far": {unix(time.Hour), time.Minute, start},
		"by a clock that said 1970":   {1000, beat.MaxAge, start.Add(time.Minute - beat.MaxAge)},
	} {
		r := roster.New(roster.Options{WarmUp: 5 * time.Minute})
		r.Step(at(0), &roster.Loaded{Hosts: []roster.Record{
			{Host: "pos1", State: beat.Missing, Number: 7, IntervalMs: 30_000, LastBeatMs: c.known},
		}}, nil)
		now := at(time.Minute)
		if got := r.Picture(now).Hosts[0].Age(); got != c.age {
			t.Errorf("%s: the picture says %v ago, want %v", what, got, c.age)
		}
		if got := r.Hosts(now)[0].LastBeat; !got.Equal(c.shown) {
			t.Errorf("%s: the page says %v, want %v", what, got, c.shown)
		}
	}
}
