package presence

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// host is what this region knows of one host of a store.
type host struct {
	id beat.HostID

	// Its relay's way: the last whole picture's word.
	relayed  bool
	relay    beat.HostState
	reason   beat.Reason
	number   beat.Number
	interval time.Duration
	lastSeen time.Duration // its last beat by the relay, on our clock
	status   beat.Status
	message  string
	flapping bool

	// Its direct way: beats that reached this region.
	direct    beat.HostState // Unknown: never
	dInterval time.Duration
	dLast     time.Duration // its last direct beat, on our clock
	dNumber   uint64        // numbers its ups
	dMessage  string
	dirty     bool // its direct way entered a state: save it

	// The other region's direct way.
	theirWay  bool // it may hold one
	theirs    View // its word, after our ways expired
	asking    uint64
	askAt     time.Duration
	deafSince time.Duration // as the store's
	expiredAt time.Duration // when the last of our ways expired; 0: not

	// forwarded is the other region's verdict, which counts while the store
	// has no session here.
	forwarded Condition

	// The judgement.
	state   beat.HostState
	stateAt time.Time
	cond    Condition
	covered bool // since cond was said
	// bare is the last state that was not covered, and bareAt when it began: a
	// host that is uncovered in the same state was in it all the time.
	bare   beat.HostState
	bareAt time.Time
}

// enter changes the host's state.
func (h *host) enter(state beat.HostState, at time.Time) {
	switch state {
	case h.state:
		return
	case beat.Covered, beat.Unknown:
		h.stateAt = at
	case h.bare:
		h.stateAt = h.bareAt
	default:
		h.bare, h.bareAt, h.stateAt = state, at, at
	}
	h.state = state
}

func (p *Presence) host(s *store, id beat.HostID) *host {
	if i, ok := s.index[id]; ok {
		return &s.hosts[i]
	}
	s.index[id] = len(s.hosts)
	s.hosts = append(s.hosts, host{id: id, stateAt: p.now.Wall})
	return &s.hosts[len(s.hosts)-1]
}

func (s *store) drop(id beat.HostID) {
	i, ok := s.index[id]
	if !ok {
		return
	}
	last := len(s.hosts) - 1
	s.hosts[i] = s.hosts[last]
	s.index[s.hosts[i].id] = i
	s.hosts[last] = host{}
	s.hosts = s.hosts[:last]
	delete(s.index, id)
}

// picture takes the whole picture: what is not in it, its relay retired.
func (p *Presence) picture(s *store, r *beat.Report, mono time.Duration) {
	s.hash = r.Hash
	for i := range s.hosts {
		s.hosts[i].relayed = false
	}
	for i := range r.Picture.Hosts {
		hr := &r.Picture.Hosts[i]
		_, known := s.index[hr.Host]
		h := p.host(s, hr.Host)
		if !known {
			p.emit(&Adopted{Store: s.id, Host: hr.Host, Via: ByRelay})
		}
		if hr.Number != h.number || hr.State != h.relay {
			s.saveHosts = true
		}
		if hr.State == beat.Stopped && hr.Number != h.number {
			p.endDirect(h) // a goodbye ends all beats before it
		}
		h.relayed, h.relay, h.reason, h.number = true, hr.State, hr.Reason, hr.Number
		h.interval, h.status, h.message, h.flapping = hr.Interval(), hr.Status, hr.Message, hr.Flapping
		seen := s.clock.date(mono - min(mono, hr.Age()))
		if hr.State == beat.Unknown {
			seen = max(seen, h.lastSeen) // a relay that started lately knows less than we do
		}
		h.lastSeen = seen
		s.top = max(s.top, hr.Number)
	}
	// A relay that lost its disk does not know all hosts: it retired none.
	sameDisk := s.pictured == r.Incarnation
	s.pictured = r.Incarnation
	var gone []beat.HostID
	for i := range s.hosts {
		if h := &s.hosts[i]; sameDisk && !h.relayed && h.number != 0 && h.direct == beat.Unknown {
			gone = append(gone, h.id)
		}
	}
	for _, id := range gone {
		p.forget(s.id, id, false)
	}
	p.touch(s)
}

