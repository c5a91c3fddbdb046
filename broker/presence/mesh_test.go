package presence_test

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// mesh is two regions and their relays in virtual time: the real presence, with
// twins of sockets, link, lease and table around it. What a region decides is
// said, and people are not there.
type mesh struct {
	now     beat.Now
	regions []*region
	relays  map[string]*relay
	items   map[string]presence.StoreItem
	fleet   *setting.Fleet
	https   bool // the link's first way
	mail    bool // its second one, and the replication of leases
	late    []delayed
	ticked  time.Duration
	conn    presence.Conn
	epoch   beat.Epoch
}

type region struct {
	m       *mesh
	name    beat.Region
	up      bool
	stalled []presence.Event // what waits while its loop stands still
	stall   bool
	refused bool // by its table, what it saves
	term    int64
	counter int64
	p       *presence.Presence
	said    []string
	reborn  int
}

type relay struct {
	name     string // its store, but for a copy
	store    beat.StoreID
	up       bool
	boot     byte
	epoch    *beat.Epoch // its counter: all relays count with one, but for a copy
	hosts    []beat.HostReport
	changed  map[beat.HostID]time.Duration
	disk     byte // counts its disks, from 1
	number   beat.Number
	lan      *beat.Lan
	every    time.Duration // its reportEvery
	restarts bool          // its next goodbye is a restart's
	sessions map[beat.Region]*uplink
	cut      map[beat.Region]bool
	acked    map[beat.Region]time.Duration
	lastPing time.Duration
}

type uplink struct {
	conn  presence.Conn
	epoch beat.Epoch
	seq   beat.Seq
}

type delayed struct {
	at time.Duration
	do func()
}

var regionNames = []beat.Region{"us-east-1", "us-west-2"}

const (
	tick        = 3 * time.Second
	reportEvery = 15 * time.Second
)

func newMesh() *mesh {
	m := &mesh{
		now:    beat.Now{Wall: time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)}, // a Monday
		relays: map[string]*relay{}, items: map[string]presence.StoreItem{}, https: true, mail: true,
	}
	for _, name := range regionNames {
		r := &region{m: m, name: name}
		m.regions = append(m.regions, r)
		r.start()
	}
	return m
}

func (m *mesh) region(name beat.Region) *region {
	for _, r := range m.regions {
		if r.name == name {
			return r
		}
	}
	return &region{m: m}
}

func (r *region) other() *region { return r.m.regions[1-slices.Index(r.m.regions, r)] }

func (r *region) start() {
	r.up, r.stall = true, false
	r.term++
	o := presence.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Term = r.name, regionNames, fmt.Sprintf("%s-%d", r.name, r.term), r.term
	r.p = presence.New(o, r.m.now)
	r.do(&presence.Settings{Fleet: r.m.fleet})
	var loaded presence.Loaded
	var keys []string
	for k := range r.m.items {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		loaded.Stores = append(loaded.Stores, r.m.items[k])
	}
	r.do(&loaded)
}

// do steps a region, or queues the event while it stands still.
func (r *region) do(e presence.Event) {
	switch {
	case !r.up:
	case r.stall && e != nil:
		r.stalled = append(r.stalled, e)
	case !r.stall:
		for _, o := range r.p.Step(r.m.now, e, nil) {
			r.out(o)
		}
	}
}

func (r *region) out(o presence.Out) {
	switch o := o.(type) {
	case *presence.Decided:
		if v := o.Verdict; !v.First || v.Condition != presence.Well && v.Condition != presence.RegionWell {
			r.said = append(r.said, say(&v))
		}
	case *presence.Learned:
		r.said = append(r.said, "learned "+say(&o.Verdict))
	case *presence.PeerIs:
		r.said = append(r.said, "other region "+o.State.String())
	case *presence.Ask:
		r.ask(o)
	case *presence.Tell:
		if r.m.https && r.other().up {
			r.other().do(&presence.Heard{News: o.News})
		}
	case *presence.Save:
		if !r.refused {
			r.m.items[string(o.Item.Region)+"/"+string(o.Item.Store)+"/"+string(o.Item.Host)] = o.Item
		}
	case *presence.Rebirth:
		r.reborn++
		r.m.later(0, func() { r.m.reborn(r, o) })
	case *presence.Close:
		r.m.closed(r, o)
	}
}

