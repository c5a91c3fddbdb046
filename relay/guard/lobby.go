package guard

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// evictAge is how long a stranger may be silent before it makes room for a
	// file descriptor: whoever speaks at once is not put out.
	evictAge = time.Second
	// networkBits is what one customer or one LAN has of IPv6: whoever has it
	// has all its addresses.
	networkBits = 64
	// networkShare is how many times MaxPerAddress a whole IPv6 network may
	// have: a store's registers share one.
	networkShare = 5
)

// lobby counts a door's connections, in all, by address and by network, and
// knows which stranger waits longest.
type lobby struct {
	max, perAddress, strangers int
	proveWithin                time.Duration
	exemptLoopback             bool
	metrics                    *Metrics

	mu      sync.Mutex // guards what follows
	total   int
	by      map[netip.Prefix]*tally
	waiting queue // the strangers
	idle    queue // who was admitted and has not said anything of use
}

// tally is what an address or a network has.
type tally struct {
	prefix        netip.Prefix
	all           int
	waiting, idle queue
}

// queue is slots, oldest first.
type queue struct{ list.List }

// oldest is the first slot that stands in q since then; nil if there is none.
func (q *queue) oldest(then time.Time) *slot {
	if e := q.Front(); e != nil {
		if s := e.Value.(*slot); !s.since.After(then) { //nolint:errcheck // the queue holds nothing else
			return s
		}
	}
	return nil
}

// slot is one connection's place.
type slot struct {
	lobby    *lobby
	address  *tally
	network  *tally // address, for IPv4
	exempt   bool
	dismiss  func() // ends the connection; called without locks
	since    time.Time
	gone     bool
	admitted bool
	// standing are the queues that it stands in, and where.
	standing []standing
}

type standing struct {
	in *queue
	at *list.Element
}

func newLobby(o Options, m *Metrics) *lobby {
	return &lobby{
		max:            o.MaxConnections,
		perAddress:     o.MaxPerAddress,
		strangers:      o.MaxStrangersPerAddress,
		proveWithin:    o.ProveWithin,
		exemptLoopback: o.ExemptLoopback,
		metrics:        m,
		by:             make(map[netip.Prefix]*tally),
	}
}

// network is what an address is counted with: itself, or for IPv6 its network.
// Link-local addresses all have the same one.
func network(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() && !a.IsLinkLocalUnicast() && !a.IsLoopback() {
		bits = networkBits
	}
	p, _ := a.WithZone("").Prefix(bits) // the zero Prefix for no address
	return p
}

// enter gives a connection its slot, or says why not. Where a bound is reached
// the stranger that waits longest makes room, the one of the same address where
// it is an address's bound: silence must not lock out those who speak.
func (l *lobby) enter(addr netip.Addr, dismiss func()) (s *slot, why string) {
	s = &slot{lobby: l, dismiss: dismiss, since: time.Now()}
	s.exempt = !addr.IsValid() || l.exemptLoopback && addr.IsLoopback()
	exact, _ := addr.WithZone("").Prefix(addr.BitLen())
	l.mu.Lock()
	s.address = l.tally(exact)
	s.network = s.address
	if n := network(addr); n != exact {
		s.network = l.tally(n)
	}
	why, evicted := l.admission(s)
	if why == "" {
		s.count(1)
		s.stand(&l.waiting, &s.address.waiting)
		if s.network != s.address {
			s.stand(&s.network.waiting)
		}
	}
	l.sweep(s)
	l.mu.Unlock()
	if evicted != nil {
		l.metrics.Turned.WithLabelValues("evicted").Inc()
		evicted.dismiss()
	}
	if why != "" {
		l.metrics.Turned.WithLabelValues(why).Inc()
		return nil, why
	}
	return s, ""
}

// admission says whether there is a place, and who was put out for it; l.mu is
// held.
func (l *lobby) admission(s *slot) (why string, evicted *slot) {
	a, n := s.address, s.network
	switch {
	case s.exempt:
	case l.perAddress > 0 && a.all >= l.perAddress:
		return l.replace("address", &a.waiting, &a.idle)
	case l.perAddress > 0 && n != a && n.all >= networkShare*l.perAddress:
		return l.replace("address", &n.waiting, &n.idle)
	case l.strangers > 0 && n.waiting.Len() >= l.strangers:
		return l.replace("strangers", &n.waiting, nil)
	}
	if l.total >= l.max {
		return l.replace("full", &l.waiting, &l.idle)
	}
	return "", nil
}

// replace puts out the one that waits longest, or who was let in long ago and
// has said nothing since; why is returned if there is neither.
func (l *lobby) replace(why string, waiting, idle *queue) (string, *slot) {
	now := time.Now()
	s := waiting.oldest(now)
	if s == nil && idle != nil {
		s = idle.oldest(now.Add(-l.proveWithin))
	}
	if s == nil {
		return why, nil
	}
	s.part()
	return "", s
}

// evict dismisses the stranger that waits longest, if it waited for some time.
func (l *lobby) evict() {
	l.mu.Lock()
	oldest := l.waiting.oldest(time.Now().Add(-evictAge))
	if oldest != nil {
		oldest.part()
	}
	l.mu.Unlock()
	if oldest != nil {
		l.metrics.Turned.WithLabelValues("evicted").Inc()
		oldest.dismiss()
	}
}

// tally is the prefix's; l.mu is held.
func (l *lobby) tally(p netip.Prefix) *tally {
	t := l.by[p]
	if t == nil {
		t = &tally{prefix: p}
		l.by[p] = t
	}
	return t
}

// sweep forgets the tallies of s that count nobody; l.mu is held.
func (l *lobby) sweep(s *slot) {
	for _, t := range []*tally{s.address, s.network} {
		if t.all == 0 && l.by[t.prefix] == t {
			delete(l.by, t.prefix)
		}
	}
}

// The methods of a slot below want l.mu held; admit, prove and leave take it.

func (s *slot) count(n int) {
	s.lobby.total += n
	s.address.all += n
	if s.network != s.address {
		s.network.all += n
	}
}

func (s *slot) stand(in ...*queue) {
	for _, q := range in {
		s.standing = append(s.standing, standing{q, q.PushBack(s)})
	}
}

func (s *slot) step() {
	for _, p := range s.standing {
		p.in.Remove(p.at)
	}
	s.standing = nil
}

// part takes the slot off the count, once.
func (s *slot) part() {
	if s.gone {
		return
	}
	s.gone = true
	s.step()
	s.count(-1)
	s.lobby.sweep(s)
}

// admit says that the connection is no stranger any more; where it has to
// prove itself, it stands among those who have not.
func (s *slot) admit() {
	l := s.lobby
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.gone || s.admitted {
		return
	}
	s.admitted = true
	s.step()
	if l.proveWithin == 0 {
		return
	}
	s.since = time.Now()
	s.stand(&l.idle, &s.address.idle)
	if s.network != s.address {
		s.stand(&s.network.idle)
	}
}

// prove says that an admitted connection said something of use.
func (s *slot) prove() {
	l := s.lobby
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.admitted {
		s.step()
	}
}

// leave gives the place back; it is called once.
func (s *slot) leave() {
	s.lobby.mu.Lock()
	defer s.lobby.mu.Unlock()
	s.part()
}

// remoteOf is where a connection comes from; the zero value where it is no IP
// address.
func remoteOf(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	if t, ok := a.(*net.TCPAddr); ok {
		ap = t.AddrPort()
	} else if a != nil {
		ap, _ = netip.ParseAddrPort(a.String())
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
