package roster

import (
	"net/netip"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Picture is every host at now.
func (r *Roster) Picture(now beat.Now) beat.Picture {
	p := beat.Picture{Hosts: make([]beat.HostReport, 0, len(r.order)), Lan: r.Lan(now)}
	for _, h := range r.order {
		c := &r.hosts[h]
		rep := beat.HostReport{
			Host: c.id, State: c.state, Number: c.number, Reason: c.reason,
			AgeMs: ms(r.age(now, h)), IntervalMs: uint32(c.interval.Milliseconds()), //nolint:gosec // at most MaxInterval
			Status: c.status, Flapping: c.flap.flaps,
		}
		if c.status != beat.OK {
			rep.Message = beat.CutText(c.message, beat.MaxPictureMessage)
		}
		p.Hosts = append(p.Hosts, rep)
	}
	return p
}

// age is how long ago the host's last known beat came. Of one that has not
// beaten since the relay's start the journal's wall clock tells; that clock may
// have been wrong, so the beat is at least as old as the start, and no older
// than a report may say: a clock that said 1970 and is right again dates it half
// a century back.
func (r *Roster) age(now beat.Now, h int) time.Duration {
	c, age := &r.hosts[h], now.Mono-r.hot[h].last
	if c.fresh || c.lastWall == 0 {
		return age
	}
	return min(max(age, now.Wall.Sub(time.UnixMilli(c.lastWall))), beat.MaxAge)
}

// View is one host as people see it.
type View struct {
	Host     beat.HostID
	State    beat.HostState
	Reason   beat.Reason
	Number   beat.Number
	Interval time.Duration
	// LastBeat (zero: unknown) and Since (when it entered its state, or the
	// relay's start) are on the relay's wall clock.
	LastBeat time.Time
	Since    time.Time
	Status   beat.Status
	Message  string
	Version  string
	// Addr is where the last beat came from; Via is mqtt or http, or "" while
	// it has not beaten since the relay's start.
	Addr netip.Addr
	Via  string
	// Conflict is the two addresses that beat as this host, or invalid ones.
	Conflict [2]netip.Addr
	// Flapping says that it changed more than 6 times in 10 minutes, and was not
	// stable for as long since.
	Flapping bool
}

// Hosts is every host at now, in the order of their ids.
func (r *Roster) Hosts(now beat.Now) []View {
	views := make([]View, 0, len(r.order))
	for _, h := range r.order {
		c := &r.hosts[h]
		v := View{
			Host: c.id, State: c.state, Reason: c.reason, Number: c.number, Interval: c.interval,
			Since:  now.At(c.since),
			Status: c.status, Message: c.message, Version: c.version, Addr: c.owner.Addr,
			Flapping: c.flap.flaps,
		}
		if c.fresh || c.lastWall != 0 {
			v.LastBeat = now.Wall.Add(-r.age(now, h)).UTC()
		}
		switch {
		case c.owner.Conn != 0:
			v.Via = "mqtt"
		case c.fresh:
			v.Via = "http"
		}
		if c.clash != 0 && now.Mono-c.clash <= conflictLasts {
			v.Conflict = c.clashed
		}
		views = append(views, v)
	}
	return views
}
