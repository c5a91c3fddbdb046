package truth_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
)

// twice tells a fault in region 0, and again in a region at an instant.
func twice(h *truth.Truth, region int, again time.Duration) {
	down(h, 100*s, 0)
	told(h, 145*s, "open", "store-down", 1, nil)
	told(h, again, "open", "store-down", 1, func(x *truth.Told) { x.Region, x.Since = region, 95*s })
}

func strike(h *truth.Truth, c truth.Class, region int, at, lasts time.Duration) {
	h.Strikes(truth.Strike{At: at, For: lasts, Class: c, Region: region})
}

// A second send is excused by what struck its sender between the lease's check
// and the mark, and by what kept the other region from knowing.
func TestWhatExcusesASecondSend(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(*truth.Truth)
		want truth.Property
	}{
		{"nothing does", func(h *truth.Truth) { twice(h, 0, 146*s) }, truth.Duplicates},
		{"the node died before its mark", func(h *truth.Truth) {
			strike(h, truth.Node, 0, 145*s+300*time.Millisecond, 4*s)
			twice(h, 0, 147*s)
		}, 0},
		{"the node died long after its mark", func(h *truth.Truth) {
			strike(h, truth.Node, 0, 160*s, 4*s)
			twice(h, 0, 170*s)
		}, truth.Duplicates},
		{"a node of the region that sent later died", func(h *truth.Truth) {
			strike(h, truth.Node, 1, 145*s+300*time.Millisecond, 4*s)
			twice(h, 1, 175*s)
		}, truth.Duplicates},
		{"the node died while its table took no mark", func(h *truth.Truth) {
			strike(h, truth.Table, 0, 144*s, 60*s)
			strike(h, truth.Node, 0, 190*s, 4*s)
			twice(h, 0, 250*s)
		}, 0},
		{"the table of the region that sent took no mark for longer than the lease", func(h *truth.Truth) {
			strike(h, truth.Table, 0, 144*s, 20*s)
			twice(h, 0, 160*s)
		}, 0},
		{"the table of the region that sent later failed", func(h *truth.Truth) {
			strike(h, truth.Table, 1, 100*s, 60*s)
			twice(h, 1, 162*s)
		}, truth.Duplicates},
		{"a channel refused in the region that sent later", func(h *truth.Truth) {
			strike(h, truth.Channel, 1, 100*s, 80*s)
			twice(h, 1, 182*s)
		}, truth.Duplicates},
		{"the regions could not talk, and the tables neither", func(h *truth.Truth) {
			h.BridgeIs(140*s, false)
			strike(h, truth.Bridge, 0, 140*s, 60*s)
			strike(h, truth.Table, 1, 140*s, 60*s)
			twice(h, 1, 190*s)
		}, 0},
		{"the regions could not talk, and the tables could", func(h *truth.Truth) {
			h.BridgeIs(140*s, false)
			strike(h, truth.Bridge, 0, 140*s, 60*s)
			twice(h, 1, 190*s)
		}, truth.Duplicates},
		{"the home of another store moved", func(h *truth.Truth) {
			h.Strikes(truth.Strike{At: 140 * s, Class: truth.Word, Store: 1, Pins: true})
			twice(h, 1, 146*s)
		}, truth.Duplicates},
		{"the home of this store moved", func(h *truth.Truth) {
			h.Strikes(truth.Strike{At: 140 * s, Class: truth.Word, Store: 0, Pins: true})
			twice(h, 1, 146*s)
		}, 0},
		{"an answer was lost", func(h *truth.Truth) {
			twice(h, 0, 147*s)
			h.AnswerLost("A", 1, truth.People)
			h.AnswerLost("A", 1, truth.Programs)
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) { judges(t, c.make, c.want) })
	}
}

// judges wants what happens in a history to break one property; none: 0.
func judges(t *testing.T, happens func(*truth.Truth), want truth.Property) {
	t.Helper()
	h := history()
	happens(h)
	if v, ok := h.Judge(); ok != (want == 0) || !ok && v.Property != want {
		t.Errorf("the judge says %v (%s at %v), not %v", v.Property, v.What, v.At, want)
	}
}

func TestAClaimNeedsTheLease(t *testing.T) {
	h := history()
	h.Claimed(100*s, false, "a notice")
	if v, ok := h.Judge(); !ok {
		t.Errorf("with the lease: %v", v)
	}
	strike(h, truth.Table, 0, 90*s, 60*s)
	h.Claimed(100*s, true, "a notice")
	if v, _ := h.Judge(); v.Property != truth.Writers {
		t.Errorf("without the lease: %v", v)
	}
}

