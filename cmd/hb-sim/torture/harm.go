package torture

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/node"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/schedule"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	// drainFor is how long a node that stops has for its last marks.
	drainFor = 2 * time.Second
	// slowDrain is how long one in four takes whose machine is busy, or paused
	// meanwhile: longer than grace, and still nothing is evidence (P7).
	slowDrain = 14 * time.Second
)

// drain stops a process on purpose, as package broker's Run does: its door closes,
// and tells the node of the end of each connection.
func (p *process) drain() {
	if !p.up || p.stalled || p.drained {
		return
	}
	p.drained = true
	p.step(&node.Drain{})
	if !p.up {
		return
	}
	p.door = false
	life := p.life
	for p.life == life && len(p.conns) > 0 {
		c := p.conns[len(p.conns)-1]
		c.send(down, packet{kind: packetEnd})
		p.ended(c)
	}
	if p.life != life {
		return
	}
	d := drainFor
	if p.w.rng.one(4) {
		d = slowDrain
	}
	p.later(d, func() { p.step(&node.Leave{}) })
}

// stall lets a process stand still for d.
func (p *process) stall(d time.Duration) {
	if !p.up || p.stalled {
		return
	}
	p.stalled = true
	life := p.life
	p.w.truth.nodeStalls(p)
	p.w.after(d, func() {
		if p.life == life {
			p.resume()
		}
	})
}

// stall lets a relay stand still for d.
func (r *relay) stall(d time.Duration) {
	if !r.up || r.stalled {
		return
	}
	r.stalled, r.ticked = true, r.clock().Mono
	r.w.truth.relay(r.store)
	life := r.life
	r.w.after(d, func() {
		if r.life == life {
			r.resume()
		}
	})
}

// say writes what an operator says in a region.
func (w *world) say(region int, s setting.Setting) {
	s.Version, s.At, s.By = w.version(s.Kind, s.ID), w.wall(), "anna"
	doc, err := setting.Encode(&s)
	if err == nil {
		_, err = setting.Decode(doc)
	}
	if err != nil {
		w.fail(err.Error())
		return
	}
	w.tables.replicas[region].put(table.Item{Key: table.OperatorKey(w.names[region], string(s.Kind), s.ID), Doc: doc, Rev: s.Version}, false)
	w.settingsChanged(region)
}

// version numbers what operators say.
func (w *world) version(setting.Kind, string) int64 {
	w.said++
	return w.said
}

// silence holds back what people are told of a store, for as long as the fault
// says; or for longer, and an operator ends it then.
func (w *world) silence(f *schedule.Fault) {
	d := f.For
	if endedByHand(f) {
		d += time.Hour
	}
	id := silenceID(f)
	w.say(f.Region, setting.Setting{Kind: setting.Silence, ID: id, Rule: &setting.Rule{
		ID: id, Kind: setting.Silence, Match: setting.Match{Stores: []string{string(w.stores[f.Store].id)}}, From: w.wall(), Until: w.wall().Add(d), By: "anna",
	}})
}

// silenceID names the silence that a fault makes; each second one is ended by
// hand, in either region.
func silenceID(f *schedule.Fault) string {
	return fmt.Sprintf("sil-%d-%d-%d-%d", f.At.Milliseconds(), f.For.Milliseconds(), f.Region, f.Store)
}

func endedByHand(f *schedule.Fault) bool { return f.At.Milliseconds()%2 == 0 }

func (w *world) unsilence(f *schedule.Fault) {
	if endedByHand(f) {
		w.say(w.rng.below(len(w.names)), setting.Setting{Kind: setting.Silence, ID: silenceID(f), Deleted: true})
	}
}

// maintain says that a store may be off, for d, and how long it may take then.
func (w *world) maintain(region int, s *store, d time.Duration) {
	if !s.declared {
		w.declare(region, s, &setting.Declaration{})
	}
	id := fmt.Sprintf("mnt-%d", w.said)
	w.say(region, setting.Setting{Kind: setting.Maintenance, ID: id, Rule: &setting.Rule{
		ID: id, Kind: setting.Maintenance, Match: setting.Match{Stores: []string{string(s.id)}}, From: w.wall(), Until: w.wall().Add(d), By: "anna",
	}})
}

// pin says which region tells a store's incidents.
func (w *world) pin(region int, s *store, to int) {
	w.say(region, setting.Setting{Kind: setting.Pin, ID: string(s.id), Pin: w.names[to]})
}

// ack says that somebody deals with the last incident that was told of a store.
func (w *world) ack(region int, incident string) {
	id := fmt.Sprintf("ack-%d", w.said)
	w.say(region, setting.Setting{Kind: setting.Ack, ID: id, Rule: &setting.Rule{
		ID: id, Kind: setting.Ack, Incident: incident, From: w.wall(), By: "anna",
	}})
}

// comeUp is how long after an opening, or maintenance, the worlds' stores may
// take.
const comeUp = time.Minute

// hours declares when a store is open: every day from so many minutes after
// midnight until so many, by the clock of a zone.
func (w *world) hours(region int, s *store, zone string, from, to int) {
	const day = 24 * 60
	span := []string{fmt.Sprintf("%02d:%02d-%02d:%02d", from/60%24, from%60, to%day/60, to%60)}
	week := map[string][]string{}
	for _, day := range []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} {
		week[day] = span
	}
	w.declare(region, s, &setting.Declaration{Timezone: zone, Hours: week})
}

// declareHosts declares each host of a store but the strays: nobody else pages
// people.
func (w *world) declareHosts(region int, s *store, spec *schedule.Store) {
	hosts := map[beat.HostID]setting.DeclaredHost{}
	for i, t := range s.tills {
		if !spec.Hosts[i].Stray {
			hosts[t.id] = setting.DeclaredHost{}
		}
	}
	w.declare(region, s, &setting.Declaration{Hosts: hosts})
}

// declare says what an operator declares of a store.
func (w *world) declare(region int, s *store, d *setting.Declaration) {
	adopt := len(d.Hosts) == 0
	s.declared = true
	d.AutoAdopt, d.ComeUp = &adopt, comeUp.String()
	w.say(region, setting.Setting{Kind: setting.Declared, ID: string(s.id), Store: d})
}

// twin is another relay of the same identity: a copy of the disk, with the same
// boot or another.
func (r *relay) twin(sameBoot bool) *relay {
	w := r.w
	c := &relay{w: w, store: r.store, who: r.who, disk: r.disk.clone()}
	for g := range c.paths {
		c.paths[g] = &path{w: w, relay: c, to: g, cut: r.paths[g].cut}
	}
	r.store.twins = append(r.store.twins, c)
	c.start()
	if sameBoot {
		c.boot, c.began = r.boot, r.began
	}
	return c
}

// replace puts a new appliance into the store: another id, an empty disk.
func (s *store) replace() {
	w, old := s.relay.w, s.relay
	old.stop(false)
	old.life++ // nobody starts it again
	w.relays++
	r := &relay{w: w, store: s, who: beat.Identity{Store: s.id, Relay: beat.RelayID(fmt.Sprintf("r%d", w.relays+1))}, disk: newDisk(&w.rng)}
	for g := range r.paths {
		r.paths[g] = &path{w: w, relay: r, to: g, cut: old.paths[g].cut}
	}
	s.relay = r
	r.start()
}

// double is another computer that beats as the same host, from an address of
// its own.
func (t *till) double() *till {
	d := *t
	d.tick, d.next = nil, 0
	d.addr = netip.AddrFrom4([4]byte{10, 0, 1, byte(t.index + 1)})
	d.conn, d.alive, d.held, d.shadow = 0, false, false, true
	return &d
}
