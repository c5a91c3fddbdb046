package incident_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// mesh is two regions and their relays in virtual time: the real presence and
// incident packages, with twins of sockets, link, table and channels around
// them.
type mesh struct {
	now       beat.Now
	regions   []*node
	relays    map[beat.StoreID]*relay
	linkCut   bool
	incidents map[string]incident.Incident
	notices   map[string]incident.Notice // the table's, of both regions
	stores    map[string]presence.StoreItem
	told      []string // what the people's channel got, in order
	programs  []string // what the programs' channel got
	messages  int      // to people
	settings  []setting.Item
	saves     int
	deaf      bool        // the channel refuses
	deafIn    beat.Region // the same, in this region alone
	unsure    bool        // the channel takes it, and its answer is lost
	conn      presence.Conn
	epoch     beat.Epoch
	tableOK   map[beat.Region]bool
}

type node struct {
	m        *mesh
	region   beat.Region
	up       bool
	term     int64
	presence *presence.Presence
	book     *incident.Book
	// queued are forwards that wait while the other region is out of reach.
	queued []presence.Verdict
}

type relay struct {
	store    beat.StoreID
	up       bool
	boot     byte
	hosts    []beat.HostReport
	number   beat.Number
	sessions map[beat.Region]*uplink
	cut      map[beat.Region]bool
	lastPing time.Duration
}

type uplink struct {
	conn  presence.Conn
	epoch beat.Epoch
	seq   beat.Seq
}

var regionNames = []beat.Region{"us-east-1", "us-west-2"}

func newMesh() *mesh {
	m := &mesh{
		now:     beat.Now{Wall: time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)},
		relays:  map[beat.StoreID]*relay{},
		notices: map[string]incident.Notice{}, incidents: map[string]incident.Incident{}, stores: map[string]presence.StoreItem{}, tableOK: map[beat.Region]bool{},
	}
	for _, r := range regionNames {
		m.tableOK[r] = true
		n := &node{m: m, region: r}
		m.regions = append(m.regions, n)
		n.start()
	}
	return m
}

func (m *mesh) node(r beat.Region) *node {
	for _, n := range m.regions {
		if n.region == r {
			return n
		}
	}
	return nil
}

func (n *node) other() *node {
	for _, o := range n.m.regions {
		if o != n {
			return o
		}
	}
	return nil
}

