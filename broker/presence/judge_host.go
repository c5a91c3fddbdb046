package presence

import (
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// judgeHosts brings every host's state up to date, and emits what changed.
func (p *Presence) judgeHosts(s *store) {
	s.waiting = false
	for _, i := range s.order {
		h := &s.hosts[i]
		state, why, oneSided := p.judgeHost(s, h)
		if state == beat.Stopped && p.byeIsOver(s, h) {
			state, why = beat.Missing, ByeExpired
		}
		h.enter(state, p.now.Wall)
		if state.Alive() {
			h.byeOver = false
			h.seen |= 1
		}
		s.waiting = s.waiting || h.wait != nil
		p.sayHost(s, h, why, oneSided)
	}
}

// sayHost emits the verdict that a host's state stands for, if it is a new one.
func (p *Presence) sayHost(s *store, h *host, why Reason, oneSided bool) {
	cond, ok := hostCondition(h.state)
	if !ok {
		h.covered = h.covered || h.state == beat.Covered
		return
	}
	unadopted := p.unadopted(s, h)
	again := h.hearsay && why != OtherDecided // our own evidence says it once more
	switch {
	case cond != h.cond, again:
	case cond == Well, cond == HostStopped && !h.covered:
		h.covered = false
		p.sayFlapping(s, h)
		return
	// What was covered is said again, if it is a fault: the fault may not be
	// told yet. So is one of a host that pages people from now on.
	case !h.covered && (unadopted || !h.unadopted):
		p.sayFlapping(s, h)
		return
	}
	first, held := h.cond == 0, (h.covered || h.cond == 0) && cond == HostMissing && s.held(h)
	h.hearsay = why == OtherDecided && (h.hearsay || h.cond == HostMissing || h.cond == HostFailing)
	h.cond, h.covered, h.unadopted = cond, false, unadopted
	if why == OtherDecided {
		return // its verdict went to the incidents by itself
	}
	if s.lan.said && cond == HostMissing && s.session == sessionOpen {
		h.covered = true // the store's LAN is the incident: said when that ends
		return
	}
	if held {
		h.covered = true // its flapping is the incident
		p.sayFlapping(s, h)
		return
	}
	v := p.hostVerdict(s, h, cond, why, oneSided)
	v.First, v.OneSided, v.At, v.Unadopted = first, oneSided, p.now.Wall, unadopted
	p.emit(&Decided{Verdict: v})
	p.sayFlapping(s, h)
}

// held says whether a host that flaps beats, though its relay calls it missing: the
// relay shows the worse of its states until it was calm. That opens nothing.
func (s *store) held(h *host) bool {
	return h.flapping && h.beats && h.relayed && s.session == sessionOpen
}

// sayFlapping passes on the relay's word that a host changes too often (I8).
func (p *Presence) sayFlapping(s *store, h *host) {
	if !h.relayed || s.session != sessionOpen || h.flapping == h.flaps {
		return
	}
	h.flaps = h.flapping
	cond := HostCalm
	if h.flaps {
		cond = HostFlaps
	}
	v := p.hostVerdict(s, h, cond, RelaySays, false)
	v.At, v.Unadopted = p.now.Wall, h.unadopted
	// What a node that starts hears of it may have been said, and told, before.
	v.Old = h.flaps && (!p.settled || h.last() <= p.started.Mono || s.bornAt == p.now.Mono)
	p.emit(&Decided{Verdict: v})
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

// relayWhy is the reason of what a host's relay says.
func (h *host) relayWhy() Reason {
	if h.relay == beat.Missing && h.reason == beat.DidNotReturn {
		return NotBack
	}
	return RelaySays
}

// judgeHost is a host's state: by its direct way while that lives, else by its
// relay's word while its store is up, and missing only when every way has
// expired (P4, P5, P13).
func (p *Presence) judgeHost(s *store, h *host) (beat.HostState, Reason, bool) {
	relay := h.relayed && s.session == sessionOpen
	switch {
	case relay && h.relay.Alive():
		h.wait = nil
		return h.relay, RelaySays, false
	case h.direct.Alive() && !p.backDirect(h):
		return h.state, Settling, false // the table says so, and the table is no evidence
	case h.direct.Alive():
		h.wait = nil
		return h.direct, BeatCame, false
	case relay && p.doubtful(h):
		h.wait = nil
		if h.forwarded == HostMissing {
			h.unsay() // the incidents have the fault, by the other region's word
		}
		if h.forwarded == HostMissing || h.state == beat.Covered {
			return beat.Unknown, Settling, false
		}
		return h.state, Settling, false
	case relay && (h.relay != beat.Missing || h.direct == beat.Unknown && !h.theirWay):
		h.wait = nil
		return h.relay, h.relayWhy(), false
	case relay:
		return p.expired(s, h)
	case h.direct == beat.Unknown:
		return elsewhere(s, h)
	case h.direct == beat.Stopped:
		h.wait = nil
		return beat.Stopped, SaidGoodbye, false
	case s.relay == "", s.session == sessionOpen, s.state == Degraded, s.state == RelayDead && h.livedAt(s.suspectAt):
		return p.expired(s, h)
	default:
		return beat.Covered, s.reason, false
	}
}

// doubtful says whether a relay's word that a host is missing opens nothing yet: it
// went missing before this node started, which settles and did not know. It may beat
// to this region by itself, and the table not know that (P6, P13).
func (p *Presence) doubtful(h *host) bool {
	return !p.settled && h.news && h.relay == beat.Missing && h.direct == beat.Unknown && h.last() <= p.started.Mono
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

// expired judges a host none of whose ways here lives: the other region is
// asked first, where the host may have a way there. A dead one's word is void.
func (p *Presence) expired(s *store, h *host) (beat.HostState, Reason, bool) {
	if p.other() == "" {
		return beat.Missing, NoWayLeft, false
	}
	if h.wait == nil {
		h.wait = &waiting{since: p.now.Mono, askAt: p.now.Mono}
	}
	w := h.wait
	if w.asking == 0 && p.now.Mono >= w.askAt {
		p.wantAsking(s)
	}
	if p.expiredWord(w.theirs, w.deafSince) {
		w.theirs = ""
	}
	dead := p.peer.state == PeerDead
	switch {
	case w.theirs == ViewLost, w.theirs == ViewNever:
		return beat.Missing, NoWayLeft, false
	case dead && (h.last() >= p.peer.lifeAt-ownBefore || h.state == beat.Missing):
		return beat.Missing, OtherDead, true
	case dead:
		return beat.Unknown, OtherDead, false
	case w.theirs == ViewOpen && w.failing && (h.state == beat.Failing || h.forwarded == HostFailing):
		return beat.Failing, OtherSays, false // it moved there, and fails; its beats or that region said so
	case w.theirs == ViewOpen:
		return beat.Up, OtherSays, false
	case w.theirs == ViewStopped:
		return beat.Stopped, SaidGoodbye, false
	case w.theirs == "" && p.settled && p.fleet.state == FleetWell && p.now.Mono >= w.since+p.opt.Blind:
		return beat.Missing, NoAnswerForBlind, true
	}
	return h.state, WaitsForAnswer, false
}

func (p *Presence) hostVerdict(s *store, h *host, cond Condition, why Reason, oneSided bool) Verdict {
	v := Verdict{Store: s.id, Host: h.id, Condition: cond, Reason: why, Message: h.notes().relay}
	relay := h.relayed && s.session == sessionOpen
	last := h.last()
	if relay {
		v.Cause = Cause{Incarnation: s.incarnation, Number: uint64(h.number)}
		v.SeenFrom = []beat.Region{p.opt.Region}
	} else {
		v.Cause = p.directCause(s, h)
		v.SeenFrom = p.seenFrom(oneSided || p.other() == "" || cond != HostMissing)
		v.Message = h.notes().direct
	}
	v.Since = p.now.Wall
	if cond == HostMissing {
		v.Since = p.now.At(last)
		v.Uncertainty = max(0, p.now.Mono-last)
		// What the table called alive as this node started may be missing since long.
		// What the picture of a birth says was so before it.
		v.Old = last <= p.started.Mono || relay && s.bornAt == p.now.Mono
		if relay && h.reason != beat.ConnectionLost && h.reason != beat.Will {
			v.Uncertainty = min(v.Uncertainty, h.interval()+beat.HostGrace(h.interval()))
		}
	}
	if cond == HostFailing {
		v.Old = !p.settled
	}
	return v
}
