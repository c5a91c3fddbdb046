package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/lease"
	"github.com/hb-mesh/hb-mesh/broker/node"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/record"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// AWS's prices in us-east-1 in November 2026, in dollars: DynamoDB on demand (a
// replicated write is paid in each region) and SNS.
const (
	perWriteUnit = 0.625 / 1e6
	perReadUnit  = 0.125 / 1e6
	perPublish   = 0.50 / 1e6
	daysAMonth   = 30
)

// costs are what one region's commands cost, in units.
type costs struct {
	presence, direct, incidents, notices, history, historyItems, leases, reads, publishes int
}

// units is what a write of an item costs: one for each begun KB.
func units(i table.Item) int {
	return (len(i.PK) + len(i.SK) + len(i.Doc) + 64 + 1023) / 1024
}

// count adds what a command costs.
func (c *costs) count(o node.Out) {
	switch o := o.(type) {
	case *presence.Save:
		n := (len(o.Item.Doc) + 128 + 1023) / 1024
		if o.Item.Host != "" {
			c.direct += n
		} else {
			c.presence += n
		}
	case *presence.Journal:
		items, _ := record.History("us-east-1", o, daysAMonth*24*time.Hour)
		for _, i := range items {
			c.history += units(i)
			c.historyItems++
		}
	case *incident.Save:
		c.incidents++
	case *incident.Write: // a transaction with the lease's check: each costs twice
		w := record.Notice(o.Notice, 1, daysAMonth*24*time.Hour)
		c.notices += 2 * (units(w.Item) + 1)
	case *incident.ReadMarks:
		c.reads += 25
	case *incident.Publish:
		c.publishes++
	case *lease.Write:
		c.leases++
	case *lease.Look:
		c.reads++
	}
}

// The simulated day: the part of the cell that is simulated, and when its tills
// are switched off and on.
const (
	costStores = 100
	cellStores = 50_000
	switchOff  = 13 * time.Hour
	switchOn   = 19 * time.Hour
)

// till is a store of the day: its hosts are switched off and on one by one.
type tills struct {
	*paper
	states  []beat.HostReport
	number  beat.Number
	journal []beat.Transition
}

// cost is what a day of a whole cell costs a month, whose tills are switched off
// every night.
func (b *Bench) cost(ctx context.Context) ([]Row, error) {
	b.say("cost: a day of %d stores of %d hosts in virtual time, reports every 15 s; %d stores cost %d times that", costStores, fleetHosts, cellStores, cellStores/costStores)
	c := newCell()
	stores := c.fleet(costStores)
	day := make([]tills, len(stores))
	for i := range stores {
		if err := c.born(&stores[i]); err != nil {
			return nil, err
		}
		day[i] = tills{paper: &stores[i], states: stores[i].picture().Hosts, number: fleetHosts}
	}
	if err := c.steady(ctx, stores, settled); err != nil {
		return nil, err
	}
	for _, n := range c.regions {
		n.saved = costs{}
	}
	if err := c.day(ctx, day); err != nil {
		return nil, err
	}
	return b.bill(c), nil
}

// day lets 24 hours pass.
func (c *cell) day(ctx context.Context, day []tills) error {
	start := c.now.Mono
	var r beat.Report
	for tick := time.Duration(0); tick < 24*time.Hour; tick += 15 * time.Second {
		for i := range day {
			t := &day[i]
			t.change(c.now, tick, switchOff, beat.Up, beat.Stopped, beat.SaidBye, i)
			t.change(c.now, tick, switchOn, beat.Stopped, beat.Up, beat.Beating, i)
			for k, n := range c.regions {
				if err := t.say(c.now, k, c.regions[0].Home(t.store) == n.region, &r); err != nil {
					return err
				}
				c.step(n, &presence.Report{Conn: t.conn[k], Report: &r})
			}
			t.journal = nil
		}
		c.run(start + tick + 15*time.Second - c.now.Mono)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// change switches each host of a store within ten minutes after at.
func (t *tills) change(now beat.Now, tick, at time.Duration, from, to beat.HostState, why beat.Reason, store int) {
	for h := range t.states {
		when := at + time.Duration((h*31+store*7)%40)*15*time.Second
		if tick != when || t.states[h].State != from {
			continue
		}
		t.number++
		t.states[h].State, t.states[h].Number, t.states[h].Reason = to, t.number, why
		t.journal = append(t.journal, beat.Transition{
			Number: t.number, Host: t.states[h].Host, State: to, Reason: why, Boot: beat.Boot{1},
			MonoMs: uint64((now.Mono - t.started).Milliseconds()), WallMs: now.Wall.UnixMilli(), IntervalMs: 30_000,
		})
	}
}

// say is its report: whole where something changed, with the journal to home.
func (t *tills) say(now beat.Now, r int, home bool, decoded *beat.Report) error {
	t.seq[r]++
	p := &beat.Picture{Hosts: t.states}
	out := beat.Report{
		V: beat.Wire, Kind: beat.Steady, Store: t.store, Relay: "r1", Incarnation: beat.Incarnation{1, byte(t.paper.number), byte(t.paper.number >> 8), byte(t.paper.number >> 16)},
		Boot: beat.Boot{1}, Epoch: t.epoch, Seq: t.seq[r], MonoMs: uint64((now.Mono - t.started).Milliseconds()) + 1000, ReportEveryMs: 15_000, KeepaliveMs: 20_000,
		Software: "1.0.0", Hash: p.Hash(), Others: []beat.Witness{{Region: []beat.Region{regionWest, regionEast}[r], Session: true, AckAgeMs: 100}},
	}
	if len(t.journal) > 0 {
		out.Picture = p
		if home {
			out.Journal = t.journal
		}
	}
	*decoded = beat.Report{}
	return beat.DecodeReport(out.Encode(), decoded)
}

// bill prints a line for each kind of item, and makes the row.
func (b *Bench) bill(c *cell) []Row {
	var all costs
	for _, n := range c.regions {
		s := n.saved
		all.presence += s.presence
		all.direct += s.direct
		all.incidents += s.incidents
		all.notices += s.notices
		all.history += s.history
		all.historyItems += s.historyItems
		all.leases += s.leases
		all.reads += s.reads
		all.publishes += s.publishes
	}
	scale := float64(cellStores / costStores)
	total := 0.0
	line := func(what string, perMonth, price float64) {
		total += perMonth * price
		b.say("cost: %-44s %8.2f million a month  %7.2f dollars", what, perMonth/1e6, perMonth*price)
	}
	const replicas = 2
	month := func(perDay int) float64 { return float64(perDay) * daysAMonth }
	line("presence of stores, write units", month(all.presence)*scale*replicas, perWriteUnit)
	line("direct hosts, write units", month(all.direct)*scale*replicas, perWriteUnit)
	line("incidents, write units", month(all.incidents)*scale*replicas, perWriteUnit)
	line("notices, write units", month(all.notices)*scale*replicas, perWriteUnit)
	line("history, write units", month(all.history)*scale*replicas, perWriteUnit)
	line("history's TTL deletes, in the other replica", month(all.historyItems)*scale*(replicas-1), perWriteUnit)
	line("leases, write units", month(all.leases)*replicas, perWriteUnit)
	line("leases and marks, read units", month(all.reads), perReadUnit)
	line("SNS publishes", month(all.publishes)*scale, perPublish)
	return []Row{{Name: fmt.Sprintf("table and SNS for %d hosts, tills off at night", cellStores*fleetHosts), Value: total, Unit: "dollars a month", Goal: 250, AtMost: true}}
}
