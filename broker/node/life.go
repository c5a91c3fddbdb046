package node

import (
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/lease"
	"github.com/hb-mesh/hb-mesh/broker/peer/link"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// loaded makes the node ready: it knows what the table remembers, and settles.
func (n *Node) loaded(e *Loaded) {
	if n.ready || !n.loading || e.Term != n.Term() {
		return
	}
	p, b := n.opt.Presence, n.opt.Incident
	p.Region, p.Regions, p.Node, p.Term = n.opt.Region, n.opt.Regions, n.opt.Node, e.Term
	b.Region, b.Regions, b.Node, b.Term = n.opt.Region, n.opt.Regions, n.opt.Node, e.Term
	n.presence = presence.New(p, n.now)
	b.Sees = n.presence.Sees
	n.book = incident.New(b)
	if n.fleet == nil { // else it is newer
		n.fleet = e.Fleet
	}
	if n.other != "" {
		k := n.opt.Link
		k.Region, k.Other, k.Node, k.Term = n.opt.Region, n.other, n.opt.Node, e.Term
		n.link = link.New(k, n.now)
	}
	n.ready, n.loading = true, false
	n.grant()
	if n.fleet != nil {
		n.setFleet(nil)
	}
	n.stepBook(&incident.Loaded{Incidents: e.Incidents, Notices: e.Notices})
	n.stepPresence(&presence.Loaded{Stores: e.Stores})
	n.doubt()
	n.emit(&Ready{Term: e.Term})
}

// settings takes what operators say.
func (n *Node) settings(e *Settings) {
	n.fleet = e.Fleet
	switch {
	case n.waking:
		n.fleetHeld = true
	case n.ready:
		n.setFleet(e.Changed)
	}
}

// setFleet hands the newest of what operators say on; changed is Settings'.
func (n *Node) setFleet(changed []beat.StoreID) {
	n.stepBook(&incident.Settings{Fleet: n.fleet})
	n.stepPresence(&presence.Settings{Fleet: n.fleet, Changed: changed})
}

// drain ends what the door says: its sessions' ends are no evidence (P7).
func (n *Node) drain() {
	if n.draining {
		return
	}
	n.draining = true
	n.grant()
	if !n.ready {
		n.stepLease(&lease.Leave{})
	}
}
