package schedule

import (
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// Calm is how long a mesh has to settle before the first fault: 60 s, and
	// a look at who came back (P6).
	Calm = 75 * time.Second
	// window is when an outage begins after Calm.
	window = 20 * time.Second
	// longWindow is when the faults of a messy schedule strike after Calm.
	longWindow = 180 * time.Second
	// recovery is how long a mesh has after the last fault: a node that starts
	// settles for 60 to 75 s, then loses who did not come back (10 s), asks (10
	// s), takes over (30 s) and tells.
	recovery = 150 * time.Second
	// near is how close to a boundary a fault strikes.
	near = 600 * time.Millisecond
)

// boundaries are what the mesh waits for after something happened (s): blip,
// gather, both, renewal, ask, grace and what follows it, the lease, keepalive
// and grace after it, takeover, blind, and settle.
var boundaries = [...]float64{0, 0.25, 1, 2, 3, 4, 5, 10, 10.2, 12, 13, 15, 20, 30, 40, 42, 45, 52, 60, 70, 75, 85}

// Generate makes the schedule of a seed. It uses the memory of s again.
func Generate(seed uint64, s *Schedule) {
	g := generator{Rand: rand.New(rand.NewPCG(seed, 0x6862_6d65_7368)), s: s} //nolint:gosec // a seed decides everything
	s.Seed, s.Wall, s.Linger = seed, time.Time{}, 0
	s.Stores, s.Faults = s.Stores[:0], s.Faults[:0]
	if x := fresh(s); !x.instead() {
		if !g.special() {
			g.usual()
		}
		x.more()
	}
	s.settle()
}

type generator struct {
	*rand.Rand
	s *Schedule
}

// usual are a few stores, and one of the ways to torture them.
func (g *generator) usual() {
	n := 1 + g.IntN(4)
	if g.IntN(5) == 0 {
		n = 12 + g.IntN(5)
	}
	for range n {
		g.s.Stores = append(g.s.Stores, g.store())
	}
	switch p := g.IntN(100); {
	case p < 4: // nothing happens
	case p < 14:
		g.around(Calm+g.upTo(window), 1+g.IntN(4)) // nothing goes down
	case p < 30:
		g.messy()
	case p < 38:
		g.hushed()
	case p < 42:
		g.dead()
	case p < 47:
		g.split()
	case p < 50:
		g.apart()
	case p < 52:
		g.flaps()
	default:
		g.nasty()
	}
}

func (g *generator) upTo(d time.Duration) time.Duration {
	return time.Duration(g.Int64N(int64(d))).Truncate(time.Millisecond)
}

// settle orders the faults, and says when they are over.
func (s *Schedule) settle() {
	slices.SortStableFunc(s.Faults, func(a, b Fault) int { return int(a.At - b.At) })
	s.Quiet = Calm
	for i := range s.Faults {
		s.Quiet = max(s.Quiet, s.Faults[i].last()+s.Faults[i].For)
	}
	s.End = s.Quiet + recovery + s.Linger
}

func (g *generator) store() Store {
	st := Store{Relay: g.IntN(8) != 0}
	hosts := 1 + g.IntN(3)
	if g.IntN(10) == 0 {
		hosts = 4 + g.IntN(3)
	}
	for range hosts {
		h := Host{Interval: time.Duration(5+g.IntN(4)*5) * time.Second}
		switch {
		case !st.Relay:
			h.Way = Direct + Way(g.IntN(2))
		case g.IntN(4) == 0:
			h.Way = HTTP
		}
		st.Hosts = append(st.Hosts, h)
	}
	return st
}

// nasty is one outage, and a few faults around its boundaries.
func (g *generator) nasty() {
	outage := g.outage()
	outage.At = Calm + g.upTo(window)
	outage.For = g.lasts()
	g.s.Faults = append(g.s.Faults, outage)
	from := outage.At
	if outage.For > 0 && g.IntN(3) == 0 {
		from += outage.For // around its end
	}
	g.around(from, g.IntN(6))
	if g.IntN(4) == 0 { // and once more
		again := g.outage()
		again.At, again.For = g.boundary(outage.At+outage.For), g.lasts()
		g.s.Faults = append(g.s.Faults, again)
	}
}

