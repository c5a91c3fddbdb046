package schedule

import "time"

// longHours is what takes ten minutes or more. The stores are few and their hosts
// beat seldom, so that the quiet time between is cheap.
func (g *generator) longHours() {
	n := 1
	if g.IntN(4) == 0 {
		n = 2
	}
	for range n {
		g.s.Stores = append(g.s.Stores, g.seldom())
	}
	switch p := g.IntN(100); {
	case p < 30:
		g.calmsDown()
	case p < 50:
		g.twoThenOne()
	case p < 70:
		g.restartsLate()
	case p < 85:
		g.closedNight()
	default:
		g.late(g.lastsLong())
	}
}

// seldom is a store with a relay whose hosts beat seldom.
func (g *generator) seldom() Store {
	st := Store{Relay: true}
	for range 1 + g.IntN(2) {
		st.Hosts = append(st.Hosts, Host{Way: Way(g.IntN(2)), Interval: time.Duration(30+g.IntN(2)*30) * time.Second}) //nolint:gosec // one of two
	}
	return st
}

// calmsDown is a subject that comes and goes, is calm for long, and is out again.
func (g *generator) calmsDown() {
	f := g.shape([...]Kind{HostFlaps, RelayKill, StorePower}[g.IntN(3)])
	f.At = Calm + g.upTo(window)
	times := 1
	if f.Kind != HostFlaps {
		f.For, times = 25*time.Second+g.upTo(5*time.Second), 5+g.IntN(3)
	} else {
		f.Arg = 5 + g.IntN(3)
	}
	for range times {
		g.s.Faults = append(g.s.Faults, f)
		f.At += 50 * time.Second
	}
	switch g.IntN(3) {
	case 0:
		g.rare(f.At + time.Minute)
	case 1:
		g.clocks(f.At)
	}
	g.late(f.At + 13*time.Minute + g.upTo(3*time.Minute))
}

// twoThenOne are two relays of one identity, of which one stops.
func (g *generator) twoThenOne() {
	f := g.shape(RelayClone)
	f.At, f.For = Calm+g.upTo(window), 40*time.Second+g.upTo(80*time.Second)
	g.s.Faults = append(g.s.Faults, f)
	if g.IntN(3) == 0 {
		g.rare(f.At + f.For + time.Minute)
	}
	g.late(f.At + f.For + 12*time.Minute + g.upTo(3*time.Minute))
}

// restartsLate is a relay that promises to be back at once, and is not.
func (g *generator) restartsLate() {
	f := g.shape(RelayBye)
	f.At, f.For, f.Arg = Calm+g.upTo(window), 200*time.Second+g.upTo(400*time.Second), 1
	g.s.Faults = append(g.s.Faults, f)
	if g.IntN(3) == 0 {
		g.rare(f.At + g.upTo(f.For))
	}
	g.late(f.At + f.For + 3*time.Minute + g.upTo(10*time.Minute))
}

// closedNight is a store that closes for an hour or so, and something of it that is
// off meanwhile, and back in time, or not.
func (g *generator) closedNight() {
	const edge = 3 // minutes until it closes
	lasts := 25 + g.IntN(60)
	minute := 60 + g.IntN(20*60) // when it closes, by its clock in winter
	s := g.IntN(len(g.s.Stores))
	g.s.Stores[s].Opens = Opening{Zone: "Europe/Berlin", From: (minute + lasts) % (24 * 60), To: minute}
	g.s.Wall = time.Date(2026, 1, 12, 0, minute-60-edge, 0, 0, time.UTC)
	opens := time.Duration(edge+lasts) * time.Minute
	f := g.shape([...]Kind{RelayBye, RelayPower, StorePower, StorePower, HostBye, HostCrash}[g.IntN(6)])
	f.At = edge*time.Minute - time.Minute + g.upTo(3*time.Minute)
	f.Store, f.Host, f.Arg = s, g.IntN(len(g.s.Stores[s].Hosts)), 0
	f.For = opens - f.At - 2*time.Minute + g.upTo(5*time.Minute)
	g.s.Faults = append(g.s.Faults, f)
	if g.IntN(3) == 0 {
		g.rare(opens - 2*time.Minute)
	}
}

// lastsLong is a fault that lasts for ten minutes or more, and an outage in it. It
// returns when the fault is over.
func (g *generator) lastsLong() time.Duration {
	kinds := [...]Kind{Silence, RegionPower, BridgeCut, ReplicationCut, ReplicationPart, PathCut, TableRefuse, ChannelFail, HostBye, RelayBye}
	f := g.shape(kinds[g.IntN(len(kinds))])
	f.At, f.For = Calm+g.upTo(window), 10*time.Minute+g.upTo(20*time.Minute)
	if f.Kind == RelayBye {
		f.Arg = 0
	}
	outage := g.long()
	outage.At = f.At + g.upTo(f.For)
	if outage.For == 0 {
		outage.For = 3 * time.Minute
	}
	g.s.Faults = append(g.s.Faults, f, outage)
	return max(f.At+f.For, outage.At+outage.For) + 2*time.Minute
}

// rare is a node that dies meanwhile.
func (g *generator) rare(at time.Duration) {
	f := g.shape([...]Kind{NodeKill, NodePower, NodeDrain, RegionPower, NodeStall}[g.IntN(5)])
	f.At = at + g.upTo(time.Minute)
	g.s.Faults = append(g.s.Faults, f)
}

// clocks sets back the wall clocks of all nodes of both regions, for long.
func (g *generator) clocks(at time.Duration) {
	f := g.shape(NodeClock)
	f.At, f.For, f.Arg = at, 20*time.Minute, -1800-g.IntN(1800)
	for i := range 4 {
		f.Region, f.Node = i/2, i%2
		g.s.Faults = append(g.s.Faults, f)
	}
}

// late is an outage after all that.
func (g *generator) late(at time.Duration) {
	f := g.shape([...]Kind{HostCrash, HostPower, RelayPower, StorePower}[g.IntN(4)])
	f.At, f.For = at, 60*time.Second+g.upTo(60*time.Second)
	if g.IntN(20) == 0 {
		f.At += time.Hour + g.upTo(time.Hour)
	}
	g.s.Faults = append(g.s.Faults, f)
}