// alone cuts region 0 from its relays and from the other one.
func alone(h *truth.Truth, lasts time.Duration) {
	h.Strikes(truth.Strike{At: 100 * s, For: lasts, Class: truth.Bridge, Alone: true})
	set := func(at time.Duration, good bool) {
		h.BridgeIs(at, good)
		h.PathIs(at, 0, 0, good)
		h.PathIs(at, 1, 0, good)
	}
	set(100*s, false)
	set(100*s+lasts, true)
}

func aboutRegion(h *truth.Truth, at time.Duration, kind string, region int) {
	told(h, at, "open", kind, 1, func(x *truth.Told) { x.Store, x.Region, x.About = -1, region, 0 })
	told(h, at+300*s, "recovered", kind, 2, func(x *truth.Told) { x.Store, x.Region, x.About = -1, region, 0 })
}

// A region that is dead, or sees nobody, is told of.
func TestARegionIsToldOf(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(*truth.Truth)
		want truth.Property
	}{
		{"it sees nobody, and says so", func(h *truth.Truth) { alone(h, 200*s); aboutRegion(h, 175*s, "region-path", 0) }, 0},
		{"it sees nobody for a moment", func(h *truth.Truth) { alone(h, 30*s) }, 0},
		{"it sees nobody, and nobody says so", func(h *truth.Truth) { alone(h, 200*s) }, truth.Loss},
		{"it is dead, and the other one says so", func(h *truth.Truth) {
			strike(h, truth.Node, 0, 100*s, 200*s)
			h.RegionIs(100*s, 0, false)
			h.RegionIs(300*s, 0, true)
			aboutRegion(h, 165*s, "region-down", 1)
		}, 0},
		{"it is dead, and nobody says so", func(h *truth.Truth) {
			strike(h, truth.Node, 0, 100*s, 200*s)
			h.RegionIs(100*s, 0, false)
			h.RegionIs(300*s, 0, true)
		}, truth.Loss},
		{"it is dead, and nobody could know", func(h *truth.Truth) {
			strike(h, truth.Node, 0, 100*s, 200*s)
			h.RegionIs(100*s, 0, false)
			for i := range 2 {
				h.PathIs(90*s, i, 1, false)
			}
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) { judges(t, c.make, c.want) })
	}
}

// Who is seen to vanish is told of at once; who is not, after its silence.
func TestWhoIsSeenToVanishIsToldOfAtOnce(t *testing.T) {
	for _, c := range []struct {
		name  string
		host  int
		seen  bool
		after time.Duration
		want  truth.Property
	}{
		{"a host, at once", 0, true, 12 * s, 0},
		{"a host, late", 0, true, 20 * s, truth.Loss},
		{"a host that was not seen, late", 0, false, 20 * s, 0},
		{"a relay, at once", -1, true, 25 * s, 0},
		{"a relay, late", -1, true, 45 * s, truth.Loss},
		{"a relay that was not seen, late", -1, false, 45 * s, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := history()
			kind := "host-missing"
			if c.host < 0 {
				kind = "store-down"
				h.RelayIs(200*s, 0, false)
			} else {
				h.HostIs(200*s, 0, 0, false, false, 10*s)
			}
			if c.seen {
				h.Sudden(200*s, 0, c.host)
			}
			told(h, 200*s+c.after, "open", kind, 1, func(x *truth.Told) { x.Host, x.Since = c.host, 195*s })
			if v, ok := h.Judge(); ok != (c.want == 0) || !ok && v.Property != c.want {
				t.Errorf("the judge says %v (%s at %v), not %v", v.Property, v.What, v.At, c.want)
			}
		})
	}
}

// A store that is down for long is down for both regions.
func TestBothRegionsRememberWhatIsDown(t *testing.T) {
	for _, c := range []struct {
		name  string
		state string
		want  truth.Property
	}{
		{"both say so", "down", 0},
		{"the relay alone is dead, says one", "relay-dead", 0},
		{"one does not know it", "", truth.Convergence},
		{"one thinks that it is not to be known", "unknown", truth.Convergence},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := history()
			down(h, 200*s, 0)
			told(h, 245*s, "open", "store-down", 1, nil)
			h.See(truth.Seen{Region: 0, Store: 0, Host: -1, State: "down"})
			if c.state != "" {
				h.See(truth.Seen{Region: 1, Store: 0, Host: -1, State: c.state})
			}
			if v, ok := h.Judge(); ok != (c.want == 0) || !ok && v.Property != c.want {
				t.Errorf("the judge says %v (%s at %v), not %v", v.Property, v.What, v.At, c.want)
			}
		})
	}
}
