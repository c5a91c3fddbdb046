package wan

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// ListHead is what CBOR needs for a report's list of entries itself, in bytes.
const ListHead = 8

// Times are when a session reports.
type Times struct {
	// ReportEvery is the promise to the region: no report is later than that.
	ReportEvery time.Duration
	// Keepalive is MQTT's; a report tells it.
	Keepalive time.Duration
	// AckTimeout is how long a report may lack its PUBACK.
	AckTimeout time.Duration
	// Coalesce is how long a change waits for others to share its report.
	Coalesce time.Duration
	// PictureEvery is how often a whole picture leaves without a change.
	PictureEvery time.Duration
}

// Session is one connection to a region, from its birth to its end. One report
// is on its way at a time: while it lacks its PUBACK, changes gather in the
// picture, and the newest leaves next.
type Session struct {
	// Incarnation and Epoch are those of the connection's Last-Will.
	Incarnation beat.Incarnation
	Epoch       beat.Epoch

	times Times
	seq   beat.Seq
	// acked says that the region acked the birth.
	acked   bool
	waiting dispatch

	dirty      bool // a change waits, since then
	dirtySince time.Duration
	asked      bool          // the region wants the whole picture
	sent       time.Duration // the last report
	pictured   time.Duration // the last whole picture
	hash       uint64        // of the picture that the region has; 0 is none
}

// dispatch is a report on its way.
type dispatch struct {
	out     bool
	sent    time.Duration
	whole   bool
	hash    uint64
	entries int // bytes of them
}

// NewSession begins a connection that was opened under an epoch of its own.
func NewSession(t Times, inc beat.Incarnation, epoch beat.Epoch) *Session {
	return &Session{times: t, Incarnation: inc, Epoch: epoch}
}

// Changed says that the picture or the journal has news.
func (s *Session) Changed(now time.Duration) {
	if !s.dirty {
		s.dirty, s.dirtySince = true, now
	}
}

// Acked says whether the region acked the birth.
func (s *Session) Acked() bool { return s.acked }

// Waiting says whether a report lacks its PUBACK.
func (s *Session) Waiting() bool { return s.waiting.out }

// Overdue says whether the PUBACK is so late that the connection is dead.
func (s *Session) Overdue(now time.Duration) bool {
	return s.waiting.out && now-s.waiting.sent >= s.times.AckTimeout
}

// Due says whether a report should leave now. batch says whether it is this
// region's turn to get entries, and there are some; it is asked only if the rest
// leaves that open.
func (s *Session) Due(now time.Duration, batch func() bool) bool {
	switch {
	case s.waiting.out:
		return false
	case s.asked, now-s.sent >= s.times.ReportEvery:
		return true
	case s.dirty:
		return now-s.dirtySince >= s.times.Coalesce // the journal's entries share that report
	default:
		return s.acked && batch()
	}
}

// Gathers says whether Due asks for a batch now: only then does the courier's
// clock matter. Else an overdue batch of another link would be looked at over and
// over.
func (s *Session) Gathers() bool { return s.acked && !s.dirty && !s.waiting.out }

// Next is when Due or Overdue may change by the passing of time alone, but for
// the courier's turns.
func (s *Session) Next() time.Duration {
	if s.waiting.out {
		return s.waiting.sent + s.times.AckTimeout
	}
	next := s.sent + s.times.ReportEvery
	if s.dirty {
		next = min(next, s.dirtySince+s.times.Coalesce)
	}
	return next
}

// Facts are what a report is made of besides the session.
type Facts struct {
	Identity beat.Identity
	Boot     beat.Boot
	Software string
	Mono     time.Duration // the relay's clock
	Picture  *beat.Picture
	Others   []beat.Witness
	// Depth and Lost are the journal's.
	Depth, Lost uint64
	// Restart says of a bye that the relay is back at once.
	Restart bool
}

// Compose makes the next report, with the whole picture where it is due. The
// caller may add entries, if TakesJournal says so, and must say Sent.
func (s *Session) Compose(now time.Duration, kind beat.Kind, f Facts) *beat.Report {
	s.seq++
	r := &beat.Report{
		V: beat.Wire, Kind: kind, Store: f.Identity.Store, Relay: f.Identity.Relay,
		Incarnation: s.Incarnation, Boot: f.Boot, Epoch: s.Epoch, Seq: s.seq,
		MonoMs:        uint64(max(0, f.Mono.Milliseconds())),
		ReportEveryMs: uint32(s.times.ReportEvery.Milliseconds()), //nolint:gosec // at most a day
		KeepaliveMs:   uint32(s.times.Keepalive.Milliseconds()),   //nolint:gosec // at most 12 h
		JournalDepth:  f.Depth, JournalLost: f.Lost,
		Others: f.Others, Hash: f.Picture.Hash(),
	}
	switch kind {
	case beat.Birth:
		r.Software = f.Software
	case beat.Goodbye:
		r.Restart = f.Restart
	case beat.Steady:
	}
	if kind == beat.Birth || s.asked || r.Hash != s.hash || now-s.pictured >= s.times.PictureEvery {
		r.Picture = f.Picture
	}
	return r
}

// TakesJournal says whether a report of a kind may carry entries.
func (s *Session) TakesJournal(kind beat.Kind) bool { return kind == beat.Steady && s.acked }

// Sent says that a report that Compose made left, with so many bytes of entries.
func (s *Session) Sent(now time.Duration, r *beat.Report, entries int) {
	s.waiting = dispatch{out: true, sent: now, hash: r.Hash, whole: r.Picture != nil, entries: entries}
	if r.Picture != nil {
		s.asked, s.pictured = false, now
	}
	s.dirty, s.sent = false, now
}

// Pubacked takes the PUBACK of the report on its way, and says when that was
// sent, and how many bytes of entries it had.
func (s *Session) Pubacked() (sent time.Duration, entries int) {
	d := s.waiting
	s.waiting = dispatch{}
	if d.whole {
		s.hash = d.hash
	}
	return d.sent, d.entries
}

// Refused is how many bytes of entries a region may refuse by closing the
// connection now, its only way to: those that left shortly before. A path that
// breaks later says nothing of them.
func (s *Session) Refused(now time.Duration) (entries int) {
	if now-s.waiting.sent > refusesWithin {
		return 0
	}
	return s.waiting.entries
}

// Births says whether an ack is the one that opens this session: the first of
// its epoch. Opened has to follow if nothing speaks against it.
func (s *Session) Births(a beat.Ack) bool { return a.Epoch == s.Epoch && !s.acked }

// Opened says that the region has acked the birth.
func (s *Session) Opened() { s.acked = true }

// Ask notes that the region wants the whole picture.
func (s *Session) Ask() { s.asked = true }

// Obeys says whether an order to be reborn is for this connection: not for one
// before it.
func (s *Session) Obeys(c beat.Command) bool { return c.Exceed >= s.Epoch }
