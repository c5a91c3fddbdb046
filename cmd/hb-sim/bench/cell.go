package bench

import (
	"fmt"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/lease"
	"github.com/hb-mesh/hb-mesh/broker/node"
	"github.com/hb-mesh/hb-mesh/broker/peer/link"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// cell is the deciding part of two regions in virtual time: every command is
// done at once, nothing is written, and every message is counted.
type cell struct {
	now     beat.Now
	regions [2]*cellNode
	queue   []cellEvent
	sent    []incident.Notice // what the channel took
	conns   presence.Conn
}

type cellNode struct {
	*node.Node
	region beat.Region
	other  *cellNode
	lease  *lease.Item
	answer *node.Respond
	outs   []node.Out
	saved  costs
	used   time.Duration // of a processor, in its steps
}

// cellEvent is what a command led to.
type cellEvent struct {
	at *cellNode
	e  node.Event
}

const cellChannel incident.Channel = "people"

func newCell() *cell {
	c := &cell{now: beat.Now{Wall: time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)}}
	for i, r := range []beat.Region{regionEast, regionWest} {
		o := node.DefaultOptions()
		o.Region, o.Regions, o.Node, o.Life = r, []beat.Region{regionEast, regionWest}, string(r), "1"
		o.Incident.Channels = []incident.Channel{cellChannel}
		c.regions[i] = &cellNode{Node: node.New(o, c.now), region: r}
	}
	c.regions[0].other, c.regions[1].other = c.regions[1], c.regions[0]
	for _, n := range c.regions {
		c.step(n, nil)
	}
	return c
}

// step steps a node, and does what follows until nothing does.
func (c *cell) step(n *cellNode, e node.Event) {
	c.queue = append(c.queue, cellEvent{n, e})
	for len(c.queue) > 0 {
		next := c.queue[0]
		c.queue = c.queue[1:]
		c.one(next)
	}
	c.queue = nil
}

func (c *cell) one(next cellEvent) {
	n := next.at
	start := cpu()
	outs := n.Step(c.now, next.e, n.outs[:0])
	n.used += cpu() - start
	for _, o := range outs {
		c.do(n, o)
	}
	clear(outs)
	n.outs = outs[:0]
}

func (c *cell) later(n *cellNode, e node.Event) { c.queue = append(c.queue, cellEvent{n, e}) }

// do does a command at once.
func (c *cell) do(n *cellNode, o node.Out) {
	n.saved.count(o)
	switch o := o.(type) {
	case *lease.Look:
		c.later(n, &lease.Read{Op: o.Op, Own: n.lease, Theirs: n.other.lease})
	case *lease.Write:
		item := o.Item
		n.lease = &item
		c.later(n, &lease.Wrote{Op: o.Op})
	case *node.Load:
		c.later(n, &node.Loaded{Term: o.Term})
	case *incident.Write:
		c.later(n, &incident.Wrote{Op: o.Op})
	case *incident.ReadMarks:
		c.later(n, &incident.MarksRead{ID: o.ID, Known: make([]incident.Known, len(o.Items))})
	case *incident.Publish:
		c.sent = append(c.sent, o.Notice)
		c.later(n, &incident.Published{Op: o.Op})
	case *link.Call:
		c.call(n, o)
	case *node.Respond:
		n.answer = o
	}
}

// call lets the other region answer, in the middle of this one's step: its own
// consequences wait.
func (c *cell) call(n *cellNode, o *link.Call) {
	start := cpu()
	outs := n.other.Step(c.now, &node.Received{Request: o.Request}, nil)
	n.other.used += cpu() - start
	for _, out := range outs {
		c.do(n.other, out)
	}
	called := &link.Called{ID: o.ID}
	if a := n.other.answer; a != nil {
		called.Response = a.Response
	}
	n.other.answer = nil
	c.later(n, called)
}

