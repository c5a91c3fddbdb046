package roster

import (
	"net/netip"
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// beat takes a sign of life. The steady one ends in Touch.
func (r *Roster) beat(now beat.Now, e *Beat, out []Out) []Out {
	h, known := r.byID[e.Beat.Host]
	if !known {
		return r.adopt(now, e, out)
	}
	c := &r.hosts[h]
	if e.Beat.KeepStatus {
		kept := *e
		kept.Beat.Status, kept.Beat.Message = c.status, c.message
		e = &kept
	}
	if e.From == c.owner && c.says(&e.Beat) && r.Touch(h, now.Mono) {
		return out
	}
	out = r.own(now, h, e.From, out)
	if r.lan.any && !e.From.Addr.IsLoopback() {
		out = r.lanHeard(now, now.Mono, h, 0, out)
	}
	silent := now.Mono - r.hot[h].last
	r.promise(h, c.trusted(e))
	r.hot[h].last = now.Mono
	// Who connected before this beat and did not send it is no successor.
	c.lost, c.heir, c.foreign, c.fresh = 0, 0, false, true
	to, why := beat.Up, beat.Beating
	if c.status == beat.Fail {
		to, why = beat.Failing, beat.SaidFail
	}
	switch {
	case c.retire: // it waits for a number to be gone
	case c.state == beat.Unknown && c.was == to:
		c.state, c.was, c.waits, c.since = to, 0, false, now.Mono
		r.version++
		out = append(out, &Shown{Host: c.id})
	default:
		var held bool
		if held, out = r.holds(now, h, to, silent, out); c.state != to && !held {
			out = r.change(now, now.Mono, h, to, why, silent, out)
			break
		}
		c.waits = false // what waited is over: it beats again
	}
	if c.interval > c.saved+c.saved/10 && c.number != 0 { // less is within what a start waits
		c.saved = c.interval
		out = append(out, &Noted{Record: r.record(now, h)})
	}
	r.settle(h)
	return out
}

// adopt takes a host's first beat, within the limits.
func (r *Roster) adopt(now beat.Now, e *Beat, out []Out) []Out {
	from := e.From.Addr
	if why := r.refuses(now, from); why != 0 {
		if why == NoNumbers {
			out = r.ask(out)
		}
		return append(out, &Ignored{Host: e.Beat.Host, Why: why, From: from})
	}
	if r.o.NewHostsPerHour != 0 && !r.exempt(from) {
		r.arrived = append(r.arrived, arrival{now.Mono, from})
	}
	h := r.add(e.Beat.Host)
	r.hot[h].last = now.Mono
	c := &r.hosts[h]
	c.owner, c.live, c.fresh = e.From, e.From.Conn != 0, true
	r.promise(h, &e.Beat)
	if e.Beat.Status == beat.Fail {
		return r.change(now, now.Mono, h, beat.Failing, beat.SaidFail, 0, out)
	}
	return r.change(now, now.Mono, h, beat.Up, beat.Adopted, 0, out)
}

// refuses is why there is no place for a new host from an address, or 0.
func (r *Roster) refuses(now beat.Now, from netip.Addr) Ignorance {
	r.arrived = slices.DeleteFunc(r.arrived, func(a arrival) bool { return a.at <= now.Mono-time.Hour })
	mine := 0
	for _, a := range r.arrived {
		if a.from == from {
			mine++
		}
	}
	exempt := r.o.NewHostsPerHour == 0 || r.exempt(from)
	switch {
	case len(r.order) >= beat.MaxHosts:
		return TooMany
	case !exempt && len(r.arrived) >= r.o.NewHostsPerHour:
		return TooFast
	case !exempt && r.o.NewHostsPerAddress > 0 && mine >= r.o.NewHostsPerAddress && !from.IsLoopback():
		return TooFastHere
	case r.starved():
		return NoNumbers
	}
	return 0
}

// says is whether the beat says what the last one said.
func (c *host) says(b *beat.Beat) bool {
	return c.interval == promised(b) && c.status == b.Status && c.message == b.Message && c.version == b.Version
}

func promised(b *beat.Beat) time.Duration {
	if b.Interval == 0 {
		return beat.DefaultInterval
	}
	return b.Interval
}

// promise takes what the beat says.
func (r *Roster) promise(h int, b *beat.Beat) {
	c := &r.hosts[h]
	if c.says(b) {
		return
	}
	c.interval, c.status, c.message, c.version = promised(b), b.Status, b.Message, b.Version
	r.hot[h].span = uint32((c.interval + beat.HostGrace(c.interval)).Milliseconds()) //nolint:gosec // at most 12 h and a minute
	r.version++
}

// trusted is what the beat says, without a longer interval if it comes from
// another address than a connection of the host that lives: a stranger's
// promise must not hide the owner's silence.
func (c *host) trusted(e *Beat) *beat.Beat {
	if c.rival.Conn == 0 || c.rival.Addr == e.From.Addr || promised(&e.Beat) <= c.interval {
		return &e.Beat
	}
	b := e.Beat
	b.Interval = c.interval
	return &b
}

// own gives the host to the connection of its newest beat. Two connections
// that live and take it from each other are a conflict, and so is a beat by HTTP
// from another address than the connection that lives.
func (r *Roster) own(now beat.Now, h int, from Source, out []Out) []Out {
	c := &r.hosts[h]
	if from == c.owner && c.live == (from.Conn != 0) {
		return out
	}
	both := c.live && from.Conn != c.owner.Conn
	switch {
	case both && from.Conn == 0:
		c.rival = c.owner
		if from.Addr != c.owner.Addr {
			out = r.clash(now, h, from.Addr, out)
		}
	case both && c.rival.Conn == from.Conn:
		out = r.clash(now, h, from.Addr, out)
		c.rival = c.owner
	case both:
		c.rival = c.owner
	case from.Conn != 0 && from.Conn == c.rival.Conn:
		c.rival = Source{}
	}
	c.owner, c.live = from, from.Conn != 0
	return out
}

// clash notes that the owner and another address are both at work as the host.
// It is told once while it lasts.
func (r *Roster) clash(now beat.Now, h int, other netip.Addr, out []Out) []Out {
	c := &r.hosts[h]
	if c.clash == 0 || now.Mono-c.clash > conflictLasts {
		out = append(out, &Conflict{Host: c.id, A: c.owner.Addr, B: other})
	}
	c.clash, c.clashed = max(1, now.Mono), [2]netip.Addr{c.owner.Addr, other}
	return out
}

// gone takes a Last-Will: it counts after a blip.
func (r *Roster) gone(now beat.Now, e *Gone, out []Out) []Out {
	h, known := r.byID[e.Host]
	switch {
	case !known:
		return append(out, &Ignored{Host: e.Host, Why: NotKnown})
	case !r.hosts[h].owns(e.From):
		return append(out, &Ignored{Host: e.Host, Why: NotOwner})
	}
	r.lose(now, h, beat.Will)
	return out
}

// lose starts the wait for a host whose connection is over.
func (r *Roster) lose(now beat.Now, h int, why beat.Reason) {
	c := &r.hosts[h]
	c.flap.claim = beat.Unknown
	if !c.state.Alive() || c.lost != 0 {
		return
	}
	c.lost, c.lostAt = why, now.Mono+r.o.Blip
	if c.foreign {
		c.lostAt += r.o.Blip
	}
	r.settle(h)
}

func (r *Roster) bye(now beat.Now, e *Bye, out []Out) []Out {
	h, known := r.byID[e.Host]
	if !known {
		return append(out, &Ignored{Host: e.Host, Why: NotKnown})
	}
	c := &r.hosts[h]
	if !c.mayBye(e.From) {
		return append(out, &Ignored{Host: e.Host, Why: NotOwner})
	}
	if c.state == beat.Stopped || c.retire {
		return out
	}
	silent := now.Mono - r.hot[h].last
	held, out := r.holds(now, h, beat.Stopped, silent, out)
	if held {
		return append(out, &Ignored{Host: e.Host, Why: TooOften})
	}
	return r.change(now, now.Mono, h, beat.Stopped, beat.SaidBye, silent, out)
}

// connected takes a new connection whose will names the host. It ends the wait
// for the host if it comes from where the host beats from; anybody can connect.
func (r *Roster) connected(now beat.Now, e *Connected, out []Out) []Out {
	h, known := r.byID[e.Host]
	if !known || e.From.Conn == r.hosts[h].owner.Conn {
		return out
	}
	c := &r.hosts[h]
	if e.From.Addr == c.owner.Addr || !c.owner.Addr.IsValid() {
		c.heir = e.From.Conn
		r.settle(h)
		return out
	}
	if !c.foreign {
		c.foreign = true
		if c.lost != 0 {
			c.lostAt += r.o.Blip
			r.settle(h)
		}
	}
	if c.live {
		out = r.clash(now, h, e.From.Addr, out)
	}
	return out
}

// closed takes the end of a connection, for every host that it carried.
func (r *Roster) closed(now beat.Now, e *Closed) {
	if e.From.Conn == 0 {
		return
	}
	for _, h := range r.order {
		c := &r.hosts[h]
		if c.rival.Conn == e.From.Conn {
			c.rival = Source{}
		}
		switch e.From.Conn {
		case c.owner.Conn:
			c.live = false
			if !e.Clean {
				r.lose(now, h, beat.ConnectionLost)
			}
		case c.heir:
			r.disinherit(now, h, e.Clean)
		}
	}
}

// disinherit ends the heir before it ever beat. If it said DISCONNECT the host
// was well; else the wait for the lost connection begins anew.
func (r *Roster) disinherit(now beat.Now, h int, clean bool) {
	c := &r.hosts[h]
	c.heir = 0
	if clean {
		c.lost = 0
	} else if c.lost != 0 {
		c.lostAt = now.Mono + r.o.Blip
	}
	r.settle(h)
}

func (r *Roster) forget(now beat.Now, e *Forget, out []Out) []Out {
	h, known := r.byID[e.Host]
	if !known {
		return append(out, &Ignored{Host: e.Host, Why: NotKnown})
	}
	return r.drop(now, h, out)
}

// drop retires a host, or remembers to as soon as there is a number.
func (r *Roster) drop(now beat.Now, h int, out []Out) []Out {
	c := &r.hosts[h]
	var n beat.Number
	if n, out = r.number(out); n == 0 {
		c.retire = true
		r.settle(h)
		return out
	}
	c.number, c.state, c.reason = n, beat.Unknown, beat.Forgotten
	t := r.transition(now, now.Mono, h, now.Mono-r.hot[h].last)
	r.remove(h)
	return r.lanRetired(now, append(out, &Forgot{Transition: t, Host: t.Host}))
}

// load takes what the journal remembers. A host that was alive is unknown until
// it beats; one that was missing or stopped stays so.
func (r *Roster) load(now beat.Now, e *Loaded) {
	for i := range e.Hosts {
		rec := &e.Hosts[i]
		if _, twice := r.byID[rec.Host]; twice || len(r.order) >= beat.MaxHosts {
			continue
		}
		h := r.add(rec.Host)
		c := &r.hosts[h]
		r.promise(h, &beat.Beat{Interval: time.Duration(rec.IntervalMs) * time.Millisecond, Status: rec.Status, Message: rec.Message})
		c.state, c.number, c.reason = rec.State, rec.Number, rec.Reason
		c.saved, c.lastWall, c.since = c.interval, rec.LastBeatMs, now.Mono
		r.hot[h].last = now.Mono // as old as this start at most: nothing older is known for sure
		if a, err := netip.ParseAddr(rec.Addr); err == nil {
			c.owner.Addr = a
		}
		switch {
		case c.state.Alive():
			c.was, c.state = c.state, beat.Unknown
			c.until = now.Mono + max(c.interval+beat.HostGrace(c.interval), r.o.WarmUp)
		case c.state == beat.Stopped:
			c.until = now.Mono + byeLasts
		}
		r.settle(h)
	}
	r.loadLan(now, e.Lan)
}
