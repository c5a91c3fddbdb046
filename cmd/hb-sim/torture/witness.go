package torture

import (
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/schedule"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// slowPath is a delay that makes a relay give up its connection, now and then.
const slowPath = 2 * time.Second

// witness tells the ground truth what really happens.
type witness struct {
	w     *world
	truth truth.Truth
	// last is the last incident that people were told of each store.
	last []string
	// audits says that the history is judged.
	audits bool
}

func (t *witness) begin(s *schedule.Schedule) {
	t.truth.Begin(s.Quiet, s.End)
	t.audits = s.Seed%audits == 0
	t.last = append(t.last[:0], make([]string, len(s.Stores))...)
	t.truth.Clock(t.w.base, comeUp)
	for i := range s.Stores {
		t.truth.AddStore(s.Stores[i].Relay, len(s.Stores[i].Hosts))
		for h, spec := range s.Stores[i].Hosts {
			t.truth.Declared(declaredAt, i, h, spec.Way == schedule.Never, spec.Stray)
		}
		if o := &s.Stores[i].Opens; o.Closes() {
			t.truth.Opens(i, o.Zone, o.From, o.To, i&1)
		}
	}
}

func (t *witness) judge() *truth.Violation {
	if v, ok := t.truth.Judge(); !ok {
		return &v
	}
	return nil
}

// region says again whether a region has a node that answers.
func (t *witness) region(g int) {
	p := t.w.active(g)
	t.truth.RegionIs(t.w.now, g, p != nil && !p.stalled)
}

func (t *witness) nodeDown(p *process)   { t.region(p.region) }
func (t *witness) nodeStalls(p *process) { t.region(p.region) }
func (t *witness) nodeReady(p *process)  { t.region(p.region) }

// relay says again whether a relay of a store runs.
func (t *witness) relay(s *store) {
	n := 0
	for _, r := range s.relays() {
		if r.up && !r.stalled {
			n++
		}
	}
	t.truth.RelayIs(t.w.now, s.index, n > 0)
	t.truth.RelayStands(t.w.now, s.index, s.relay.stalled)
	t.truth.Two(t.w.now, s.index, n > 1)
}

func (t *witness) relayStarts(r *relay) { t.truth.RelayStarts(t.w.now, r.store.index) }

// path says again whether a store's way to a region is good.
func (t *witness) path(s *store, g int) {
	if s.relay == nil {
		t.truth.PathIs(t.w.now, s.index, g, !s.wan[g])
		return
	}
	p := s.relay.paths[g]
	t.truth.CutIs(t.w.now, s.index, g, p.cut != [2]bool{})
	t.truth.PathIs(t.w.now, s.index, g, p.cut == [2]bool{} && p.delay < slowPath)
}

func (t *witness) bridge() {
	b := &t.w.bridge
	t.truth.BridgeIs(t.w.now, !b.cuts(0) && !b.cuts(1) && b.delay < slowPath && !b.refuse)
}

func (t *witness) hostUp(h *till) {
	if !h.shadow {
		t.truth.HostIs(t.w.now, h.store.index, h.index, true, h.way.direct(), h.interval)
	}
}

func (t *witness) hostDown(h *till) {
	if !h.shadow {
		t.truth.BeatTo(h.store.index, h.index, h.prefers)
		t.truth.HostIs(t.w.now, h.store.index, h.index, false, h.way.direct(), h.interval)
	}
}

func (t *witness) hostBye(h *till) {
	t.hostDown(h)
	t.truth.Bye(t.w.now, h.store.index, h.index)
	if r := h.store.relay; r != nil && r.up && !r.stalled && !h.way.direct() && !h.cut && len(h.store.doubles)+len(h.store.twins) == 0 {
		t.truth.Heard(t.w.now, h.store.index, h.index)
	}
}

// happened takes what a region's book says of a fault.
func (t *witness) happened(p *process, o *incident.Happened) {
	class := string(o.Incident.Kind)
	switch {
	case o.Change != incident.Opened:
		return
	case o.Incident.Kind == incident.RelayDead:
		class = string(incident.StoreDown) // the regions may differ in what they see of its hosts
	case o.Incident.Kind == incident.StoreDown, o.Incident.Kind == incident.HostMissing, o.Incident.Kind == incident.HostFailing:
	default:
		return
	}
	if s, h := t.w.find(o.Incident.Store, o.Incident.Host); s >= 0 {
		t.truth.Now(t.w.now)
		t.truth.Named(truth.Naming{Region: p.region, Store: s, Host: h, Class: class, ID: string(o.Incident.ID)})
	}
}

func (t *witness) failing(h *till) {
	t.truth.Failing(t.w.now, h.store.index, h.index, h.failing)
}
func (t *witness) doubled(h *till, both bool) {
	t.truth.TwoHosts(t.w.now, h.store.index, h.index, both)
}
func (t *witness) sudden(s *store, h int) { t.truth.Sudden(t.w.now, s.index, h) }
func (t *witness) hostMoves(h *till, to way) {
	t.truth.Moved(h.store.index, h.index, to.direct())
}
func (t *witness) cable(h *till, cut bool) {
	t.truth.BeatTo(h.store.index, h.index, h.prefers)
	t.truth.Cable(t.w.now, h.store.index, h.index, cut)
}

// goodbye says that a region takes a relay's goodbye.
func (t *witness) goodbye(r *relay, region int, restart bool) {
	if r == r.store.relay {
		t.truth.Leaves(t.w.now, r.store.index, region, restart)
	}
}

func (t *witness) connects(r *relay, _ int) {
	t.truth.Now(t.w.now)
	t.truth.Connects(r.store.index)
}

func (t *witness) refused(*conn, presence.Refusal) {}

func (t *witness) twoWriters(region int, k table.Key) {
	t.truth.Fail(truth.Writers, t.w.now, string(t.w.names[region])+" writes "+k.PK+" "+k.SK)
}

// told hands over what a channel took.
func (t *witness) told(region int, ch incident.Channel, n *incident.Notice) {
	w := t.w
	for i := range n.Items {
		it := &n.Items[i]
		s, h := w.find(it.Store, it.Host)
		w.cover.told(it)
		if s >= 0 {
			t.last[s] = string(it.Incident)
		}
		t.truth.Tell(truth.Told{
			At: w.now, Since: it.Since.Sub(w.base), Region: region, Channel: slices.Index(channelNames[:], ch), Kind: string(it.Kind),
			Change: string(it.Change), Store: s, Host: h, Incident: string(it.Incident), K: it.K, Notice: n.ID, OneSided: n.OneSided,
			Suppressed: n.Suppressed, Quiet: n.Quiet, About: slices.Index(w.names, it.Region),
			Elsewhere: n.OneSided && !slices.Contains(n.SeenFrom, w.names[region]),
		})
		if w.tracing {
			side := ""
			if n.OneSided {
				side = ", seen from one side"
			}
			w.tracef("TOLD on %s by %s: %s %s, %s (%s k=%d, notice %s%s)", ch, w.names[region], it.Kind, it.Change, subject(string(it.Store), string(it.Host)), short(string(it.Incident)), it.K, short(n.ID), side)
		}
	}
}

// vanished says that a relay calls a host missing.
func (t *witness) vanished(s *store, id beat.HostID) {
	if _, h := t.w.find(s.id, id); h >= 0 && t.w.now > backupAt {
		t.truth.Vanished(t.w.now, s.index, h)
	}
}

// unfenced says that a process hands over a notice without its region's lease.
func (t *witness) unfenced(p *process, o *incident.Publish) {
	t.truth.Unfenced(t.w.now, p.region, t.w.tables.ailing[p.region] != ailment{}, "notice "+short(o.Notice.ID)+" of "+p.name)
}

// claimed says that a process claims a notice. What was due while it stood still
// it does at once when it goes on, and the table knows better.
func (t *witness) claimed(p *process, o *incident.Write) {
	fenced := p.clock().Mono > p.node.Until() && p.resumed != t.w.now
	t.truth.Claimed(t.w.now, fenced, "notice "+short(o.Notice.ID)+" of "+p.name)
}

// answerLost says that a channel took a notice, and that nobody knows.
func (t *witness) answerLost(_ int, ch incident.Channel, n *incident.Notice) {
	for i := range n.Items {
		t.truth.AnswerLost(string(n.Items[i].Incident), n.Items[i].K, slices.Index(channelNames[:], ch))
	}
}

// find is the places of a store and a host; -1: there is none.
func (w *world) find(id beat.StoreID, host beat.HostID) (s, h int) {
	s = slices.IndexFunc(w.stores, func(x *store) bool { return x.id == id })
	if s < 0 || host == "" {
		return s, -1
	}
	return s, slices.IndexFunc(w.stores[s].tills, func(x *till) bool { return x.id == host })
}

// lastIncident is the last one that people were told of a store; "": none.
func (t *witness) lastIncident(s *store) string { return t.last[s.index] }

// classes are what each fault may delay or repeat.
var classes = [schedule.Kinds]truth.Class{ //nolint:gochecknoglobals // a constant table
	schedule.PathCut: truth.Path, schedule.PathReset: truth.Path, schedule.PathDelay: truth.Path, schedule.PathTwice: truth.Harmless,
	schedule.BridgeCut: truth.Bridge, schedule.BridgeDelay: truth.Bridge, schedule.LanCut: truth.Outage, schedule.LanReset: truth.Harmless,
	schedule.ReplicationCut: truth.Table, schedule.ReplicationDelay: truth.Table, schedule.ReplicationShuffle: truth.Table,
	schedule.NodeKill: truth.Node, schedule.NodePower: truth.Node, schedule.NodeStall: truth.Node, schedule.NodeDrain: truth.Node,
	schedule.NodeClock: truth.Harmless, schedule.RegionPower: truth.Node,
	schedule.RelayKill: truth.Outage, schedule.RelayPower: truth.Outage, schedule.RelayStall: truth.Outage, schedule.DiskLost: truth.Outage,
	schedule.DiskFull: truth.Harmless, schedule.DiskRestored: truth.Outage, schedule.RelayClone: truth.Outage, schedule.RelayReplaced: truth.Outage,
	schedule.RelayClock: truth.Harmless, schedule.TableRefuse: truth.Table, schedule.TableThrottle: truth.Table, schedule.TableSlow: truth.Table,
	schedule.TableLost: truth.Table, schedule.ChannelFail: truth.Channel, schedule.ChannelSlow: truth.Channel, schedule.ChannelLost: truth.Channel,
	schedule.Silence: truth.Word, schedule.Hours: truth.Word, schedule.Maintenance: truth.Word, schedule.Pin: truth.Word, schedule.Ack: truth.Word,
	schedule.BridgeReset: truth.Bridge, schedule.RegionAlone: truth.Bridge, schedule.StaleWill: truth.Harmless, schedule.StaleLan: truth.Harmless,
	schedule.RelayBye: truth.Outage, schedule.LanDelay: truth.Harmless, schedule.LanHalf: truth.Outage, schedule.LanTwice: truth.Harmless,
	schedule.BridgeTwice: truth.Harmless, schedule.ReplicationPart: truth.Table, schedule.HostComes: truth.Harmless,
}

// strikes tells of a fault that begins.
func (t *witness) strikes(f *schedule.Fault) {
	now := t.w.now
	t.w.cover.struck = append(t.w.cover.struck, f.Kind)
	t.truth.Strikes(truth.Strike{At: now, For: f.For, Class: classes[f.Kind], Region: f.Region,
		Carries: f.Kind >= schedule.ReplicationCut && f.Kind <= schedule.ReplicationShuffle || f.Kind == schedule.ReplicationPart, Alone: f.Kind == schedule.RegionAlone, Pins: f.Kind == schedule.Pin, Store: f.Store, Many: count(f, schedule.Mass), Times: count(f, schedule.HostFlaps)})
	switch f.Kind { //nolint:exhaustive // the others are told otherwise
	case schedule.Silence:
		t.truth.Says(now, now+f.For, f.Store, truth.Silenced, f.Region)
	case schedule.Maintenance:
		t.truth.Says(now, now+f.For, f.Store, truth.Maintained, f.Region)
	case schedule.Hours:
		t.truth.Says(now, t.w.opensAt().Sub(t.w.base), f.Store, truth.Closed, f.Region)
	case schedule.Ack:
		t.truth.Says(now, now, f.Store, truth.Acked, f.Region)
	case schedule.DiskLost, schedule.DiskRestored, schedule.RelayReplaced:
		t.truth.Disk(f.Store)
	case schedule.NodeClock:
		t.truth.Skewed()
	case schedule.RelayClone:
		t.truth.Cloned(f.Store)
	}
}

// count is how many stores, or times, a fault of a kind is about; 0: it is of
// another kind.
func count(f *schedule.Fault, kind schedule.Kind) int {
	if f.Kind == kind {
		return f.Arg
	}
	return 0
}

// again looks at what a fault changed.
func (t *witness) again(f *schedule.Fault) {
	t.bridge()
	if f.Kind == schedule.RegionAlone {
		for _, s := range t.w.stores {
			t.path(s, 0)
			t.path(s, 1)
		}
	}
	s := t.w.stores[f.Store]
	for g := range 2 {
		t.path(s, g)
		t.region(g)
	}
	if s.relay != nil {
		t.relay(s)
		t.truth.Full(t.w.now, s.index, s.relay.disk.full)
	}
}
