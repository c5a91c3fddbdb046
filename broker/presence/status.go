package presence

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// StoreStatus is a store as people look at it.
type StoreStatus struct {
	Store      beat.StoreID
	State      State
	Reason     Reason
	Since      time.Time
	Relay      beat.RelayID
	Software   string
	LastReport time.Time
	// Mine is this region's view, Theirs the other's last word ("": none asked).
	Mine, Theirs View
	Journal      uint64
	JournalLost  uint64
	// Hosts counts them by state.
	Hosts map[beat.HostState]int
}

// HostStatus is a host as people look at it.
type HostStatus struct {
	Store    beat.StoreID
	Host     beat.HostID
	State    beat.HostState
	Since    time.Time
	Interval time.Duration
	// LastBeat is the last beat by any way; zero: none is known.
	LastBeat time.Time
	Via      Way
	Reason   string
	Message  string
	Flapping bool
	// Declared says that an operator declared it; Unadopted that it pages
	// nobody yet; NeverSeen that it is expected and never came.
	Declared, Unadopted, NeverSeen bool
}

// Each calls f for every store, in the order of their ids.
func (p *Presence) Each(now beat.Now, f func(StoreStatus)) {
	for _, s := range p.sorted() {
		f(p.status(now, s))
	}
}

// Status is one store, as people look at it; ok is false for an unknown one.
func (p *Presence) Status(now beat.Now, id beat.StoreID) (st StoreStatus, ok bool) {
	s := p.stores[id]
	if s == nil {
		return StoreStatus{}, false
	}
	return p.status(now, s), true
}

// Sees says whether this region has evidence of its own of a host now, or (host "")
// of what a store's relay says: not where the store is not up (P4), and not while
// this region suspects itself (I7). What is unknown here is no less seen than
// before.
func (p *Presence) Sees(id beat.StoreID, host beat.HostID) bool {
	s := p.stores[id]
	switch {
	case p.fleet.state != FleetWell:
		return false
	case s == nil:
		return true
	case host == "":
		return s.session == sessionOpen
	}
	h := s.lookup(host)
	return h == nil || h.state != beat.Covered
}

// Sessions is how many relays have an open session here.
func (p *Presence) Sessions() int { return p.sessions }

func (p *Presence) status(now beat.Now, s *store) StoreStatus {
	p.now = now
	st := StoreStatus{
		Store: s.id, State: s.state, Reason: s.reason, Since: s.stateAt, Relay: s.relay, Software: s.software,
		Mine: p.view(s).View, Theirs: s.theirs.View,
		Journal: s.depth, JournalLost: s.journalLost, Hosts: make(map[beat.HostState]int),
	}
	switch s.session {
	case sessionOpen:
		st.LastReport = now.At(s.lastReport)
		if s.lostThere != 0 {
			st.Theirs = ViewLost
		}
	case sessionEnded:
		st.LastReport = s.lastLife
	}
	for i := range s.hosts {
		st.Hosts[s.hosts[i].state]++
	}
	return st
}

// Hosts are the hosts of a store, in no order; ok is false for an unknown store.
func (p *Presence) Hosts(now beat.Now, id beat.StoreID) (hosts []HostStatus, ok bool) {
	s := p.stores[id]
	if s == nil {
		return nil, false
	}
	for i := range s.hosts {
		hosts = append(hosts, s.hosts[i].shown(now, s))
	}
	return hosts, true
}

func (h *host) shown(now beat.Now, s *store) HostStatus {
	n := h.notes()
	st := HostStatus{
		Store: s.id, Host: h.id, State: h.state, Since: time.UnixMilli(h.stateAt).UTC(), Interval: h.interval(), Via: ByRelay,
		Reason: h.reason.String(), Message: n.relay, Flapping: h.flapping,
		Declared: h.declared, Unadopted: !s.adopts && !h.declared && !h.seen.regular(), NeverSeen: h.cond == HostNeverSeen,
	}
	last := h.lastSeen
	if h.direct != beat.Unknown && (!h.relayed || h.dLast > h.lastSeen) {
		last, st.Via, st.Interval, st.Message = h.dLast, ByDirect, h.dInterval(), n.direct
		st.Reason = ""
	}
	if last != 0 {
		st.LastBeat = now.At(last)
	}
	if h.number == 0 && h.direct == beat.Unknown {
		st.Via, st.Reason = NoWay, ""
	}
	return st
}