// hushed is an outage while an operator's word holds back what people are told.
func (g *generator) hushed() {
	word := g.shape([...]Kind{Silence, Silence, Hours, Maintenance}[g.IntN(4)])
	word.At, word.For = Calm+g.upTo(5*time.Second), 40*time.Second+g.upTo(100*time.Second)
	outage := g.outage()
	outage.At, outage.For = word.At+g.upTo(30*time.Second), g.lasts()
	outage.Store = word.Store
	outage.Host = g.IntN(len(g.s.Stores[word.Store].Hosts))
	g.s.Faults = append(g.s.Faults, word, outage)
	g.around(outage.At, g.IntN(3))
}

// dead is a region that dies, maybe twice, and an outage meanwhile.
func (g *generator) dead() {
	f := g.shape(RegionPower)
	f.At, f.For = Calm+g.upTo(window), 60*time.Second+g.upTo(120*time.Second)
	outage := g.outage()
	outage.At, outage.For = f.At+g.upTo(f.For), g.lasts()
	g.s.Faults = append(g.s.Faults, f, outage)
	if g.IntN(2) == 0 {
		again := f
		again.At = f.At + f.For + 80*time.Second + g.upTo(60*time.Second)
		g.s.Faults = append(g.s.Faults, again)
	}
	g.around(f.At, g.IntN(3))
}

// split is a store that one region cannot see, while the nodes of the other one
// come and go: nothing is down.
func (g *generator) split() {
	cut := g.shape(PathCut)
	cut.At, cut.For, cut.Arg = Calm+g.upTo(window), 100*time.Second+g.upTo(60*time.Second), 0
	node := g.shape([...]Kind{NodeKill, NodePower, NodeStall, NodeStall}[g.IntN(4)])
	node.Region, node.At, node.For = 1-cut.Region, cut.At+20*time.Second+g.upTo(50*time.Second), 8*time.Second+g.upTo(16*time.Second)
	other := node
	other.Node = 1 - node.Node
	g.s.Faults = append(g.s.Faults, cut, node, other)
	g.around(node.At, g.IntN(2))
}

// apart is an outage while the regions cannot talk by either way, not even by
// the table.
func (g *generator) apart() {
	cut := g.shape(BridgeCut)
	cut.At, cut.For, cut.Arg = Calm+g.upTo(window), 150*time.Second+g.upTo(60*time.Second), 0
	for r := range 2 {
		f := g.shape(ReplicationCut)
		f.Region, f.At, f.For = r, cut.At, cut.For
		g.s.Faults = append(g.s.Faults, f)
	}
	outage := g.outage()
	outage.At, outage.For = cut.At+g.upTo(40*time.Second), g.lasts()
	g.s.Faults = append(g.s.Faults, cut, outage)
}

// flaps is a relay that comes and goes.
func (g *generator) flaps() {
	f := g.shape(RelayKill)
	f.At, f.For = Calm+g.upTo(window), 25*time.Second+g.upTo(5*time.Second)
	for range 6 {
		g.s.Faults = append(g.s.Faults, f)
		f.At += 50 * time.Second
	}
}

// around lets n faults strike near the boundaries after an instant.
func (g *generator) around(from time.Duration, n int) {
	at := from
	for range n {
		f := g.fault()
		f.At = g.boundary(at)
		switch g.IntN(4) {
		case 0:
			g.await(&f)
		case 1:
			at = f.At + f.For // the next one strikes around the end of this
		}
		g.s.Faults = append(g.s.Faults, f)
	}
}

// await lets a fault strike at a moment of the mesh, not at an instant.
func (g *generator) await(f *Fault) {
	f.On, f.Nth = 1+Moment(g.IntN(int(usualMoments)-1)), 1+g.IntN(3) //nolint:gosec // a few
	if f.On == Loads || f.On == Readies {
		f.Nth = 1
	}
	f.At = max(Calm, f.At-20*time.Second)
	switch g.IntN(4) {
	case 0:
		f.Late = 1 + g.upTo(120*time.Millisecond)
	case 1:
		f.Late = time.Millisecond / 2
	default:
	}
	if g.IntN(2) == 0 { // what tears a notice's claim, send and mark apart
		kinds := [...]Kind{NodeKill, NodePower, NodeStall, NodeStall, NodeDrain, TableRefuse, TableLost, ChannelLost, ChannelFail, BridgeCut, RegionPower}
		torn := g.shape(kinds[g.IntN(len(kinds))])
		torn.At, torn.On, torn.Nth, torn.Late = f.At, f.On, f.Nth, f.Late
		*f = torn
	}
}

