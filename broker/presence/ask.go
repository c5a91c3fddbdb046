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
	if s.asking == 0 && p.now.Mono >= s.askAt {
		p.wantAsking(s)
	}
}

func (p *Presence) wantAsking(s *store) {
	if !s.wantsAsk {
		s.wantsAsk = true
		p.asking = append(p.asking, s)
	}
}

// downReask is how much more seldom a store that is down is asked about.
const downReask = 6

// flushAsks sends what wants to be asked, batched: a little after the last
// question, so that many losses share one.
func (p *Presence) flushAsks() {
	if len(p.asking) == 0 || p.now.Mono < p.lastAsked+askGather {
		return
	}
	var q *inflight
	for _, s := range p.asking {
		s.wantsAsk = false
		if q == nil || len(q.question.Stores)+len(q.question.Hosts) >= maxAsk {
			p.sendAsk(q)
			q = &inflight{question: Question{From: p.opt.Region, Node: p.opt.Node, Term: p.opt.Term}, at: p.now.Mono}
			p.lastAsk++
		}
		p.askStore(s, q)
	}
	p.sendAsk(q)
	p.asking = p.asking[:0]
}

// askStore adds to a question what a store and its hosts want to ask.
func (p *Presence) askStore(s *store, q *inflight) {
	if v := p.view(s); s.asking == 0 {
		lost := v.View == ViewLost && p.now.Mono >= s.askAt
		never := v.View == ViewNever && s.expect != nil && s.expect.store && p.now.Mono >= s.expect.askAt
		if lost || never {
			s.asking = p.lastAsk
			q.question.Stores = append(q.question.Stores, v)
		}
	}
	for _, i := range s.order {
		h := &s.hosts[i]
		if w := h.wait; w != nil && w.asking == 0 && p.now.Mono >= w.askAt {
			w.asking = p.lastAsk
			v := p.tellUp(h, HostView{Store: s.id, Host: h.id, View: ViewLost, Since: p.now.At(h.dLast)})
			if !h.known() {
				v.View, v.Since = ViewNever, time.Time{}
			}
			q.question.Hosts = append(q.question.Hosts, v)
		}
	}
}

func (p *Presence) sendAsk(q *inflight) {
	if q == nil || len(q.question.Stores)+len(q.question.Hosts) == 0 {
		return
	}
	p.asks[p.lastAsk], p.lastAsked = q, p.now.Mono
	p.emit(&Ask{ID: p.lastAsk, Question: q.question})
}

// answered takes the other region's answer. One from a term below the highest
// that is known of it is no answer.
func (p *Presence) answered(e *Answered) {
	q := p.asks[e.ID]
	if q == nil {
		p.emit(&Refused{Reason: NotAnswer})
		return
	}
	a := &e.Answer
	if a.Term < p.peerTerm() || len(a.Stores) != len(q.question.Stores) || len(a.Hosts) != len(q.question.Hosts) {
		p.emit(&Refused{Reason: NotAnswer})
		p.unanswered(e.ID)
		return
	}
	p.theirTerm = a.Term
	delete(p.asks, e.ID)
	if q.at >= p.peer.cutAt {
		p.stepPeer(func(m *peer) { m.answered(p.now.Mono, a.Settles) })
	}
	for i, v := range a.Stores {
		p.settleDoubt(Subject{Store: q.question.Stores[i].Store}, e.ID, v.View, p.now.Mono+p.opt.Reask)
		if s := p.stores[q.question.Stores[i].Store]; s != nil && s.asking == e.ID {
			s.asking = 0
			if q.question.Stores[i].View == ViewNever {
				p.takeNever(s, v.View)
				continue
			}
			p.takeStore(s, v, q.at)
		}
	}
	for i, v := range a.Hosts {
		asked := q.question.Hosts[i]
		p.settleDoubt(Subject{asked.Store, asked.Host}, e.ID, v.View, p.now.Mono+p.opt.Reask)
		if s, h := p.waitingHost(asked.Store, asked.Host, e.ID); h != nil {
			p.takeHost(s, h, v)
		}
	}
}

// waitingHost is a host that waits for the answer to a question; nil: it is
// not there, or waits no more.
func (p *Presence) waitingHost(store beat.StoreID, id beat.HostID, question uint64) (*store, *host) {
	s := p.stores[store]
	if s == nil {
		return nil, nil
	}
	h := s.lookup(id)
	if h == nil || h.wait == nil || h.wait.asking != question {
		return nil, nil
	}
	return s, h
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
	w := h.wait
	w.asking, w.deafSince, w.theirs, w.failing = 0, 0, v.View, v.Failing
	w.learn(&v)
	w.askAt = p.now.Mono + p.opt.Reask
	if v.View == ViewLost || v.View == ViewNever {
		w.askAt = never
	}
	p.touch(s)
}

