package torture

import (
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/schedule"
	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/roster"
	"github.com/hb-mesh/hb-mesh/relay/wan"
)

const (
	reportEvery = 15 * time.Second
	ackTimeout  = 10 * time.Second
	dialTimeout = 5 * time.Second
	// batchTimeout is how long a batch of the journal may lack its ack.
	batchTimeout = 10 * time.Second
	// firstWait and mostWait bound the pause before a connection.
	firstWait, mostWait = time.Second, 30 * time.Second
	// neverAcked is the age of a PUBACK that never came.
	neverAcked = 1<<32 - 1
	// entrySize is about what an entry of the journal takes, in bytes.
	entrySize = 100
)

// times are those of the shipped relay.
func times() wan.Times {
	return wan.Times{
		ReportEvery: reportEvery, Keepalive: keepalive, AckTimeout: ackTimeout,
		Coalesce: 250 * time.Millisecond, PictureEvery: 10 * time.Minute,
	}
}

// uplinks are a relay's connections to both regions: the twin of package uplink
// around what package wan decides.
type uplinks struct {
	r       *relay
	each    [2]uplink
	courier *wan.Courier
	past    wan.Past
	// restarts says that a goodbye is for a moment only.
	restarts bool
}

// uplink is the connection to one region.
type uplink struct {
	u  *uplinks
	to int

	session *wan.Session // nil: there is no connection
	conn    *conn
	sent    uint64 // numbers the reports on their way
	unacked int    // those that lack their PUBACK
	retry   wan.Retry
	limit   wan.Limiter
	silent  time.Duration // until when it gets no entries
	exceed  beat.Epoch    // the next epoch must exceed it
	known   bool          // the region acked this incarnation in this boot
	lastAck time.Duration
	open    bool
	bye     bool // it said goodbye

	gen   int           // what an older one began ends in nothing
	armed time.Duration // when it looks again; 0: never
}

// start begins a boot: each region is dialled within a second.
func (u *uplinks) start(r *relay) {
	gens := [2]int{u.each[0].gen + 1, u.each[1].gen + 1}
	*u = uplinks{r: r, courier: wan.NewCourier(r.w.names, batchTimeout), past: wan.NewPast(r.disk.EpochTop(), r.disk.Acked())}
	for i := range u.each {
		l := &u.each[i]
		*l = uplink{u: u, to: i, gen: gens[i], lastAck: -1}
		l.dialAfter(r.w.rng.between(0, time.Second))
	}
}

func (l *uplink) dialAfter(d time.Duration) {
	gen := l.gen
	l.u.r.later(d, func() {
		if l.gen == gen && l.conn == nil {
			l.dial()
		}
	})
}

func (l *uplink) dial() {
	gen := l.gen
	l.u.r.reaches(schedule.Reserves, l.to, func() {
		if l.gen == gen && l.conn == nil && !l.u.r.leaving {
			l.connect()
		}
	})
}

// connect opens a connection under an epoch of its own.
func (l *uplink) connect() {
	u := l.u
	r := u.r
	e, err := r.disk.NextEpoch(l.exceed)
	if err != nil {
		l.over(false)
		return
	}
	u.past.Gave(e)
	inc := r.disk.Incarnation()
	l.conn = r.paths[l.to].dial(r.who, beat.Death{V: beat.Wire, Incarnation: inc, Boot: r.boot, Epoch: e})
	if l.conn == nil {
		l.over(false)
		return
	}
	r.w.truth.connects(r, l.to)
	c := l.conn
	r.later(dialTimeout, func() {
		if l.conn == c && l.session == nil {
			c.close(false)
			l.over(false)
		}
	})
}

// over is the end of a connection, or of the attempt: the next one follows.
func (l *uplink) over(reborn bool) {
	settled := l.session != nil && l.session.Acked()
	if l.session != nil {
		l.u.courier.Closed(l.to)
	}
	l.conn, l.session, l.open, l.unacked = nil, nil, false, 0
	l.gen++
	l.armed = 0
	l.dialAfter(l.retry.Wait(settled, reborn, firstWait, mostWait, l.u.r.w.rng.unit()))
	l.u.other(l).look()
}

func (u *uplinks) other(l *uplink) *uplink { return &u.each[1-l.to] }

// drop ends all connections with the process: kill says that its sockets close.
func (u *uplinks) drop(kill bool) {
	for i := range u.each {
		l := &u.each[i]
		l.gen++
		if l.conn == nil {
			continue
		}
		if kill {
			l.conn.close(false)
		} else {
			l.conn.vanish()
		}
		l.conn, l.session = nil, nil
	}
}

// receive takes what a region sent.
func (u *uplinks) receive(c *conn, k packet) {
	for i := range u.each {
		if l := &u.each[i]; l.conn == c {
			l.take(k)
			return
		}
	}
}

func (l *uplink) take(k packet) {
	w := l.u.r.w
	switch k.kind {
	case packetConnack:
		c := l.conn
		l.u.r.reaches(schedule.Births, l.to, func() {
			if l.conn == c {
				l.session = wan.NewSession(times(), c.death.Incarnation, c.death.Epoch)
				l.send(beat.Birth)
			}
		})
	case packetEnd:
		l.lost()
	case packetPuback:
		l.unacked = 0
		if l.session != nil && l.session.Waiting() && k.seq == l.sent {
			_, entries := l.session.Pubacked()
			l.lastAck = w.now
			if entries > 0 {
				l.limit.Taken()
			}
			l.look()
		}
	case packetAck:
		a, err := beat.DecodeAck(k.raw)
		if err != nil {
			w.fail("an ack cannot be read: " + err.Error())
			return
		}
		l.ack(a)
	case packetCommand:
		c, err := beat.DecodeCommand(k.raw)
		if err != nil {
			w.fail("a command cannot be read: " + err.Error())
			return
		}
		l.obey(c)
	}
}