func (g *generator) boundary(from time.Duration) time.Duration {
	at := from + time.Duration(boundaries[g.IntN(len(boundaries))]*float64(time.Second))
	switch g.IntN(3) {
	case 0:
		at -= g.upTo(near)
	case 1:
		at += g.upTo(near)
	}
	if from == g.s.first() && g.IntN(4) == 0 { // before it
		at = from - (at - from)
	}
	return max(Calm, at.Truncate(time.Millisecond))
}

func (s *Schedule) first() time.Duration {
	if len(s.Faults) == 0 {
		return 0
	}
	return s.Faults[0].At
}

func (g *generator) messy() {
	for range 3 + g.IntN(8) {
		f := g.fault()
		if g.IntN(2) == 0 {
			f = g.outage()
		}
		f.At = Calm + g.upTo(longWindow)
		if g.IntN(5) == 0 {
			g.await(&f)
		}
		g.s.Faults = append(g.s.Faults, f)
	}
}

func (g *generator) outage() Fault {
	kinds := [...]Kind{RelayKill, RelayPower, HostCrash, HostPower, StorePower, RelayPower, HostCrash, StorePower, LanDown, Mass, WanCut}
	return g.shape(kinds[g.IntN(len(kinds))])
}

func (g *generator) fault() Fault { return g.shape(1 + Kind(g.IntN(int(usualKinds)-1))) }

// shape fills in what a kind needs.
func (g *generator) shape(k Kind) Fault {
	f := Fault{Kind: k, Region: g.IntN(2), Node: g.IntN(2), Store: g.IntN(len(g.s.Stores)), Channel: g.IntN(2), For: g.duration()}
	f.Host = g.IntN(len(g.s.Stores[f.Store].Hosts))
	switch f.Kind {
	case PathReset, LanReset, DiskLost, DiskRestored, RelayReplaced, HostTwice, Ack, Pin, StaleWill, StaleLan, HostMove:
		f.For = 0
	default:
	}
	switch f.Kind {
	case NodeClock, RelayClock:
		f.Arg = g.IntN(7200) - 3600
	case PathCut, BridgeCut:
		f.Arg = g.IntN(3)
	case HostMove:
		f.Arg = g.IntN(int(ways))
		if !g.s.Stores[f.Store].Relay {
			f.Arg = int(Direct) + g.IntN(2)
		}
	case RegionPower:
		if g.IntN(3) == 0 { // the other region takes over, and gives back
			f.For += 150 * time.Second
		}
	case RelayClone, Pin:
		f.Arg = g.IntN(2)
	case RelayBye:
		f.Arg = g.IntN(2)
		f.For = max(f.For, leaving)
	case ReplicationPart:
		f.Arg = 1 + g.IntN(Parts)
	case TableThrottle, TableLost:
		f.Arg = 20 + g.IntN(80)
	case Mass:
		f.Arg = 1 + g.IntN(len(g.s.Stores))
	case HostFlaps:
		f.Arg, f.For = 3+g.IntN(3), 0
	default:
	}
	return f
}

// lasts is how long an outage lasts: a moment, around the bounds, long enough
// to be told whatever strikes beside it, or to the end.
func (g *generator) lasts() time.Duration {
	switch g.IntN(6) {
	case 0:
		return time.Second + g.upTo(12*time.Second)
	case 1, 2:
		return 30*time.Second + g.upTo(40*time.Second)
	case 3, 4:
		return 100*time.Second + g.upTo(120*time.Second)
	default:
		return 0
	}
}

// duration is mostly around the bounds of the design.
func (g *generator) duration() time.Duration {
	d := [...]time.Duration{time.Second, 4 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second, 45 * time.Second, 70 * time.Second, 100 * time.Second}[g.IntN(8)]
	return d + g.upTo(d/2)
}
