package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// settled is longer than a node that starts settles.
const settled = 11 * time.Minute

// fleet measures a region's decisions over a large fleet, in virtual time.
func (b *Bench) fleet(ctx context.Context) ([]Row, error) {
	rows, err := b.steps()
	if err != nil {
		return rows, err
	}
	for _, measure := range []func(context.Context) ([]Row, error){b.resident, b.allLost} {
		debug.FreeOSMemory()
		more, err := measure(ctx)
		rows = append(rows, more...)
		if err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// steps is what one report costs in presence.
func (b *Bench) steps() ([]Row, error) {
	o := presence.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Term = regionEast, []beat.Region{regionEast, regionWest}, "n", 1
	now := beat.Now{Mono: time.Hour, Wall: time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)}
	p := presence.New(o, now)
	a := paper{store: "store", hosts: fleetHosts, epoch: 1}
	var r beat.Report
	if err := a.report(now, 0, beat.Birth, true, &r); err != nil {
		return nil, err
	}
	e := &presence.Report{Conn: 1, Report: &r}
	out := p.Step(now, e, nil)
	one := func(whole bool) (nanos, allocations float64, err error) {
		if err := a.report(now, 0, beat.Steady, whole, &r); err != nil {
			return 0, 0, err
		}
		var before, after runtime.MemStats
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		runtime.ReadMemStats(&before)
		start, used := time.Now(), cpu()
		for range b.plan.steps {
			r.Seq++
			r.MonoMs++
			now = now.Add(time.Millisecond)
			out = p.Step(now, e, out[:0])
			if len(out) > 0 && !whole {
				return 0, 0, fmt.Errorf("a steady report led to %T", out[0])
			}
		}
		took := cpu() - used
		if took == 0 {
			took = time.Since(start)
		}
		runtime.ReadMemStats(&after)
		a.seq[0] = r.Seq
		return float64(took.Nanoseconds()) / float64(b.plan.steps), float64((after.Mallocs - before.Mallocs) / uint64(b.plan.steps)), nil
	}
	steady, allocations, err := one(false)
	if err != nil {
		return nil, err
	}
	whole, wholeAllocations, err := one(true)
	if err != nil {
		return nil, err
	}
	b.say("fleet: a whole picture of %d hosts that changed nothing: %.0f allocations", fleetHosts, wholeAllocations)
	return []Row{
		{Name: "presence step of a steady report, 20 hosts", Value: steady, Unit: "ns", Goal: 500, AtMost: true},
		{Name: "presence step of a steady report, memory", Value: allocations, Unit: "allocations", Goal: 0, AtMost: true},
		{Name: "presence step of a whole picture, 20 hosts", Value: whole / 1000, Unit: "us", Goal: 10, AtMost: true},
	}, nil
}

// cpu is how long this thread has computed; 0 where the system does not tell.
func cpu() time.Duration {
	d, _ := processorTime()
	return d
}

// resident is what presence takes for a whole cell, and what the garbage
// collector costs at its reports.
func (b *Bench) resident(ctx context.Context) ([]Row, error) {
	o := presence.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Term = regionEast, []beat.Region{regionEast, regionWest}, "n", 1
	now := beat.Now{Mono: time.Hour, Wall: time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)}
	before := residentMemory()
	p := presence.New(o, now)
	c := &cell{}
	stores := c.fleet(b.plan.stores)
	var r beat.Report
	var out []presence.Out
	deliver := func(kind beat.Kind, whole bool) error {
		for i := range stores {
			a := &stores[i]
			a.epoch = 1
			if err := a.report(now, 0, kind, whole, &r); err != nil {
				return err
			}
			out = p.Step(now, &presence.Report{Conn: presence.Conn(i + 1), Report: &r}, out[:0])
			now = now.Add(15 * time.Second / time.Duration(len(stores)))
		}
		return ctx.Err()
	}
	if err := deliver(beat.Birth, true); err != nil {
		return nil, err
	}
	debug.FreeOSMemory()
	took := residentMemory() - before
	start, gc := time.Now(), collectorTime()
	const passes = 4 // a minute of reports of the whole cell
	for range passes {
		if err := deliver(beat.Steady, false); err != nil {
			return nil, err
		}
	}
	share := 100 * (collectorTime() - gc) / (passes * 15)
	b.say("fleet: %d hosts in %d stores: a minute of reports, decoded and judged, took %.1f s of wall clock", len(stores)*fleetHosts, len(stores), time.Since(start).Seconds())
	runtime.KeepAlive(p)
	return []Row{
		{Name: fmt.Sprintf("presence of %d hosts in %d stores", len(stores)*fleetHosts, len(stores)), Value: float64(took) / 1e6, Unit: "MB", Goal: 1000, AtMost: true},
		{Name: "garbage collector at their reports every 15 s, of one processor", Value: share, Unit: "%", Goal: 5, AtMost: true},
	}, nil
}