// lost is the end of a connection that the relay did not want.
func (l *uplink) lost() {
	if l.session != nil {
		if entries := l.session.Refused(l.u.r.w.now); entries > 0 && l.limit.Refused(entries) {
			l.silence()
		}
	}
	l.over(false)
}

// ack takes a region's ack: the first of the epoch opens the session.
func (l *uplink) ack(a beat.Ack) {
	u := l.u
	d := u.r.disk
	if l.session == nil || a.Incarnation != d.Incarnation() {
		return
	}
	if l.session.Births(a) {
		if a.Top > u.r.roster.Given() {
			u.restored(l)
			u.r.numbers(a.Top, true)
		}
		if a.Incarnation != d.Incarnation() {
			l.look() // its will names the old one
			return
		}
		l.known = true
		_ = d.NoteAcked() // a full disk: it is noted at the next birth
		u.courier.Opened(l.to, a.Home)
		if a.Incarnation == l.session.Incarnation {
			l.session.Opened()
			l.open = true
		}
	}
	if a.Through > 0 {
		u.r.reaches(schedule.Frees, l.to, func() { l.free(a) })
		return
	}
	u.look()
}

// restored makes a new incarnation where this one's disk is a copy.
func (u *uplinks) restored(l *uplink) {
	if !u.past.Renews(l.known) {
		return
	}
	if _, err := u.r.disk.Renew(); err != nil {
		u.past.Failed()
		return
	}
	u.courier.Reset()
	u.r.later(0, u.look)
}

func (l *uplink) obey(c beat.Command) {
	if l.session == nil {
		return
	}
	switch c.Order {
	case beat.Rebirth:
		if !l.session.Obeys(c) {
			return
		}
		l.exceed = max(l.exceed, c.Exceed)
		if l.u.past.Beyond(c.Exceed) {
			l.u.restored(l)
		}
		l.conn.close(true)
		l.over(true)
	case beat.SendPicture:
		l.session.Ask()
		l.look()
	case beat.Forget:
		l.u.r.deliver(&roster.Forget{Host: c.Host})
	}
}

// changed says that the picture has news, written that the journal has.
func (u *uplinks) changed() {
	for i := range u.each {
		if s := u.each[i].session; s != nil {
			s.Changed(u.r.w.now)
		}
	}
	u.look()
}

func (u *uplinks) written() { u.look() }

func (u *uplinks) tick() { u.look() }

func (u *uplinks) look() {
	for i := range u.each {
		u.each[i].look()
	}
}

// look does what is due, and looks again when something may be.
func (l *uplink) look() {
	s := l.session
	if s == nil {
		return
	}
	now := l.u.r.w.now
	switch {
	case l.u.r.leaving:
		l.part()
		return
	case l.u.r.disk.Incarnation() != s.Incarnation:
		l.conn.close(true)
		l.over(true)
		return
	case s.Overdue(now):
		l.conn.close(false)
		l.over(false)
		return
	case s.Due(now, l.turn):
		l.send(beat.Steady)
		return
	}
	next := s.Next()
	if at, ok := l.u.courier.Next(); ok && s.Gathers() {
		next = min(next, at)
	}
	l.arm(next)
}

// arm lets the uplink look again, unless it does so earlier.
func (l *uplink) arm(at time.Duration) {
	w := l.u.r.w
	at = max(at, w.now)
	if l.armed != 0 && l.armed <= at {
		return
	}
	l.armed = at
	gen := l.gen
	l.u.r.later(at-w.now, func() {
		if l.gen != gen || l.armed != at {
			return
		}
		l.armed = 0
		l.look()
	})
}

// send makes the newest report and sends it.
func (l *uplink) send(kind beat.Kind) {
	u, s := l.u, l.session
	r, w := u.r, u.r.w
	p := r.roster.Picture(r.clock())
	f := wan.Facts{
		Identity: r.who, Boot: r.boot, Mono: r.clock().Mono, Picture: &p, Others: []beat.Witness{u.other(l).witness()}, Restart: u.restarts,
	}
	f.Depth, f.Lost = r.disk.Backlog()
	rep := s.Compose(w.now, kind, f)
	entries := 0
	if s.TakesJournal(kind) && l.turn() {
		entries = l.addJournal(rep)
	}
	s.Sent(w.now, rep, entries)
	l.sent++
	l.unacked++
	w.truth.bounded("reports without a PUBACK", l.unacked, mostReports)
	k := packet{kind: packetReport, seq: l.sent}
	if rep.Picture == nil && rep.Journal == nil && !w.rng.one(8) {
		k.report = rep // most steady ones are not really written, for speed
	} else {
		k.raw = rep.Encode()
	}
	l.conn.up(k)
	l.arm(w.now + ackTimeout)
}

// witness is what the relay tells the other region of this one.
func (l *uplink) witness() beat.Witness {
	w := l.u.r.w
	x := beat.Witness{Region: w.names[l.to], Session: l.open, AckAgeMs: neverAcked}
	if l.lastAck >= 0 {
		x.AckAgeMs = uint64((w.now - l.lastAck).Milliseconds()) //nolint:gosec // time goes on
	}
	return x
}

// silent says whether the regions get no entries for a while, since they seemed to
// refuse them: then the journal waits for so long.
func (u *uplinks) silent() bool { return max(u.each[0].silent, u.each[1].silent) > u.r.w.now }