func say(v *presence.Verdict) string {
	subject := string(v.Store)
	switch {
	case v.Store == "":
		subject = string(v.Region)
	case v.Host != "":
		subject += "/" + string(v.Host)
	}
	line := v.Condition.String() + " " + subject
	if len(v.Lost) > 0 {
		line += fmt.Sprintf(" with %d stores", len(v.Lost))
	}
	for _, flag := range []struct {
		is   bool
		says string
	}{{v.OneSided, "one-sided"}, {v.Unadopted, "unadopted"}, {v.FleetWide, "fleet-wide"}} {
		if flag.is {
			line += " " + flag.says
		}
	}
	return line
}

func (m *mesh) later(d time.Duration, do func()) {
	m.late = append(m.late, delayed{m.now.Mono + d, do})
}

// ask carries a question: at once by the first way, within 6 s by mail; without
// either it is unanswered after 35 s.
func (r *region) ask(o *presence.Ask) {
	if r.other().p == nil {
		return
	}
	answer := func() {
		if !r.other().up || r.other().stall {
			r.m.later(29*time.Second, func() { r.do(&presence.Unanswered{ID: o.ID}) })
			return
		}
		for _, out := range r.other().p.Step(r.m.now, &presence.Asked{Question: o.Question}, nil) {
			if reply, ok := out.(*presence.Reply); ok {
				r.m.later(0, func() { r.do(&presence.Answered{ID: o.ID, Answer: reply.Answer}) })
				continue
			}
			r.other().out(out)
		}
	}
	switch {
	case r.m.https && r.other().up && !r.other().stall:
		answer()
	case r.m.mail:
		r.m.later(6*time.Second, answer)
	default:
		r.m.later(35*time.Second, func() { r.do(&presence.Unanswered{ID: o.ID}) })
	}
}

// connect opens the relay's session in a region.
func (m *mesh) connect(r *relay, n *region) {
	if !r.up || r.cut[n.name] || !n.up || n.stall {
		return
	}
	id := beat.Identity{Store: r.store, Relay: "r1"}
	death := beat.Death{V: beat.Wire, Incarnation: beat.Incarnation{r.disk}, Boot: beat.Boot{r.boot}, Epoch: *r.epoch + 1}
	if why := n.p.Admit(id, death); why != presence.NotRefused {
		if why == presence.Clash {
			n.do(&presence.Clashed{ID: id, Death: death})
		}
		return
	}
	m.conn++
	*r.epoch++
	r.sessions[n.name] = &uplink{conn: m.conn, epoch: *r.epoch}
	m.report(r, n, beat.Birth)
}

func (m *mesh) report(r *relay, n *region, kind beat.Kind) {
	u := r.sessions[n.name]
	if u == nil || r.cut[n.name] || !n.up {
		return
	}
	u.seq++
	p := &beat.Picture{Hosts: slices.Clone(r.hosts), Lan: r.lan}
	for i := range p.Hosts {
		if h := &p.Hosts[i]; h.State == beat.Missing && !h.Flapping {
			h.AgeMs = uint64((m.now.Mono - r.changed[h.Host]).Milliseconds())
		}
	}
	there := n.other().name
	age := uint64(1 << 32)
	if at, ok := r.acked[there]; ok {
		age = uint64((m.now.Mono - at).Milliseconds())
	}
	n.do(&presence.Report{Conn: u.conn, Report: &beat.Report{
		V: beat.Wire, Kind: kind, Store: r.store, Relay: "r1", Incarnation: beat.Incarnation{r.disk}, Boot: beat.Boot{r.boot},
		Epoch: u.epoch, Seq: u.seq, MonoMs: uint64(m.now.Mono.Milliseconds()), ReportEveryMs: uint32(r.every.Milliseconds()),
		KeepaliveMs: 20000, Hash: p.Hash(), Picture: p, Restart: r.restarts && kind == beat.Goodbye,
		Others: []beat.Witness{{Region: there, Session: r.sessions[there] != nil, AckAgeMs: age}},
	}})
	if !n.stall {
		r.acked[n.name] = m.now.Mono
	}
}

