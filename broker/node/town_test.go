package node_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/lease"
	"github.com/hb-mesh/hb-mesh/broker/node"
	"github.com/hb-mesh/hb-mesh/broker/peer/link"
	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/record"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

const (
	east = beat.Region("us-east-1")
	west = beat.Region("us-west-2")
)

// town is two regions with their nodes, in virtual time. The table is one: its
// replication is at once.
type town struct {
	t     *testing.T
	now   time.Duration
	items map[table.Key]table.Item
	nodes []*proc
	lives int
	told  []string
	sent  []message
	// cut: HTTPS between the regions is not answered.
	cut bool
}

// message is a notice that was handed to a channel, and when.
type message struct {
	at     time.Duration
	notice incident.Notice
}

// proc is one process.
type proc struct {
	town    *town
	region  beat.Region
	name    string
	n       *node.Node
	stalled bool
	dead    bool
	outs    []node.Out // all that came out since somebody looked
	over    *node.Over
	respond *node.Respond
	// mute: its publishes are not answered; owed are they.
	mute bool
	owed []uint64
	late []func()
}

func newTown(t *testing.T) *town { return &town{t: t, items: map[table.Key]table.Item{}} }

func (w *town) at() beat.Now { return beat.Now{Mono: w.now, Wall: noon.Add(w.now)} }

func (w *town) start(region beat.Region, name string) *proc {
	w.lives++
	o := node.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Life = region, []beat.Region{east, west}, name, fmt.Sprint(w.lives)
	o.Incident.Channels = []incident.Channel{"alerts"}
	o.Lease.Address = "http://" + name
	p := &proc{town: w, region: region, name: name, n: node.New(o, w.at())}
	w.nodes = append(w.nodes, p)
	p.step(nil)
	return p
}

// step steps a process, and does what it wants done, at once. A stalled one
// finds what came when it wakes.
func (p *proc) step(e node.Event) {
	if p.dead || p.over != nil {
		return
	}
	if p.stalled {
		p.late = append(p.late, func() { p.step(e) })
		return
	}
	for _, o := range p.n.Step(p.town.at(), e, nil) {
		p.outs = append(p.outs, o)
		p.do(o)
	}
}

func (p *proc) do(o node.Out) {
	w := p.town
	switch o := o.(type) {
	case *node.Over:
		p.over = o
	case *node.Respond:
		p.respond = o
	case *node.Load:
		p.step(w.load(o.Term))
	case *lease.Look:
		ours, theirs, _ := record.Leases(w.query(record.LeasePK()), p.region)
		p.step(&lease.Read{Op: o.Op, Own: ours, Theirs: theirs})
	case *lease.Write:
		p.step(&lease.Wrote{Op: o.Op, Result: lease.Result(w.write(record.Lease(p.region, o)))})
	case *lease.Call:
		for _, q := range w.nodes {
			if "http://"+q.name == o.Address {
				q.step(&node.Knows{Term: o.Term})
			}
		}
		p.step(&lease.Called{Op: o.Op})
	case *presence.Save:
		w.put(record.Store(o.Item))
	case *incident.Save:
		w.put(record.Incident(p.region, o.Incident, time.Hour))
	case *incident.Write:
		p.step(&incident.Wrote{Op: o.Op, Result: w.write(record.Notice(o.Notice, p.n.Term(), time.Hour))})
	case *incident.ReadMarks:
		p.step(&incident.MarksRead{ID: o.ID, Known: incident.KnownBy(o.Items, w.load(0).Notices, nil)})
	case *incident.Publish:
		w.sent = append(w.sent, message{w.now, o.Notice})
		for _, i := range o.Notice.Items {
			w.told = append(w.told, fmt.Sprintf("%s: %s %s %s%s", p.region, i.Kind, i.Change, i.Store, oneSided(&o.Notice)))
		}
		if p.mute {
			p.owed = append(p.owed, o.Op)
			return
		}
		p.step(&incident.Published{Op: o.Op})
	case *link.Call:
		p.step(&link.Called{ID: o.ID, Response: w.call(p, o.Request)})
	case *link.Post:
		w.put(record.Mail(&o.Mail, noon.Add(w.now)))
	case *link.ReadMail:
		r := &link.MailRead{Op: o.Op}
		for _, it := range w.query(record.MailPK(p.region)) {
			if m, why := record.ReadMail(it); why == "" {
				r.Letters = append(r.Letters, m)
			}
		}
		p.step(r)
	case *link.Drop:
		for _, n := range o.Names {
			delete(w.items, record.MailKey(p.region, other(p.region), n))
		}
	}
}

func oneSided(n *incident.Notice) string {
	if n.OneSided {
		return " (one side only)"
	}
	return ""
}

func other(r beat.Region) beat.Region {
	if r == east {
		return west
	}
	return east
}