// unanswered ends a question that got no answer: it is asked again, often
// enough before blind is over.
func (p *Presence) unanswered(id uint64) {
	q := p.asks[id]
	if q == nil {
		return
	}
	delete(p.asks, id)
	p.stepPeer(func(m *peer) { m.unanswered(p.now.Mono, q.at) })
	again := p.now.Mono + min(p.opt.Reask, max(p.opt.Blind/4, time.Second))
	for _, v := range q.question.Stores {
		p.settleDoubt(Subject{Store: v.Store}, id, "", again)
		s := p.stores[v.Store]
		if s == nil || s.asking != id {
			continue
		}
		s.asking, s.askAt = 0, again
		if s.expect != nil {
			s.expect.askAt = again
		}
		if s.deafSince == 0 {
			s.deafSince = max(q.at, 1)
		}
		p.touch(s)
	}
	for _, v := range q.question.Hosts {
		p.settleDoubt(Subject{v.Store, v.Host}, id, "", again)
		if s, h := p.waitingHost(v.Store, v.Host, id); h != nil {
			h.wait.asking, h.wait.askAt = 0, again
			if h.wait.deafSince == 0 {
				h.wait.deafSince = max(q.at, 1)
			}
			p.touch(s)
		}
	}
}

// asked answers the other region from memory. A loss that it asks about is a
// loss that it tells: where this region has lost the store too, that is the
// second view.
func (p *Presence) asked(q Question) {
	a := Answer{Node: p.opt.Node, Term: p.opt.Term, Settles: !p.settled}
	for _, v := range q.Stores {
		s := p.stores[v.Store]
		if s == nil {
			p.setAside(v.Store, "")
			a.Stores = append(a.Stores, StoreView{Store: v.Store, View: p.unknownView()})
			continue
		}
		mine := p.view(s)
		if s.session == sessionOpen && !p.backHere(s) {
			mine.View = ViewSettling
		}
		if v.View == ViewNever {
			if mine.View == ViewNever && s.seenOnce() {
				mine.View = ViewLost // its hosts beat to this region
			}
			a.Stores = append(a.Stores, mine)
			continue
		}
		if mine.View == ViewStopped && mine.Boot != v.Boot && mine.Epoch < v.Epoch {
			mine.View = ViewLost // the goodbye was said in an older life of the relay
		}
		a.Stores = append(a.Stores, mine)
		if v.View == ViewLost {
			s.lostThere = p.now.Mono
			// A letter may be late: our own question, which is under way, knows
			// better, and so does an answer about a later session.
			if s.asking == 0 && (s.theirs.View != ViewOpen || v.Epoch >= s.theirs.Epoch) {
				p.takeStore(s, v, p.now.Mono)
			}
		}
	}
	for _, v := range q.Hosts {
		if s := p.stores[v.Store]; s == nil || s.lookup(v.Host) == nil {
			p.setAside(v.Store, v.Host)
		}
		a.Hosts = append(a.Hosts, p.hostView(v))
	}
	p.emit(&Reply{Answer: a})
}

// setAside counts a word of the other region about what nobody knows here.
func (p *Presence) setAside(store beat.StoreID, host beat.HostID) {
	p.emit(&SetAside{Subject: Subject{Store: store, Host: host}, Reason: UnknownSubject})
}

// tellUp adds a host's last direct up here to a view.
func (p *Presence) tellUp(h *host, v HostView) HostView {
	if h.dNumber != 0 {
		c := p.ownCause(h)
		v.Node, v.Term, v.Number = c.Node, c.Term, c.Number
	}
	return v
}

// learn keeps the other region's last direct up of a host.
func (w *waiting) learn(v *HostView) {
	if v.Number != 0 && v.Node != "" {
		w.cause = v.cause()
	}
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
	h := s.lookup(asked.Host)
	if h == nil {
		return v
	}
	v = p.tellUp(h, v)
	if h.wait != nil {
		h.wait.learn(&asked)
	}
	relay := h.relayed && s.session == sessionOpen && p.backHere(s)
	switch {
	case relay && h.relay.Alive():
		v.View, v.Failing = ViewOpen, h.relay == beat.Failing
	case h.direct.Alive() && p.backDirect(h):
		v.View, v.Failing = ViewOpen, h.direct == beat.Failing
	case relay && h.relay == beat.Stopped, h.direct == beat.Stopped:
		v.View = ViewStopped
	case !p.settled && (!relay || h.direct.Alive() || p.doubtful(h)):
		v.View = ViewSettling
	case h.direct == beat.Missing:
		v.View, v.Since = ViewLost, p.now.At(h.dLast)
	case relay, h.number != 0:
		v.View = ViewLost
	}
	return v
}

// heard takes news of the other region.
func (p *Presence) heard(news []News) {
	for _, n := range news {
		if n.Forgotten {
			if s := p.stores[n.Store]; s != nil {
				p.forgetHeard(s, n.Host, n.Cause)
			}
			continue
		}
		s := p.store(n.Store)
		if s.lookup(n.Host) == nil && len(s.hosts) >= maxDirectHosts {
			p.emit(&Refused{ID: beat.Identity{Store: n.Store}, Reason: TooMany})
			continue
		}
		h := p.host(s, n.Host)
		h.theirWay = true
		if h.wait != nil { // it beats there now: what that region said before is over, and its silence begins anew
			h.wait.theirs, h.wait.asking, h.wait.askAt, h.wait.since = "", 0, p.now.Mono, p.now.Mono
		}
		p.touch(s)
	}
}

// want asks the relays of stores that somebody looks at for whole pictures.
func (p *Presence) want(e *Want) {
	for _, id := range e.Stores {
		if s := p.stores[id]; s != nil && s.session == sessionOpen {
			p.emit(&Command{Conn: s.conn, ID: beat.Identity{Store: s.id, Relay: s.relay}, Command: beat.Command{V: beat.Wire, Order: beat.SendPicture}})
		}
	}
}
