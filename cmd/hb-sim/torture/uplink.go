package torture

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

const (
	reportEvery = 15 * time.Second
	ackTimeout  = 10 * time.Second
	dialTimeout = 5 * time.Second
	coalesce    = 250 * time.Millisecond
)

// uplinks are a relay's connections to both regions.
type uplinks struct {
	r     *relay
	each  [2]session
	home  beat.Region
	known beat.Epoch
	// batch is the last number in flight, by which region.
	batch   beat.Number
	batchTo int
	batchAt time.Duration
	renewed bool
	trusted bool
	gen     int
}

// session is one connection to one region.
type session struct {
	conn     *conn
	to       int
	epoch    beat.Epoch
	seq      beat.Seq
	open     bool // accepted
	acked    bool // the birth was
	waits    bool // for a PUBACK
	waitSeq  uint64
	sentAt   time.Duration
	dirty    time.Duration // since when; 0: no change
	asked    bool
	hash     uint64
	sentHash uint64
	whole    time.Duration
	exceed   beat.Epoch
	failures int
	rebirths int
	lastAck  time.Duration
	gen      int
	armed    time.Duration // when it looks again; 0: never
}

func (u *uplinks) start(r *relay) {
	*u = uplinks{r: r, gen: u.gen + 1, known: r.disk.EpochTop(), trusted: r.disk.Acked()}
	for i := range u.each {
		u.each[i] = session{to: i, gen: u.each[i].gen + 1, lastAck: -1}
		u.retry(&u.each[i], r.w.rng.between(0, time.Second))
	}
}

func (u *uplinks) retry(s *session, d time.Duration) {
	gen := s.gen
	u.r.later(d, func() {
		if s.gen == gen && s.conn == nil {
			u.dial(s)
		}
	})
}

func (u *uplinks) dial(s *session) {
	r := u.r
	e, err := r.disk.NextEpoch(s.exceed)
	if err != nil {
		u.failed(s)
		return
	}
	u.known = max(u.known, e)
	s.epoch, s.seq, s.open, s.acked, s.waits, s.hash = e, 0, false, false, false, 0
	s.conn = r.paths[s.to].dial(r.who, beat.Death{V: beat.Wire, Incarnation: r.disk.incarnation, Boot: r.boot, Epoch: e})
	if s.conn == nil {
		u.failed(s)
		return
	}
	r.w.truth.connects(r, s.to)
	c := s.conn
	r.later(dialTimeout, func() {
		if s.conn == c && !s.open {
			c.close(false)
			u.failed(s)
		}
	})
}

func (u *uplinks) failed(s *session) {
	s.conn, s.open = nil, false
	limit := min(30*time.Second, time.Second<<min(s.failures, 6))
	s.failures++
	if u.batchTo == s.to {
		u.batch = 0
	}
	u.retry(s, u.r.w.rng.between(0, limit))
}

func (u *uplinks) drop(kill bool) {
	for i := range u.each {
		s := &u.each[i]
		s.gen++
		if s.conn == nil {
			continue
		}
		if kill {
			s.conn.close(false)
		} else {
			s.conn.vanish()
		}
		s.conn = nil
	}
}

func (u *uplinks) receive(c *conn, k packet) {
	for i := range u.each {
		if s := &u.each[i]; s.conn == c {
			u.take(s, k)
			return
		}
	}
}

func (u *uplinks) take(s *session, k packet) {
	switch k.kind {
	case packetConnack:
		s.open = true
		u.report(s, beat.Birth)
	case packetEnd:
		u.failed(s)
	case packetPuback:
		if s.waits && k.seq == s.waitSeq {
			s.waits, s.lastAck, s.hash = false, u.r.w.now, s.sentHash
			u.look(s)
		}
	case packetAck:
		a, err := beat.DecodeAck(k.raw)
		if err != nil {
			u.r.w.fail(err.Error())
			return
		}
		u.ack(s, a)
	case packetCommand:
		c, err := beat.DecodeCommand(k.raw)
		if err != nil {
			u.r.w.fail(err.Error())
			return
		}
		u.obey(s, c)
	}
}

func (u *uplinks) ack(s *session, a beat.Ack) {
	d := u.r.disk
	if a.Incarnation != d.incarnation {
		return
	}
	if !s.acked && a.Epoch == s.epoch {
		if a.Top > u.r.roster.Given() {
			u.restored(s)
			u.r.numbers(a.Top, true)
			if a.Incarnation != d.incarnation {
				s.conn.close(true)
				s.conn = nil
				u.retry(s, 0)
				return
			}
		}
		s.acked, s.failures, s.rebirths = true, 0, 0
		_ = d.NoteAcked()
		u.trusted = true
		u.home = a.Home
	}
	if a.Through > 0 {
		_ = d.Free(a.Through)
		if a.Through >= u.batch {
			u.batch = 0
		}
	}
	u.look(s)
}

