package torture

import (
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/schedule"
)

// strike lets a fault begin.
func (w *world) strike(f *schedule.Fault) {
	if w.tracing {
		w.tracef("FAULT %s", f)
	}
	w.truth.strikes(f)
	if !w.strikeNet(f) && !w.strikeBroker(f) && !w.strikeRelay(f) {
		w.strikePeople(f)
	}
	w.truth.again(f)
}

// relax lets a fault end.
func (w *world) relax(f *schedule.Fault) {
	if w.tracing {
		w.tracef("OVER  %s", f)
	}
	w.mend(f)
	w.truth.again(f)
}

// mend undoes a fault.
func (w *world) mend(f *schedule.Fault) {
	s := w.stores[f.Store]
	switch f.Kind {
	case schedule.PathCut, schedule.PathDelay, schedule.PathTwice:
		s.openPath(f.Region)
	case schedule.BridgeCut, schedule.BridgeDelay, schedule.BridgeReset:
		w.bridge.cut, w.bridge.delay, w.bridge.refuse = [2]bool{}, 0, false
	case schedule.BridgeTwice:
		w.bridge.twice = false
	case schedule.LanDelay, schedule.LanHalf, schedule.LanTwice:
		s.tills[f.Host].mend(f.Kind)
	case schedule.RegionAlone:
		w.bridge.alone[f.Region]--
		for _, s := range w.stores {
			s.openPath(f.Region)
		}
	case schedule.WanCut:
		s.openPath(0)
		s.openPath(1)
	case schedule.LanDown:
		for _, t := range s.tills {
			t.plug()
		}
	case schedule.LanCut:
		s.tills[f.Host].plug()
	case schedule.ReplicationCut, schedule.ReplicationDelay, schedule.ReplicationShuffle, schedule.ReplicationPart:
		w.tables.heal(f.Region)
	case schedule.NodeKill, schedule.NodePower, schedule.NodeDrain, schedule.RegionPower:
		w.startNodes(f)
	case schedule.NodeClock:
		w.process(f).skew = 0
	case schedule.RelayKill, schedule.RelayPower, schedule.DiskFull, schedule.RelayClone, schedule.RelayClock, schedule.RelayBye:
		s.relaxRelay(f)
	case schedule.TableRefuse, schedule.TableThrottle, schedule.TableSlow, schedule.TableLost:
		w.tables.ailing[f.Region] = ailment{}
	case schedule.ChannelFail, schedule.ChannelSlow, schedule.ChannelLost:
		c := &w.channels[f.Region][f.Channel]
		c.fails, c.lost, c.slow = false, false, 0
	case schedule.HostCrash, schedule.HostPower, schedule.HostBye:
		if t := s.tills[f.Host]; !t.alive {
			t.start()
		}
	case schedule.HostFail:
		s.tills[f.Host].failing = false
		w.truth.failing(s.tills[f.Host])
	case schedule.Silence:
		w.unsilence(f)
	case schedule.StorePower:
		s.power(true)
	case schedule.Mass:
		for i := range f.Arg {
			w.stores[i].power(true)
		}
	}
}

func (w *world) process(f *schedule.Fault) *process {
	return w.processes[f.Region*nodesPerRegion+f.Node]
}

func (w *world) startNodes(f *schedule.Fault) {
	for _, p := range w.processes[f.Region*nodesPerRegion : (f.Region+1)*nodesPerRegion] {
		if !p.up && (f.Kind == schedule.RegionPower || p == w.process(f)) {
			p.start()
		}
	}
}

// directions are what an Arg of a cut means.
func directions(arg int) [2]bool { return [2]bool{arg != 2, arg != 1} }

