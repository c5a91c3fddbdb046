package presence

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// PeerState is what this region knows of the other one as a whole (P3a).
type PeerState uint8

// The states of the other region.
const (
	// PeerLives answers, or there is no proof that it does not live.
	PeerLives PeerState = iota
	// PeerCut lives, as far as anybody knows, and neither way of the link answers.
	PeerCut
	// PeerDead is dead: the link is cut, its lease stands still, and no relay
	// has heard of it lately.
	PeerDead
	// PeerSettles answers that it settles.
	PeerSettles

	peerStates
)

var peerStateNames = [peerStates]string{"lives", "cut", "dead", "settles"}

func (s PeerState) String() string {
	if s < peerStates {
		return peerStateNames[s]
	}
	return "unknown"
}

// MarshalText is the state's name, as JSON shows it.
func (s PeerState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

const (
	// leaseStands is how long the other region's lease may stand still: three
	// times its length.
	leaseStands = 30 * time.Second
	// sureWitnesses is how many witnesses prove a death at once; fewer do after
	// blind.
	sureWitnesses = 10
	// freshReports is how many reportEvery old the other region's last PUBACK in
	// a fresh witness is at most; who came later than that proves no death.
	freshReports = 2
	// witnessEvery is how often witnesses are counted while the link is cut.
	witnessEvery = 2 * time.Second
	// ownBefore is how long before the other region's last sign of life a store
	// was open here at the latest, for this region to decide about it alone.
	ownBefore = 2 * time.Minute
)

// peer is the machine of the other region. Its inputs are the methods below;
// each says by itself what follows, and state is the outcome.
type peer struct {
	state PeerState
	// linkDown says that the first way fails; whether the second one answers is
	// found out by questions.
	linkDown   bool
	answeredAt time.Duration // the last answer by any way
	cutAt      time.Duration // since when neither way answers; 0: one does
	settling   bool          // said by the last answer
	term       int64
	counter    int64
	leased     bool          // a lease was read
	movedAt    time.Duration // since when the counter stands, as far as we looked
	lifeAt     time.Duration // the last sign of life; 0: none is known
	seen       bool          // there was one since this node started
	// dying: all that proves its death is there, but for the time that few witnesses
	// need.
	dying     bool
	witnesses witnesses
	dueAt     time.Duration // when witnesses are counted next
	blind     time.Duration
}

// witnesses are what the relays know of the other region.
type witnesses struct {
	all, fresh int
	heard      time.Duration // its last PUBACK to any of them
}

func newPeer(now, blind time.Duration) peer {
	return peer{movedAt: now, dueAt: never, blind: blind}
}

// linked is the result of a probe of the first way. One that works is an answer.
func (p *peer) linked(now time.Duration, ok bool) {
	p.linkDown = !ok
	if ok {
		p.heard(now)
	}
}

// answered is an answer of the other region, by either way.
func (p *peer) answered(now time.Duration, settling bool) {
	p.settling = settling
	p.heard(now)
}

func (p *peer) heard(now time.Duration) {
	p.answeredAt, p.lifeAt, p.cutAt, p.dueAt, p.seen, p.dying = now, now, 0, never, true, false
	p.state = PeerLives
	if p.settling {
		p.state = PeerSettles
	}
}

// unanswered is a question, asked at an instant, that neither way answered.
func (p *peer) unanswered(now, asked time.Duration) {
	if asked < p.answeredAt || p.cutAt != 0 {
		return
	}
	p.cutAt = max(asked, 1)
	p.settling = false
	p.dueAt = now
	if p.state != PeerDead {
		p.state = PeerCut
	}
}

// lease is the other region's lease, as our replica shows it. It says whether
// another node holds it now.
func (p *peer) lease(now time.Duration, term, counter int64) (other bool) {
	if p.leased && term == p.term && counter == p.counter {
		return false
	}
	other = p.leased && term != p.term
	moved := p.leased
	p.leased, p.term, p.counter, p.movedAt = true, term, counter, now
	if moved {
		p.lifeAt, p.seen = now, true
		p.lives()
	}
	return other
}

// lives ends a death without an answer.
func (p *peer) lives() {
	p.dying = false
	if p.state == PeerDead {
		p.state = PeerCut
	}
}

// counted takes what the witnesses say, while the link is cut. A node that
// settles proves no death.
func (p *peer) counted(now time.Duration, w witnesses, settled bool) {
	p.witnesses, p.dueAt = w, now+witnessEvery
	p.lifeAt = max(p.lifeAt, w.heard)
	switch {
	case w.fresh > 0:
		p.seen = true
		p.lives()
	case !settled || w.all == 0 || now-p.movedAt < leaseStands:
		p.dying = false
	case w.all >= sureWitnesses || now-p.cutAt >= p.blind:
		p.state, p.dying = PeerDead, false
	default:
		p.dying = p.state != PeerDead
	}
}

// woke begins to count anew after a stall: what this node missed is no sign of
// a cut or a death.
func (p *peer) woke(now time.Duration) {
	p.movedAt = now
	if p.state != PeerDead {
		p.cutAt, p.dueAt, p.state, p.dying = 0, never, PeerLives, false
	}
	p.answeredAt = now // questions from before the stall prove nothing
}

// stepPeer does f to the machine, and what follows from a change.
func (p *Presence) stepPeer(f func(*peer)) {
	if p.other() == "" {
		return
	}
	before, dying := p.peer.state, p.peer.dying
	f(&p.peer)
	after := p.peer.state
	if before == after {
		if dying && !p.peer.dying {
			p.touchLost() // who waited for that
		}
		return
	}
	p.emit(&PeerIs{State: after})
	if after == PeerDead {
		since := p.peer.lifeAt
		if since == 0 {
			since = p.started.Mono
		}
		p.regionVerdict(p.other(), RegionDown, OtherDead, nil, since)
	}
	if before == PeerDead {
		p.regionVerdict(p.other(), RegionWell, OtherAnswers, nil, p.now.Mono)
	}
	p.recount = true
	p.touchLost()
}

// sayPeer says once that the other region lives: an incident of before this
// node's start may be open.
func (p *Presence) sayPeer() {
	if !p.saidPeer && p.peer.seen {
		p.regionVerdict(p.other(), RegionWell, OtherAnswers, nil, p.now.Mono)
	}
}

// countWitnesses looks at every relay's word about the other region.
func (p *Presence) countWitnesses() witnesses {
	var w witnesses
	for _, s := range p.stores {
		if !s.witness || s.session != sessionOpen || s.lastReport == 0 {
			continue
		}
		if s.ackAge < s.lastReport {
			w.heard = max(w.heard, s.lastReport-s.ackAge)
		}
		// A relay that came lately had no time to reach the other region: its
		// silence about it says nothing yet.
		late := p.now.Mono-s.bornAt < freshReports*s.every && s.ackAge >= freshReports*s.every
		if late || p.now.Mono-s.lastReport > s.every*3/2 {
			continue
		}
		w.all++
		if s.ackAge < freshReports*s.every {
			w.fresh++
		}
	}
	return w
}

// witnessed keeps what a report says of the other region.
func (s *store) witnessed(r *beat.Report, other beat.Region) {
	s.witness = false
	alone := false
	for i := range r.Others {
		if w := &r.Others[i]; w.Region == other {
			s.witness, alone = true, !w.Session
			s.ackAge = time.Duration(min(w.AckAgeMs, maxAgeMs)) * time.Millisecond
		}
	}
	switch {
	case !alone:
		s.aloneSince = 0
	case s.aloneSince == 0:
		s.aloneSince = max(s.lastReport, 1)
	}
}

// touchLost judges again every store that has no session here, and every store
// with a host that waits for the other region.
func (p *Presence) touchLost() {
	for _, s := range p.sorted() {
		if s.session != sessionOpen || s.waiting {
			p.touch(s)
		}
	}
}

// probeDue is when a question that asks nothing is due: while it is not known
// whether the other region answers, or it settles, and nothing else asks.
func (p *Presence) probeDue() time.Duration {
	if p.other() == "" || len(p.asks) > 0 || !p.probing() {
		return never
	}
	return p.lastAsked + p.opt.Reask
}

func (p *Presence) probing() bool {
	return p.peer.linkDown || p.peer.settling || p.peer.cutAt != 0
}

// probe asks nothing: the answer itself is what counts.
func (p *Presence) probe() {
	p.lastAsk++
	p.lastAsked = p.now.Mono
	q := &inflight{question: Question{From: p.opt.Region, Node: p.opt.Node, Term: p.opt.Term}, at: p.now.Mono}
	p.asks[p.lastAsk] = q
	p.emit(&Ask{ID: p.lastAsk, Question: q.question})
}

// regionVerdict says how a region is as a whole.
func (p *Presence) regionVerdict(r beat.Region, c Condition, why Reason, lost []beat.StoreID, since time.Duration) {
	v := Verdict{
		Region: r, Condition: c, Reason: why, Lost: lost, At: p.now.Wall, Since: p.now.At(since),
		Cause: Cause{Node: string(r), Term: p.opt.Term}, SeenFrom: []beat.Region{p.opt.Region},
	}
	if r != p.opt.Region {
		v.Cause.Term = p.peerTerm()
		v.First = !p.saidPeer
		p.saidPeer = true
	}
	if c == RegionDown {
		v.Uncertainty = p.now.Mono - since
	}
	p.emit(&Decided{Verdict: v})
}

// peerTerm is the highest term of the other region that is known: an answer
// below it is none.
func (p *Presence) peerTerm() int64 { return max(p.peer.term, p.theirTerm) }

// lease takes the other region's lease. Another node there settles: it is asked.
func (p *Presence) lease(e *Lease) {
	other := false
	p.stepPeer(func(m *peer) { other = m.lease(p.now.Mono, e.Term, e.Counter) })
	if other {
		p.probe()
	}
}
