package presence

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// inflight is a question that waits for its answer. Question holds what was
// asked, in order.
type inflight struct {
	question Question
	at       time.Duration
}

// wantAsk asks about a lost store, as long as the answer is not final: at once
// after the loss, then every Reask; a store that is down, more seldom.
func (p *Presence) wantAsk(s *store, mine View) {
	if mine != ViewLost || p.other() == "" {
		return
	}
	if s.askAt == 0 {
		s.askAt = p.now.Mono
	}
	if s.asking == 0 && p.now.Mono >= s.askAt && !s.wantsAsk {
		s.wantsAsk = true
		p.asking = append(p.asking, s)
	}
}

func (p *Presence) askHost(s *store) {
	if !s.wantsAsk {
		s.wantsAsk = true
		p.asking = append(p.asking, s)
	}
}

// downReask is how much more seldom a store that is down is asked about.
const downReask = 6

// flushAsks sends what this Step wants to ask, batched.
func (p *Presence) flushAsks() {
	var q *inflight
	for _, s := range p.asking {
		s.wantsAsk = false
		if q == nil || len(q.question.Stores)+len(q.question.Hosts) >= maxAsk {
			p.sendAsk(q)
			q = &inflight{question: Question{From: p.opt.Region, Node: p.opt.Node, Term: p.opt.Term}, at: p.now.Mono}
			p.lastAsk++
		}
		if v := p.view(s); v.View == ViewLost && s.asking == 0 && p.now.Mono >= s.askAt {
			s.asking = p.lastAsk
			q.question.Stores = append(q.question.Stores, v)
		}
		for i := range s.hosts {
			h := &s.hosts[i]
			if h.expiredAt != 0 && h.asking == 0 && p.now.Mono >= h.askAt {
				h.asking = p.lastAsk
				q.question.Hosts = append(q.question.Hosts, HostView{Store: s.id, Host: h.id, View: ViewLost, Since: p.now.At(h.dLast)})
			}
		}
	}
	p.sendAsk(q)
	p.asking = p.asking[:0]
}

func (p *Presence) sendAsk(q *inflight) {
	if q == nil || len(q.question.Stores)+len(q.question.Hosts) == 0 {
		return
	}
	p.asks[p.lastAsk] = q
	p.emit(&Ask{ID: p.lastAsk, Question: q.question})
}

// answered takes the other region's answer. One from a term below the highest
// that its node showed is no answer.
func (p *Presence) answered(e *Answered) {
	q := p.asks[e.ID]
	if q == nil {
		p.emit(&Refused{Reason: NotAnswer})
		return
	}
	a := &e.Answer
	if a.Term < p.theirTerm[a.Node] || len(a.Stores) != len(q.question.Stores) || len(a.Hosts) != len(q.question.Hosts) {
		p.emit(&Refused{Reason: NotAnswer})
		p.unanswered(e.ID)
		return
	}
	p.theirTerm[a.Node] = a.Term
	delete(p.asks, e.ID)
	for i, v := range a.Stores {
		if s := p.stores[q.question.Stores[i].Store]; s != nil && s.asking == e.ID {
			s.asking = 0
			p.takeStore(s, v, q.at)
		}
	}
	for i, v := range a.Hosts {
		asked := q.question.Hosts[i]
		if s := p.stores[asked.Store]; s != nil {
			if j, ok := s.index[asked.Host]; ok && s.hosts[j].asking == e.ID {
				p.takeHost(s, &s.hosts[j], v)
			}
		}
	}
}

// takeStore takes the other region's view of a store that is lost here; it
// counts only if it was asked for after the loss.
func (p *Presence) takeStore(s *store, v StoreView, asked time.Duration) {
	p.touch(s)
	if p.view(s).View != ViewLost || asked < p.lossAt(s) {
		return
	}
	s.theirs, s.deafSince = v, 0
	s.askAt = p.now.Mono + p.opt.Reask
	switch v.View {
	case ViewOpen:
		s.opens++
	case ViewLost, ViewNever:
		s.opens = 0
		s.askAt = p.now.Mono + downReask*p.opt.Reask
	}
}

func (p *Presence) takeHost(s *store, h *host, v HostView) {
	h.asking, h.deafSince = 0, 0
	p.touch(s)
	if h.expiredAt == 0 {
		return
	}
	h.theirs = v.View
	h.askAt = p.now.Mono + p.opt.Reask
	if v.View == ViewLost || v.View == ViewNever {
		h.askAt = never
	}
}

// unanswered ends a question that got no answer: it is asked again, often
// enough before blind is over.
func (p *Presence) unanswered(id uint64) {
	q := p.asks[id]
	if q == nil {
		return
	}
	delete(p.asks, id)
	again := p.now.Mono + min(p.opt.Reask, max(p.opt.Blind/4, time.Second))
	for _, v := range q.question.Stores {
		if s := p.stores[v.Store]; s != nil && s.asking == id {
			s.asking, s.askAt = 0, again
			if s.deafSince == 0 {
				s.deafSince = q.at
			}
			p.touch(s)
		}
	}
	for _, v := range q.question.Hosts {
		s := p.stores[v.Store]
		if s == nil {
			continue
		}
		if i, ok := s.index[v.Host]; ok && s.hosts[i].asking == id {
			h := &s.hosts[i]
			h.asking, h.askAt = 0, again
			if h.deafSince == 0 {
				h.deafSince = q.at
			}
			p.touch(s)
		}
	}
}

