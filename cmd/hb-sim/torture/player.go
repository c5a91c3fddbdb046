package torture

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/schedule"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// backupAt is when somebody copies each relay's disk.
const backupAt = 40 * time.Second

// steadyFrom is when a mesh of which nothing happens is steady: it settled, and
// saved what it learned.
const steadyFrom = schedule.Calm - 8*time.Second

// declaredAt is when operators declare the hours of stores that have some.
const declaredAt = 500 * time.Millisecond

// player plays one schedule after another in one world.
type player struct {
	w        *world
	schedule schedule.Schedule
	sum      summary
	// twin is the schedule without the deaths of nodes, and told what was told
	// in it.
	twin schedule.Schedule
	told []truth.Told
}

func newPlayer() *player { return &player{w: newWorld()} }

// playSeed plays a seed's schedule; nil: every property held.
func (p *player) playSeed(seed uint64) *truth.Violation {
	schedule.Generate(seed, &p.schedule)
	return p.play(&p.schedule)
}

// twins is how seldom a schedule in which a node dies is played without that,
// too: one of so many seeds.
const twins = 8

// play plays a schedule.
func (p *player) play(s *schedule.Schedule) *truth.Violation {
	w := p.w
	twinned := s.Seed%twins == 0 && p.spare(s)
	if twinned {
		p.run(&p.twin)
		p.told = append(p.told[:0], w.truth.truth.Told()...)
		if w.failure != nil {
			return w.failure
		}
	}
	p.run(s)
	if twinned {
		w.truth.truth.Twin(p.told)
	}
	v := w.failure
	if v == nil {
		w.truth.finish()
		v = w.truth.judge()
	}
	p.sum.count(s, w, v)
	return v
}

// spare makes the twin of a schedule; false: no node dies in it.
func (p *player) spare(s *schedule.Schedule) bool {
	faults := p.twin.Faults[:0]
	for i := range s.Faults {
		if k := s.Faults[i].Kind; k != schedule.NodeKill && k != schedule.NodePower && k != schedule.NodeDrain {
			faults = append(faults, s.Faults[i])
		}
	}
	p.twin = *s
	p.twin.Faults = faults
	return len(faults) < len(s.Faults)
}

// run plays a schedule to its end.
func (p *player) run(s *schedule.Schedule) {
	w := p.w
	w.reset(s.Seed)
	if !s.Wall.IsZero() {
		w.base = s.Wall
	}
	w.truth.begin(s)
	for _, q := range w.processes {
		w.at(w.rng.between(0, time.Second), q.start)
	}
	w.inventory = s.Inventory()
	for i := range s.Stores {
		w.open(i, &s.Stores[i])
	}
	for i := range s.Faults {
		f := &s.Faults[i]
		w.at(f.At, func() { w.begin(f) })
	}
	if s.Seed%joined == 0 {
		w.at((schedule.Calm+s.Quiet)/2, w.truth.joins)
		w.at(s.Quiet, w.truth.joins)
	}
	w.at(steadyFrom, func() { w.steady = true })
	w.at(schedule.Calm-time.Millisecond, func() { w.steady = false; w.truth.truth.Steady() })
	w.run(s.End)
}

// storeNames and hostNames spare the worlds the making of names.
var (
	storeNames = names[beat.StoreID]("s", 64)  //nolint:gochecknoglobals // constant lists
	hostNames  = names[beat.HostID]("pos", 64) //nolint:gochecknoglobals // constant lists
)

func names[T ~string](prefix string, n int) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = T(fmt.Sprintf("%s%d", prefix, i+1))
	}
	return out
}

func name[T ~string](list []T, prefix string, i int) T {
	if i < len(list) {
		return list[i]
	}
	return T(fmt.Sprintf("%s%d", prefix, i+1))
}

// open opens a restaurant with its relay and tills.
func (w *world) open(i int, spec *schedule.Store) {
	s := &store{w: w, index: i, id: name(storeNames, "s", i)}
	if spec.Relay {
		r := &relay{w: w, store: s, who: beat.Identity{Store: s.id, Relay: "r1"}, disk: newDisk(&w.rng)}
		for g := range r.paths {
			r.paths[g] = &path{w: w, relay: r, to: g}
		}
		s.relay = r
		w.at(w.rng.between(0, time.Second), r.start)
		w.at(backupAt, func() {
			if r.up {
				r.backup = r.disk.clone()
			}
		})
	}
	for k, h := range spec.Hosts {
		t := &till{
			w: w, store: s, index: k, id: name(hostNames, "pos", k), way: way(h.Way), prefers: int(h.Way & 1), interval: h.Interval,
			addr: netip.AddrFrom4([4]byte{10, 0, byte(k >> 8), byte(k + 1)}), //nolint:gosec // at most 256
		}
		s.tills = append(s.tills, t)
		w.at(w.rng.between(2*time.Second, 5*time.Second), t.start)
	}
	w.stores = append(w.stores, s)
	if w.inventory {
		w.at(declaredAt, func() { w.declareHosts(i&1, s, spec) })
	}
	if o := &spec.Opens; o.Closes() {
		w.at(declaredAt, func() { w.hours(i&1, s, o.Zone, o.From, o.To) })
	}
}