// call asks the active node of the other region by HTTPS.
func (w *town) call(from *proc, r *wire.Request) *wire.Response {
	for _, q := range w.nodes {
		if w.cut || q.region == from.region || q.dead || q.stalled || q.over != nil || q.n.Standby() {
			continue
		}
		q.respond = nil
		q.step(&node.Received{Request: r})
		if q.respond != nil {
			return q.respond.Response
		}
	}
	return nil
}

func (w *town) put(it table.Item) { w.items[it.Key] = it }

func (w *town) write(wr table.Write) incident.Result {
	have, ok := w.items[wr.Item.Key]
	switch {
	case wr.If == table.IfAbsent && ok, wr.If == table.IfRev && (!ok || have.Rev != wr.Rev):
		return incident.Refused
	case wr.Fence != nil && w.items[wr.Fence.Key].Rev != wr.Fence.Rev:
		return incident.Refused
	}
	w.put(wr.Item)
	return incident.Done
}

func (w *town) query(pk string) []table.Item {
	var out []table.Item
	for k, it := range w.items {
		if k.PK == pk && !it.Expired(noon.Add(w.now)) {
			out = append(out, it)
		}
	}
	slices.SortFunc(out, func(a, b table.Item) int {
		if a.SK < b.SK {
			return -1
		}
		return 1
	})
	return out
}

func (w *town) load(term int64) *node.Loaded {
	l := &node.Loaded{Term: term}
	for _, pk := range record.StorePKs() {
		for _, it := range w.query(pk) {
			s, _ := record.ReadStore(it)
			l.Stores = append(l.Stores, s)
		}
	}
	for _, pk := range record.IncidentPKs() {
		for _, it := range w.query(pk) {
			i, _ := record.ReadIncident(it)
			l.Incidents = append(l.Incidents, i)
		}
	}
	for _, pk := range record.NoticePKs(noon.Add(w.now)) {
		for _, it := range w.query(pk) {
			n, _ := record.ReadNotice(it)
			l.Notices = append(l.Notices, n)
		}
	}
	return l
}

// run lets time pass, in steps of 250 ms, with reports of the stores that are
// there.
func (w *town) run(d time.Duration, stores ...*shop) {
	for stop := w.now + d; w.now < stop; {
		w.now += 250 * time.Millisecond
		for _, s := range stores {
			s.tick()
		}
		for _, p := range w.nodes {
			if at, ok := p.n.Next(); ok && at <= w.now && !p.stalled {
				p.step(nil)
			}
		}
	}
}

func (w *town) wake(p *proc) {
	p.stalled = false
	late := p.late
	p.late = nil
	p.step(nil)
	for _, f := range late {
		f()
	}
}

func (w *town) want(told ...string) {
	w.t.Helper()
	if !slices.Equal(w.told, told) {
		w.t.Fatalf("%v: told %q, want %q", w.now, w.told, told)
	}
	w.told = nil
}

// shop is a store with one relay, which reports to the processes it knows.
type shop struct {
	w     *town
	id    beat.StoreID
	to    []*proc
	epoch beat.Epoch
	seq   beat.Seq
	born  map[*proc]beat.Epoch
}

func (w *town) shop(id beat.StoreID, to ...*proc) *shop {
	s := &shop{w: w, id: id, to: to, epoch: 1, born: map[*proc]beat.Epoch{}}
	s.tick()
	return s
}

func (s *shop) tick() {
	if s.w.now%(15*time.Second) != 0 {
		return
	}
	for _, p := range s.to {
		kind := beat.Steady
		if s.born[p] == 0 {
			s.epoch++
			s.born[p], kind = s.epoch, beat.Birth
		}
		s.seq++
		p.step(&presence.Report{Conn: presence.Conn(s.born[p]), Report: s.report(kind, s.born[p])})
	}
}

func (s *shop) report(kind beat.Kind, epoch beat.Epoch) *beat.Report {
	pic := &beat.Picture{Hosts: []beat.HostReport{{Host: "pos1", State: beat.Up, Number: 1, IntervalMs: 60_000}}}
	r := &beat.Report{
		V: beat.Wire, Kind: kind, Store: s.id, Relay: "r1", Incarnation: beat.Incarnation{1}, Boot: beat.Boot{1},
		Epoch: epoch, Seq: s.seq, MonoMs: uint64(s.w.now.Milliseconds()), ReportEveryMs: 15000, KeepaliveMs: 20000, Hash: pic.Hash(),
	}
	if kind == beat.Birth {
		r.Picture = pic
	}
	return r
}

// leave ends the relay's sessions, as a will does.
func (s *shop) leave() {
	for _, p := range s.to {
		p.step(&presence.Ended{Conn: presence.Conn(s.born[p]), ID: beat.Identity{Store: s.id, Relay: "r1"}, Death: beat.Death{
			V: beat.Wire, Incarnation: beat.Incarnation{1}, Boot: beat.Boot{1}, Epoch: s.born[p],
		}})
	}
	clear(s.born)
}
