package schedule

import "time"

// absent are stores whose hosts operators declared: one that never was there, and may
// come; and one that nobody declared, which pages nobody.
func (g *generator) absent() {
	for range 1 + g.IntN(3) {
		st := g.store()
		st.Relay = true
		for i := range st.Hosts {
			st.Hosts[i].Way = Way(g.IntN(2)) //nolint:gosec // one of two
		}
		if len(g.s.Stores) == 0 || g.IntN(2) == 0 {
			st.Hosts = append(st.Hosts, Host{Way: Never, Interval: 10 * time.Second})
		}
		if g.IntN(3) == 0 {
			st.Hosts = append(st.Hosts, Host{Way: MQTT, Interval: 10 * time.Second, Stray: true})
		}
		g.s.Stores = append(g.s.Stores, st)
	}
	f := g.shape(HostComes)
	f.At, f.For, f.Store, f.Arg = 80*time.Second+g.upTo(3*time.Minute), 0, 0, g.IntN(int(ways))
	for i, h := range g.s.Stores[0].Hosts {
		if h.Way == Never {
			f.Host = i
		}
	}
	if g.IntN(3) > 0 {
		g.s.Faults = append(g.s.Faults, f)
	}
	if g.IntN(3) > 0 {
		outage := g.long()
		outage.At = f.At + g.upTo(90*time.Second)
		g.s.Faults = append(g.s.Faults, outage)
	}
	if g.IntN(3) == 0 {
		g.around(g.boundary(f.At), 1)
	}
	for i := range g.s.Faults {
		if x := &g.s.Faults[i]; x.Kind == Hours { // that would declare the store anew
			x.Kind = Silence
		}
	}
	if g.IntN(3) == 0 { // long enough to be told
		g.late(4*time.Minute + g.upTo(time.Minute))
	}
}