func (w *world) strikeNet(f *schedule.Fault) bool {
	s := w.stores[f.Store]
	switch f.Kind {
	case schedule.PathCut:
		s.cutPath(f.Region, directions(f.Arg))
	case schedule.PathReset:
		if s.relay != nil {
			s.relay.paths[f.Region].reset()
		}
	case schedule.PathDelay:
		if s.relay != nil {
			s.relay.paths[f.Region].delay = f.For / 8
		}
	case schedule.PathTwice:
		if s.relay != nil {
			s.relay.paths[f.Region].twice = true
		}
	case schedule.BridgeCut:
		w.bridge.cut = directions(f.Arg)
	case schedule.BridgeDelay:
		w.bridge.delay = f.For / 8
	case schedule.WanCut:
		s.cutPath(0, [2]bool{true, true})
		s.cutPath(1, [2]bool{true, true})
	case schedule.BridgeReset:
		w.bridge.refuse = true
	case schedule.RegionAlone:
		w.bridge.alone[f.Region]++
		for _, s := range w.stores {
			s.cutPath(f.Region, [2]bool{true, true})
		}
	case schedule.LanCut:
		s.tills[f.Host].unplug()
	case schedule.LanDown:
		for _, t := range s.tills {
			if !t.way.direct() {
				t.unplug()
			}
		}
	case schedule.LanReset:
		s.tills[f.Host].reset()
	case schedule.ReplicationCut:
		w.tables.carriage[f.Region].cut = true
	case schedule.BridgeTwice:
		w.bridge.twice = true
	case schedule.LanDelay, schedule.LanHalf, schedule.LanTwice:
		s.tills[f.Host].ail(f)
	case schedule.ReplicationPart:
		w.tables.carriage[f.Region].part = f.Arg
	case schedule.ReplicationDelay:
		w.tables.carriage[f.Region].delay = f.For / 2
	case schedule.ReplicationShuffle:
		c := &w.tables.carriage[f.Region]
		c.delay, c.shuffle = f.For/2, true
	default:
		return false
	}
	return true
}

func (w *world) strikeBroker(f *schedule.Fault) bool {
	p, a, c := w.process(f), &w.tables.ailing[f.Region], &w.channels[f.Region][f.Channel]
	switch f.Kind {
	case schedule.NodeKill, schedule.NodePower:
		p.end(f.Kind == schedule.NodePower)
	case schedule.NodeStall:
		p.stall(f.For)
	case schedule.NodeDrain:
		p.drain()
	case schedule.NodeClock:
		p.skew = time.Duration(f.Arg) * time.Second
	case schedule.RegionPower:
		for _, q := range w.processes[f.Region*nodesPerRegion : (f.Region+1)*nodesPerRegion] {
			q.end(true)
		}
	case schedule.TableRefuse:
		a.refuse = true
	case schedule.TableThrottle:
		a.throttle = f.Arg
	case schedule.TableSlow:
		a.slow = min(f.For/2, 8*time.Second)
	case schedule.TableLost:
		a.lost = f.Arg
	case schedule.ChannelFail:
		c.fails = true
	case schedule.ChannelSlow:
		c.slow = min(f.For/2, 12*time.Second)
	case schedule.ChannelLost:
		c.lost = true
	default:
		return false
	}
	return true
}

func (w *world) strikeRelay(f *schedule.Fault) bool {
	s := w.stores[f.Store]
	r := s.relay
	if r == nil {
		return f.Kind >= schedule.RelayKill && f.Kind <= schedule.RelayClock || f.Kind == schedule.RelayBye
	}
	switch f.Kind {
	case schedule.RelayKill, schedule.RelayPower:
		r.stop(f.Kind == schedule.RelayKill)
	case schedule.RelayStall:
		r.stall(f.For)
	case schedule.RelayBye:
		r.bye(f.Arg == 1)
	case schedule.DiskLost:
		r.reboot(newDisk(&w.rng))
	case schedule.DiskFull:
		r.disk.fill(true)
	case schedule.DiskRestored:
		if r.backup != nil {
			r.reboot(r.backup.clone())
		}
	case schedule.RelayClone:
		r.twin(f.Arg == 1)
	case schedule.RelayReplaced:
		s.replace()
	case schedule.RelayClock:
		r.skew = time.Duration(f.Arg) * time.Second
	default:
		return false
	}
	return true
}

