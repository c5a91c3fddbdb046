package torture

import (
	"fmt"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/node"
	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

// world is a whole mesh in virtual time. It is for one goroutine, and is used
// again for the next seed.
type world struct {
	names []beat.Region
	// leaseKeys are the regions' leases in the table.
	leaseKeys [2]table.Key
	base      time.Time // the wall clock at the world's start

	now    time.Duration
	queue  queue
	rng    chance
	events int
	steps  int

	processes []*process // region 0's, then region 1's
	tables    tables
	bridge    bridge
	channels  [2][]channel
	stores    []*store
	fleets    [2]*setting.Fleet
	waiting   []waiting // faults that wait for a moment
	truth     witness
	report    beat.Report
	lastConn  uint64
	lastLan   uint64
	said      int64 // numbers what operators say
	relays    int   // numbers appliances

	nodeOptions   node.Options
	rosterOptions roster.Options

	// inventory: operators declare each host of each store.
	inventory bool

	steady  bool // nothing happens, and nothing may be saved
	spelled bool // messages between the regions are really written and read
	tracing bool
	trace   func(line string)
	failure *truth.Violation
	cover   cover
}

// store is one restaurant.
type store struct {
	w       *world
	index   int
	id      beat.StoreID
	relay   *relay // nil: it has none
	twins   []*relay
	tills   []*till
	doubles []*till
	wan     [2]bool // its way to a region is cut
	past    []past  // connections that are over
	// declared: an operator declared something of it.
	declared bool
}

// relayGone: the connections of the store's tills to the relay are over.
func (s *store) relayGone(bool) {
	for _, t := range s.tills {
		t.conn = 0
	}
}

const nodesPerRegion = 2

// mostEvents is far more than a schedule has.
const mostEvents = 1_000_000

// channelNames are the channels of every world: for people, and for programs.
var channelNames = [...]incident.Channel{"people", "program"} //nolint:gochecknoglobals // a constant list

func newWorld() *world {
	w := &world{names: []beat.Region{"us-east-1", "us-west-2"}}
	w.truth.w = w
	w.bridge.w = w
	w.tables.init(w)
	for g, n := range w.names {
		w.leaseKeys[g] = table.LeaseKey(n)
	}
	w.nodeOptions = node.DefaultOptions()
	w.nodeOptions.Incident.Channels, w.nodeOptions.Incident.Programs = channelNames[:], channelNames[1:]
	w.rosterOptions = roster.Options{Blip: 2 * time.Second, WarmUp: 5 * time.Minute, NewHostsPerHour: 0, MaxChanges: 6}
	for g := range w.names {
		for i := range nodesPerRegion {
			p := &process{w: w, region: g, index: len(w.processes), name: fmt.Sprintf("%s-%c", w.names[g], 'a'+i)}
			p.wake = p.woken
			w.processes = append(w.processes, p)
		}
	}
	return w
}

func (w *world) wall() time.Time { return w.base.Add(w.now) }

func (w *world) at(at time.Duration, do func())   { w.queue.add(at, slot{do: do}) }
func (w *world) after(d time.Duration, do func()) { w.queue.add(w.now+d, slot{do: do}) }

// reset makes the world empty, for a seed.
func (w *world) reset(seed uint64) {
	w.rng = chance{seed}
	w.spelled = w.rng.one(8)
	w.now, w.events, w.steps, w.failure = 0, 0, 0, nil
	w.queue.reset()
	w.cover.reset()
	w.steady = false
	w.tables.reset()
	w.bridge = bridge{w: w}
	w.stores, w.waiting = w.stores[:0], w.waiting[:0]
	w.fleets = [2]*setting.Fleet{}
	w.base = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	w.lastConn, w.lastLan, w.said, w.relays = 0, 0, 0, 0
	for g := range w.channels {
		w.channels[g] = w.channels[g][:0]
		for _, n := range w.nodeOptions.Incident.Channels {
			w.channels[g] = append(w.channels[g], channel{name: n})
		}
	}
	for _, p := range w.processes {
		p.up, p.node, p.yields, p.skew = false, nil, false, 0
		p.life++
	}
}

func (w *world) channel(region int, name incident.Channel) *channel {
	for i := range w.channels[region] {
		if c := &w.channels[region][i]; c.name == name {
			return c
		}
	}
	panic("no channel " + name)
}

// active is the process of a region that a load balancer finds; nil: none.
func (w *world) active(region int) *process {
	var best *process
	for _, p := range w.processes[region*nodesPerRegion : (region+1)*nodesPerRegion] {
		if p.up && p.door && (best == nil || best.stalled && !p.stalled) {
			best = p
		}
	}
	return best
}

// run lets time pass until an instant.
func (w *world) run(until time.Duration) {
	for w.failure == nil {
		at, ok := w.queue.next()
		if !ok || at > until {
			break
		}
		at, e := w.queue.take()
		w.now = at
		if w.events++; w.events > mostEvents {
			w.fail("the mesh does not come to rest: something is done over and over")
		}
		e.fire()
	}
	w.now = until
}

// fail ends the schedule: something is wrong that no judge has to look at.
func (w *world) fail(what string) {
	if w.failure == nil {
		w.failure = &truth.Violation{Property: truth.Bounds, At: w.now, What: what}
	}
}

func (w *world) lifeName(p *process) string { return fmt.Sprintf("%s.%d", p.name, p.life) }

func (w *world) fleetOf(region int) *setting.Fleet { return w.fleets[region] }

// settingsChanged: something that operators said arrived in a region.
func (w *world) settingsChanged(region int) {
	w.after(w.rng.between(0, 3*time.Second), func() {
		w.fleets[region] = w.tables.fleet(region)
		for _, p := range w.processes {
			if p.region == region && p.up {
				p.run2(p.settings)
			}
		}
	})
}

// copyRequest and copyResponse take a message over the wire: in one world of
// so many really, as JSON; in the others as it is, for speed.
func (w *world) copyRequest(r *wire.Request) *wire.Request {
	if !w.spelled {
		return r
	}
	raw, err := r.Encode()
	if err == nil {
		r, err = wire.DecodeRequest(r.Kind, raw)
	}
	if err != nil {
		w.fail("a request to the other region cannot be read: " + err.Error())
		return nil
	}
	return r
}

func (w *world) copyResponse(k wire.Kind, r *wire.Response) *wire.Response {
	if !w.spelled || r == nil {
		return r
	}
	raw, err := r.Encode(k)
	if err == nil {
		r, err = wire.DecodeResponse(k, raw)
	}
	if err != nil {
		w.fail("an answer of the other region cannot be read: " + err.Error())
		return nil
	}
	return r
}
