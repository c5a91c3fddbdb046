package presence

import "github.com/hb-mesh/hb-mesh/relay/beat"

// forwarded takes what the other region decided. It is a word about stores
// that are lost here, and about hosts that have no way here.
func (p *Presence) forwarded(verdicts []Verdict) {
	for i := range verdicts {
		v := &verdicts[i]
		if v.Region != "" {
			continue // of a region as a whole: the incidents'
		}
		s := p.stores[v.Store]
		if s == nil {
			p.setAside(v.Store, v.Host)
			continue
		}
		if v.Host == "" {
			p.forwardedStore(s, v)
			continue
		}
		if h := s.lookup(v.Host); h != nil {
			p.forwardedHost(s, h, v)
		} else {
			p.setAside(v.Store, v.Host)
		}
	}
}

// Believes says whether a verdict of the other region may be so: a host that
// beats here directly is not missing, whatever its relay says (P13). Step tells
// the other region of that way once more.
func (p *Presence) Believes(v *Verdict) bool {
	s := p.stores[v.Store]
	if s == nil || v.Condition != HostMissing {
		return true
	}
	h := s.lookup(v.Host)
	return h == nil || !h.direct.Alive() || !p.backDirect(h)
}

func (p *Presence) forwardedHost(s *store, h *host, v *Verdict) {
	if !p.Believes(v) {
		p.emit(&Tell{News: []News{{Store: s.id, Host: h.id}}})
		return
	}
	switch v.Condition {
	case HostForgotten:
		p.forgetHeard(s, v.Host, v.Cause)
		return
	case Well, HostMissing, HostFailing, HostStopped:
		h.forwarded = v.Condition
		if v.Condition == HostMissing && (h.state == beat.Covered || h.state == beat.Unknown) {
			h.unsay() // the incidents have the fault now
		}
	default:
		return // its own region's word, and no state
	}
	if h.wait != nil {
		h.wait.theirs, h.wait.failing, h.wait.askAt = forwardedView(v.Condition), v.Condition == HostFailing, p.now.Mono+p.opt.Reask
	}
	p.touch(s)
}

// outlives says whether the session that is open here is later than any that a
// loss is about: the store was lost to both regions for a moment, and the other
// one is to hear at once that this is over, before it tells anybody.
func (p *Presence) outlives(s *store, loss *Verdict) bool {
	return p.backHere(s) && s.incarnation == loss.Cause.Incarnation && uint64(s.epoch) > loss.Cause.Number
}

func forwardedView(c Condition) View {
	switch c {
	case Well, HostFailing:
		return ViewOpen
	case HostStopped:
		return ViewStopped
	default:
		return ViewLost
	}
}

func (p *Presence) forwardedStore(s *store, v *Verdict) {
	if s.stopped && v.Condition == Well && v.Cause.Number > uint64(s.epoch) {
		s.stopped, s.suspectAt = false, p.now.Mono-p.opt.Grace // it came back, elsewhere
	}
	if loss := v.Condition == StoreDown || v.Condition == StoreRelayDead; loss && s.session != sessionOpen {
		s.unsay() // the incidents have the fault now
	} else if loss && p.outlives(s, v) {
		well := p.storeVerdict(s, Well, SessionOpen, false)
		well.At = p.now.Wall
		p.emit(&Decided{Verdict: well})
	}
	if v.Condition == StoreRelayDead && s.session != sessionOpen && !s.bypassed {
		s.bypassed = true
		p.touch(s)
	}
	if p.view(s).View != ViewLost {
		return
	}
	theirs := StoreView{Store: s.id, Incarnation: v.Cause.Incarnation, Epoch: beat.Epoch(v.Cause.Number)}
	switch v.Condition {
	case Well:
		theirs.View = ViewOpen
		s.opens = 1 // the word of a decision: no second one is needed
	case StoreDown, StoreRelayDead:
		if s.asking != 0 {
			return // the answer that is under way is newer, or as new
		}
		theirs.View, theirs.Since = ViewLost, v.Since
	case StoreStopped:
		theirs.View = ViewStopped
	default:
		return
	}
	again := s.asking != 0
	s.asking = 0 // that answer may be older than this word
	p.takeStore(s, theirs, p.now.Mono)
	if again {
		s.askAt = p.now.Mono
	}
}
