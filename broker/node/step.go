package node

import (
	"slices"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/lease"
	"github.com/hb-mesh/hb-mesh/broker/peer/link"
	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/broker/presence"
)

// stepLease steps the lease, and does what follows.
func (n *Node) stepLease(e lease.Event) {
	out := n.lease.Step(n.now, e, n.lOut[:0])
	n.lOut = nil
	for _, o := range out {
		switch o := o.(type) {
		case *lease.Active:
			n.loading = true
			n.emit(&Load{Term: o.Term})
		case *lease.Until:
			n.until = o.Until
			n.grant()
		case *lease.Over:
			n.end(o)
		case *lease.Write:
			if n.link != nil && !n.waking {
				n.stepLink(&link.Renewed{Lease: wire.Moment{Term: o.Item.Term, Counter: o.Item.Counter}, At: n.now.Mono})
			}
			n.emit(o)
		default:
			n.emit(o)
		}
	}
	clear(out)
	n.lOut = out
	if n.waking && !n.lease.Waking() && !n.over {
		n.awake()
	}
	if r, ok := e.(*lease.Read); ok && r.Theirs != nil && n.ready && !n.waking && !n.over { // one that was queued in a stall is none
		n.theirLease(r.Theirs)
	}
}

// awake lets a node move on that stood still, and has read the lease.
func (n *Node) awake() {
	n.waking = false
	n.stepBook(&incident.Woke{})
	n.stepPresence(&presence.Woke{})
	n.grant()
	results := n.results
	n.results = nil
	for _, e := range results {
		n.stepBook(e)
	}
	if n.fleetHeld {
		n.fleetHeld = false
		n.setFleet(nil)
	}
	n.doubt()
}

// learnTerm takes a term of the other region. A new node there may not have
// said again what the one before it said last.
func (n *Node) learnTerm(term int64) {
	known := n.theirTerm
	n.theirTerm = max(known, term)
	if known != 0 && known < term && n.ready && !n.waking && !n.over {
		n.doubt()
	}
}

// doubt lets presence ask about the incidents that are open, and that this
// region may see nothing of.
func (n *Node) doubt() {
	var subjects []presence.Subject
	for _, inc := range n.book.Incidents(true) {
		switch inc.Kind {
		case incident.StoreDown, incident.RelayDead, incident.HostMissing, incident.HostFailing:
			subjects = append(subjects, presence.Subject{Store: inc.Store, Host: inc.Host})
		}
	}
	if len(subjects) > 0 {
		n.stepPresence(&presence.Doubted{Subjects: subjects})
	}
}

// theirLease takes the other region's lease, as this replica shows it.
func (n *Node) theirLease(i *lease.Item) {
	n.learnTerm(i.Term)
	n.stepLink(&link.Seen{Lease: wire.Moment{Term: i.Term, Counter: i.Counter}})
	n.stepPresence(&presence.Lease{Term: i.Term, Counter: i.Counter})
}

// grant tells the book until when it may claim.
func (n *Node) grant() {
	if !n.ready || n.waking {
		return
	}
	until := n.until
	if n.draining || n.over {
		until = 0
	}
	n.stepBook(&incident.Lease{Until: until})
}

// end ends this life.
func (n *Node) end(o *lease.Over) {
	if n.over {
		return
	}
	n.over = true
	n.emit(&Over{Reason: Reason(o.Reason), Term: o.Term, Clean: o.Reason == lease.Released})
}

// stepPresence steps presence, and does what follows. That of a node which stops
// hears nothing any more: it decides nothing either (P7).
func (n *Node) stepPresence(e presence.Event) {
	if n.draining {
		return
	}
	out := n.presence.Step(n.now, e, n.pOut[:0])
	if len(out) == 0 {
		n.pOut = out
		return
	}
	n.pOut = nil // a step of a step has its own
	for _, o := range out {
		switch o := o.(type) {
		case *presence.Decided:
			n.stepBook(&incident.Decided{Verdict: o.Verdict})
			n.emit(o)
		case *presence.PeerIs:
			n.state = o.State
			n.stepBook(&incident.PeerIs{State: o.State})
			n.emit(o)
		case *presence.Ask:
			n.stepLink(&link.Ask{ID: o.ID, Question: &o.Question})
		case *presence.Learned:
			n.stepBook(&incident.Forwarded{From: n.other, Verdicts: []presence.Verdict{o.Verdict}})
		case *presence.Tell:
			n.stepLink(&link.Tell{News: o.News})
		case *presence.Reply:
			n.answer.Ask = &o.Answer
		case *presence.Acked:
			o.Ack.Home = n.Home(o.ID.Store)
			n.emit(o)
		default:
			n.emit(o)
		}
	}
	clear(out)
	n.pOut = out
}