// collectorTime is what the garbage collector has used so far, in seconds of a
// processor.
func collectorTime() float64 {
	sample := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
	metrics.Read(sample)
	return sample[0].Value.Float64()
}

var errUncounted = errors.New("the messages do not list what happened")

// allLost is a whole cell that is lost at once, and comes back.
func (b *Bench) allLost(ctx context.Context) ([]Row, error) {
	runtime.LockOSThread() // whose time it is
	defer runtime.UnlockOSThread()
	c := newCell()
	stores := c.fleet(b.plan.stores)
	for i := range stores {
		if err := c.born(&stores[i]); err != nil {
			return nil, err
		}
	}
	if err := c.steady(ctx, stores, settled); err != nil {
		return nil, err
	}
	if len(c.sent) != 0 {
		return nil, fmt.Errorf("%w: %d before anything was lost", errUncounted, len(c.sent))
	}
	c.busier()
	for i := range stores {
		c.lost(&stores[i])
	}
	c.run(5 * time.Minute)
	lost, messages := c.busier(), len(c.sent)
	if n := listed(c.sent, incident.Opened); n != len(stores) {
		return nil, fmt.Errorf("%w: %d of %d stores", errUncounted, n, len(stores))
	}

	c.sent = nil
	pause := 30 * time.Second / time.Duration(len(stores))
	for i := range stores {
		if err := c.born(&stores[i]); err != nil {
			return nil, err
		}
		c.run(pause)
	}
	back := c.busier()
	if err := c.steady(ctx, stores, 6*time.Minute); err != nil {
		return nil, err
	}
	faults := listed(c.sent, incident.Opened)
	if n := listed(c.sent, incident.Recovered); n != len(stores) {
		return nil, fmt.Errorf("%w: %d of %d stores came back", errUncounted, n, len(stores))
	}
	b.say("fleet: %d stores lost at once: %d messages; their recoveries: %d", len(stores), messages, len(c.sent))
	name := fmt.Sprintf("%d stores lost at once: a region decides, groups and hands over", len(stores))
	return []Row{
		{Name: name, Value: lost.Seconds(), Unit: "s", Goal: 2, AtMost: true},
		{Name: fmt.Sprintf("messages about %d stores lost at once", len(stores)), Value: float64(messages), Unit: "messages", Goal: 20, AtMost: true},
		{Name: fmt.Sprintf("%d relays come back within 30 s: a region's processor time", len(stores)), Value: back.Seconds(), Unit: "s", Goal: 5, AtMost: true},
		{Name: "false notices while they come back", Value: float64(faults), Unit: "messages", Goal: 0, AtMost: true},
	}, nil
}

// steady lets all relays report for d.
func (c *cell) steady(ctx context.Context, stores []paper, d time.Duration) error {
	var r beat.Report
	for end := c.now.Mono + d; c.now.Mono < end && ctx.Err() == nil; {
		for i := range stores {
			for k, n := range c.regions {
				if err := stores[i].report(c.now, k, beat.Steady, false, &r); err != nil {
					return err
				}
				c.step(n, &presence.Report{Conn: stores[i].conn[k], Report: &r})
			}
		}
		c.run(15 * time.Second)
	}
	return ctx.Err()
}

// listed is how many transitions of a change the messages list.
func listed(sent []incident.Notice, change incident.Change) int {
	n := 0
	for i := range sent {
		for k := range sent[i].Items {
			if sent[i].Items[k].Change == change {
				n++
			}
		}
	}
	return n
}
