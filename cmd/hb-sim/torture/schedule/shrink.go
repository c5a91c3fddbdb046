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
// fewer faults (delta debugging: first halves, then single ones), fewer stores
// and hosts, and rounder times.
func Shrink(s *Schedule, fails func(*Schedule) bool) *Schedule {
	best := s.Clone()
	try := func(change func(*Schedule)) bool {
		c := best.Clone()
		change(c)
		c.settle()
		if c.check() != nil || !fails(c) {
			return false
		}
		best = c
		return true
	}
	for changed := true; changed; {
		changed = fewerFaults(&best, try)
		changed = fewerStores(&best, try) || changed
		changed = rounder(&best, try) || changed
	}
	return best
}

type attempt func(change func(*Schedule)) bool

func fewerFaults(best **Schedule, try attempt) (changed bool) {
	for size := len((*best).Faults); size >= 1; size /= 2 {
		for from := 0; from < len((*best).Faults); {
			to := min(from+size, len((*best).Faults))
			if try(func(c *Schedule) { c.Faults = slices.Delete(c.Faults, from, to) }) {
				changed = true
				continue
			}
			from += size
		}
	}
	return changed
}

// fewerStores leaves out stores that no fault is about, and hosts likewise; what
// is behind one moves up.
func fewerStores(best **Schedule, try attempt) (changed bool) {
	for i := len((*best).Stores) - 1; i >= 0 && len((*best).Stores) > 1; i-- {
		if (*best).about(i, -1) {
			continue
		}
		changed = try(func(c *Schedule) {
			c.Stores = slices.Delete(c.Stores, i, i+1)
			for k := range c.Faults {
				f := &c.Faults[k]
				switch {
				case f.Store > i:
					f.Store--
				case f.Store == i:
					f.Store, f.Host = 0, 0
				}
				if f.Kind == Mass {
					f.Arg = min(f.Arg, len(c.Stores))
				}
			}
		}) || changed
	}
	for i := range (*best).Stores {
		for h := len((*best).Stores[i].Hosts) - 1; h >= 0 && len((*best).Stores[i].Hosts) > 1; h-- {
			if (*best).about(i, h) {
				continue
			}
			changed = try(func(c *Schedule) {
				c.Stores[i].Hosts = slices.Delete(c.Stores[i].Hosts, h, h+1)
				for k := range c.Faults {
					if f := &c.Faults[k]; f.Store == i && f.Host > 0 && f.Host >= h {
						f.Host--
					}
				}
			}) || changed
		}
	}
	return changed
}

// about says whether a fault names a store, or a host of it.
func (s *Schedule) about(store, host int) bool {
	for i := range s.Faults {
		f := &s.Faults[i]
		for _, what := range shapes[f.Kind].has {
			if f.Store == store && (host < 0 && (what == 's' || what == 'h') || host >= 0 && what == 'h' && f.Host == host) {
				return true
			}
		}
	}
	return false
}

func rounder(best **Schedule, try attempt) (changed bool) {
	for i := range (*best).Faults {
		f := (*best).Faults[i]
		if at := f.At.Round(time.Second); at != f.At {
			changed = try(func(c *Schedule) { c.Faults[i].At = at }) || changed
		}
		if d := f.For.Round(time.Second); d != f.For && d > 0 {
			changed = try(func(c *Schedule) { c.Faults[i].For = d }) || changed
		}
		if f.Late > 0 {
			changed = try(func(c *Schedule) { c.Faults[i].Late = 0 }) || changed
		}
	}
	return changed
}
