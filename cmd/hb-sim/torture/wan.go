package torture

import (
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// never is an instant that does not come.
const never = time.Duration(1<<63 - 1)

// keepaliveFactor: a broker ends a connection that is silent for 1.5 times its
// keepalive, in halves.
const keepaliveFactor = 3

// packetKind is what a packet of a relay's connection is.
type packetKind uint8

const (
	packetConnect packetKind = iota + 1
	packetReport
	packetDisconnect // DISCONNECT, and the close after it
	packetEnd        // the connection ends without a word
	packetConnack    // it is accepted
	packetPuback
	packetAck
	packetCommand
)

// packet is one message of a connection.
type packet struct {
	kind packetKind
	raw  []byte
	seq  uint64
	// report is one that is not written as bytes.
	report *beat.Report
}

// path is the network between one relay and one region. What is sent while it
// is cut waits in the sender's socket, and arrives if it heals before both ends
// gave up.
type path struct {
	w     *world
	relay *relay
	to    int
	// cut is each direction: to the region, and back.
	cut [2]bool
	// delay is what each packet takes longer; twice: reports arrive twice.
	delay time.Duration
	twice bool
	conns []*conn
}

const (
	up   = 0
	down = 1
)

// conn is one connection of a relay to a region, as each end sees it.
type conn struct {
	id    presence.Conn
	path  *path
	who   beat.Identity
	death beat.Death
	proc  *process
	life  int // of the process

	relayOpen, brokerOpen bool
	admitted              bool
	held                  [2][]packet
	last                  [2]time.Duration // no packet arrives before it
	heard                 time.Duration    // when the broker read last
	birth, report         []byte           // the first report and the last
}

// dial begins a connection; nil: nothing listens there.
func (t *path) dial(who beat.Identity, d beat.Death) *conn {
	w := t.w
	proc := w.active(t.to)
	if proc == nil && !t.cut[up] && !t.cut[down] {
		return nil
	}
	w.lastConn++
	c := &conn{id: presence.Conn(w.lastConn), path: t, who: who, death: d, proc: proc, relayOpen: true}
	if proc != nil {
		c.life = proc.life
	}
	t.conns = append(t.conns, c)
	c.send(up, packet{kind: packetConnect})
	return c
}

func (c *conn) up(p packet)   { c.send(up, p) }
func (c *conn) down(p packet) { c.send(down, p) }

// send puts a packet on its way: behind those before it.
func (c *conn) send(dir int, p packet) {
	t := c.path
	if t.cut[dir] || len(c.held[dir]) > 0 {
		c.held[dir] = append(c.held[dir], p)
		return
	}
	w := t.w
	at := w.now + t.delay + w.rng.between(15*time.Millisecond, 45*time.Millisecond)
	if p.kind == packetConnect {
		at += 50 * time.Millisecond // TCP and TLS
	}
	at = max(at, c.last[dir])
	c.last[dir] = at
	w.at(at, func() { c.arrive(dir, p) })
}

func (c *conn) arrive(dir int, p packet) {
	t := c.path
	if t.cut[dir] || len(c.held[dir]) > 0 {
		c.held[dir] = append(c.held[dir], p)
		return
	}
	if dir == down {
		c.toRelay(p)
		return
	}
	c.toBroker(p)
	if p.kind == packetReport && t.twice {
		c.toBroker(p)
	}
}

// toBroker hands a packet to the process at the other end.
func (c *conn) toBroker(p packet) {
	proc := c.proc
	if proc == nil { // it was dialled while the path was cut
		if proc = c.path.w.active(c.path.to); proc == nil {
			c.send(down, packet{kind: packetEnd})
			return
		}
		c.proc, c.life = proc, proc.life
	}
	if proc.life != c.life {
		if p.kind != packetEnd && p.kind != packetDisconnect {
			c.send(down, packet{kind: packetEnd}) // RST: nobody knows this connection
		}
		c.forget()
		return
	}
	proc.run(func() {
		if proc.life == c.life {
			proc.receive(c, p)
		}
	})
}

func (c *conn) toRelay(p packet) {
	if !c.relayOpen {
		return
	}
	if p.kind == packetEnd {
		c.relayOpen = false
		c.forget()
	}
	c.path.relay.receive(c, p)
}

// close is the relay's end of the connection; clean says DISCONNECT first.
func (c *conn) close(clean bool) {
	if !c.relayOpen {
		return
	}
	c.relayOpen = false
	kind := packetEnd
	if clean {
		kind = packetDisconnect
	}
	c.send(up, packet{kind: kind})
	c.forget()
}

// vanish is the relay's end without a word: power.
func (c *conn) vanish() {
	c.relayOpen = false
	c.held[up] = nil
	c.forget()
}

// forget drops a connection that neither end has any more.
func (c *conn) forget() {
	if !c.relayOpen && !c.brokerOpen && len(c.held[up]) == 0 && len(c.held[down]) == 0 {
		c.path.drop(c)
	}
}

func (t *path) drop(c *conn) {
	if i := slices.Index(t.conns, c); i >= 0 {
		t.conns = slices.Delete(t.conns, i, i+1)
	}
}

// heal lets packets through again: what waits is sent again, a little later.
func (t *path) heal() {
	t.cut = [2]bool{}
	t.delay, t.twice = 0, false
	for _, c := range slices.Clone(t.conns) {
		after := t.w.rng.between(0, 1500*time.Millisecond)
		t.w.after(after, func() { c.flush(up) })
		t.w.after(after, func() { c.flush(down) })
	}
}

func (c *conn) flush(dir int) {
	if c.path.cut[dir] {
		return
	}
	held := c.held[dir]
	c.held[dir] = nil
	for _, p := range held {
		c.send(dir, p)
	}
	c.forget()
}

// reset ends every connection of the path at both ends.
func (t *path) reset() {
	for _, c := range slices.Clone(t.conns) {
		c.held = [2][]packet{}
		if proc := c.proc; c.brokerOpen && proc != nil && proc.life == c.life {
			proc.run(func() {
				if proc.life == c.life {
					proc.ended(c)
				}
			})
		}
		if c.relayOpen {
			c.relayOpen = false
			c.path.relay.receive(c, packet{kind: packetEnd})
		}
		c.forget()
	}
}

// receive takes a packet of a relay, as package gate does.
func (p *process) receive(c *conn, k packet) {
	if k.kind == packetConnect {
		p.admit(c)
		return
	}
	if !c.brokerOpen {
		return
	}
	c.heard = p.w.now
	switch k.kind {
	case packetDisconnect, packetEnd:
		p.ended(c)
	case packetReport:
		p.report(c, k)
	}
}

// admit judges a CONNECT.
func (p *process) admit(c *conn) {
	if !p.door || !p.node.Ready() {
		c.send(down, packet{kind: packetEnd})
		return
	}
	if why := p.node.Presence().Admit(c.who, c.death); why != presence.NotRefused {
		p.w.truth.refused(c, why)
		p.step(&presence.Clashed{ID: c.who, Death: c.death})
		c.send(down, packet{kind: packetEnd})
		return
	}
	for _, old := range slices.Clone(p.conns) {
		if old.who == c.who { // one session of each client id
			p.ended(old)
			old.send(down, packet{kind: packetEnd})
		}
	}
	c.brokerOpen, c.admitted, c.heard = true, true, p.w.now
	p.conns = append(p.conns, c)
	c.send(down, packet{kind: packetConnack})
	p.watch(c)
}

// watch ends a connection that is silent for too long.
func (p *process) watch(c *conn) {
	limit := keepalive * keepaliveFactor / 2
	p.w.at(c.heard+limit, func() {
		if !c.brokerOpen || p.life != c.life {
			return
		}
		if p.w.now-c.heard < limit {
			p.watch(c)
			return
		}
		p.run(func() {
			if !c.brokerOpen || p.life != c.life {
				return
			}
			p.ended(c)
			c.send(down, packet{kind: packetEnd})
		})
	})
}

// report takes an envelope.
func (p *process) report(c *conn, k packet) {
	r := k.report
	if r == nil {
		r = &p.w.report
		if err := beat.DecodeReport(k.raw, r); err != nil {
			p.w.fail("a relay's report cannot be read: " + err.Error())
			return
		}
	}
	if r.Epoch != c.death.Epoch || r.Boot != c.death.Boot || r.Incarnation != c.death.Incarnation {
		p.ended(c)
		c.send(down, packet{kind: packetEnd})
		return
	}
	if c.report = k.raw; c.birth == nil {
		c.birth = k.raw
	}
	if r.Kind == beat.Goodbye {
		p.w.truth.goodbye(c.path.relay, p.region, r.Restart)
	}
	p.step(&presence.Report{Conn: c.id, Report: r})
	if c.brokerOpen {
		c.send(down, packet{kind: packetPuback, seq: k.seq})
	}
}

// ended tells the node of the end of a connection.
func (p *process) ended(c *conn) {
	if !c.brokerOpen {
		return
	}
	c.brokerOpen = false
	if i := slices.Index(p.conns, c); i >= 0 {
		p.conns = slices.Delete(p.conns, i, i+1)
	}
	c.forget()
	c.path.relay.store.remember(c)
	p.step(&presence.Ended{Conn: c.id, ID: c.who, Death: c.death})
}

func (p *process) find(id presence.Conn) *conn {
	for _, c := range p.conns {
		if c.id == id {
			return c
		}
	}
	return nil
}

// send sends a packet to a relay; one that is gone is no error.
func (p *process) send(id presence.Conn, k packet) {
	if c := p.find(id); c != nil {
		c.send(down, k)
	}
}

// closeConn ends a relay's connection; its Ended follows.
func (p *process) closeConn(id presence.Conn) {
	p.later(time.Millisecond, func() {
		if c := p.find(id); c != nil {
			c.send(down, packet{kind: packetEnd})
			p.ended(c)
		}
	})
}

// bridge is the network between the two regions.
type bridge struct {
	w     *world
	cut   [2]bool // by who sends
	alone [2]int  // how often each region is cut from everything
	delay time.Duration
	// refuse: connections are reset at once.
	refuse bool
	// twice: what is asked arrives twice.
	twice bool
}

// cuts says whether what a region sends is lost.
func (b *bridge) cuts(from int) bool { return b.cut[from] || b.alone[0]+b.alone[1] > 0 }

// carry brings what a region sends to the other, or loses it.
func (b *bridge) carry(from int, f, lost func()) {
	if b.cuts(from) {
		lost()
		return
	}
	b.w.after(b.delay+b.w.rng.between(30*time.Millisecond, 45*time.Millisecond), func() {
		if b.cuts(from) {
			lost()
			return
		}
		f()
	})
}