// asked answers the other region from memory. A loss that it asks about is a
// loss that it tells: where this region has lost the store too, that is the
// second view.
func (p *Presence) asked(q Question) {
	a := Answer{Node: p.opt.Node, Term: p.opt.Term}
	for _, v := range q.Stores {
		s := p.stores[v.Store]
		if s == nil {
			a.Stores = append(a.Stores, StoreView{Store: v.Store, View: p.unknownView()})
			continue
		}
		if s.session == sessionOpen && p.now.Mono >= s.silentAt() {
			p.suspect(s, s.silentAt())
		}
		mine := p.view(s)
		if mine.View == ViewStopped && mine.Boot != v.Boot && mine.Epoch < v.Epoch {
			mine.View = ViewLost // the goodbye was said in an older life of the relay
		}
		a.Stores = append(a.Stores, mine)
		if v.View == ViewLost {
			s.lostThere = p.now.Mono
			p.takeStore(s, v, p.now.Mono)
		}
	}
	for _, v := range q.Hosts {
		a.Hosts = append(a.Hosts, p.hostView(v))
	}
	p.emit(&Reply{Answer: a})
}

func (p *Presence) unknownView() View {
	if !p.settled {
		return ViewSettling
	}
	return ViewNever
}

// hostView is this region's word about a host that the other region lost: open
// if any way here lives.
func (p *Presence) hostView(asked HostView) HostView {
	v := HostView{Store: asked.Store, Host: asked.Host, View: p.unknownView()}
	s := p.stores[asked.Store]
	if s == nil {
		return v
	}
	i, ok := s.index[asked.Host]
	if !ok {
		return v
	}
	h := &s.hosts[i]
	relay := h.relayed && s.session == sessionOpen
	switch {
	case relay && h.relay.Alive(), h.direct.Alive():
		v.View = ViewOpen
	case relay && h.relay == beat.Stopped, h.direct == beat.Stopped:
		v.View = ViewStopped
	case !p.settled && !relay:
		v.View = ViewSettling
	case h.direct == beat.Missing:
		v.View, v.Since = ViewLost, p.now.At(h.dLast)
	case relay:
		v.View = ViewLost
	}
	return v
}

// heard takes news of the other region.
func (p *Presence) heard(news []News) {
	for _, n := range news {
		if n.Forgotten {
			if s := p.stores[n.Store]; s != nil {
				if _, ok := s.index[n.Host]; ok {
					p.forgetHeard(s, n.Host)
				}
			}
			continue
		}
		s := p.store(n.Store)
		if _, known := s.index[n.Host]; !known && len(s.hosts) >= maxDirectHosts {
			p.emit(&Refused{ID: beat.Identity{Store: n.Store}, Reason: TooMany})
			continue
		}
		p.host(s, n.Host).theirWay = true
		p.touch(s)
	}
}

func (p *Presence) forgetHeard(s *store, id beat.HostID) {
	if i := s.index[id]; s.session == sessionOpen && s.hosts[i].relayed {
		p.emit(&Command{Conn: s.conn, ID: beat.Identity{Store: s.id, Relay: s.relay}, Command: beat.Command{V: beat.Wire, Order: beat.Forget, Host: id}})
	}
	p.forget(s.id, id, false)
}

// forwarded takes what the other region decided. It is a word about stores
// that are lost here, and about hosts that have no way here.
func (p *Presence) forwarded(verdicts []Verdict) {
	for i := range verdicts {
		v := &verdicts[i]
		s := p.stores[v.Store]
		if s == nil {
			continue
		}
		if v.Host == "" {
			p.forwardedStore(s, v)
			continue
		}
		if j, ok := s.index[v.Host]; ok {
			if v.Condition == HostForgotten {
				p.forgetHeard(s, v.Host)
				continue
			}
			h := &s.hosts[j]
			h.forwarded = v.Condition
			if h.expiredAt != 0 {
				h.theirs, h.askAt = forwardedView(v.Condition), p.now.Mono+p.opt.Reask
			}
			p.touch(s)
		}
	}
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
	if p.view(s).View != ViewLost {
		return
	}
	theirs := StoreView{Store: s.id, Incarnation: v.Cause.Incarnation, Epoch: beat.Epoch(v.Cause.Number)}
	switch v.Condition {
	case Well:
		theirs.View = ViewOpen
		s.opens = 1 // the word of a decision: no second one is needed
	case StoreDown, StoreRelayDead:
		theirs.View, theirs.Since = ViewLost, v.Since
	case StoreStopped:
		theirs.View = ViewStopped
	default:
		return
	}
	p.takeStore(s, theirs, p.now.Mono)
}

// want asks the relays of stores that somebody looks at for whole pictures.
func (p *Presence) want(e *Want) {
	for _, id := range e.Stores {
		if s := p.stores[id]; s != nil && s.session == sessionOpen {
			p.emit(&Command{Conn: s.conn, ID: beat.Identity{Store: s.id, Relay: s.relay}, Command: beat.Command{V: beat.Wire, Order: beat.SendPicture}})
		}
	}
}