// hostsDue is the earliest instant at which a host's way expires, or a
// question about a host is due.
func (p *Presence) hostsDue(s *store) time.Duration {
	at := never
	for i := range s.hosts {
		h := &s.hosts[i]
		if h.direct.Alive() && p.settled {
			at = min(at, h.expires())
		}
		if h.expiredAt != 0 && h.asking == 0 {
			if h.askAt > p.now.Mono {
				at = min(at, h.askAt)
			}
			if until := h.expiredAt + p.opt.Blind; h.theirs == "" && until > p.now.Mono {
				at = min(at, until)
			}
			if until := h.deafSince + p.opt.Blind; h.deafSince != 0 && until > p.now.Mono {
				at = min(at, until)
			}
		}
	}
	return at
}

// judgeHosts brings every host's state up to date, and emits what changed.
func (p *Presence) judgeHosts(s *store) {
	for i := range s.hosts {
		h := &s.hosts[i]
		state, why, oneSided := p.judgeHost(s, h)
		h.enter(state, p.now.Wall)
		cond, ok := hostCondition(state)
		if !ok {
			h.covered = h.covered || state == beat.Covered
			continue
		}
		// What was covered is said again, if it is a fault: the fault may not
		// be told yet.
		if cond == h.cond && (!h.covered || cond == Well) {
			h.covered = false
			continue
		}
		first := h.cond == 0
		h.cond, h.covered = cond, false
		if why == OtherDecided {
			continue // its verdict went to the incidents by itself
		}
		v := p.hostVerdict(s, h, cond, why, oneSided)
		v.First, v.OneSided, v.At = first, oneSided, p.now.Wall
		p.emit(&Decided{Verdict: v})
	}
}

func hostCondition(state beat.HostState) (Condition, bool) {
	switch state {
	case beat.Up:
		return Well, true
	case beat.Failing:
		return HostFailing, true
	case beat.Missing:
		return HostMissing, true
	case beat.Stopped:
		return HostStopped, true
	default:
		return 0, false
	}
}

// judgeHost is a host's state: by its direct way while that lives, else by its
// relay's word while its store is up, and missing only when every way has
// expired (P4, P5, P13).
func (p *Presence) judgeHost(s *store, h *host) (beat.HostState, Reason, bool) {
	relay := h.relayed && s.session == sessionOpen
	switch {
	case relay && h.relay.Alive():
		h.alive()
		return h.relay, RelaySays, false
	case h.direct.Alive():
		h.alive()
		return h.direct, BeatCame, false
	case relay && (h.relay != beat.Missing || h.direct == beat.Unknown && !h.theirWay):
		h.alive()
		return h.relay, RelaySays, false
	case relay:
		return p.expired(s, h)
	case h.direct == beat.Unknown:
		return elsewhere(s, h)
	case h.direct == beat.Stopped:
		h.alive()
		return beat.Stopped, SaidGoodbye, false
	case s.relay == "", s.session == sessionOpen, s.state == Degraded, s.state == RelayDead && h.dLast > s.suspectAt:
		return p.expired(s, h)
	default:
		return beat.Covered, s.reason, false
	}
}

// elsewhere judges a host that has no way here, now: the other region's word
// counts, where it may hold one.
func elsewhere(s *store, h *host) (beat.HostState, Reason, bool) {
	switch {
	case s.state == Degraded, h.theirWay && (s.relay == "" || s.session == sessionOpen):
		return forwardedState(h), OtherDecided, false
	case s.relay == "", s.session == sessionOpen:
		return beat.Unknown, NothingSeen, false
	default:
		return beat.Covered, s.reason, false
	}
}

// forwardedState is a host of a store whose relay reports to the other region
// only: by that region's last word, else by the last picture.
func forwardedState(h *host) beat.HostState {
	switch h.forwarded {
	case Well:
		return beat.Up
	case HostMissing:
		return beat.Missing
	case HostFailing:
		return beat.Failing
	case HostStopped:
		return beat.Stopped
	}
	if h.relay == beat.Unknown && h.theirWay {
		return beat.Up
	}
	return h.relay
}

