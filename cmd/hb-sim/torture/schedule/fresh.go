package schedule

import (
	"math/rand/v2"
	"time"
)

// Of so many seeds in 1,000 the schedule is one of what came to the alphabet last:
// a kind by itself, or beside one long outage; and a fault at one of its moments,
// by itself or beside an outage; or of what takes ten minutes and more. moreSeeds of
// the others get one more fault.
const (
	novelSeeds       = 36
	novelBesideSeeds = 24
	momentSeeds      = 50
	longSeeds        = 12
	absentSeeds      = 14
	moreSeeds        = 100
)

// fresh draws from a chance of its own, so that what a seed draws without it stays
// as it is.
func fresh(s *Schedule) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(s.Seed, 0x6672_6573_68)), s: s} //nolint:gosec // a seed decides everything
}

// instead makes the whole schedule; false: another one does.
func (g *generator) instead() bool {
	p := g.IntN(1000)
	for _, c := range [...]struct {
		seeds int
		make  func()
	}{{novelSeeds, g.novelAlone}, {novelBesideSeeds, g.novelBeside}, {momentSeeds, g.atMoment}, {longSeeds, g.longHours}, {absentSeeds, g.absent}} {
		if p < c.seeds {
			c.make()
			return true
		}
		p -= c.seeds
	}
	return false
}

// more adds a fault to a schedule that another one made.
func (g *generator) more() {
	if len(g.s.Stores) >= stormStores || g.IntN(1000) >= moreSeeds {
		return
	}
	from := Calm + g.upTo(window)
	if len(g.s.Faults) > 0 {
		f := &g.s.Faults[g.IntN(len(g.s.Faults))]
		if from = f.At; g.IntN(3) == 0 {
			from += f.For
		}
	}
	at := g.boundary(from)
	if g.IntN(3) > 0 {
		g.torn(at)
		return
	}
	f := g.novel()
	f.At = at
	g.s.Faults = append(g.s.Faults, f)
}

// novel is a fault of a kind that came last, and strikes any mesh.
func (g *generator) novel() Fault {
	return g.shape(usualKinds + Kind(g.IntN(int(HostComes-usualKinds))))
}

func (g *generator) novelAlone() {
	g.open()
	f := g.novel()
	f.At = Calm + g.upTo(window)
	if g.IntN(2) == 0 {
		f.For += 60*time.Second + g.upTo(60*time.Second)
	}
	if f.Kind == RelayBye && g.IntN(3) == 0 {
		f.For = 0
	}
	g.s.Faults = append(g.s.Faults, f)
}

func (g *generator) novelBeside() {
	g.open()
	outage := g.long()
	f := g.novel()
	f.At = g.boundary(outage.At)
	g.s.Faults = append(g.s.Faults, outage, f)
}

// long is an outage that lasts until it is told, or to the end.
func (g *generator) long() Fault {
	f := g.outage()
	f.At, f.For = Calm+g.upTo(window), 0
	if g.IntN(3) > 0 {
		f.For = 100*time.Second + g.upTo(120*time.Second)
	}
	return f
}

// atMoment is a fault at one of the moments that came last.
func (g *generator) atMoment() {
	g.open()
	at := Calm + g.upTo(window)
	if g.IntN(3) > 0 {
		outage := g.long()
		g.s.Faults = append(g.s.Faults, outage)
		at = outage.At
	}
	g.torn(at)
}

// torn is a fault at a moment that came last, or at one that comes seldom: what
// tears apart what is done there; and what brings the mesh to that moment.
func (g *generator) torn(at time.Duration) {
	m := usualMoments + Moment(g.IntN(int(Moments-usualMoments)+2))
	broker := [...]Kind{NodeKill, NodePower, NodeStall, NodeDrain, TableRefuse, TableLost, BridgeCut, BridgeReset, RegionPower, ReplicationCut, ReplicationPart, PathReset}
	relays := [...]Kind{RelayKill, RelayPower, RelayStall, RelayBye, DiskFull, DiskLost, PathCut, PathReset, RegionPower, NodeKill, NodeStall, NodeDrain}
	k := broker[g.IntN(len(broker))]
	switch {
	case m >= Moments: // those after which a node begins
		m = Loads + m - Moments
	case m.OfRelay():
		k = relays[g.IntN(len(relays))]
	}
	f := g.shape(k)
	f.On, f.Nth, f.At = m, 1+g.IntN(3), max(Calm, at-g.upTo(5*time.Second))
	switch m {
	case Loads, Readies, Births, Reserves:
		f.Nth = 1
	case Renews, Fetches: // each three seconds, of each region
		f.Nth += g.IntN(20)
	}
	switch g.IntN(4) {
	case 0:
		f.Late = 1 + g.upTo(120*time.Millisecond)
	case 1:
		f.Late = time.Millisecond / 2
	}
	if c := g.cause(m); c != 0 {
		why := g.shape(c)
		why.Store, why.At = f.Store, f.At+g.upTo(5*time.Second)
		why.Host = g.IntN(len(g.s.Stores[why.Store].Hosts))
		g.s.Faults = append(g.s.Faults, why)
	}
	g.s.Faults = append(g.s.Faults, f)
}

// cause is what brings a mesh to a moment to which it does not come by itself; 0:
// nothing has to.
func (g *generator) cause(m Moment) Kind {
	kinds := []Kind{HostCrash, HostPower, HostFail, LanReset, HostFlaps}
	switch m { //nolint:exhaustive // the others come often
	case Renews:
		return 0
	case Posts, Fetches:
		kinds = []Kind{BridgeCut, BridgeReset}
	case Reserves, Births:
		kinds = []Kind{PathReset, RelayKill, RelayKill, DiskLost}
	case Loads, Readies:
		kinds = []Kind{NodeKill, NodePower, RegionPower, NodeDrain}
	}
	return kinds[g.IntN(len(kinds))]
}
