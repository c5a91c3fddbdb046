package presence

import (
	"cmp"
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Subject is a store (Host is ""), or a host.
type Subject struct {
	Store beat.StoreID
	Host  beat.HostID
}

func (s Subject) compare(t Subject) int {
	return cmp.Or(cmp.Compare(s.Store, t.Store), cmp.Compare(s.Host, t.Host))
}

// doubt is a subject whose fault this region knows by the table or by a word of
// the other region: the word that it is over may have been lost.
type doubt struct {
	Subject
	asking uint64
	askAt  time.Duration
}

// doubted takes the subjects whose faults are in doubt. They may show
// themselves here within grace; of those that do not, the other region is asked.
func (p *Presence) doubted(e *Doubted) {
	if p.other() == "" {
		return
	}
	at := p.now.Mono + p.opt.Grace
	for _, sub := range e.Subjects {
		i, ok := slices.BinarySearchFunc(p.doubts, sub, func(d doubt, s Subject) int { return d.compare(s) })
		if ok {
			p.doubts[i].askAt = min(p.doubts[i].askAt, at)
		} else {
			p.doubts = slices.Insert(p.doubts, i, doubt{Subject: sub, askAt: at})
		}
	}
	p.setDoubtAt()
}

// setDoubtAt finds when the next doubt is due.
func (p *Presence) setDoubtAt() {
	p.doubtAt = never
	for i := range p.doubts {
		if d := &p.doubts[i]; d.asking == 0 {
			p.doubtAt = min(p.doubtAt, d.askAt)
		}
	}
}

// askDoubts asks about the doubts that are due, batched, and drops those that
// this region judges by itself.
func (p *Presence) askDoubts() {
	p.doubts = slices.DeleteFunc(p.doubts, func(d doubt) bool { return d.asking == 0 && d.askAt <= p.now.Mono && p.sayAgain(d.Subject) })
	var q *inflight
	for i := range p.doubts {
		d := &p.doubts[i]
		if d.asking != 0 || d.askAt > p.now.Mono {
			continue
		}
		if q == nil || len(q.question.Stores)+len(q.question.Hosts) >= maxAsk {
			p.sendAsk(q)
			q = &inflight{question: Question{From: p.opt.Region, Node: p.opt.Node, Term: p.opt.Term}, at: p.now.Mono}
			p.lastAsk++
		}
		d.asking = p.lastAsk
		if d.Host == "" {
			q.question.Stores = append(q.question.Stores, StoreView{Store: d.Store, View: ViewNever})
		} else {
			q.question.Hosts = append(q.question.Hosts, HostView{Store: d.Store, Host: d.Host, View: ViewNever})
		}
	}
	p.sendAsk(q)
	p.setDoubtAt()
}

// sayAgain lets a subject that this region judges by evidence of its own be
// said to be well once more, if it is; false: there is no such evidence.
func (p *Presence) sayAgain(sub Subject) bool {
	if !p.sees(sub) {
		return false
	}
	s := p.stores[sub.Store]
	if sub.Host == "" {
		s.unsay()
	} else {
		s.lookup(sub.Host).unsay()
	}
	p.touch(s)
	return true
}

// unsay forgets that the store was said to be well: it is said again, when it is.
func (s *store) unsay() {
	if s.cond == Well {
		s.cond = 0
	}
}

// unsay forgets that the host was said to be well.
func (h *host) unsay() {
	if h.cond == Well {
		h.cond = 0
	}
}

// sees says whether this region judges a subject by evidence of its own.
func (p *Presence) sees(sub Subject) bool {
	s := p.stores[sub.Store]
	switch {
	case s == nil:
		return false
	case sub.Host == "":
		return s.relay != ""
	}
	h := s.lookup(sub.Host)
	return h != nil && (h.direct != beat.Unknown || h.relayed && s.session == sessionOpen && h.relay != beat.Unknown)
}

// settleDoubt takes the other region's view of a doubted subject, if the
// question asked for it; "": there was no answer.
func (p *Presence) settleDoubt(sub Subject, question uint64, view View, again time.Duration) {
	i, ok := slices.BinarySearchFunc(p.doubts, sub, func(d doubt, s Subject) int { return d.compare(s) })
	if !ok || p.doubts[i].asking != question {
		return
	}
	cond := Well
	switch {
	case view == ViewOpen:
	case view == ViewStopped && sub.Host == "":
		cond = StoreStopped
	case view == ViewStopped:
		cond = HostStopped
	case view == ViewLost, view == ViewNever:
		again = p.now.Mono + downReask*p.opt.Reask
		fallthrough
	default:
		p.doubts[i].asking, p.doubts[i].askAt = 0, again
		p.doubtAt = min(p.doubtAt, again)
		return
	}
	p.doubts = slices.Delete(p.doubts, i, i+1)
	if p.sees(sub) {
		return // it came back here meanwhile
	}
	p.emit(&Learned{Verdict: Verdict{
		Store: sub.Store, Host: sub.Host, Condition: cond, Reason: OtherSays, At: p.now.Wall, Since: p.now.Wall,
		SeenFrom: []beat.Region{p.other()},
	}})
}
