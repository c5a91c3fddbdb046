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
