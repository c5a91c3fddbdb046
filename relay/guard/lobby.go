package guard

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
	"time"
)

// evictAge is how long a stranger may be silent before it makes room for a
// file descriptor: whoever speaks at once is not put out.
const evictAge = time.Second

// lobby counts a door's connections, in all and by address, and knows which
// stranger waits longest.
type lobby struct {
	max, perAddress, strangers int
	exemptLoopback             bool
	metrics                    *Metrics

	mu      sync.Mutex // guards what follows
	total   int
	by      map[netip.Addr]tally
	waiting list.List // of *slot: the strangers, oldest first
}

type tally struct{ all, strangers int }

// slot is one connection's place.
type slot struct {
	lobby   *lobby
	addr    netip.Addr
	exempt  bool
	dismiss func() // ends the connection; called without locks
	place   *list.Element
	since   time.Time
}

func newLobby(o Options, m *Metrics) *lobby {
	return &lobby{
		max:            o.MaxConnections,
		perAddress:     o.MaxPerAddress,
		strangers:      o.MaxStrangersPerAddress,
		exemptLoopback: o.ExemptLoopback,
		metrics:        m,
		by:             make(map[netip.Addr]tally),
	}
}

// enter gives a connection its slot, or says why not. When all places are
// taken the stranger that waits longest makes room: silence must not lock out
// those who speak.
func (l *lobby) enter(addr netip.Addr, dismiss func()) (s *slot, why string) {
	s = &slot{lobby: l, addr: addr, dismiss: dismiss, since: time.Now()}
	s.exempt = !addr.IsValid() || l.exemptLoopback && addr.IsLoopback()
	var oldest *slot
	l.mu.Lock()
	t := l.by[addr]
	switch {
	case !s.exempt && l.perAddress > 0 && t.all >= l.perAddress:
		why = "address"
	case !s.exempt && l.strangers > 0 && t.strangers >= l.strangers:
		why = "strangers"
	case l.total >= l.max:
		if oldest = l.oldest(); oldest == nil {
			why = "full"
		}
	}
	if why == "" {
		l.total++
		l.by[addr] = tally{t.all + 1, t.strangers + 1}
		s.place = l.waiting.PushBack(s)
	}
	l.mu.Unlock()
	if oldest != nil {
		l.metrics.Turned.WithLabelValues("evicted").Inc()
		oldest.dismiss()
	}
	if why != "" {
		l.metrics.Turned.WithLabelValues(why).Inc()
		return nil, why
	}
	return s, ""
}

// evict dismisses the stranger that waits longest, if it waited for some time.
func (l *lobby) evict() {
	var oldest *slot
	l.mu.Lock()
	if e := l.waiting.Front(); e != nil && time.Since(e.Value.(*slot).since) > evictAge { //nolint:errcheck // the list holds nothing else
		oldest = l.oldest()
	}
	l.mu.Unlock()
	if oldest != nil {
		l.metrics.Turned.WithLabelValues("evicted").Inc()
		oldest.dismiss()
	}
}

// oldest takes the longest waiting stranger out of the list, so that it is
// dismissed once; it holds its place until it leaves. l.mu is held.
func (l *lobby) oldest() *slot {
	e := l.waiting.Front()
	if e == nil {
		return nil
	}
	s := e.Value.(*slot) //nolint:errcheck // the list holds nothing else
	l.waiting.Remove(e)
	return s
}

// admit says that the connection is no stranger any more.
func (s *slot) admit() {
	l := s.lobby
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.place == nil {
		return
	}
	l.waiting.Remove(s.place)
	s.place = nil
	t := l.by[s.addr]
	t.strangers--
	l.by[s.addr] = t
}

// leave gives the place back; it is called once.
func (s *slot) leave() {
	l := s.lobby
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.by[s.addr]
	if s.place != nil {
		l.waiting.Remove(s.place)
		s.place = nil
		t.strangers--
	}
	t.all--
	l.total--
	if t.all == 0 {
		delete(l.by, s.addr)
	} else {
		l.by[s.addr] = t
	}
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
