package schedule

import "time"

// mute is an outage while a region can tell nobody, by any channel, for long
// enough that the other one tells; then it can again.
func (g *generator) mute() {
	g.open()
	f := g.shape(ChannelFail)
	f.At, f.For = Calm+g.upTo(window), 70*time.Second+g.upTo(100*time.Second)
	other := f
	other.Channel = 1 - f.Channel
	outage := g.outage()
	outage.At, outage.For = f.At+g.upTo(30*time.Second), g.lasts()
	g.s.Faults = append(g.s.Faults, f, other, outage)
	g.around(f.At+f.For, g.IntN(2))
}

// lonely is a region that sees no relay, and hears the other region by letters at
// most.
func (g *generator) lonely() {
	g.open()
	f := g.shape(RegionAlone)
	f.At, f.For = Calm+g.upTo(window), 100*time.Second+g.upTo(100*time.Second)
	g.s.Faults = append(g.s.Faults, f)
	if g.IntN(2) == 0 {
		for r := range 2 {
			cut := g.shape(ReplicationCut)
			cut.Region, cut.At, cut.For = r, f.At, f.For
			g.s.Faults = append(g.s.Faults, cut)
		}
	}
	if g.IntN(4) == 0 {
		g.around(f.At, 1)
	}
}

// orphan is an outage, or its end, whose teller dies soon after it told: the
// marks alone say so then.
func (g *generator) orphan() {
	g.open()
	outage := g.outage()
	outage.At, outage.For = Calm+g.upTo(window), 0
	if g.IntN(2) == 0 {
		outage.For = 60*time.Second + g.upTo(60*time.Second)
	}
	f := g.shape(RegionPower)
	f.At, f.For, f.Region = max(Calm, outage.At-time.Second), 60*time.Second+g.upTo(120*time.Second), 0
	f.On, f.Nth, f.Late = Marks, 2+g.IntN(3), 1+g.upTo(8*time.Second)
	g.s.Faults = append(g.s.Faults, outage, f)
}

// still is both regions standing still at once, for longer than a host's promise.
func (g *generator) still() {
	g.open()
	at, d := Calm+g.upTo(window), 18*time.Second+g.upTo(40*time.Second)
	for i := range 4 {
		f := g.shape(NodeStall)
		f.Region, f.Node, f.At, f.For = i/2, i%2, at+g.upTo(2*time.Second), d
		g.s.Faults = append(g.s.Faults, f)
	}
}

// hermit is a store that one region alone sees for long, and that region dies.
func (g *generator) hermit() {
	g.open()
	cut := g.shape(PathCut)
	cut.At, cut.For, cut.Arg = Calm+g.upTo(window), 300*time.Second, 0
	f := g.shape(RegionPower)
	f.Region, f.At, f.For = 1-cut.Region, cut.At+80*time.Second+g.upTo(60*time.Second), 100*time.Second+g.upTo(60*time.Second)
	g.s.Faults = append(g.s.Faults, cut, f)
	if g.IntN(3) == 0 {
		outage := g.outage()
		outage.At, outage.For = f.At+g.upTo(60*time.Second), g.lasts()
		g.s.Faults = append(g.s.Faults, outage)
	}
}

// leaves is a region whose nodes stop on purpose, while a store is seen by it alone.
func (g *generator) leaves() {
	g.open()
	cut := g.shape(PathCut)
	cut.At, cut.For, cut.Arg = Calm+g.upTo(window), 160*time.Second+g.upTo(60*time.Second), 0
	g.s.Faults = append(g.s.Faults, cut)
	at := cut.At + 60*time.Second + g.upTo(20*time.Second)
	for n := range 2 {
		f := g.shape(NodeDrain)
		f.Region, f.Node, f.At, f.For = 1-cut.Region, n, at, 20*time.Second+g.upTo(10*time.Second)
		g.s.Faults = append(g.s.Faults, f)
	}
	if g.IntN(3) == 0 {
		outage := g.outage()
		outage.At, outage.For = at+g.upTo(20*time.Second), g.lasts()
		g.s.Faults = append(g.s.Faults, outage)
	}
}

// bypass is a relay that dies while hosts of its store beat by themselves, and
// maybe one of these dies too.
func (g *generator) bypass() {
	g.open()
	s := g.IntN(len(g.s.Stores))
	st := &g.s.Stores[s]
	st.Relay = true
	n := 1 + g.IntN(2)
	for i := range n {
		h := Host{Way: Direct + Way(g.IntN(2)), Interval: time.Duration(5+g.IntN(4)*5) * time.Second}
		if i < len(st.Hosts) {
			st.Hosts[i] = h
		} else {
			st.Hosts = append(st.Hosts, h)
		}
	}
	f := g.shape([...]Kind{RelayKill, RelayPower}[g.IntN(2)])
	f.Store, f.At, f.For = s, Calm+g.upTo(window), g.lasts()
	g.s.Faults = append(g.s.Faults, f)
	if g.IntN(3) == 0 {
		die := g.shape([...]Kind{HostCrash, HostPower}[g.IntN(2)])
		die.Store, die.Host, die.At, die.For = s, g.IntN(n), f.At+g.upTo(100*time.Second), g.lasts()
		g.s.Faults = append(g.s.Faults, die)
	}
	if g.IntN(3) == 0 {
		g.around(f.At, 1)
	}
}

// rivals are two relays of one identity, of which one ends, and sometimes nodes as
// well; and sometimes what follows until nobody is called a rival any more.
func (g *generator) rivals() {
	g.open()
	f := g.shape(RelayClone)
	for i := range g.s.Stores {
		if g.s.Stores[i].Relay {
			f.Store = i
		}
	}
	g.s.Stores[f.Store].Relay = true
	f.At, f.For = Calm+g.upTo(window), 60*time.Second+g.upTo(80*time.Second)
	g.s.Faults = append(g.s.Faults, f)
	if g.IntN(3) > 0 {
		end := g.shape([...]Kind{RelayKill, RelayPower, RelayKill, PathReset, PathCut}[g.IntN(5)])
		end.Store, end.At = f.Store, f.At+10*time.Second+g.upTo(f.For)
		end.For = min(end.For, 30*time.Second)
		g.s.Faults = append(g.s.Faults, end)
	}
	if g.IntN(2) > 0 {
		return
	}
	g.s.Linger = 10 * time.Minute
	if g.IntN(2) == 0 {
		for n := range 4 {
			k := g.shape([...]Kind{NodeKill, NodePower, NodeDrain}[g.IntN(3)])
			k.Region, k.Node, k.At, k.For = n/2, n%2, f.At+20*time.Second+g.upTo(f.For), 15*time.Second
			g.s.Faults = append(g.s.Faults, k)
		}
	}
}
