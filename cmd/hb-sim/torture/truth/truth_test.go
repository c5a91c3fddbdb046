package truth_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
)

const (
	s   = time.Second
	end = 600 * s
)

// history is a mesh of two stores with a relay and two hosts each, which are up
// from the first seconds on.
func history() *truth.Truth {
	t := &truth.Truth{}
	begin(t)
	return t
}

func begin(t *truth.Truth) {
	t.Begin(300*s, end)
	for range 2 {
		t.AddStore(true, 2)
	}
	for g := range 2 {
		t.RegionIs(2*s, g, true)
	}
	for i := range 2 {
		t.RelayIs(3*s, i, true)
		for h := range 2 {
			t.HostIs(5*s, i, h, true, false, 10*s)
		}
	}
}

// down lets the first store's relay be away.
func down(t *truth.Truth, from, until time.Duration) {
	t.RelayIs(from, 0, false)
	if until > 0 {
		t.RelayIs(until, 0, true)
	}
}

// told is a line that both channels get, in region 0, unless change says
// otherwise.
func told(t *truth.Truth, at time.Duration, what, kind string, k int, change func(*truth.Told)) {
	for ch := range 2 {
		x := truth.Told{At: at, Since: at - 50*s, Channel: ch, Kind: kind, Change: what, Store: 0, Host: -1, Incident: "A", K: k, Notice: what + kind, About: -1}
		if change != nil {
			change(&x)
		}
		if x.Channel != ch {
			continue // the other one is not told
		}
		t.Tell(x)
	}
}

// deadRegion lets region 1 die before a host's silence is a loss, whose beats a
// region heard; the host is told of when region 1 has settled.
func deadRegion(t *truth.Truth, heard int) {
	t.Strikes(truth.Strike{At: 105 * s, For: 70 * s, Class: truth.Node, Region: 1})
	t.RegionIs(105*s, 1, false)
	t.RegionIs(175*s, 1, true)
	t.BeatTo(0, 0, heard)
	t.HostIs(100*s, 0, 0, false, true, 10*s)
	told(t, 300*s, "open", "host-missing", 1, func(x *truth.Told) { x.Host = 0 })
}

// judgement is one thing that a judge must see, or let pass.
type judgement struct {
	name string
	make func(*truth.Truth)
	want truth.Property // 0: all hold
}

func judge(t *testing.T, cases []judgement) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := history()
			c.make(h)
			v, ok := h.Judge()
			if ok != (c.want == 0) || !ok && v.Property != c.want {
				t.Errorf("the judge says %v (%s at %v), not %v", v.Property, v.What, v.At, c.want)
			}
		})
	}
}

