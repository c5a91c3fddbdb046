package presence

import (
	"slices"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// forget retires a host. tell says that the order began here: the relay and
// the other region are told.
func (p *Presence) forget(id beat.StoreID, hostID beat.HostID, tell bool) {
	s := p.stores[id]
	if s == nil {
		p.emit(&Refused{ID: beat.Identity{Store: id}, Reason: UnknownSubject})
		return
	}
	h := s.lookup(hostID)
	if h == nil {
		p.emit(&Refused{ID: beat.Identity{Store: id}, Reason: UnknownSubject})
		return
	}
	cause := p.lastOf(s, h)
	if tell {
		p.orderForget(s, h)
		p.emit(&Tell{News: []News{{Store: id, Host: h.id, Forgotten: true, Cause: cause}}})
	}
	p.drop(s, h, cause, Operator)
}

// retirement is a word of the other region that retired a direct host.
type retirement struct {
	subject Subject
	word    Cause
}

// maxRetirements bounds those that are kept: a word comes again within seconds.
const maxRetirements = 1_000

// forgetHeard retires a host as the other region did, unless it came here after
// what that region knew of it: the word is late, or comes again. It does not go
// back: there it would retire a host that came since.
func (p *Presence) forgetHeard(s *store, id beat.HostID, word Cause) {
	again := p.heardAgain(retirement{Subject{s.id, id}, word})
	h := s.lookup(id)
	if h == nil || p.cameSince(s, h, word) || again && h.direct != beat.Unknown {
		return
	}
	if word == (Cause{}) {
		word = p.lastOf(s, h)
	}
	p.orderForget(s, h)
	p.drop(s, h, word, OtherSays)
}

// heardAgain says whether a word that retires a direct host was heard before, and
// keeps it. The numbers of two regions' nodes do not compare: a host that has
// a way here again came after that. Each up has its number, so a later order is another
// word; one that names no up may be a later one.
func (p *Presence) heardAgain(r retirement) bool {
	if r.word.Node == "" || r.word.Number == 0 {
		return false
	}
	if slices.Contains(p.retired, r) {
		return true
	}
	if len(p.retired) == maxRetirements {
		p.retired = slices.Delete(p.retired, 0, 1)
	}
	p.retired = append(p.retired, r)
	return false
}

// cameSince says whether this region heard of a host after a word about it.
func (p *Presence) cameSince(s *store, h *host, word Cause) bool {
	if word.Node == "" {
		return h.relayed && s.incarnation == word.Incarnation && uint64(h.number) > word.Number
	}
	mine := p.ownCause(h)
	return mine.Node == word.Node && mine.Term == word.Term && mine.Number > word.Number
}

// lastOf is the last that is known here of a host: its relay's word, or its last
// direct up.
func (p *Presence) lastOf(s *store, h *host) Cause {
	if h.number != 0 {
		return Cause{Incarnation: s.incarnation, Number: uint64(h.number)}
	}
	return p.directCause(s, h)
}

// orderForget tells the relay that a host is retired.
func (p *Presence) orderForget(s *store, h *host) {
	if s.session == sessionOpen && h.relayed {
		p.emit(&Command{Conn: s.conn, ID: beat.Identity{Store: s.id, Relay: s.relay}, Command: beat.Command{V: beat.Wire, Order: beat.Forget, Host: h.id}})
	}
}

// drop lets go of a host, and says so.
func (p *Presence) drop(s *store, h *host, cause Cause, why Reason) {
	if h.direct != beat.Unknown {
		p.emit(&Save{Item: StoreItem{Region: p.opt.Region, Store: s.id, Host: h.id, Gone: true}})
	}
	v := p.hostVerdict(s, h, HostForgotten, why, false)
	v.At, v.Cause = p.now.Wall, cause
	s.drop(h.id)
	s.saveHosts = true
	p.emit(&Decided{Verdict: v})
	p.touch(s)
}
