package node

import (
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/lease"
	"github.com/hb-mesh/hb-mesh/broker/peer/link"
	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// DefaultStall is how late a node's loop must be to have stood still (P6): as
// long as a lease lasts.
const DefaultStall = 10 * time.Second

// Options are what a node needs to know. The names of Region, Regions, Node
// and Term in its parts' options are filled in.
type Options struct {
	// Region is this one; Regions are all that are configured, one or two, in
	// order.
	Region  beat.Region
	Regions []beat.Region
	// Node names this process among those of the region, Life this start of it.
	Node, Life string

	Presence presence.Options
	Incident incident.Options
	Lease    lease.Options
	Link     link.Options
	Stall    time.Duration
}

// DefaultOptions lack Region, Regions, Node and Life, and the channels.
func DefaultOptions() Options {
	return Options{
		Presence: presence.DefaultOptions(), Incident: incident.DefaultOptions(),
		Lease: lease.DefaultOptions(), Link: link.DefaultOptions(), Stall: DefaultStall,
	}
}

// Node is one life of one broker process.
type Node struct {
	opt   Options
	other beat.Region

	lease    *lease.Lease
	link     *link.Link // nil: there is no other region, or the node is not ready
	presence *presence.Presence
	book     *incident.Book
	fleet    *setting.Fleet

	loading, ready, draining, over bool
	// waking: the node stood still, and the lease is not read since. Nothing else
	// moves before: results wait, and what operators say.
	waking    bool
	results   []incident.Event
	fleetHeld bool
	until     time.Duration // until when it may claim
	linked    bool          // what Linked said last
	state     presence.PeerState
	theirs    wire.State
	theirTerm int64

	answer wire.Response // is being made
	pOut   []presence.Out
	bOut   []incident.Out
	lOut   []lease.Out
	kOut   []link.Out
	now    beat.Now
	out    []Out
}

// New makes a node that starts at now, as a standby.
func New(opt Options, now beat.Now) *Node {
	opt.Regions = slices.Clone(opt.Regions)
	if len(opt.Regions) == 0 {
		opt.Regions = []beat.Region{opt.Region}
	}
	n := &Node{opt: opt, linked: true}
	for _, r := range opt.Regions {
		if r != opt.Region {
			n.other = r
		}
	}
	l := opt.Lease
	l.Node, l.Life, l.Other = opt.Node, opt.Life, n.other != ""
	n.lease = lease.New(l, now)
	return n
}

// Step takes one event, or nil for the passing of time, and appends to out
// what the shell has to do, and what people may know. Deadlines that passed
// meanwhile are met first, each at its own instant, in order: one Step over
// many deadlines equals many Steps.
func (n *Node) Step(now beat.Now, e Event, out []Out) []Out {
	n.out = out
	if !n.over {
		n.catchUp(now)
		n.now = now
		n.take(e)
		n.meet()
	}
	out, n.out = n.out, nil
	return out
}

// Next is the earliest monotonic instant at which Step(now, nil) has something
// to do; ok is false while there is none.
func (n *Node) Next() (at time.Duration, ok bool) {
	if n.over {
		return 0, false
	}
	at, ok = n.lease.Next()
	if !n.ready || n.waking {
		return at, ok
	}
	if t, due := n.presence.Next(); due && !n.draining && (!ok || t < at) {
		at, ok = t, true
	}
	if t, due := n.book.Next(); due && (!ok || t < at) {
		at, ok = t, true
	}
	if n.link != nil {
		if t, due := n.link.Next(); due && (!ok || t < at) {
			at, ok = t, true
		}
	}
	return at, ok
}

// catchUp meets the deadlines before now, or finds that the node stood still.
func (n *Node) catchUp(now beat.Now) {
	const same = 64 // steps at one instant before the rest waits for now
	last, times := time.Duration(-1<<62), 0
	for {
		due, ok := n.Next()
		if !ok || due >= now.Mono || times > same {
			return
		}
		if n.ready && !n.waking && now.Mono-due >= n.opt.Stall {
			n.now = now
			n.woke(now.Mono - due)
			return
		}
		due = max(due, last)
		if times++; due > last {
			last, times = due, 0
		}
		n.now = beat.Now{Mono: due, Wall: now.At(due)}
		n.meet()
	}
}

// woke: the node stood still. What is queued is no evidence, and somebody else
// may be active: it looks at the lease first, and moves on when it has read it.
func (n *Node) woke(late time.Duration) {
	n.emit(&Woke{For: late})
	n.waking = true
	n.stepLease(&lease.Woke{})
}

// meet does what is due.
func (n *Node) meet() {
	due := func(at time.Duration, ok bool) bool { return ok && at <= n.now.Mono && !n.over }
	if due(n.lease.Next()) {
		n.stepLease(nil)
	}
	if !n.ready || n.waking || n.over {
		return
	}
	if n.link != nil && due(n.link.Next()) {
		n.stepLink(nil)
	}
	if due(n.presence.Next()) {
		n.stepPresence(nil)
	}
	if due(n.book.Next()) {
		n.stepBook(nil)
	}
	if n.link != nil && due(n.link.Next()) { // what presence and book asked
		n.stepLink(nil)
	}
}

// take takes one event.
func (n *Node) take(e Event) {
	switch e := e.(type) {
	case nil:
	case *presence.Report:
		if n.Blocked() == "" {
			n.stepPresence(e)
		}
	case presence.Event:
		if n.Blocked() == "" {
			n.stepPresence(e)
		}
	case incident.Event:
		switch {
		case n.waking:
			n.results = append(n.results, e)
		case n.ready:
			n.stepBook(e)
		}
	case lease.Event:
		n.stepLease(e)
	case link.Event:
		if n.link != nil && !n.waking { // else an answer that was queued: it is asked again
			n.stepLink(e)
		}
	case *Received:
		n.received(e)
	case *Loaded:
		n.loaded(e)
	case *Settings:
		n.settings(e)
	case *Knows:
		n.stepLease(&lease.Superseded{Term: e.Term})
	case *Drain:
		n.drain()
	case *Leave:
		n.draining = true
		n.stepLease(&lease.Leave{})
	}
}

func (n *Node) emit(o Out) { n.out = append(n.out, o) }

// Blocked is why the node counts and answers nothing now; "": it does.
func (n *Node) Blocked() Reason {
	switch {
	case n.over, !n.ready && !n.loading:
		return Reason(n.lease.Reason())
	case n.draining:
		return Draining
	case !n.ready:
		return Loading
	case n.waking:
		return Waking
	default:
		return ""
	}
}

// Standby says that another node of the region is active, or may be.
func (n *Node) Standby() bool { return !n.ready && !n.loading }

// Ready says that the node knows what the table remembers: Presence and Book
// are there.
func (n *Node) Ready() bool { return n.ready }

// Term is the node's, once it is active.
func (n *Node) Term() int64 { return n.lease.Term() }

// Lease is the node's lease, to look at.
func (n *Node) Lease() *lease.Lease { return n.lease }

// Presence and Book are to look at; nil before Ready.
func (n *Node) Presence() *presence.Presence { return n.presence }

// Book is the book of incidents; nil before Ready.
func (n *Node) Book() *incident.Book { return n.book }

// Fleet is what operators say.
func (n *Node) Fleet() *setting.Fleet { return n.fleet }

// Link is the link to the other region, to look at; nil where there is none.
func (n *Node) Link() *link.Link { return n.link }

// Peer is what is known of the other region, and what it last said of itself.
func (n *Node) Peer() (presence.PeerState, wire.State) { return n.state, n.theirs }

// Until is the monotonic instant until which this node may claim; 0: it may not.
func (n *Node) Until() time.Duration { return n.until }

// Home is the region that tells a store's incidents first: its pin, else the
// rendezvous order.
func (n *Node) Home(s beat.StoreID) beat.Region {
	if pin := n.Pin(s); slices.Contains(n.opt.Regions, pin) {
		return pin
	}
	return presence.Home(s, n.opt.Regions)
}

// Pin is the region that an operator chose for a store's home, as this node
// knows; "": none. It may be no region of this cell.
func (n *Node) Pin(s beat.StoreID) beat.Region {
	if st := n.fleet.Store(s); st != nil {
		return st.Pin
	}
	return ""
}