// reboot starts the relay again, from another disk.
func (r *relay) reboot(d *disk) {
	r.stop(true)
	r.disk = d
	life := r.life
	r.w.after(r.w.rng.between(time.Second, 3*time.Second), func() {
		if r.life == life {
			r.start()
		}
	})
}

func (s *store) relaxRelay(f *schedule.Fault) {
	r := s.relay
	if r == nil {
		return
	}
	switch f.Kind {
	case schedule.RelayKill, schedule.RelayPower, schedule.RelayBye:
		if !r.up {
			r.start()
		}
	case schedule.DiskFull:
		r.disk.fill(false)
	case schedule.RelayClock:
		r.skew = 0
	case schedule.RelayClone:
		for _, t := range s.twins {
			t.stop(true)
		}
		s.twins = nil
	}
}

// cutPath cuts a store's way to a region.
func (s *store) cutPath(region int, dirs [2]bool) {
	s.wan[region] = true
	for _, r := range s.relays() {
		r.paths[region].cut = dirs
	}
}

// openPath heals it, unless the region is cut from everything.
func (s *store) openPath(region int) {
	if s.w.bridge.alone[region] > 0 {
		return
	}
	s.wan[region] = false
	for _, r := range s.relays() {
		r.paths[region].heal()
	}
}

// relays are the store's: the one that it has, and copies of it.
func (s *store) relays() []*relay {
	if s.relay == nil {
		return nil
	}
	return append([]*relay{s.relay}, s.twins...)
}

func (w *world) strikePeople(f *schedule.Fault) {
	s := w.stores[f.Store]
	t := s.tills[f.Host]
	switch f.Kind { //nolint:exhaustive // the others are not people's
	case schedule.HostCrash, schedule.HostPower:
		t.die(f.Kind == schedule.HostCrash)
	case schedule.HostBye:
		t.bye()
	case schedule.HostMove:
		t.move(way(f.Arg)) //nolint:gosec // one of four
	case schedule.HostComes:
		if t.way == byNobody {
			t.way, t.prefers = way(f.Arg), f.Arg&1 //nolint:gosec // one of four
			t.start()
		}
	case schedule.HostTwice:
		d := t.double()
		s.doubles = append(s.doubles, d)
		d.start()
		w.truth.doubled(t, true)
		w.after(40*time.Second, func() {
			d.die(true)
			w.truth.doubled(t, false)
		})
	case schedule.HostFail:
		t.failing = true
		w.truth.failing(t)
	case schedule.HostFlaps:
		w.flap(t, f.Arg)
	case schedule.StaleWill:
		w.staleWill(s)
	case schedule.StaleLan:
		w.staleLan(t)
	case schedule.StorePower:
		s.power(false)
	case schedule.Mass:
		for i := range f.Arg {
			w.stores[i].power(false)
		}
	case schedule.Silence:
		w.silence(f)
	case schedule.Maintenance:
		w.maintain(f.Region, s, f.For)
	case schedule.Hours:
		at := w.opensAt()
		from := at.Hour()*60 + at.Minute()
		w.hours(f.Region, s, "UTC", from, from+6*60) // closed, and opens soon
	case schedule.Pin:
		w.pin(f.Region, s, f.Arg&1)
	case schedule.Ack:
		if id := w.truth.lastIncident(s); id != "" {
			w.ack(f.Region, id)
		}
	default:
		w.fail("nothing is done for the fault " + f.Kind.String())
	}
}

// opensAt is when a store opens whose hours are declared now: with the second
// minute from now.
func (w *world) opensAt() time.Time { return w.wall().Truncate(time.Minute).Add(2 * time.Minute) }