func (m *mesh) reborn(n *region, o *presence.Rebirth) {
	for _, r := range m.sorted() {
		if u := r.sessions[n.name]; u != nil && u.conn == o.Conn {
			*r.epoch = max(*r.epoch, o.Exceed)
			m.connect(r, n)
		}
	}
}

func (m *mesh) closed(n *region, o *presence.Close) {
	for _, r := range m.relays {
		if u := r.sessions[n.name]; u != nil && u.conn == o.Conn {
			r.sessions[n.name] = nil
		}
	}
}

// end closes the relay's session, and the broker hears of it.
func (m *mesh) end(r *relay, n *region) {
	u := r.sessions[n.name]
	r.sessions[n.name] = nil
	if u != nil && !r.cut[n.name] {
		n.do(&presence.Ended{Conn: u.conn, ID: beat.Identity{Store: r.store, Relay: "r1"}, Death: beat.Death{
			V: beat.Wire, Incarnation: beat.Incarnation{r.disk}, Boot: beat.Boot{r.boot}, Epoch: u.epoch,
		}})
	}
}

// run lets time pass until at.
func (m *mesh) run(at time.Duration) {
	for m.now.Mono < at {
		next := min(at, m.ticked+tick)
		for _, n := range m.regions {
			if t, ok := n.p.Next(); ok && n.up && !n.stall {
				next = min(next, t)
			}
		}
		for _, r := range m.relays {
			next = min(next, r.lastPing+r.every)
		}
		for _, l := range m.late {
			next = min(next, l.at)
		}
		m.now = m.now.Add(max(next, m.now.Mono) - m.now.Mono)
		m.tick()
		m.ping()
		for _, n := range m.regions {
			n.do(nil)
		}
		m.deliver()
	}
}

// tick probes the link and renews the leases.
func (m *mesh) tick() {
	if m.now.Mono < m.ticked+tick {
		return
	}
	m.ticked = m.now.Mono
	for _, n := range m.regions {
		if n.up && !n.stall {
			n.counter++
		}
	}
	for _, n := range m.regions {
		other := n.other()
		n.do(&presence.Linked{OK: m.https && other.up && !other.stall})
		if m.mail {
			n.do(&presence.Lease{Term: other.term, Counter: other.counter})
		}
	}
}

func (m *mesh) ping() {
	for _, r := range m.sorted() {
		if m.now.Mono < r.lastPing+r.every {
			continue
		}
		r.lastPing = m.now.Mono
		for _, n := range m.regions {
			if r.sessions[n.name] != nil {
				m.report(r, n, beat.Steady)
			} else {
				m.connect(r, n)
			}
		}
	}
}

func (m *mesh) deliver() {
	for i := 0; i < len(m.late); {
		l := m.late[i]
		if l.at > m.now.Mono {
			i++
			continue
		}
		m.late = slices.Delete(m.late, i, i+1)
		l.do()
		i = 0
	}
}

func (m *mesh) sorted() []*relay {
	var all []*relay
	for _, r := range m.relays {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *relay) int { return strings.Compare(a.name, b.name) })
	return all
}

// match are the relays whose name fits a pattern.
func (m *mesh) match(pattern string) []*relay {
	var all []*relay
	for _, r := range m.sorted() {
		if ok, err := path.Match(pattern, r.name); ok && err == nil {
			all = append(all, r)
		}
	}
	return all
}
