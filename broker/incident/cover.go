package incident

import "slices"

// uncover goes on with what the end of an incident lets go: what was held back
// while its subject flapped, and hosts' faults under a dead LAN. The latter
// return with their next beat, so they are given a while.
func (b *Book) uncover(inc *incident) {
	switch store := inc.Store; classOf(inc.Kind) {
	case flapClass:
		b.recheckStore(store)
	case lanClass:
		b.after(b.opt.GatherLan, func() {
			list := b.underLan[store]
			delete(b.underLan, store)
			for _, s := range list {
				if s.phase == frozen && s.inc.Open && s.inc.fault == s {
					b.start(s, true) // the other region may have taken it over before
				}
			}
		})
	}
}

// covered says whether an incident is of a host whose store is down (P4). While
// the relay is dead and the store alive, its hosts are judged by themselves (P5).
func (b *Book) covered(inc *incident) bool {
	if inc.Host == "" || classOf(inc.Kind) == flapClass {
		return false
	}
	s := b.open[subject{inc.Store, "", "", storeClass}]
	return s != nil && s.Kind == StoreDown || b.open[subject{inc.Store, "", "", lanClass}] != nil
}

// freeze leaves the fault of a covered host alone.
func (b *Book) freeze(s *step) {
	s.phase, s.inc.Waits = frozen, b.coveredBy(s.inc)
	store := s.inc.Store
	if b.open[subject{store, "", "", lanClass}] == nil {
		return // the next picture decides
	}
	list := slices.DeleteFunc(b.underLan[store], func(f *step) bool { return f == s || f.phase != frozen })
	b.underLan[store] = append(list, s)
}

// coveredBy is why a covered incident is not told.
func (b *Book) coveredBy(inc *incident) string {
	if b.open[subject{inc.Store, "", "", lanClass}] != nil {
		return "the store's LAN is down: it is told for all hosts"
	}
	return "the store is down: its hosts cannot be seen"
}