func (u *uplinks) restored(*session) {
	if !u.renewed && u.trusted {
		u.renewed = true
		_, _ = u.r.disk.Renew()
	}
}

func (u *uplinks) obey(s *session, c beat.Command) {
	switch c.Order {
	case beat.Rebirth:
		if c.Exceed < s.epoch {
			return
		}
		s.exceed = max(s.exceed, c.Exceed)
		if c.Exceed > u.known {
			u.restored(s)
		}
		s.conn.close(true)
		s.conn, s.open = nil, false
		s.rebirths++
		if s.rebirths <= 2 {
			u.retry(s, 0)
		} else {
			u.failed(s)
		}
	case beat.SendPicture:
		s.asked = true
		u.look(s)
	case beat.Forget:
		u.r.deliver(&roster.Forget{Host: c.Host})
	}
}

func (u *uplinks) changed() {
	for i := range u.each {
		if s := &u.each[i]; s.dirty == 0 {
			s.dirty = u.r.w.now
			u.look(s)
		}
	}
}

func (u *uplinks) written() {
	for i := range u.each {
		u.look(&u.each[i])
	}
}

func (u *uplinks) tick() { u.written() }

// look sends what is due, and looks again later.
func (u *uplinks) look(s *session) {
	if s.conn == nil || !s.open || s.seq == 0 {
		return
	}
	w := u.r.w
	if s.waits {
		if w.now-s.sentAt < ackTimeout {
			u.arm(s, s.sentAt+ackTimeout)
			return
		}
		s.conn.close(false)
		u.failed(s)
		return
	}
	at := s.sentAt + reportEvery
	if s.dirty != 0 {
		at = min(at, s.dirty+coalesce)
	}
	if s.asked || s.acked && u.due(s) {
		at = w.now
	}
	if at <= w.now {
		u.report(s, beat.Steady)
		return
	}
	u.arm(s, at)
}

// arm lets a session look again, unless it does so earlier.
func (u *uplinks) arm(s *session, at time.Duration) {
	w := u.r.w
	at = max(at, w.now)
	if s.armed != 0 && s.armed <= at {
		return
	}
	s.armed = at
	gen := s.gen
	u.r.later(at-w.now, func() {
		if s.gen != gen || s.armed != at {
			return
		}
		s.armed = 0
		u.look(s)
	})
}

func (u *uplinks) due(s *session) bool {
	if u.batch != 0 && u.r.w.now-u.batchAt < ackTimeout || len(u.r.disk.entries) == 0 {
		return false
	}
	home := u.r.w.names[s.to] == u.home
	o := &u.each[1-s.to]
	return home || !o.acked || o.conn == nil || u.batch != 0 && u.batchTo != s.to
}

func (u *uplinks) report(s *session, kind beat.Kind) {
	r, w := u.r, u.r.w
	p := r.roster.Picture(r.clock())
	s.seq++
	rep := beat.Report{
		V: beat.Wire, Kind: kind, Store: r.who.Store, Relay: r.who.Relay, Incarnation: s.conn.death.Incarnation, Boot: r.boot,
		Epoch: s.epoch, Seq: s.seq, MonoMs: uint64(r.clock().Mono.Milliseconds()), ReportEveryMs: uint32(reportEvery.Milliseconds()),
		KeepaliveMs: uint32(keepalive.Milliseconds()), Hash: p.Hash(),
	}
	o := &u.each[1-s.to]
	age := uint64(1<<32 - 1)
	if o.lastAck >= 0 {
		age = uint64((w.now - o.lastAck).Milliseconds())
	}
	rep.Others = []beat.Witness{{Region: w.names[1-s.to], Session: o.acked && o.conn != nil, AckAgeMs: age}}
	if kind == beat.Birth || s.asked || rep.Hash != s.hash || w.now-s.whole > 10*time.Minute {
		rep.Picture, s.whole, s.asked = &p, w.now, false
	}
	if kind == beat.Steady && s.acked && u.due(s) {
		rep.Journal, _ = r.disk.Batch(0, 20<<10, beat.MaxBatch)
		if n := len(rep.Journal); n > 0 {
			last := rep.Journal[n-1]
			u.batch, u.batchTo, u.batchAt = max(last.Number, last.Until), s.to, w.now
		}
	}
	s.dirty, s.sentAt, s.sentHash = 0, w.now, rep.Hash
	s.waits, s.waitSeq = true, uint64(s.seq)
	c := s.conn
	k := packet{kind: packetReport, seq: uint64(s.seq)}
	if rep.Picture == nil && rep.Journal == nil && !w.rng.one(4) {
		k.report = &rep // most steady ones are not really written, for speed
	} else {
		k.raw = rep.Encode()
	}
	c.up(k)
	u.arm(s, w.now+ackTimeout)
}
