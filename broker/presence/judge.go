package presence

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// judge brings a store and its hosts up to date with now, and emits what
// changed.
func (p *Presence) judge(s *store) {
	p.rollDays(s)
	if s.session == sessionOpen && p.now.Mono >= p.silentAt(s) {
		p.suspect(s, p.silentAt(s))
	}
	p.breakPromise(s)
	if s.lostThere != 0 && p.now.Mono >= s.lostThere+lostWordLasts*p.opt.Reask {
		s.lostThere = 0 // it would have asked again
	}
	p.judgeConflict(s)
	p.judgeDirect(s)
	if p.expiredWord(s.theirs.View, s.deafSince) {
		s.theirs.View, s.opens = "", 0
	}
	p.count(s) // before it is decided: a region suspects itself first (I7)
	p.stepFleet()
	p.decide(s)
	p.count(s)
	p.sayLan(s)
	p.judgeHosts(s)
	p.judgeExpected(s)
	p.save(s)
}

// lostWordLasts is how many Reask the other region's word that it lost a store
// is shown: it asks again in each of them.
const lostWordLasts = 3

// lossAt is when this region loses a store whose session ended: after grace, and
// not while the other of two relays of its identity is thought to live (P14).
func (p *Presence) lossAt(s *store) time.Duration {
	at := s.suspectAt + p.opt.Grace
	if s.conflict != nil {
		at = max(at, s.conflict.lastAt+rivalLives)
	}
	return at
}

// facts are what Decide judges a store by.
func (p *Presence) facts(s *store, mine View) Facts {
	return Facts{
		Mine: mine, Grace: mine == ViewOpen && s.session != sessionOpen, Conflict: s.conflict != nil,
		Peer: p.peerWord(s), Theirs: s.theirs.View, Opens: s.opens, Link: p.peer.state, Fleet: p.fleet.state,
		OpenedHere:     s.opened && !s.onlyThere && (s.session == sessionOpen || s.openAt >= p.peer.lifeAt-ownBefore),
		GoesWithIt:     s.onlyThere && p.peer.dying,
		NoSessionThere: s.aloneSince != 0 && s.lastReport >= s.aloneSince+p.opt.Blind,
		Deaf:           p.heardAt <= s.suspectAt,
		SinceLoss:      p.now.Mono - p.lossAt(s), Blind: p.opt.Blind,
		ByeExpired: s.byeExpired, Direct: s.judgedByHosts(), Was: s.state, Why: s.reason,
	}
}

func (p *Presence) decide(s *store) {
	mine := p.view(s).View
	if mine == ViewLost && !s.lossSaved {
		s.lossSaved, s.saveNow = true, true
	}
	state, why, oneSided := Decide(p.facts(s, mine))
	if state != s.state {
		s.stateAt = p.now.Wall
	}
	s.state, s.reason = state, why
	p.deaf = p.deaf || why == HearsNobody
	s.onlyThere = s.onlyThere || state == Degraded
	p.wantAsk(s, mine)
	cond, ok := storeCondition(state)
	if !ok || cond == s.cond {
		return
	}
	first := s.cond == 0
	s.cond = cond
	v := p.storeVerdict(s, cond, why, oneSided)
	v.First, v.OneSided, v.At = first, oneSided, p.now.Wall
	v.FleetWide = (cond == StoreDown || cond == StoreRelayDead) && p.fleet.wide()
	p.emit(&Decided{Verdict: v})
}

// storeCondition is the verdict that a state stands for; suspect and unknown
// say nothing.
func storeCondition(state State) (Condition, bool) {
	switch state {
	case Up, Degraded, DirectOnly, Conflict:
		return Well, true
	case Down:
		return StoreDown, true
	case RelayDead:
		return StoreRelayDead, true
	case Stopped:
		return StoreStopped, true
	default:
		return 0, false
	}
}

func (p *Presence) storeVerdict(s *store, cond Condition, why Reason, oneSided bool) Verdict {
	v := Verdict{
		Store: s.id, Condition: cond, Reason: why,
		Cause:    Cause{Incarnation: s.incarnation, Number: uint64(max(s.epoch, s.theirs.Epoch))},
		SeenFrom: p.seenFrom(oneSided || p.other() == ""),
	}
	if cond == Well || cond == StoreStopped {
		v.Since = p.now.Wall
		if cond == Well && s.state != Degraded {
			v.SeenFrom = []beat.Region{p.opt.Region}
		}
		return v
	}
	if s.theirs.Epoch > s.epoch {
		v.Cause.Incarnation = s.theirs.Incarnation
	}
	v.Since = s.lastLife
	if s.theirs.Since.After(v.Since) {
		v.Since = s.theirs.Since
	}
	if v.Since.IsZero() {
		v.Since = p.started.Wall
	}
	v.Uncertainty = max(0, p.now.At(s.suspectAt).Sub(v.Since))
	v.Old = s.suspectAt < p.started.Mono || s.session == sessionNone
	return v
}

func (p *Presence) seenFrom(onlyHere bool) []beat.Region {
	if onlyHere {
		return []beat.Region{p.opt.Region}
	}
	return append([]beat.Region(nil), p.opt.Regions...)
}

// expiredWord says whether a word of the other region holds no more: it was not
// final, and for blind nothing answered.
func (p *Presence) expiredWord(word View, deafSince time.Duration) bool {
	return (word == ViewOpen || word == ViewSettling) && deafSince != 0 && p.now.Mono >= deafSince+p.opt.Blind
}

// peerWord is where the question about a lost store stands.
func (p *Presence) peerWord(s *store) Peer {
	switch {
	case p.other() == "":
		return PeerNone
	case s.theirs.View != "":
		return PeerSays
	case s.deafSince != 0:
		return PeerSilent
	default:
		return PeerWaits
	}
}
