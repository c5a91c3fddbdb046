package torture

import (
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/lease"
	"github.com/hb-mesh/hb-mesh/broker/node"
	"github.com/hb-mesh/hb-mesh/broker/peer/link"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/record"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	// restartAfter is how long a service manager takes to start a process anew.
	restartAfter = 1500 * time.Millisecond
	// callAnswer is how long HTTPS between the regions is waited for.
	callAnswer = 5 * time.Second
	// keep is how long the table keeps what is over.
	keep = 30 * 24 * time.Hour
	// sample is how seldom a lease's document is really written and read: one
	// of so many renewals, for speed.
	sample = 16
)

// nothing is the document of a lease that is not really written.
var nothing = []byte("{}")

// process is one broker process: the twin of package broker around a Node. It
// does what the node's outs ask for, against the world's twins.
type process struct {
	w      *world
	region int
	index  int // of all processes of the world
	name   string

	// life counts its starts; what an older life began ends in nothing.
	life    int
	node    *node.Node
	up      bool
	door    bool // its MQTT door is open
	stalled bool
	yields  bool
	drained bool          // it is stopping on purpose
	resumed time.Duration // when it last went on that stood still
	// skew is what its wall clock is wrong by.
	skew time.Duration

	// calls, publishes and ops are those that are under way: to the other
	// region, to the channels, and to the table.
	calls, publishes, ops int

	armed time.Duration
	wake  func()   // woken, once and for all
	inbox []func() // what waits while it stands still
	outs  []node.Out
	conns []*conn
	saver saver
	// response is what the node answered in this step.
	response *node.Respond
}

// home is the name of its region.
func (p *process) home() beat.Region { return p.w.names[p.region] }

// clock is the process's own: its monotonic one has a start of its own.
func (p *process) clock() beat.Now {
	return beat.Now{Mono: p.w.now + time.Duration(p.index+1)*1000*time.Second, Wall: p.w.wall().Add(p.skew)}
}

// virtual is an instant of its monotonic clock on the world's.
func (p *process) virtual(mono time.Duration) time.Duration {
	return mono - time.Duration(p.index+1)*1000*time.Second
}

// start begins a new life, as a standby.
func (p *process) start() {
	w := p.w
	p.life++
	p.up, p.door, p.stalled, p.drained = true, false, false, false
	p.armed, p.inbox, p.conns = never, p.inbox[:0], p.conns[:0]
	p.saver.reset()
	p.calls, p.publishes, p.ops = 0, 0, 0
	o := w.nodeOptions
	o.Region, o.Regions, o.Node, o.Life = p.home(), w.names, p.name, w.lifeName(p)
	o.Lease.Address, o.Lease.Yields = p.name, p.yields
	p.node = node.New(o, p.clock())
	if w.tracing {
		w.tracef("%s starts, life %d", p.name, p.life)
	}
	p.step(nil)
}

// end ends the process: its sockets close. quiet says that nobody hears of it
// (power, a dead host).
func (p *process) end(quiet bool) {
	if !p.up {
		return
	}
	p.up, p.door, p.stalled = false, false, false
	p.life++
	p.node = nil
	conns := slices.Clone(p.conns)
	p.conns = p.conns[:0]
	for _, c := range conns {
		c.brokerOpen = false
		if !quiet {
			c.down(packet{kind: packetEnd})
		}
	}
	p.w.truth.nodeDown(p)
}

// later runs f in this life of the process, after d; while it stands still f
// waits.
func (p *process) later(d time.Duration, f func()) {
	p.w.queue.add(p.w.now+d, slot{do: f, process: p, life: p.life})
}

func (p *process) run(f func()) {
	if p.stalled {
		p.inbox = append(p.inbox, f)
		return
	}
	f()
}

// resume lets a process go on that stood still: first its own timer, then what
// waited in its sockets.
func (p *process) resume() {
	if !p.up || !p.stalled {
		return
	}
	p.stalled, p.resumed = false, p.w.now
	p.w.truth.nodeReady(p)
	life := p.life
	p.step(nil)
	inbox := p.inbox
	p.inbox = nil
	for _, f := range inbox {
		if p.life != life {
			return
		}
		f()
	}
}

