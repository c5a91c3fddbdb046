package roster

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// host is what is known of a host and not touched by a steady beat.
type host struct {
	id     beat.HostID
	state  beat.HostState
	was    beat.HostState // while it is unknown: what it was before the relay's start
	number beat.Number
	reason beat.Reason
	since  time.Duration // when it entered its state

	interval time.Duration
	saved    time.Duration // the interval that the journal knows
	status   beat.Status
	message  string
	version  string

	// owner carried the last beat. live says that it is a connection that has
	// not ended; over HTTP, and after its end, the address is the owner.
	owner Source
	live  bool
	// heir is a connection from the owner's address whose will names the host;
	// no beat came since. foreign says that one from another address was
	// seen since the last beat: anyone can say that, so it holds the loss off for
	// one more blip, once.
	heir    uint64
	foreign bool
	// rival is the live connection that carried the host before owner did; Conn
	// is 0 if there is none.
	rival Source
	// clash is when rival and owner were both seen beating; clashed that it ever was.
	clash   time.Duration
	clashed [2]netip.Addr

	flap flap

	// lost is why the host's connection is over, and lostAt when that counts.
	lost   beat.Reason
	lostAt time.Duration
	// until is when an unknown or stopped host is missing.
	until time.Duration

	// back says that it vanished with the LAN that is dead, and came back.
	back bool
	// seenMissing says that it was alive in this start before it went missing.
	seenMissing bool

	// fresh says that the host has beaten since the relay's start; before,
	// lastWall is its last beat as the journal knows it (Unix, ms; 0: unknown).
	fresh    bool
	lastWall int64

	// want waits for a number, if waits is true; retire likewise.
	want    beat.HostState
	wantWhy beat.Reason
	waits   bool
	retire  bool
}

// owns says whether the connection is the host's: the one that carried its
// last beat.
func (c *host) owns(from Source) bool {
	if from.Conn != 0 {
		return from.Conn == c.owner.Conn
	}
	return c.owner.Conn == 0 && from.Addr == c.owner.Addr
}

// mayBye is owns, and besides the same address where no connection of the host
// lives: a register that makes a connection for each message says bye too.
func (c *host) mayBye(from Source) bool {
	return c.owns(from) || !c.live && c.owner.Addr.IsValid() && from.Addr == c.owner.Addr
}

// add makes room for a host and returns its handle.
func (r *Roster) add(id beat.HostID) int {
	h := len(r.hosts)
	if n := len(r.free); n > 0 {
		h, r.free = r.free[n-1], r.free[:n-1]
		r.hosts[h], r.hot[h] = host{}, hot{}
	} else {
		r.hosts, r.hot = append(r.hosts, host{}), append(r.hot, hot{})
	}
	r.hosts[h].id = id
	r.byID[id] = h
	at, _ := slices.BinarySearchFunc(r.order, id, r.compareID)
	r.order = slices.Insert(r.order, at, h)
	r.version++
	return h
}

func (r *Roster) compareID(h int, id beat.HostID) int {
	return strings.Compare(string(r.hosts[h].id), string(id))
}

func (r *Roster) remove(h int) {
	id := r.hosts[h].id
	at, _ := slices.BinarySearchFunc(r.order, id, r.compareID)
	r.order = slices.Delete(r.order, at, at+1)
	delete(r.byID, id)
	r.hosts[h], r.hot[h] = host{}, hot{}
	r.free = append(r.free, h)
	r.version++
}

// settle refreshes what a steady beat relies on, after anything else changed.
func (r *Roster) settle(h int) {
	c := &r.hosts[h]
	r.hot[h].steady = c.state.Alive() && c.lost == 0 && !c.waits && !c.retire && !c.flap.held && c.heir == 0
	r.next = min(r.next, r.due(h), r.hosts[h].flap.calmDue())
}

// due is when the host is missing if nothing comes.
func (r *Roster) due(h int) time.Duration {
	c := &r.hosts[h]
	if c.waits || c.retire || r.starved() {
		return never // Numbers looks again
	}
	var at time.Duration
	switch {
	case c.state.Alive():
		at = r.hot[h].due()
		if c.lost != 0 && c.heir == 0 {
			at = min(at, c.lostAt)
		}
	case c.state == beat.Unknown || c.state == beat.Stopped:
		at = c.until
	default:
		return never
	}
	return max(at, r.floor, c.since)
}

// deadline is one that comes due: a host's, or the LAN's where h is lanDue.
type deadline struct {
	at   time.Duration
	h    int
	calm bool // the host has not changed for long
}

