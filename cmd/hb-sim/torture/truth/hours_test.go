package truth_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
)

// Each mesh begins five minutes before a store opens, by the law of its zone;
// a host that died before did not come up a minute after that.
func TestTheNightsInWhichClocksChange(t *testing.T) {
	const opens = 300 * s
	for _, c := range []struct {
		name, zone string
		minute     int
		opens      string // by UTC
	}{
		{"Berlin loses an hour", "Europe/Berlin", 4 * 60, "2026-03-29T02:00:00Z"},
		{"Berlin, the night before", "Europe/Berlin", 4 * 60, "2026-03-28T03:00:00Z"},
		{"Berlin gains an hour", "Europe/Berlin", 4 * 60, "2026-10-25T03:00:00Z"},
		{"Berlin jumps over 02:30", "Europe/Berlin", 150, "2026-03-29T01:00:00Z"},
		{"02:30 is twice in Berlin", "Europe/Berlin", 150, "2026-10-25T00:30:00Z"},
		{"New York loses an hour", "America/New_York", 4 * 60, "2026-03-08T08:00:00Z"},
		{"New York gains an hour", "America/New_York", 4 * 60, "2026-11-01T09:00:00Z"},
		{"01:30 is twice in New York", "America/New_York", 90, "2026-11-01T05:30:00Z"},
	} {
		for _, at := range []struct {
			name  string
			at    time.Duration // when people are told; 0: never
			until time.Duration // that it is out
			want  truth.Property
		}{
			{"at the right minute", opens + 63*s, 0, 0},
			{"too early", opens + 50*s, 0, truth.Falsity},
			{"an hour later", 0, 0, truth.Loss},
			{"and never, as it came up", 0, opens + 30*s, 0},
		} {
			t.Run(c.name+", told "+at.name, func(t *testing.T) {
				base, err := time.Parse(time.RFC3339, c.opens)
				if err != nil {
					t.Fatal(err)
				}
				h := history()
				h.Clock(base.Add(-opens), time.Minute)
				h.Opens(0, c.zone, c.minute, 23*60, 0)
				h.HostIs(100*s, 0, 0, false, false, 10*s)
				one := func(at time.Duration, what, kind string, channel int) {
					told(h, at, what, kind, 1, func(x *truth.Told) {
						x.Channel, x.Host, x.Since, x.Suppressed, x.Incident = channel, 0, 95*s, kind == "host-missing", kind
						if what == "recovered" {
							x.K = 2
						}
					})
				}
				one(120*s, "open", "host-missing", truth.Programs)
				if at.until != 0 {
					h.HostIs(at.until, 0, 0, true, false, 10*s)
					one(at.until+5*s, "recovered", "host-missing", truth.Programs)
				}
				if at.at != 0 {
					one(at.at, "open", "did-not-come-up", truth.People)
				}
				v, ok := h.Judge()
				if ok != (at.want == 0) || !ok && v.Property != at.want {
					t.Errorf("the judge says %v (%s at %v), not %v", v.Property, v.What, v.At, at.want)
				}
			})
		}
	}
}

// A store opens at an instant, and its host is out since before, though no region
// could hear of that until after: it has a minute to come up all the same.
func TestWhoeverHearsOfItWhen(t *testing.T) {
	const opens, comeUp = 300 * s, 60 * s
	for _, c := range []struct {
		name       string
		relayed    bool
		cut, until time.Duration // of both ways
		dies       time.Duration
		told       time.Duration
		want       truth.Property
	}{
		{"behind a relay that was cut off, did not come up", true, 190 * s, 245 * s, 250 * s, opens + comeUp + 3*s, 0},
		{"the same, late", true, 190 * s, 245 * s, 250 * s, 500 * s, truth.Loss},
		{"a direct one that was cut off since before", false, 250 * s, 450 * s, 301 * s, opens + comeUp + 3*s, 0},
		{"a direct one that was heard until it died", false, 250 * s, 280 * s, 302 * s, opens + comeUp + 30*s, truth.Loss},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := history()
			h.Clock(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), comeUp)
			h.Says(180*s, opens, 0, truth.Closed, 0)
			store := 0
			if !c.relayed {
				h.AddStore(false, 1)
				store = 2
				h.HostIs(5*s, store, 0, true, true, 10*s)
				h.Says(180*s, opens, store, truth.Closed, 0)
			}
			for g := range 2 {
				h.PathIs(c.cut, store, g, false)
				h.PathIs(c.until, store, g, true)
			}
			h.HostIs(c.dies, store, 0, false, !c.relayed, 10*s)
			one := func(at time.Duration, kind string, channel int) {
				told(h, at, "open", kind, 1, func(x *truth.Told) {
					x.Store, x.Channel, x.Host, x.Since, x.Incident = store, channel, 0, c.dies-5*s, kind
				})
			}
			one(c.dies+20*s, "host-missing", truth.Programs)
			one(c.told, "did-not-come-up", truth.People)
			if v, ok := h.Judge(); ok != (c.want == 0) || !ok && v.Property != c.want {
				t.Errorf("the judge says %v (%s at %v), not %v", v.Property, v.What, v.At, c.want)
			}
		})
	}
}
