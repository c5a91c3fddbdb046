package schedule

import (
	"math/rand/v2"
	"time"
)

// Of so many seeds in 1,000 the schedule is a special one.
const (
	aloneSeeds  = 70
	besideSeeds = 70
	nightSeeds  = 25
	stormSeeds  = 1
	muteSeeds   = 12
	lonelySeeds = 12
	orphanSeeds = 16
	stillSeeds  = 8
	hermitSeeds = 6
	leavesSeeds = 5
	bypassSeeds = 12
	rivalsSeeds = 8
)

// special makes what chance alone makes too seldom: each fault by itself, and
// beside one long outage; nights in which the clocks change; storms; regions that
// cannot tell, see nobody, die as they told, stand still together, or die as the
// only ones that see a store; relays that die before their hosts, or beside a rival. It draws
// from a chance of its own.
func (g *generator) special() bool {
	x := generator{Rand: rand.New(rand.NewPCG(g.s.Seed, 0x7370_6563_6961_6c)), s: g.s} //nolint:gosec // a seed decides everything
	p := x.IntN(1000)
	for _, c := range [...]struct {
		seeds int
		make  func()
	}{{aloneSeeds, x.alone}, {besideSeeds, x.beside}, {nightSeeds, x.night}, {stormSeeds, x.storm}, {muteSeeds, x.mute}, {lonelySeeds, x.lonely}, {orphanSeeds, x.orphan}, {stillSeeds, x.still}, {hermitSeeds, x.hermit}, {leavesSeeds, x.leaves}, {bypassSeeds, x.bypass}, {rivalsSeeds, x.rivals}} {
		if p < c.seeds {
			c.make()
			return true
		}
		p -= c.seeds
	}
	return false
}

// open opens a few stores, and in one schedule of four many.
func (g *generator) open() {
	n := 1 + g.IntN(4)
	if g.IntN(4) == 0 {
		n = 12 + g.IntN(5)
	}
	for range n {
		g.s.Stores = append(g.s.Stores, g.store())
	}
}

// alone is one fault, of any kind, and nothing else.
func (g *generator) alone() {
	g.open()
	f := g.fault()
	f.At = Calm + g.upTo(window)
	switch {
	case f.Kind.Outage():
		f.For = g.lasts()
	case f.For > 0 && g.IntN(2) == 0: // longer than all that waits for it
		f.For += 60*time.Second + g.upTo(60*time.Second)
	}
	g.s.Faults = append(g.s.Faults, f)
}

// beside is one fault, of any kind, before, while or after something is down for
// long.
func (g *generator) beside() {
	g.open()
	outage := g.outage()
	outage.At = Calm + g.upTo(window)
	if g.IntN(3) > 0 {
		outage.For = 100*time.Second + g.upTo(120*time.Second)
	} else {
		outage.For = 0
	}
	g.s.Faults = append(g.s.Faults, outage)
	from := outage.At
	if outage.For > 0 && g.IntN(3) == 0 {
		from += outage.For
	}
	g.around(from, 1)
}

// stormStores are the fewest of a storm, and how many more there may be.
const (
	stormStores     = 60
	moreStormStores = 140
)

// storm is so many stores that go at once, and sometimes a fault beside them. To
// be cheap each has one host, which beats seldom.
func (g *generator) storm() {
	n := stormStores + g.IntN(moreStormStores+1)
	for range n {
		way := HTTP
		if g.IntN(4) == 0 {
			way = MQTT
		}
		g.s.Stores = append(g.s.Stores, Store{Relay: true, Hosts: []Host{{Way: way, Interval: 30 * time.Second}}})
	}
	f := g.shape(Mass)
	f.At, f.For, f.Arg = Calm+g.upTo(time.Second), 60*time.Second+g.upTo(60*time.Second), stormStores+g.IntN(n-stormStores+1)
	g.s.Faults = append(g.s.Faults, f)
	if g.IntN(4) == 0 {
		g.around(f.At, 1)
	}
}