// step steps the node, and does what it asks for.
func (p *process) step(e node.Event) {
	if !p.up || p.stalled {
		return
	}
	p.w.steps++
	outs := p.node.Step(p.clock(), e, p.outs[:0])
	p.outs = nil // what the outs do may step again
	life := p.life
	for _, o := range outs {
		if p.life != life {
			break
		}
		p.do(o)
	}
	clear(outs)
	p.outs = outs
	if p.life == life {
		p.arm()
	}
}

// arm wakes the process when something is due.
func (p *process) arm() {
	mono, ok := p.node.Next()
	if !ok {
		return
	}
	at := max(p.virtual(mono), p.w.now)
	if at >= p.armed {
		return
	}
	p.armed = at
	p.w.at(at, p.wake)
}

// woken looks whether something is due.
func (p *process) woken() {
	if p.armed != p.w.now || !p.up {
		return // it was armed for another instant, or in another life
	}
	p.armed = never
	if p.stalled {
		return
	}
	if next, ok := p.node.Next(); ok && p.virtual(next) <= p.w.now {
		p.step(nil)
		return
	}
	p.arm()
}

// do does one thing that the node asks for.
func (p *process) do(o node.Out) {
	if p.w.tracing {
		p.w.traceOut(p, o)
	}
	if len(p.w.waiting) > 0 {
		life := p.life
		if p.w.reaches(p, momentOf(o)); p.life != life {
			return // it did not come to that
		}
	}
	switch o := o.(type) {
	case *lease.Look:
		p.look(o)
	case *lease.Write:
		p.writeLease(o)
	case *lease.Call:
		p.callHolder(o)
	case *node.Load:
		p.load(o.Term)
	case *node.Ready:
		p.door = true
		p.w.truth.nodeReady(p)
	case *node.Respond:
		p.response = o
	case *node.Over:
		p.over(o)
	case *link.Call:
		p.call(o)
	case *link.Post:
		p.post(o)
	case *link.ReadMail:
		p.readMail(o)
	case *link.Drop:
		p.dropMail(o)
	case *presence.Rebirth:
		p.send(o.Conn, packet{kind: packetCommand, raw: beat.Command{V: beat.Wire, Order: beat.Rebirth, Exceed: o.Exceed}.Encode()})
	case *presence.Acked:
		p.send(o.Conn, packet{kind: packetAck, raw: o.Ack.Encode()})
	case *presence.Command:
		p.send(o.Conn, packet{kind: packetCommand, raw: o.Command.Encode()})
	case *presence.Close:
		p.closeConn(o.Conn)
	case *presence.Journal:
		p.history(o)
	case *presence.Save:
		p.save(saving{item: record.Store(o.Item), gone: o.Item.Gone})
	case *incident.Save:
		p.save(saving{item: record.Incident(p.home(), o.Incident, keep)})
	case *incident.Write:
		p.claim(o)
	case *incident.ReadMarks:
		p.readMarks(o)
	case *incident.Publish:
		p.publish(o)
	default:
		p.news(o)
	}
}

// over: this life of the node is over, and the service manager starts it anew.
func (p *process) over(o *node.Over) {
	p.yields = o.Reason == node.Reason(lease.Outbid)
	again := !p.drained || p.w.rng.one(2)
	p.end(false)
	life := p.life
	if again {
		p.w.after(restartAfter, func() {
			if p.life == life && !p.up {
				p.start()
			}
		})
	}
}

// run2 runs f when the process can, in the life that it has now.
func (p *process) run2(f func()) {
	if !p.up {
		return
	}
	life := p.life
	p.run(func() {
		if p.life == life {
			f()
		}
	})
}

// settings takes what operators said, as this region's replica shows it.
func (p *process) settings() {
	p.step(&node.Settings{Fleet: p.fleet()})
}

func (p *process) fleet() *setting.Fleet { return p.w.fleetOf(p.region) }

// news is what people may know.
func (p *process) news(o node.Out) {
	switch o := o.(type) {
	case *presence.Decided:
		p.w.cover.decided(&o.Verdict)
	case *incident.Happened:
		p.w.truth.happened(p, o)
	}
}
