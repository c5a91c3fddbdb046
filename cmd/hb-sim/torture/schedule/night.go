package schedule

import "time"

// change is a night in which a zone's clocks go forward or back, and the local
// minutes around it at which stores open or close: the one that is jumped over
// or comes twice is among them.
type change struct {
	zone    string
	at      time.Time // the jump
	before  int       // the zone's offset before it, in minutes
	forward bool
	minutes []int // after midnight
}

// changes are those of 2026, by the zones' rules.
var changes = [...]change{
	{"Europe/Berlin", time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), 60, true, []int{90, 119, 120, 150, 180, 181, 240}},
	{"Europe/Berlin", time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC), 120, false, []int{90, 119, 120, 150, 180, 181, 240}},
	{"America/New_York", time.Date(2026, 3, 8, 7, 0, 0, 0, time.UTC), -300, true, []int{60, 119, 120, 150, 180, 181, 240}},
	{"America/New_York", time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC), -240, false, []int{30, 60, 90, 119, 120, 180, 240}},
}

// offset is the zone's offset at an instant of that night, in minutes.
func (c *change) offset(at time.Time) int {
	switch {
	case at.Before(c.at):
		return c.before
	case c.forward:
		return c.before + 60
	default:
		return c.before - 60
	}
}

// instants are those of that night at which the store's clock shows a minute:
// none, one or two; where there is none, it is the jump.
func (c *change) instants(minute int) (all []time.Time) {
	midnight := c.at.Add(time.Duration(c.before) * time.Minute).Truncate(24 * time.Hour) // by the local clock
	for _, offset := range [...]int{c.before, c.offset(c.at)} {
		at := midnight.Add(time.Duration(minute-offset) * time.Minute)
		if c.offset(at) == offset {
			all = append(all, at)
		}
	}
	if len(all) == 0 {
		all = append(all, c.at)
	}
	return all
}

// night begins shortly before the minute at which a store opens or closes, in
// the night in which its clocks change, and something of it is down around that
// minute.
func (g *generator) night() {
	c := &changes[g.IntN(len(changes))]
	minute := c.minutes[g.IntN(len(c.minutes))]
	g.open()
	s := g.IntN(len(g.s.Stores))
	opens := Opening{Zone: c.zone, From: minute, To: 23 * 60}
	if g.IntN(4) == 0 {
		opens.From, opens.To = 18*60, minute // it closes then
	}
	for i := range g.s.Stores {
		if i == s || g.IntN(2) == 0 {
			g.s.Stores[i].Opens = opens
		}
	}
	at := c.instants(minute)
	edge := Calm + 10*time.Second + g.upTo(100*time.Second) // by the world's clock
	g.s.Wall = at[g.IntN(len(at))].Add(-edge).Truncate(time.Second)
	outage := g.outage()
	outage.Store = s
	outage.Host = g.IntN(len(g.s.Stores[s].Hosts))
	outage.At = max(Calm, edge-60*time.Second+g.upTo(100*time.Second))
	outage.For = g.lasts()
	if g.IntN(2) == 0 { // it stays down until it is told
		outage.For = edge + 150*time.Second - outage.At + g.upTo(60*time.Second)
	}
	g.s.Faults = append(g.s.Faults, outage)
	if g.IntN(3) == 0 {
		g.around(edge, 1)
	}
	for i := range g.s.Faults {
		if f := &g.s.Faults[i]; f.Kind == Hours { // they have their hours
			f.Kind = Silence
		}
	}
}
