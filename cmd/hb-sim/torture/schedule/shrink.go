package schedule

import (
	"slices"
	"time"
)

// Clone is a copy that shares nothing.
func (s *Schedule) Clone() *Schedule {
	c := *s
	c.Faults, c.Stores = slices.Clone(s.Faults), slices.Clone(s.Stores)
	for i := range c.Stores {
		c.Stores[i].Hosts = slices.Clone(c.Stores[i].Hosts)
	}
	return &c
}

// Shrink is the smallest schedule that it finds for which fails says yes: with
// fewer faults, fewer stores and hosts, and rounder times.
func Shrink(s *Schedule, fails func(*Schedule) bool) *Schedule {
	best := s.Clone()
	for changed := true; changed; {
		changed = false
		for _, smaller := range best.smaller() {
			smaller.settle()
			if fails(smaller) {
				best, changed = smaller, true
				break
			}
		}
	}
	return best
}

// smaller are the schedules one step below.
func (s *Schedule) smaller() []*Schedule {
	var out []*Schedule
	add := func(change func(*Schedule)) {
		c := s.Clone()
		change(c)
		out = append(out, c)
	}
	for i := range s.Faults {
		add(func(c *Schedule) { c.Faults = slices.Delete(c.Faults, i, i+1) })
	}
	if n := len(s.Stores) - 1; n > 0 && !slices.ContainsFunc(s.Faults, func(f Fault) bool { return f.Store == n || f.Kind == Mass && f.Arg > n }) {
		add(func(c *Schedule) { c.Stores = c.Stores[:n] })
	}
	for i := range s.Stores {
		if n := len(s.Stores[i].Hosts) - 1; n > 0 && !slices.ContainsFunc(s.Faults, func(f Fault) bool { return f.Store == i && f.Host == n }) {
			add(func(c *Schedule) { c.Stores[i].Hosts = c.Stores[i].Hosts[:n] })
		}
	}
	for i := range s.Faults {
		if at := s.Faults[i].At.Round(time.Second); at != s.Faults[i].At {
			add(func(c *Schedule) { c.Faults[i].At = at })
		}
		if d := s.Faults[i].For.Round(time.Second); d != s.Faults[i].For && d > 0 {
			add(func(c *Schedule) { c.Faults[i].For = d })
		}
	}
	return out
}