// busier is what the busier region's steps took of a processor since the last
// call.
func (c *cell) busier() time.Duration {
	d := max(c.regions[0].used, c.regions[1].used)
	c.regions[0].used, c.regions[1].used = 0, 0
	return d
}

// run lets time pass: nothing comes from relays meanwhile.
func (c *cell) run(d time.Duration) {
	end := c.now.Mono + d
	for {
		at := end
		for _, n := range c.regions {
			if due, ok := n.Next(); ok {
				at = min(at, due)
			}
		}
		c.now = c.now.Add(max(at-c.now.Mono, 0))
		for _, n := range c.regions {
			if due, ok := n.Next(); ok && due <= c.now.Mono {
				c.step(n, nil)
			}
		}
		if at >= end {
			return
		}
	}
}

// paper is a relay of the cell, on paper: what its envelopes say.
type paper struct {
	store   beat.StoreID
	number  int
	epoch   beat.Epoch
	conn    [2]presence.Conn
	seq     [2]beat.Seq
	hash    uint64
	hosts   int
	started time.Duration
}

// fleetHosts is how many hosts a store of the rows has.
const fleetHosts = 20

func (c *cell) fleet(stores int) []paper {
	all := make([]paper, stores)
	for i := range all {
		all[i] = paper{store: beat.StoreID(fmt.Sprintf("store-%05d", i)), number: i, hosts: fleetHosts}
	}
	return all
}

// picture is the whole picture of its hosts, all of them up.
func (a *paper) picture() *beat.Picture {
	p := &beat.Picture{Hosts: make([]beat.HostReport, a.hosts)}
	for i := range p.Hosts {
		p.Hosts[i] = beat.HostReport{Host: beat.HostID(fmt.Sprintf("pos%02d", i)), State: beat.Up, Number: beat.Number(i + 1), AgeMs: 1000, IntervalMs: 30_000, Reason: beat.Adopted}
	}
	return p
}

// report is what the relay says to region r: through the wire, as it is.
func (a *paper) report(now beat.Now, r int, kind beat.Kind, whole bool, decoded *beat.Report) error {
	a.seq[r]++
	out := beat.Report{
		V: beat.Wire, Kind: kind, Store: a.store, Relay: "r1", Incarnation: beat.Incarnation{1, byte(a.number), byte(a.number >> 8), byte(a.number >> 16)},
		Boot: beat.Boot{1}, Epoch: a.epoch, Seq: a.seq[r], MonoMs: uint64((now.Mono - a.started).Milliseconds()) + 1000, ReportEveryMs: 15_000, KeepaliveMs: 20_000,
		Software: "1.0.0", Hash: a.hash, Others: []beat.Witness{{Region: []beat.Region{regionWest, regionEast}[r], Session: true, AckAgeMs: 100}},
	}
	if whole {
		out.Picture = a.picture()
		a.hash = out.Picture.Hash()
		out.Hash = a.hash
	}
	*decoded = beat.Report{}
	return beat.DecodeReport(out.Encode(), decoded)
}

// born opens the relay's sessions in both regions.
func (c *cell) born(a *paper) error {
	a.epoch++
	var r beat.Report
	for i, n := range c.regions {
		c.conns++
		a.conn[i], a.seq[i] = c.conns, 0
		if err := a.report(c.now, i, beat.Birth, true, &r); err != nil {
			return err
		}
		c.step(n, &presence.Report{Conn: a.conn[i], Report: &r})
	}
	return nil
}

// lost ends the relay's sessions in both regions.
func (c *cell) lost(a *paper) {
	for i, n := range c.regions {
		c.step(n, &presence.Ended{Conn: a.conn[i], ID: beat.Identity{Store: a.store, Relay: "r1"}, Death: beat.Death{
			V: beat.Wire, Incarnation: beat.Incarnation{1, byte(a.number), byte(a.number >> 8), byte(a.number >> 16)}, Boot: beat.Boot{1}, Epoch: a.epoch,
		}})
	}
}