func (h *host) alive() {
	h.expiredAt, h.theirs, h.asking, h.askAt, h.deafSince = 0, "", 0, 0, 0
}

// expired judges a host none of whose ways here lives: the other region is
// asked first, where the host may have a way there.
func (p *Presence) expired(s *store, h *host) (beat.HostState, Reason, bool) {
	if p.other() == "" {
		return beat.Missing, NoWayLeft, false
	}
	if h.expiredAt == 0 {
		h.expiredAt = p.now.Mono
		h.askAt = p.now.Mono
	}
	if h.asking == 0 && p.now.Mono >= h.askAt {
		p.askHost(s)
	}
	if p.expiredWord(h.theirs, h.deafSince) {
		h.theirs = ""
	}
	switch h.theirs {
	case ViewOpen:
		return beat.Up, OtherSays, false
	case ViewLost, ViewNever:
		return beat.Missing, NoWayLeft, false
	case ViewStopped:
		return beat.Stopped, SaidGoodbye, false
	}
	if p.now.Mono >= h.expiredAt+p.opt.Blind {
		return beat.Missing, NoAnswerForBlind, true
	}
	return h.state, WaitsForAnswer, false
}

func (p *Presence) hostVerdict(s *store, h *host, cond Condition, why Reason, oneSided bool) Verdict {
	v := Verdict{Store: s.id, Host: h.id, Condition: cond, Reason: why, Message: h.message}
	relay := h.relayed && s.session == sessionOpen
	last := max(h.dLast, h.lastSeen)
	if relay {
		v.Cause = Cause{Incarnation: s.incarnation, Number: uint64(h.number)}
		v.SeenFrom = []beat.Region{p.opt.Region}
	} else {
		v.Cause = Cause{Node: p.opt.Node, Term: p.opt.Term, Number: h.dNumber}
		v.SeenFrom = p.seenFrom(oneSided || p.other() == "" || cond != HostMissing)
		v.Message = h.dMessage
	}
	v.Since = p.now.Wall
	if cond == HostMissing {
		v.Since = p.now.At(last)
		v.Uncertainty = max(0, p.now.Mono-last)
		v.Old = last < p.started.Mono
		if relay && h.reason != beat.ConnectionLost && h.reason != beat.Will {
			v.Uncertainty = min(v.Uncertainty, h.interval+beat.HostGrace(h.interval))
		}
	}
	if cond == HostFailing {
		v.Old = !p.settled
	}
	return v
}

// forget retires a host. tell says that the order began here: the relay and
// the other region are told.
func (p *Presence) forget(id beat.StoreID, hostID beat.HostID, tell bool) {
	s := p.stores[id]
	if s == nil {
		p.emit(&Refused{ID: beat.Identity{Store: id}, Reason: UnknownSubject})
		return
	}
	i, ok := s.index[hostID]
	if !ok {
		p.emit(&Refused{ID: beat.Identity{Store: id}, Reason: UnknownSubject})
		return
	}
	h := &s.hosts[i]
	if h.direct != beat.Unknown {
		p.emit(&Save{Item: StoreItem{Region: p.opt.Region, Store: id, Host: hostID, Gone: true}})
	}
	if tell {
		if s.session == sessionOpen && h.relayed {
			p.emit(&Command{Conn: s.conn, ID: beat.Identity{Store: id, Relay: s.relay}, Command: beat.Command{V: beat.Wire, Order: beat.Forget, Host: hostID}})
		}
		p.emit(&Tell{News: []News{{Store: id, Host: hostID, Forgotten: true}}})
	}
	v := p.hostVerdict(s, h, HostForgotten, Operator, false)
	v.At = p.now.Wall
	s.drop(hostID)
	s.saveHosts = true
	p.emit(&Decided{Verdict: v})
	p.touch(s)
}