func (n *node) start() {
	n.up = true
	n.term++
	po := presence.DefaultOptions()
	po.Region, po.Regions, po.Node, po.Term = n.region, regionNames, string(n.region), n.term
	n.presence = presence.New(po, n.m.now)
	io := incident.DefaultOptions()
	io.Region, io.Regions, io.Node, io.Term, io.Channels = n.region, regionNames, string(n.region), n.term, []incident.Channel{"ops", "bot"}
	io.Programs = []incident.Channel{"bot"}
	io.Sees = n.presence.Sees
	n.book = incident.New(io)
	var loaded presence.Loaded
	for _, k := range sortedKeys(n.m.stores) {
		loaded.Stores = append(loaded.Stores, n.m.stores[k])
	}
	n.queued = nil
	var remembered incident.Loaded
	for _, k := range sortedKeys(n.m.incidents) {
		remembered.Incidents = append(remembered.Incidents, n.m.incidents[k])
	}
	for _, k := range sortedKeys(n.m.notices) {
		remembered.Notices = append(remembered.Notices, n.m.notices[k])
	}
	n.setFleet()
	n.tell(&remembered)
	n.do(&loaded)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (n *node) do(e presence.Event) {
	if !n.up {
		return
	}
	for _, o := range n.presence.Step(n.m.now, e, nil) {
		n.out(o)
	}
}

// out does what presence wants done.
func (n *node) out(o presence.Out) {
	switch o := o.(type) {
	case *presence.Decided:
		n.tell(&incident.Decided{Verdict: o.Verdict})
	case *presence.Ask:
		n.ask(o)
	case *presence.Tell:
		if n.reaches() {
			n.other().do(&presence.Heard{News: o.News})
		}
	case *presence.Save:
		n.m.saves++
		key := string(o.Item.Region) + "/" + string(o.Item.Store) + "/" + string(o.Item.Host)
		n.m.stores[key] = o.Item
	case *presence.Rebirth:
		n.m.rebirth(o)
	}
}

func (n *node) reaches() bool { return !n.m.linkCut && n.other().up }

func (n *node) ask(o *presence.Ask) {
	if !n.reaches() {
		n.do(&presence.Unanswered{ID: o.ID})
		return
	}
	var answer presence.Answer
	other := n.other()
	for _, out := range other.presence.Step(n.m.now, &presence.Asked{Question: o.Question}, nil) {
		if reply, ok := out.(*presence.Reply); ok {
			answer = reply.Answer
			continue
		}
		other.out(out)
	}
	n.do(&presence.Answered{ID: o.ID, Answer: answer})
}

func (n *node) tell(e incident.Event) {
	if !n.up {
		return
	}
	for _, o := range n.book.Step(n.m.now, e, nil) {
		n.carryOut(o)
	}
}

// carryOut does what the book wants done.
func (n *node) carryOut(o incident.Out) {
	switch o := o.(type) {
	case *incident.Save:
		n.m.incidents[string(n.region)+"/"+string(o.Incident.ID)] = o.Incident
	case *incident.Write:
		n.write(o)
	case *incident.Publish:
		n.publish(o)
	case *incident.Ask:
		n.askTold(o)
	case *incident.ReadMarks:
		n.tell(&incident.MarksRead{ID: o.ID, Known: n.m.marks(o.Items), Failed: !n.m.tableOK[n.region]})
	case *incident.Forward:
		n.queued = append(n.queued, o.Verdicts...)
		n.forward()
	}
}

// forward hands over what is queued, as soon as the other region is in reach.
func (n *node) forward() {
	if q := n.queued; len(q) > 0 && n.reaches() {
		n.queued = nil
		n.other().tell(&incident.Forwarded{From: n.region, Verdicts: q})
		n.other().do(&presence.Forwarded{Verdicts: q})
	}
}

func (n *node) write(o *incident.Write) {
	if !n.m.tableOK[n.region] {
		n.tell(&incident.Wrote{Op: o.Op, Result: incident.Failed})
		return
	}
	n.m.notices[o.Notice.ID] = o.Notice
	n.tell(&incident.Wrote{Op: o.Op, Result: incident.Done})
}

func (n *node) publish(o *incident.Publish) {
	if (n.m.deaf || n.m.deafIn == n.region) && o.Channel == "ops" {
		n.tell(&incident.Published{Op: o.Op, Result: incident.Failed})
		return
	}
	list := &n.m.programs
	if o.Channel == "ops" {
		list = &n.m.told
		n.m.messages++
	}
	for _, i := range o.Notice.Items {
		subject := string(i.Store) + string(i.Region)
		if i.Host != "" {
			subject += "/" + string(i.Host)
		}
		line := fmt.Sprintf("%s %s %s", i.Kind, i.Change, subject)
		if o.Notice.OneSided {
			line += " one-sided"
		}
		if o.Notice.Suppressed {
			line += " suppressed"
		}
		if o.Notice.Quiet {
			line += " quiet"
		}
		*list = append(*list, line)
	}
	if n.m.unsure && o.Channel == "ops" {
		n.tell(&incident.Published{Op: o.Op, Result: incident.Uncertain})
		return
	}
	n.tell(&incident.Published{Op: o.Op, Result: incident.Done})
}

func (n *node) askTold(o *incident.Ask) {
	if !n.reaches() {
		n.tell(&incident.Unanswered{ID: o.ID})
		return
	}
	var answer incident.ToldAnswer
	for _, out := range n.other().book.Step(n.m.now, &incident.Asked{Question: o.Question}, nil) {
		if r, ok := out.(*incident.Reply); ok {
			answer = r.Answer
		} else {
			n.other().carryOut(out) // what was due at this instant
		}
	}
	n.tell(&incident.Answered{ID: o.ID, Answer: answer})
}

func (m *mesh) marks(items []incident.ToldItem) []incident.Known {
	var all []incident.Notice
	for _, k := range sortedKeys(m.notices) {
		all = append(all, m.notices[k])
	}
	return incident.KnownBy(items, all, nil)
}

// setFleet hands over what operators say.
func (n *node) setFleet() {
	if len(n.m.settings) == 0 {
		return
	}
	f := setting.Join(n.m.settings)
	n.tell(&incident.Settings{Fleet: f})
	n.do(&presence.Settings{Fleet: f})
}

// say is a setting that an operator makes or ends, in both regions at once.
func (m *mesh) say(s setting.Setting) error {
	s.Version, s.At, s.By = int64(len(m.settings)+1), m.now.Wall, "anna"
	if err := setting.NewCompiler().Validate(&s); err != nil {
		return err
	}
	m.settings = append(m.settings, setting.Item{Region: regionNames[0], Setting: s})
	for _, n := range m.regions {
		n.setFleet()
	}
	return nil
}

const reportEvery = 15 * time.Second

// connect opens the relay's session in a region.
func (m *mesh) connect(r *relay, region beat.Region) {
	n := m.node(region)
	if !r.up || r.cut[region] || !n.up {
		return
	}
	m.conn++
	m.epoch++
	r.sessions[region] = &uplink{conn: m.conn, epoch: m.epoch}
	m.report(r, region, beat.Birth)
}

func (m *mesh) report(r *relay, region beat.Region, kind beat.Kind) {
	u := r.sessions[region]
	if u == nil || r.cut[region] || !m.node(region).up {
		return
	}
	u.seq++
	p := &beat.Picture{Hosts: slices.Clone(r.hosts)}
	m.node(region).do(&presence.Report{Conn: u.conn, Report: &beat.Report{
		V: beat.Wire, Kind: kind, Store: r.store, Relay: "r1", Incarnation: beat.Incarnation{1}, Boot: beat.Boot{r.boot},
		Epoch: u.epoch, Seq: u.seq, MonoMs: uint64(m.now.Mono.Milliseconds()), ReportEveryMs: uint32(reportEvery.Milliseconds()),
		KeepaliveMs: 20000, Hash: p.Hash(), Picture: p,
	}})
}

func (m *mesh) rebirth(o *presence.Rebirth) {
	r := m.relays[o.ID.Store]
	for region, u := range r.sessions {
		if u != nil && u.conn == o.Conn {
			m.epoch = max(m.epoch, o.Exceed)
			m.connect(r, region)
		}
	}
}

// end closes the relay's session: clean says that the broker hears of it.
func (m *mesh) end(r *relay, region beat.Region) {
	u := r.sessions[region]
	r.sessions[region] = nil
	if u != nil {
		m.node(region).do(&presence.Ended{Conn: u.conn, ID: beat.Identity{Store: r.store, Relay: "r1"}, Death: beat.Death{
			V: beat.Wire, Incarnation: beat.Incarnation{1}, Boot: beat.Boot{r.boot}, Epoch: u.epoch,
		}})
	}
}

// run lets time pass until at: relays report, nodes do what is due.
func (m *mesh) run(at time.Duration) {
	for m.now.Mono < at {
		next := at
		for _, n := range m.regions {
			if t, ok := n.presence.Next(); ok && n.up {
				next = min(next, t)
			}
			if t, ok := n.book.Next(); ok && n.up {
				next = min(next, t)
			}
		}
		for _, r := range m.relays {
			next = min(next, r.lastPing+reportEvery)
		}
		m.now = m.now.Add(max(next, m.now.Mono+time.Millisecond) - m.now.Mono)
		for _, store := range sortedRelays(m.relays) {
			r := m.relays[store]
			if m.now.Mono >= r.lastPing+reportEvery {
				r.lastPing = m.now.Mono
				for _, region := range regionNames {
					switch {
					case r.sessions[region] != nil:
						m.report(r, region, beat.Steady)
					default:
						m.connect(r, region)
					}
				}
			}
		}
		for _, n := range m.regions {
			n.do(nil)
			n.tell(nil)
		}
	}
}

func sortedRelays(m map[beat.StoreID]*relay) []beat.StoreID {
	var out []beat.StoreID
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// set changes a host's state at its relay, which reports at once.
func (m *mesh) set(store beat.StoreID, host beat.HostID, state beat.HostState) {
	r := m.relays[store]
	i := slices.IndexFunc(r.hosts, func(h beat.HostReport) bool { return h.Host == host })
	if i < 0 {
		r.hosts = append(r.hosts, beat.HostReport{Host: host})
		slices.SortFunc(r.hosts, func(a, b beat.HostReport) int { return strings.Compare(string(a.Host), string(b.Host)) })
		i = slices.IndexFunc(r.hosts, func(h beat.HostReport) bool { return h.Host == host })
	}
	r.number++
	r.hosts[i].State, r.hosts[i].Number, r.hosts[i].IntervalMs = state, r.number, 5000
	for _, region := range regionNames {
		m.report(r, region, beat.Steady)
	}
}