func TestJudges(t *testing.T) {
	judge(t, []judgement{
		{"nothing happens", func(*truth.Truth) {}, 0},
		{"an outage is told, and its end", func(h *truth.Truth) {
			down(h, 100*s, 200*s)
			told(h, 145*s, "open", "store-down", 1, nil)
			told(h, 205*s, "recovered", "store-down", 2, nil)
		}, 0},
		{"a long outage is not told", func(h *truth.Truth) { down(h, 100*s, 200*s) }, truth.Loss},
		{"a short outage need not be told", func(h *truth.Truth) { down(h, 100*s, 120*s) }, 0},
		{"an outage is told on one channel only", func(h *truth.Truth) {
			down(h, 100*s, 200*s)
			told(h, 145*s, "open", "store-down", 1, func(x *truth.Told) { x.Channel = 0 })
			told(h, 205*s, "recovered", "store-down", 2, func(x *truth.Told) { x.Channel = 0 })
		}, truth.Loss},
		{"an outage is told too late", func(h *truth.Truth) {
			down(h, 100*s, 0)
			told(h, 175*s, "open", "store-down", 1, func(x *truth.Told) { x.Since = 98 * s })
		}, truth.Loss},
		{"an outage is told after a node's death", func(h *truth.Truth) {
			h.Strikes(truth.Strike{At: 110 * s, For: 20 * s, Class: truth.Node})
			down(h, 100*s, 300*s)
			told(h, 215*s, "open", "store-down", 1, func(x *truth.Told) { x.Since = 98 * s })
			told(h, 305*s, "recovered", "store-down", 2, nil)
		}, 0},
		{"a dead host is not told", func(h *truth.Truth) { h.HostIs(100*s, 0, 0, false, false, 10*s) }, truth.Loss},
		{"a host without a cable is not told", func(h *truth.Truth) {
			h.Cable(100*s, 0, 0, true)
			h.Cable(200*s, 0, 0, false)
		}, truth.Loss},
		{"a store that reaches no region is not told", func(h *truth.Truth) {
			for g := range 2 {
				h.CutIs(100*s, 0, g, true)
				h.PathIs(100*s, 0, g, false)
			}
		}, truth.Loss},
		{"a disk was full, and the relay has long beaten again", func(h *truth.Truth) {
			h.Full(20*s, 0, true)
			h.Full(30*s, 0, false)
			h.HostIs(100*s, 0, 0, false, false, 10*s)
		}, truth.Loss},
		{"the other host of the store had a double", func(h *truth.Truth) {
			h.TwoHosts(90*s, 0, 1, true)
			h.HostIs(100*s, 0, 0, false, false, 10*s)
		}, truth.Loss},
		{"a host with a double may be told to be missing", func(h *truth.Truth) {
			h.TwoHosts(90*s, 0, 1, true)
			told(h, 145*s, "open", "host-missing", 1, func(x *truth.Told) { x.Host = 1 })
		}, 0},
		{"a host is told to be unwell, and is well", func(h *truth.Truth) {
			h.Failing(20*s, 0, 0, true)
			h.Failing(30*s, 0, 0, false)
			told(h, 145*s, "open", "host-failing", 1, func(x *truth.Told) { x.Host = 0 })
		}, truth.Falsity},
		{"a host says that it is unwell, and nobody is told", func(h *truth.Truth) {
			h.Failing(100*s, 0, 0, true)
			h.Failing(200*s, 0, 0, false)
		}, truth.Loss},
		{"that a host is well again is not told", func(h *truth.Truth) {
			h.Failing(100*s, 0, 0, true)
			h.Failing(200*s, 0, 0, false)
			told(h, 145*s, "open", "host-failing", 1, func(x *truth.Told) { x.Host = 0 })
		}, truth.Closure},
		{"a dead host is covered by its store", func(h *truth.Truth) {
			down(h, 99*s, 0)
			h.HostIs(100*s, 0, 0, false, false, 10*s)
			told(h, 145*s, "open", "store-down", 1, nil)
		}, 0},
		{"a host that beat to a dead region is told of when that has settled", func(h *truth.Truth) { deadRegion(h, 1) }, 0},
		{"a host that beat to the other region is told of too late", func(h *truth.Truth) { deadRegion(h, 0) }, truth.Loss},
		{"a silenced outage is told to programs alone", func(h *truth.Truth) {
			h.Says(90*s, 590*s, 0, truth.Silenced, 0)
			down(h, 100*s, 0)
			told(h, 145*s, "open", "store-down", 1, func(x *truth.Told) { x.Channel = truth.Programs })
		}, 0},
		{"people are told of a silenced outage", func(h *truth.Truth) {
			h.Says(90*s, 590*s, 0, truth.Silenced, 0)
			down(h, 100*s, 0)
			told(h, 145*s, "open", "store-down", 1, nil)
		}, truth.Falsity},
		{"a store that is up is told to be down", func(h *truth.Truth) { told(h, 145*s, "open", "store-down", 1, nil) }, truth.Falsity},
		{"a store is told to be down for a second", func(h *truth.Truth) {
			down(h, 100*s, 101*s)
			told(h, 145*s, "open", "store-down", 1, nil)
		}, truth.Falsity},
		{"a store that no region sees is told to be down", func(h *truth.Truth) {
			for g := range 2 {
				h.PathIs(100*s, 0, g, false)
				h.PathIs(200*s, 0, g, true)
			}
			told(h, 145*s, "open", "store-down", 1, nil)
			told(h, 205*s, "recovered", "store-down", 2, nil)
		}, 0},
		{"one path is cut, and the store is told to be down", func(h *truth.Truth) {
			h.PathIs(100*s, 0, 0, false)
			h.PathIs(200*s, 0, 0, true)
			told(h, 145*s, "open", "store-down", 1, nil)
		}, truth.Falsity},
		{"one path is cut while the regions have letters, and the notice says it is one side", func(h *truth.Truth) {
			h.PathIs(100*s, 0, 0, false)
			h.BridgeIs(90*s, false)
			h.PathIs(200*s, 0, 0, true)
			h.BridgeIs(200*s, true)
			told(h, 185*s, "open", "store-down", 1, func(x *truth.Told) { x.OneSided, x.Since = true, 98*s })
			told(h, 205*s, "recovered", "store-down", 2, nil)
		}, truth.Falsity},
		{"a relay is told to be dead whose hosts do without, and none does", func(h *truth.Truth) {
			down(h, 100*s, 200*s)
			told(h, 145*s, "open", "relay-dead", 1, nil)
			told(h, 205*s, "recovered", "relay-dead", 2, nil)
		}, truth.Falsity},
		{"one path is cut while the regions are apart, and the notice says so", func(h *truth.Truth) {
			h.PathIs(100*s, 0, 0, false)
			h.Strikes(truth.Strike{At: 90 * s, For: 110 * s, Class: truth.Table, Carries: true})
			h.BridgeIs(90*s, false)
			h.PathIs(200*s, 0, 0, true)
			h.BridgeIs(200*s, true)
			told(h, 185*s, "open", "store-down", 1, func(x *truth.Told) { x.OneSided, x.Since = true, 98*s })
			told(h, 205*s, "recovered", "store-down", 2, nil)
		}, 0},
		{"a region does not wait for the other one's answer", func(h *truth.Truth) {
			h.PathIs(100*s, 0, 0, false)
			h.BridgeIs(90*s, false)
			h.PathIs(200*s, 0, 0, true)
			h.BridgeIs(200*s, true)
			told(h, 145*s, "open", "store-down", 1, func(x *truth.Told) { x.OneSided, x.Since = true, 98*s })
			told(h, 205*s, "recovered", "store-down", 2, nil)
		}, truth.Falsity},
		{"the other region did not wait, since the relay had no session here", func(h *truth.Truth) {
			h.PathIs(90*s, 0, 0, false)
			h.BridgeIs(90*s, false)
			down(h, 100*s, 200*s)
			h.PathIs(200*s, 0, 0, true)
			h.BridgeIs(200*s, true)
			told(h, 145*s, "open", "store-down", 1, func(x *truth.Told) { x.OneSided, x.Elsewhere, x.Since = true, true, 98*s })
			told(h, 205*s, "recovered", "store-down", 2, nil)
		}, 0},
		{"a host is told beside its store", func(h *truth.Truth) {
			down(h, 100*s, 0)
			told(h, 145*s, "open", "store-down", 1, nil)
			told(h, 146*s, "open", "host-missing", 1, func(x *truth.Told) { x.Host, x.Incident, x.Since = 0, "B", 98*s })
		}, truth.Falsity},
		{"a region restarts beside a cut path, and the store is told to be down", func(h *truth.Truth) {
			h.PathIs(100*s, 0, 0, false)
			h.RegionIs(110*s, 1, false)
			h.RegionIs(115*s, 1, true)
			told(h, 145*s, "open", "store-down", 1, nil)
		}, truth.Falsity},
		{"a living host is told to be missing", func(h *truth.Truth) {
			told(h, 145*s, "open", "host-missing", 1, func(x *truth.Told) { x.Host = 0 })
		}, truth.Falsity},
		{"a host that said goodbye is told to be missing", func(h *truth.Truth) {
			h.HostIs(100*s, 0, 0, false, false, 10*s)
			h.Bye(100*s, 0, 0)
			h.Heard(100*s, 0, 0)
			told(h, 145*s, "open", "host-missing", 1, func(x *truth.Told) { x.Host = 0 })
		}, truth.Falsity},
		{"a conflict of one relay", func(h *truth.Truth) { told(h, 145*s, "open", "conflict", 1, nil) }, truth.Falsity},
		{"a region that lives is told to be dead", func(h *truth.Truth) {
			told(h, 145*s, "open", "region-down", 1, func(x *truth.Told) { x.Store, x.About = -1, 1 })
		}, truth.Falsity},
		{"a store's home moves while a fault is to be told, and the takeover tells it", func(h *truth.Truth) {
			down(h, 100*s, 300*s)
			h.Strikes(truth.Strike{At: 130 * s, Class: truth.Word, Pins: true})
			told(h, 190*s, "open", "store-down", 1, nil)
			told(h, 305*s, "recovered", "store-down", 2, nil)
		}, 0},
		{"a region that is there for a moment only is told to be dead", func(h *truth.Truth) {
			h.RegionIs(100*s, 1, false)
			h.RegionIs(120*s, 1, true)
			h.RegionIs(121*s, 1, false)
			told(h, 145*s, "open", "region-down", 1, func(x *truth.Told) { x.Store, x.About = -1, 1 })
			h.RegionIs(150*s, 1, true)
			told(h, 155*s, "recovered", "region-down", 2, func(x *truth.Told) { x.Store, x.About = -1, 1 })
		}, 0},
		{"a region that is alone tells of the other one, which is dead, and of itself", func(h *truth.Truth) {
			region := func(about int, incident string) func(*truth.Told) {
				return func(x *truth.Told) { x.Store, x.About, x.Incident = -1, about, incident }
			}
			h.RegionIs(100*s, 1, false)
			h.Strikes(truth.Strike{At: 100 * s, For: 50 * s, Class: truth.Node, Region: 1})
			h.Strikes(truth.Strike{At: 130 * s, For: 90 * s, Class: truth.Bridge, Alone: true})
			told(h, 145*s, "open", "region-down", 1, region(1, "R"))
			told(h, 200*s, "open", "region-blind", 1, region(0, "B"))
			h.RegionIs(230*s, 1, true)
			told(h, 235*s, "recovered", "region-down", 2, region(1, "R"))
			told(h, 240*s, "recovered", "region-blind", 2, region(0, "B"))
		}, 0},
		{"a fault is told twice", func(h *truth.Truth) {
			down(h, 100*s, 200*s)
			told(h, 145*s, "open", "store-down", 1, nil)
			told(h, 146*s, "open", "store-down", 1, nil)
			told(h, 205*s, "recovered", "store-down", 2, nil)
		}, truth.Duplicates},
		{"a fault is told twice, since a node died", func(h *truth.Truth) {
			h.Strikes(truth.Strike{At: 145 * s, For: 2 * s, Class: truth.Node})
			down(h, 100*s, 300*s)
			told(h, 145*s, "open", "store-down", 1, nil)
			told(h, 160*s, "open", "store-down", 1, func(x *truth.Told) { x.Since = 95 * s })
			told(h, 305*s, "recovered", "store-down", 2, nil)
		}, 0},
		{"a fault is told twice, since an answer was lost", func(h *truth.Truth) {
			down(h, 100*s, 200*s)
			told(h, 145*s, "open", "store-down", 1, nil)
			told(h, 150*s, "open", "store-down", 1, func(x *truth.Told) { x.Since = 95 * s })
			told(h, 205*s, "recovered", "store-down", 2, nil)
			for ch := range 2 {
				h.AnswerLost("A", 1, ch)
			}
		}, 0},
		{"two outages have one name", func(h *truth.Truth) {
			down(h, 100*s, 150*s)
			told(h, 145*s, "open", "store-down", 1, nil)
			told(h, 155*s, "recovered", "store-down", 2, nil)
			down(h, 400*s, 0)
			h.AnswerLost("A", 1, truth.People) // else it is a duplicate first
			h.AnswerLost("A", 1, truth.Programs)
			told(h, 445*s, "open", "store-down", 1, nil)
		}, truth.Identity},
		{"one outage has two names", func(h *truth.Truth) {
			down(h, 100*s, 0)
			told(h, 145*s, "open", "store-down", 1, nil)
			told(h, 147*s, "open", "store-down", 1, func(x *truth.Told) { x.Incident, x.Since = "B", 95*s })
		}, truth.Identity},
		{"the end of a fault is not told", func(h *truth.Truth) {
			down(h, 100*s, 200*s)
			told(h, 145*s, "open", "store-down", 1, nil)
		}, truth.Closure},
		{"the end of a fault is told on one channel", func(h *truth.Truth) {
			down(h, 100*s, 200*s)
			told(h, 145*s, "open", "store-down", 1, nil)
			told(h, 205*s, "recovered", "store-down", 2, func(x *truth.Told) { x.Channel = 0 })
		}, truth.Closure},
		{"what was sent without a claim is forgotten with its node", func(h *truth.Truth) {
			down(h, 100*s, 200*s)
			h.Unfenced(145*s, 0, true, "notice")
			told(h, 145*s, "open", "store-down", 1, nil)
			h.RegionIs(190*s, 0, false)
			h.RegionIs(191*s, 0, true)
		}, 0},
		{"what was sent without a claim is not forgotten while its node lives", func(h *truth.Truth) {
			down(h, 100*s, 200*s)
			h.Unfenced(145*s, 0, true, "notice")
			told(h, 145*s, "open", "store-down", 1, nil)
		}, truth.Closure},
		{"an end without a fault", func(h *truth.Truth) { told(h, 205*s, "recovered", "store-down", 2, nil) }, truth.Closure},
		{"a fault after its end", func(h *truth.Truth) {
			h.Strikes(truth.Strike{At: 145 * s, For: 2 * s, Class: truth.Node})
			down(h, 100*s, 200*s)
			told(h, 145*s, "open", "store-down", 1, nil)
			told(h, 205*s, "recovered", "store-down", 2, nil)
			told(h, 207*s, "open", "store-down", 1, func(x *truth.Told) { x.Since = 95 * s })
		}, truth.Closure},
		{"stale input changes something", func(h *truth.Truth) { h.Inert(true, "a late will") }, truth.Stale},
		{"stale input changes nothing", func(h *truth.Truth) { h.Inert(false, "") }, 0},
		{"a region does not agree at the end", func(h *truth.Truth) {
			h.See(truth.Seen{Region: 1, Store: 0, Host: -1, State: "down"})
		}, truth.Convergence},
		{"a region agrees at the end", func(h *truth.Truth) {
			h.See(truth.Seen{Region: 1, Store: 0, Host: -1, State: "up"})
		}, 0},
		{"an incident stays open", func(h *truth.Truth) {
			h.Opened(truth.Open{Region: 1, Store: 0, Host: -1, Kind: "store-down", Incident: "A"})
		}, truth.Convergence},
		{"only a death makes a notice", func(h *truth.Truth) {
			h.Strikes(truth.Strike{At: 100 * s, For: 5 * s, Class: truth.Node})
			h.Twin(nil)
			down(h, 100*s, 105*s)
			told(h, 145*s, "open", "store-down", 1, nil)
			told(h, 205*s, "recovered", "store-down", 2, nil)
		}, truth.Restart},
		{"a notice leaves without the lease", func(h *truth.Truth) { h.Unfenced(100*s, 0, false, "notice") }, truth.Writers},
		{"a notice leaves without the lease while the table fails", func(h *truth.Truth) { h.Unfenced(100*s, 0, true, "notice") }, 0},
		{"the replicas differ", func(h *truth.Truth) { h.Merged(false, "an item") }, truth.Writers},
		{"a steady mesh writes", func(h *truth.Truth) { h.Saved("an item") }, truth.Bounds},
		{"what a node knows depends on the order of the items", func(h *truth.Truth) { h.Joined("a or b") }, truth.Writers},
		{"the order of the items is nothing", func(h *truth.Truth) { h.Joined("") }, 0},
		{"a notice waits for ever", func(h *truth.Truth) { h.Waits(0, 1, 0) }, truth.Convergence},
		{"the regions write letters though they can talk", func(h *truth.Truth) { h.Waits(1, 0, 1) }, truth.Bounds},
		{"a queue is too long", func(h *truth.Truth) { h.Bounded("calls", 9, 8) }, truth.Bounds},
		{"many messages for many stores", func(h *truth.Truth) {
			h.Strikes(truth.Strike{At: 100 * s, Class: truth.Outage, Many: 2000})
			down(h, 100*s, 0)
			for i := range 12 {
				told(h, 145*s+time.Duration(i)*s, "open", "store-down", 1+2*i, func(x *truth.Told) {
					x.Since, x.Notice, x.Incident = 95*s, string(rune('a'+i)), "A"
				})
			}
		}, truth.Storm},
		{"a region that is alone tells of a store", func(h *truth.Truth) {
			h.Strikes(truth.Strike{At: 100 * s, For: 100 * s, Class: truth.Bridge, Alone: true})
			h.Strikes(truth.Strike{At: 100 * s, For: 100 * s, Class: truth.Table, Carries: true})
			h.BridgeIs(100*s, false)
			h.PathIs(100*s, 0, 0, false)
			h.PathIs(200*s, 0, 0, true)
			h.BridgeIs(200*s, true)
			told(h, 180*s, "open", "store-down", 1, func(x *truth.Told) { x.OneSided, x.Since = true, 98*s })
			told(h, 205*s, "recovered", "store-down", 2, nil)
		}, truth.Isolation},
	})
}

// A truth is used again for the next schedule: nothing of the one before counts.
func TestATruthForgetsTheScheduleBefore(t *testing.T) {
	h := history()
	h.Disk(0)
	h.Full(50*s, 0, true)
	h.Moved(0, 0, true)
	h.Failing(60*s, 0, 0, true)
	h.Skewed()
	h.Says(90*s, 590*s, 0, truth.Silenced, 0)
	down(h, 60*s, 70*s)
	begin(h)
	down(h, 100*s, 200*s)
	if v, ok := h.Judge(); ok || v.Property != truth.Loss {
		t.Errorf("an outage of the second schedule is not told, and the judge says %v (%s)", v.Property, v.What)
	}
}
