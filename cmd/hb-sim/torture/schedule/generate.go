package schedule

import (
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// Calm is how long a mesh has to settle before the first fault.
	Calm = 75 * time.Second
	// window is when the faults of a nasty schedule begin after Calm.
	window = 40 * time.Second
	// longWindow is that of a messy one.
	longWindow = 150 * time.Second
	// recovery is how long a mesh has after the last fault.
	recovery = 150 * time.Second
)

// Generate makes the schedule of a seed. It uses the memory of s again.
func Generate(seed uint64, s *Schedule) {
	r := rand.New(rand.NewPCG(seed, 0x6862_6d65_7368)) //nolint:gosec // a seed decides everything
	s.Seed = seed
	s.Stores, s.Faults = s.Stores[:0], s.Faults[:0]
	n := 1 + r.IntN(4)
	if r.IntN(5) == 0 {
		n = 12 + r.IntN(5)
	}
	for range n {
		s.Stores = append(s.Stores, store(r))
	}
	width, faults := window, r.IntN(7)
	if r.IntN(4) == 0 {
		width, faults = longWindow, 2+r.IntN(8)
	}
	center := Calm + time.Duration(r.Int64N(int64(width)))
	for range faults {
		f := s.fault(r)
		f.At = Calm + time.Duration(r.Int64N(int64(width)))
		if r.IntN(3) == 0 { // near one instant
			f.At = max(Calm, center+time.Duration(r.Int64N(int64(6*time.Second)))-3*time.Second)
		}
		f.At = f.At.Truncate(time.Millisecond)
		s.Faults = append(s.Faults, f)
	}
	s.settle()
}

// settle orders the faults, and says when they are over.
func (s *Schedule) settle() {
	slices.SortStableFunc(s.Faults, func(a, b Fault) int { return int(a.At - b.At) })
	s.Quiet = Calm
	for _, f := range s.Faults {
		s.Quiet = max(s.Quiet, f.At+f.For)
	}
	s.End = s.Quiet + recovery
}

func store(r *rand.Rand) Store {
	st := Store{Relay: r.IntN(8) != 0}
	for range 1 + r.IntN(3) {
		h := Host{Interval: time.Duration(5+r.IntN(4)*5) * time.Second}
		switch {
		case !st.Relay:
			h.Way = Direct + Way(r.IntN(2))
		case r.IntN(4) == 0:
			h.Way = HTTP
		}
		st.Hosts = append(st.Hosts, h)
	}
	return st
}

func (s *Schedule) fault(r *rand.Rand) Fault {
	f := Fault{Kind: 1 + Kind(r.IntN(int(Kinds)-1))}
	if r.IntN(3) == 0 { // outages are what it is about
		f.Kind = []Kind{RelayKill, RelayPower, HostCrash, HostPower, StorePower, PathCut}[r.IntN(6)]
	}
	f.Region, f.Node, f.Store, f.Channel = r.IntN(2), r.IntN(2), r.IntN(len(s.Stores)), r.IntN(2)
	f.Host = r.IntN(len(s.Stores[f.Store].Hosts))
	f.For = duration(r)
	switch f.Kind {
	case PathReset, LanReset, DiskLost, DiskRestored, RelayReplaced, HostTwice, Ack, Pin:
		f.For = 0
	case NodeClock, RelayClock:
		f.Arg = r.IntN(7200) - 3600
	case PathCut, BridgeCut:
		f.Arg = r.IntN(3)
	case HostMove:
		f.Arg = r.IntN(int(ways))
		if !s.Stores[f.Store].Relay {
			f.Arg = int(Direct) + r.IntN(2)
		}
	case RelayClone:
		f.Arg = r.IntN(2)
	case TableThrottle, TableLost:
		f.Arg = 20 + r.IntN(80)
	case Mass:
		f.Arg = 1 + r.IntN(len(s.Stores))
	}
	return f
}

// duration is mostly around the bounds of the design.
func duration(r *rand.Rand) time.Duration {
	d := []time.Duration{time.Second, 4 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second, 45 * time.Second, 70 * time.Second, 100 * time.Second}[r.IntN(8)]
	return (d + time.Duration(r.Int64N(int64(d/2)))).Truncate(time.Millisecond)
}
