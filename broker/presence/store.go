package presence

import (
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// session is the state of a relay's session in this region.
type session uint8

const (
	sessionNone  session = iota // never seen by this node
	sessionOpen                 // born, and not ended
	sessionEnded                // ended, or silent for too long
)

// store is what this region knows of one store.
type store struct {
	id   beat.StoreID
	home bool // this region is its home

	// The relay's session here.
	relay       beat.RelayID // "" while none is enrolled
	retired     []beat.RelayID
	session     session
	conn        Conn
	incarnation beat.Incarnation
	boot        beat.Boot
	boots       []beat.Boot      // those before boot, oldest first
	renewed     beat.Incarnation // the one that boot had before; a relay makes a new one once per boot
	epoch       beat.Epoch
	seq         beat.Seq
	software    string
	every       time.Duration // reportEvery
	clock       offset
	bornAt      time.Duration // when its session opened
	lastMonoMs  uint64
	lastReport  time.Duration // on our clock
	lastLife    time.Time     // the last proof of life, for people
	suspectAt   time.Duration // when the session became suspect
	opened      bool          // it had a session here, by memory or table
	openAt      time.Duration // when that was last, while none is open
	back        bool          // it came back since the settling began
	stopped     bool
	restarts    bool // the goodbye is a restart's
	stoppedAt   time.Duration
	returnAt    time.Time // what the goodbye promises
	byeExpired  bool      // since the last birth
	rebirths    int
	journalLost uint64
	depth       uint64
	top         beat.Number
	conflict    *conflict

	// What its relay knows of the other region.
	witness    bool
	aloneSince time.Duration // since which report its relay has no session there; 0: it has one
	ackAge     time.Duration

	// Its hosts, and the relay's picture of them.
	hash     uint64
	pictured beat.Incarnation // whose picture it is
	hosts    []host
	order    []uint16 // of hosts, by their ids
	waiting  bool     // a host waits for the other region's word
	lan      lan

	// What the other region says of the store.
	theirs    StoreView
	lostThere time.Duration // when the other region last said that it lost a store that is open here; 0: not lately
	opens     int           // how many answers since our loss said open
	bypassed  bool          // it said since our loss that the relay alone is dead: hosts beat there by themselves
	onlyThere bool          // since our loss it was open there: what became of it, only that region knows
	askAt     time.Duration // when the next question is due
	asking    uint64        // the question in flight
	wantsAsk  bool          // is in the list of those that want to ask
	deafSince time.Duration // the first question without an answer since the last one; 0: none

	// The judgement.
	state   State
	reason  Reason
	stateAt time.Time
	cond    Condition
	tally   tally

	// Who is expected (P11).
	declared *setting.Store
	adopts   bool // a new host pages people at once
	days     days
	expect   *expectation

	// Bookkeeping.
	dueAt     time.Duration
	dueIdx    int
	touched   bool
	saveNow   bool
	lossSaved bool
	saveHosts bool
	savedAt   time.Duration
}

func (p *Presence) store(id beat.StoreID) *store {
	s := p.stores[id]
	if s == nil {
		s = &store{
			id: id, home: p.isHome(id), declared: p.settings.Store(id), adopts: p.settings.Adopts(id),
			dueIdx: -1, dueAt: never, savedAt: p.now.Mono, stateAt: p.now.Wall,
		}
		p.stores[id] = s
	}
	return s
}

// report takes an envelope: a birth opens a session, a report keeps it, a bye
// ends it on purpose.
func (p *Presence) report(e *Report) {
	r := e.Report
	if why := checkReport(r); why != NotRefused {
		p.emit(&Refused{ID: r.Identity(), Reason: why})
		return
	}
	if r.Kind == beat.Birth {
		p.birth(e.Conn, r)
		return
	}
	s := p.stores[r.Store]
	if s == nil || s.session != sessionOpen || s.conn != e.Conn || s.epoch != r.Epoch || s.incarnation != r.Incarnation {
		p.notOpen(e.Conn, r, s)
		return
	}
	if r.Seq <= s.seq {
		p.emit(&Refused{ID: r.Identity(), Reason: Duplicate})
		return
	}
	p.accept(s, e.Conn, r)
	if r.Kind == beat.Goodbye {
		p.goodbye(s, r)
	}
}

// notOpen answers a report under a session that is lost, replaced or was never
// born: the relay comes back with a higher epoch, and grace starts again. What
// an older connection still brings is no new sign of life.
func (p *Presence) notOpen(conn Conn, r *beat.Report, s *store) {
	id := r.Identity()
	if s != nil && s.session == sessionOpen && (s.relay != r.Relay || s.conn != conn) {
		reason := Replaced
		if s.relay != r.Relay {
			reason = Retired
		}
		p.emit(&Close{Conn: conn, Reason: reason})
		p.emit(&Refused{ID: id, Reason: reason})
		return
	}
	exceed := r.Epoch
	if s != nil && s.relay == r.Relay {
		if r.Boot == s.boot && r.Epoch == s.epoch && r.Seq <= s.seq {
			p.emit(&Refused{ID: id, Reason: Duplicate})
			return
		}
		exceed = max(exceed, s.epoch)
	}
	if s.future(r) {
		p.emit(&Close{Conn: conn, Reason: FutureEpoch})
		p.emit(&Refused{ID: id, Reason: FutureEpoch})
		return
	}
	p.restartGrace(s, r)
	p.emit(&Rebirth{Conn: conn, ID: id, Exceed: exceed})
	p.emit(&Refused{ID: id, Reason: NotOpen})
}

// future says whether an epoch is too far above the known one to be believed.
func (s *store) future(r *beat.Report) bool {
	if s == nil || s.epoch == 0 || s.relay != r.Relay {
		return r.Epoch > maxFirstEpoch
	}
	return r.Epoch > s.epoch && r.Epoch-s.epoch > maxEpochJump
}

// restartGrace takes a report that is answered with a rebirth for the sign of
// life that it is: of the session that is lost, or of a boot of a new disk, whose
// epochs begin anew. What an earlier session or boot sent says nothing; a node that
// started since knows few of the boots, and a disk's later boot has a higher epoch.
func (p *Presence) restartGrace(s *store, r *beat.Report) {
	if s == nil || s.session != sessionEnded || s.stopped {
		return
	}
	same := r.Boot == s.boot && r.Epoch >= s.epoch
	fresh := r.Incarnation != s.incarnation && r.Boot != s.boot && !slices.Contains(s.boots, r.Boot)
	if (same || fresh) && s.rebirths < maxRebirths {
		s.rebirths++
		s.suspectAt = p.now.Mono
		p.touch(s)
	}
}

// birth opens a session (P2), if nothing speaks against it.
func (p *Presence) birth(conn Conn, r *beat.Report) {
	id := r.Identity()
	s := p.stores[r.Store]
	if s.future(r) {
		p.emit(&Close{Conn: conn, Reason: FutureEpoch})
		p.emit(&Refused{ID: id, Reason: FutureEpoch})
		return
	}
	if s == nil {
		s = p.store(r.Store)
	}
	sameRelay := s.relay == "" || s.relay == r.Relay
	switch {
	case sameRelay && (s.conflict != nil || s.reused(conn, r)) && p.clash(conn, r, s):
	case sameRelay && r.Epoch == s.epoch && r.Boot == s.boot && r.Seq <= s.seq && s.session != sessionNone && !s.reused(conn, r):
		p.emit(&Refused{ID: id, Reason: Duplicate})
	case sameRelay && r.Epoch <= s.epoch:
		p.restartGrace(s, r)
		p.emit(&Rebirth{Conn: conn, ID: id, Exceed: s.epoch})
		p.emit(&Refused{ID: id, Reason: OldEpoch})
	case !sameRelay && s.session == sessionOpen && slices.Contains(s.retired, r.Relay):
		p.emit(&Close{Conn: conn, Reason: Retired})
		p.emit(&Refused{ID: id, Reason: Retired})
	case sameRelay && p.clash(conn, r, s): // it would be accepted: that proves it
	default:
		p.open(conn, r, s)
	}
}

// open opens the session of an accepted birth.
func (p *Presence) open(conn Conn, r *beat.Report, s *store) {
	if s.session == sessionOpen && s.conn != conn {
		p.emit(&Close{Conn: s.conn, Reason: Replaced})
	}
	if s.relay != "" && s.relay != r.Relay {
		p.emit(&RelayChanged{Store: s.id, From: s.relay, To: r.Relay})
		s.retire(r.Relay)
		s.boots, s.boot = nil, beat.Boot{}
		if s.conflict != nil {
			s.conflict.lastAt = p.now.Mono - conflictLasts
		}
	}
	if s.incarnation != r.Incarnation {
		s.top = 0
	}
	p.cameBack(s)
	s.rememberBoot(r)
	p.enter(s, sessionOpen)
	if s.boot != r.Boot {
		s.aloneSince = 0
	}
	s.relay, s.conn, s.opened, s.bornAt = r.Relay, conn, true, p.now.Mono
	s.incarnation, s.boot, s.epoch, s.seq = r.Incarnation, r.Boot, r.Epoch, 0
	s.software, s.stopped, s.byeExpired, s.rebirths, s.clock = r.Software, false, false, 0, offset{}
	s.forgetTheirs()
	s.saveNow, s.lossSaved = true, false
	p.accept(s, conn, r)
	p.emit(&Acked{Conn: conn, ID: r.Identity(), Ack: beat.Ack{
		V: beat.Wire, Epoch: r.Epoch, Seq: r.Seq, Incarnation: r.Incarnation, Top: s.top,
	}})
}

const keepRetired = 8

// retire replaces the store's relay: the old one's word counts no more while
// the new one is there.
func (s *store) retire(by beat.RelayID) {
	kept := s.retired[:0]
	for _, r := range s.retired {
		if r != by {
			kept = append(kept, r)
		}
	}
	if len(kept) >= keepRetired {
		kept = kept[1:]
	}
	s.retired = append(kept, s.relay)
}

func (s *store) forgetTheirs() {
	s.theirs, s.opens, s.askAt, s.deafSince, s.onlyThere, s.bypassed = StoreView{}, 0, 0, 0, false, false
}

// accept takes what a report says. A steady one, whose hash stands, costs no
// allocation.
func (p *Presence) accept(s *store, conn Conn, r *beat.Report) {
	mono := time.Duration(r.MonoMs) * time.Millisecond
	p.hears()
	s.clock.sample(p.now.Mono, mono)
	s.seq, s.lastMonoMs = r.Seq, r.MonoMs
	s.every = r.ReportEvery()
	s.lastReport = s.clock.date(mono)
	s.witnessed(r, p.otherIs)
	s.depth, s.journalLost = r.JournalDepth, r.JournalLost
	if s.state != Up {
		p.touch(s)
	}
	switch {
	case r.Picture != nil:
		p.picture(s, r, mono)
	case r.Hash != s.hash:
		p.emit(&Command{Conn: conn, ID: r.Identity(), Command: beat.Command{V: beat.Wire, Order: beat.SendPicture}})
	}
	if len(r.Journal) > 0 {
		p.journal(s, conn, r)
	}
}

// journal dates a batch and hands it to the history. It changes no presence.
func (p *Presence) journal(s *store, conn Conn, r *beat.Report) {
	j := &Journal{
		Conn: conn, ID: r.Identity(), Epoch: r.Epoch, Seq: r.Seq, Incarnation: r.Incarnation,
		Entries: append([]beat.Transition(nil), r.Journal...),
	}
	for i := range j.Entries {
		t := &j.Entries[i]
		j.Dated = append(j.Dated, p.dated(s, r, t))
		s.top = max(s.top, t.Number, t.Until)
	}
	p.emit(j)
}

// longestWait bounds how long a journal's entry waits for a region.
const longestWait = 366 * 24 * time.Hour

// dated is when an entry happened. The boot that reports it is dated by its
// monotonic clock. An earlier one has the relay's wall clock alone, which an
// honest relay may have wrong by a century: no battery says 1970, a broken one
// 2106. What it says is taken where it can be true; an entry of the future, or
// older than any waits, happened when we hear of it, as does one without a date.
func (p *Presence) dated(s *store, r *beat.Report, t *beat.Transition) time.Time {
	at := time.UnixMilli(t.WallMs).UTC()
	if t.Boot == r.Boot {
		mono := time.Duration(min(t.MonoMs, r.MonoMs)) * time.Millisecond //nolint:gosec // checked: at most maxMonoMs
		at = p.now.At(s.clock.date(mono))
	}
	if at.After(p.now.Wall) || at.Before(p.now.Wall.Add(-longestWait)) {
		return p.now.Wall
	}
	return at
}

// ended takes the end of a connection: it counts only for the open session (P1).
func (p *Presence) ended(e *Ended) {
	s := p.stores[e.ID.Store]
	if s == nil || s.session != sessionOpen || s.conn != e.Conn || s.epoch != e.Death.Epoch || s.incarnation != e.Death.Incarnation {
		p.emit(&Refused{ID: e.ID, Reason: StaleEnd})
		return
	}
	p.suspect(s, p.now.Mono)
}

// enter changes the state of a store's session, and counts the open ones.
func (p *Presence) enter(s *store, to session) {
	if s.session == sessionOpen {
		p.sessions--
	}
	if to == sessionOpen {
		p.sessions++
	}
	s.session = to
}

// suspect ends the open session: grace runs from at.
func (p *Presence) suspect(s *store, at time.Duration) {
	s.lastLife = p.now.At(s.lastReport)
	p.enter(s, sessionEnded)
	s.suspectAt, s.openAt = at, at
	s.forgetTheirs()
	p.touch(s)
}

// silentAt is when an open session that stays silent becomes suspect.
func (p *Presence) silentAt(s *store) time.Duration {
	return max(s.lastReport, p.freshFrom) + silentReports*s.every
}

// view is what this region says of the store by itself.
func (p *Presence) view(s *store) StoreView {
	v := StoreView{Store: s.id, Incarnation: s.incarnation, Boot: s.boot, Epoch: s.epoch}
	switch {
	case s.session == sessionOpen:
		v.View, v.Since = ViewOpen, p.now.At(s.lastReport)
	case s.stopped:
		v.View = ViewStopped
	case s.relay == "":
		v.View = ViewNever
	case !p.settled:
		v.View = ViewSettling
	case p.now.Mono < p.lossAt(s):
		v.View = ViewOpen
	default:
		v.View, v.Since = ViewLost, s.lastLife
	}
	return v
}