const lanDue = -1

// earliest is the first deadline; of those at one instant the hosts' in the
// order of their ids, then the LAN's.
func (r *Roster) earliest() deadline {
	first := deadline{at: never}
	for _, h := range r.order {
		if at := r.due(h); at < first.at {
			first = deadline{at: at, h: h}
		}
		if at := r.hosts[h].flap.calmDue(); at < first.at {
			first = deadline{at: at, h: h, calm: true}
		}
	}
	if at := r.lan.due(r.o.Blip); at < first.at {
		first = deadline{at: at, h: lanDue}
	}
	return first
}

// expire takes the deadlines up to now in their order. Each transition is
// dated by its deadline, so that one late Step equals many punctual ones.
func (r *Roster) expire(now beat.Now, out []Out) []Out {
	for {
		d := r.earliest()
		r.next = d.at
		switch {
		case d.at > now.Mono || d.at == never:
			return out
		case d.h == lanDue:
			out = r.expireLan(now, d.at, out)
		case d.calm:
			out = r.calmed(d.h, out)
		default:
			out = r.change(now, d.at, d.h, beat.Missing, r.silence(d.h, d.at), d.at-r.hot[d.h].last, out)
		}
	}
}

// silence is why a host whose deadline is over is missing.
func (r *Roster) silence(h int, at time.Duration) beat.Reason {
	c := &r.hosts[h]
	switch {
	case c.state == beat.Unknown:
		return beat.DidNotReturn
	case c.state.Alive() && c.lost != 0 && c.heir == 0 && c.lostAt <= at:
		return c.lost
	default:
		return beat.Deadline
	}
}

// change puts the host into a state with a new number, or remembers to as soon
// as there is one. at is when it happened, silent how long before that the last
// beat came.
func (r *Roster) change(now beat.Now, at time.Duration, h int, to beat.HostState, why beat.Reason, silent time.Duration, out []Out) []Out {
	c := &r.hosts[h]
	var n beat.Number
	if n, out = r.number(out); n == 0 {
		c.want, c.wantWhy, c.waits = to, why, true
		r.settle(h)
		return out
	}
	was, before, isNew := c.state, c.number, c.number == 0
	c.state, c.reason, c.number, c.since = to, why, n, at
	c.was, c.waits, c.saved = 0, false, c.interval
	if !to.Alive() {
		c.lost, c.heir, c.foreign = 0, 0, false
		c.flap.claim = beat.Unknown
	}
	if to == beat.Stopped {
		c.until = at + byeLasts
	}
	c.seenMissing = to == beat.Missing && was.Alive()
	r.version++
	r.settle(h)
	out = append(out, &Changed{Transition: r.transition(now, at, h, silent), Record: r.record(now, h), New: isNew})
	if !isNew {
		out = r.flapped(at, h, out)
	}
	switch {
	case c.seenMissing:
		out = r.vanished(now, at, out)
	case was == beat.Missing:
		out = r.lanHeard(now, at, h, before, out)
	}
	return out
}

func (r *Roster) transition(now beat.Now, at time.Duration, h int, silent time.Duration) beat.Transition {
	c := &r.hosts[h]
	return beat.Transition{
		Number: c.number, Host: c.id, State: c.state, Reason: c.reason,
		MonoMs: ms(at), WallMs: now.At(at).UnixMilli(), SilentMs: ms(silent),
		IntervalMs: uint32(c.interval.Milliseconds()), Message: c.message, //nolint:gosec // at most MaxInterval
	}
}

func (r *Roster) record(now beat.Now, h int) Record {
	c := &r.hosts[h]
	rec := Record{
		Host: c.id, State: c.state, Number: c.number, Reason: c.reason,
		IntervalMs: uint32(c.interval.Milliseconds()), LastBeatMs: r.lastWall(now, h), //nolint:gosec // at most MaxInterval
		Status: c.status, Message: c.message,
	}
	if c.state == beat.Unknown {
		rec.State = c.was
	}
	if c.owner.Addr.IsValid() {
		rec.Addr = c.owner.Addr.String()
	}
	return rec
}

// lastWall dates the last beat on the relay's wall clock, for people.
func (r *Roster) lastWall(now beat.Now, h int) int64 {
	if c := &r.hosts[h]; !c.fresh {
		return c.lastWall
	}
	return now.At(r.hot[h].last).UnixMilli()
}

// ms is a duration that is not below 0, in ms.
func ms(d time.Duration) uint64 { return uint64(max(0, d.Milliseconds())) } //nolint:gosec // not below 0