// stepBook steps the book, and does what follows.
func (n *Node) stepBook(e incident.Event) {
	out := n.book.Step(n.now, e, n.bOut[:0])
	n.bOut = nil
	for _, o := range out {
		switch o := o.(type) {
		case *incident.Ask:
			n.stepLink(&link.Told{ID: o.ID, Question: &o.Question})
		case *incident.Forward:
			n.stepLink(&link.Forward{Verdicts: o.Verdicts})
		case *incident.Reply:
			n.answer.Told = &o.Answer
		case *incident.Superseded:
			n.stepLease(&lease.Doubt{})
			n.emit(o)
		default:
			n.emit(o)
		}
	}
	clear(out)
	n.bOut = out
}

// stepLink steps the link, and does what follows. Without another region a
// question has no answer.
func (n *Node) stepLink(e link.Event) {
	if n.link == nil {
		switch e := e.(type) {
		case *link.Ask:
			n.stepPresence(&presence.Unanswered{ID: e.ID})
		case *link.Told:
			n.stepBook(&incident.Unanswered{ID: e.ID})
		}
		return
	}
	out := n.link.Step(n.now, e, n.kOut[:0])
	n.kOut = nil
	for _, o := range out {
		n.linkOut(o)
	}
	clear(out)
	n.kOut = out
}

func (n *Node) linkOut(o link.Out) {
	switch o := o.(type) {
	case *link.Answered:
		n.learnTerm(o.Answer.Term)
		n.stepPresence(&presence.Answered{ID: o.ID, Answer: *o.Answer})
	case *link.ToldAnswered:
		n.learnTerm(o.Answer.Term)
		n.stepBook(&incident.Answered{ID: o.ID, Answer: *o.Answer})
	case *link.Unanswered:
		if o.Told {
			n.stepBook(&incident.Unanswered{ID: o.ID})
		} else {
			n.stepPresence(&presence.Unanswered{ID: o.ID})
		}
	case *link.Received:
		n.byMail(o)
	case *link.Linked:
		if cut, _ := n.link.Cut(); cut == n.linked {
			n.linked = !cut
			n.emit(&Linked{OK: n.linked})
		}
		n.stepPresence(&presence.Linked{OK: o.OK})
	case *link.Learned:
		n.theirs = o.State
		n.learnTerm(o.State.Term)
		n.stepLease(&lease.Superseded{Term: o.State.Knows})
	default:
		n.emit(o)
	}
}

// believed are the verdicts of the other region that presence knows no better
// than; those it does, it answers.
func (n *Node) believed(all []presence.Verdict) []presence.Verdict {
	doubts := func(v presence.Verdict) bool { return !n.presence.Believes(&v) || n.openHere(&v) }
	if !slices.ContainsFunc(all, doubts) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), doubts)
}

// openHere says whether a verdict is the loss of a store that this region has
// not lost: it is down when both have, and a forward that was late is no proof
// of it (P3). The other region asks again, and hears that it is open; where the
// session is later than the loss, presence says so at once.
func (n *Node) openHere(v *presence.Verdict) bool {
	if v.Host != "" || v.Condition != presence.StoreDown && v.Condition != presence.StoreRelayDead {
		return false
	}
	s, ok := n.presence.Status(n.now, v.Store)
	return ok && s.Mine == presence.ViewOpen
}

// received answers the other region's request by HTTPS.
func (n *Node) received(e *Received) {
	if n.link != nil && !n.over && !n.waking {
		n.stepLink(&link.Heard{})
	}
	if why := n.Blocked(); why != "" {
		n.emit(&Respond{Token: e.Token, Blocked: why})
		return
	}
	r := n.respond(e.Request)
	n.emit(&Respond{Token: e.Token, Response: &r})
}

// byMail answers a letter; who is blocked leaves it unanswered.
func (n *Node) byMail(o *link.Received) {
	if n.Blocked() != "" {
		return
	}
	r := n.respond(o.Request)
	n.stepLink(&link.Reply{Name: o.Name, Kind: o.Request.Kind, Response: &r})
}

// respond is this region's answer.
func (n *Node) respond(r *wire.Request) wire.Response {
	n.answer = wire.Response{}
	switch r.Kind {
	case wire.Ask:
		n.learnTerm(r.Ask.Term)
		n.stepPresence(&presence.Asked{Question: *r.Ask})
	case wire.Told:
		n.learnTerm(r.Told.Term)
		n.stepBook(&incident.Asked{Question: *r.Told})
	case wire.Heard:
		if len(r.News) > 0 {
			n.stepPresence(&presence.Heard{News: r.News})
		}
	case wire.Forward:
		n.stepBook(&incident.Forwarded{From: n.other, Verdicts: n.believed(r.Verdicts)})
		n.stepPresence(&presence.Forwarded{Verdicts: r.Verdicts})
	}
	n.answer.State = wire.State{
		Node: n.opt.Node, Term: n.Term(), Knows: n.theirTerm, Settled: n.presence.Settled(), Sessions: n.presence.Sessions(),
	}
	return n.answer
}
