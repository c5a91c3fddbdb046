package incident

import (
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
)

// maxAskItems bounds one question.
const maxAskItems = 1_000

// askAfter asks the other region about s, unless its telling went on meanwhile.
func (b *Book) askAfter(s *step, d time.Duration) {
	s.asked++
	s.apart = false
	s.askAt = b.now.Mono + d
	round := s.asked
	b.after(d, func() {
		if s.asked == round && (s.phase == held || s.phase == checking) {
			b.wantAsk = append(b.wantAsk, s)
		}
	})
}

// hold leaves a transition to the other region, and asks it after a while: at
// once where it is dead or settles (I3).
func (b *Book) hold(s *step) {
	if len(b.holding) >= b.sweepAt {
		b.sweep()
	}
	b.holding = append(b.holding, s)
	d := b.opt.Takeover
	if b.peer == presence.PeerDead || b.peer == presence.PeerSettles {
		d = 0
	}
	b.askAfter(s, d)
}

// sweep lets go of what is held no more. The next sweep is due when there is
// twice as much, so that a hold costs the same however many there are.
func (b *Book) sweep() {
	b.holding = slices.DeleteFunc(b.holding, func(s *step) bool { return s.phase != held })
	b.sweepAt = 2*len(b.holding) + 64
}

// peerIs takes what presence knows of the other region as a whole.
func (b *Book) peerIs(state presence.PeerState) {
	b.peer = state
	if state != presence.PeerLives {
		for _, inc := range b.open {
			inc.doubtful = true
		}
	}
	if state != presence.PeerDead && state != presence.PeerSettles {
		return
	}
	b.sweep()
	for _, s := range b.holding {
		b.askAfter(s, 0)
	}
}

// ask asks the other region; one that is dead does not answer: what it told
// before, its marks in the table know.
func (b *Book) ask(q asking) {
	for _, s := range q.steps {
		q.rounds = append(q.rounds, s.asked)
	}
	if b.peer == presence.PeerDead {
		b.readMarks(q)
		return
	}
	b.lastOp++
	id := b.lastOp
	b.asks[id] = q
	b.after(lostAfter, func() { b.unanswered(id) })
	b.emit(&Ask{ID: id, Question: ToldQuestion{
		From: b.opt.Region, Node: b.opt.Node, Term: b.opt.Term, Items: items(q.steps),
	}})
}

func (b *Book) readMarks(q asking) {
	b.lastOp++
	id := b.lastOp
	b.asks[id] = q
	b.after(lostAfter, func() { b.marksRead(&MarksRead{ID: id, Failed: true}) })
	b.emit(&ReadMarks{ID: id, Items: items(q.steps)})
}

// flushAsk asks about all that became due in this Step, batched.
func (b *Book) flushAsk() {
	b.askRetries()
	for len(b.wantAsk) > 0 {
		n := min(len(b.wantAsk), maxAskItems)
		b.ask(asking{steps: slices.Clone(b.wantAsk[:n])})
		b.wantAsk = b.wantAsk[n:]
	}
	b.wantAsk = nil
}

// askRetries asks about the notices that are to be tried again.
func (b *Book) askRetries() {
	for len(b.retries) > 0 {
		q := asking{}
		for len(b.retries) > 0 && len(q.steps) < maxAskItems {
			q.steps = append(q.steps, b.retries[0].steps...)
			q.notices = append(q.notices, b.retries[0])
			b.retries[0].given = false
			b.retries = b.retries[1:]
		}
		b.ask(q)
	}
	b.retries = nil
}

func items(steps []*step) []ToldItem {
	out := make([]ToldItem, 0, len(steps))
	for _, s := range steps {
		i := s.item()
		i.Held, i.Over, i.Sending = s.phase == held, s.change == Opened && !s.inc.Open, s.carrier() != nil
		out = append(out, i)
	}
	return out
}

// asking is a question that waits for its answer: about steps that may be told
// here then, and about those of notices that are to be tried again.
type asking struct {
	steps   []*step
	rounds  []int // of the steps' asking
	notices []*outgoing
}

// asks says whether the question still matters to its i-th step: it waits for
// its telling, and was not asked about anew, or given up to the other region,
// since; or it waits for another try, and an older question did not bring that.
func (a asking) asks(i int) bool {
	s, o := a.steps[i], a.steps[i].carrier()
	return (s.phase == held || s.phase == checking) && s.asked == a.rounds[i] || o != nil && !o.done && slices.Contains(a.notices, o)
}

// asksAside says whether the question is about what programs are told of its i-th
// step while people are not.
func (a asking) asksAside(i int) bool {
	s := a.steps[i]
	return s.side != nil && s.carrier() != s.side && slices.Contains(a.notices, s.side)
}

// answered takes the other region's words (I3).
func (b *Book) answered(e *Answered) {
	q := b.asks[e.ID]
	if len(q.steps) != len(e.Answer.Words) {
		b.ignore(WrongLength, "")
		b.unanswered(e.ID)
		return
	}
	delete(b.asks, e.ID)
	theirs := make(map[*outgoing]bool) // notices that the other region tells
	for i, s := range q.steps {
		if q.asksAside(i) && i < len(e.Answer.Known) {
			s.on = union(s.on, e.Answer.Known[i].On)
			theirs[s.side] = theirs[s.side] || e.Answer.Words[i] == TellingMine
		}
		if q.asks(i) {
			word := e.Answer.Words[i]
			if word == TellingMine {
				theirs[s.carrier()] = true
			}
			if i < len(e.Answer.Known) {
				k, named := &e.Answer.Known[i], word == TellingMine || word == TellingSent
				if word == TellingSent && b.another(s, k) {
					word = TellingOver // nothing of this one is known there
				}
				if word == TellingSent && b.leaves(s, k) {
					word = TellingYours
					k.On = union(k.On, k.Fault) // where it knows the fault, it tells the end
				}
				b.learn(s, k, named)
			}
			if word == TellingMine && b.leave(s) {
				continue
			}
			b.heed(s, word)
		}
	}
	for _, o := range q.notices {
		b.tryAgain(o, theirs[o] && b.lags(o))
	}
}

func (b *Book) heed(s *step, word Telling) {
	switch {
	case word == TellingSent && s.carrier() != nil && b.oweMore(s):
		// What may have been told from here is this region's to end.
	case word == TellingSent:
		b.toldThere(s)
	case s.carrier() != nil:
		// It is ours to try again.
	case word == TellingMine:
		b.askAfter(s, b.opt.AskAgain)
	case word == TellingOver && (s.phase == held || !s.inc.Open) && !b.owes(s):
		b.cancel(s)
		b.resolve(s.inc)
	default: // yours; or over there, but here is evidence that it is not
		b.take(s)
	}
}

// oweMore says whether a channel of this region's notice needs it though the
// other region told it elsewhere: it may have got the fault, and not the end.
func (b *Book) oweMore(s *step) bool {
	f := s.inc.fault
	return slices.ContainsFunc(b.opt.Channels, func(ch Channel) bool {
		switch {
		case !b.opt.Reaches(ch) || slices.Contains(s.on, ch) || s.carrier().notice.Marks[ch] != Unsent:
			return false
		case s.change == Opened:
			return s.carrier().perhaps[ch]
		default:
			return b.onItsWay(f, ch) || f.notice != nil && f.notice.notice.Marks[ch] == Sent
		}
	})
}

// toldThere: the other region told it, and tells what follows.
func (b *Book) toldThere(s *step) {
	if s.carrier() != nil {
		s.carrier().drop(s)
	}
	s.phase, s.inc.Waits = told, ""
	for _, r := range b.opt.Regions {
		if r != b.opt.Region {
			s.inc.Teller = r
		}
	}
	if s.change == Recovered && s.inc.Untold {
		s.inc.Untold = false
		b.save(s.inc)
	}
	b.resolve(s.inc)
}

// take makes this region the teller of a transition.
func (b *Book) take(s *step) {
	inc := s.inc
	if s.change == Recovered && !b.known(inc.fault) {
		// Nobody was told of the fault: neither it nor its end is news.
		b.cancel(inc.fault)
		b.cancel(s)
		return
	}
	if s.change == Opened && !inc.Open {
		if len(s.on) > 0 {
			b.toldThere(s) // it is over, and known there: its end is asked about too
			return
		}
		b.cancel(s)
		b.resolve(inc)
		return
	}
	inc.Teller = b.opt.Region
	b.gather(s)
	if s.change == Recovered { // whoever loads it needs to know to whom the end is owed, and by whom
		inc.Told = union(inc.Told, inc.fault.on)
		b.saveEnd(inc)
	}
}

// asked answers the other region about what this one is to tell.
func (b *Book) asked(q ToldQuestion) {
	a := ToldAnswer{Node: b.opt.Node, Term: b.opt.Term}
	for _, item := range q.Items {
		w, k := b.word(item)
		a.Words, a.Known = append(a.Words, w), append(a.Known, k)
	}
	b.emit(&Reply{Answer: a})
}

// word is what this region says of one transition, and where it knows that it
// was told. The other region may know the subject's incident by another id.
func (b *Book) word(item ToldItem) (Telling, Known) {
	s := b.find(item)
	w := b.telling(item, s)
	if s == nil {
		return w, Known{}
	}
	if w == TellingYours {
		b.giveUp(s)
	}
	if w == TellingYours {
		b.adopt(s, item.Incident, item.K)
		for _, o := range [...]*outgoing{s.carrier(), s.side} { // programs are told there with people
			if o != nil {
				o.given, o.shared = true, true
			}
		}
	}
	k := Known{Incident: s.inc.ID, K: s.k, On: b.reaching(s.heard())}
	if item.Change == Recovered {
		k.Fault, k.As = slices.DeleteFunc(b.reaching(s.inc.fault.on), s.spares), b.as(s.inc.fault)
	}
	return w, k
}

// reaching are those of some channels that reach somebody.
func (b *Book) reaching(on []Channel) []Channel {
	return slices.DeleteFunc(slices.Clone(on), func(ch Channel) bool { return !b.opt.Reaches(ch) })
}

// find is the transition that an item names, nil where there is none here.
func (b *Book) find(item ToldItem) *step {
	inc := b.subjectOf(item)
	switch {
	case inc == nil:
		return nil
	case item.Change == Recovered:
		return inc.recovery
	default:
		return inc.fault
	}
}

func (b *Book) subjectOf(item ToldItem) *incident {
	if inc := b.byID[item.Incident]; inc != nil && inc.isOf(&item) {
		return inc
	}
	inc := b.open[subject{item.Store, item.Host, item.Region, classOf(item.Kind)}]
	if inc != nil && item.ByRelay && (inc.ByRelay || inc.noticed && inc.Since.Sub(item.Since).Abs() > freshForward) {
		return nil // another fault of the same host
	}
	return inc
}

// breaksTies says whether this region tells where both ask, or both wait for
// each other. A pin moves home, and may be known to one of them alone.
func (b *Book) breaksTies(inc *incident) bool {
	return presence.Home(inc.Store, b.opt.Regions) == b.opt.Region
}

func (b *Book) telling(item ToldItem, s *step) Telling {
	inc := b.subjectOf(item)
	if inc == nil {
		if item.Change == Recovered || item.Over || b.outlived(item) {
			return TellingOver
		}
		b.yield(item)
		return TellingYours
	}
	switch {
	case s == nil && b.teller(inc) != b.opt.Region:
		return TellingYours
	case s == nil:
		return TellingMine // it is open here still: our own evidence ends it
	case s.phase == told && b.unfinished(s) != nil:
		if b.gives(b.unfinished(s)) { // a channel may fail in this region alone
			return TellingYours
		}
		return TellingMine
	case s.phase == told && s.notice == nil && inc.Teller == b.other():
		return TellingYours // it was told by who asks
	case s.phase == told:
		return TellingSent
	case s.phase == cancelled:
		return TellingOver
	case s.phase == held && item.Held && !s.given && b.breaksTies(inc):
		b.take(s) // each region takes the other for the teller
		return TellingMine
	case s.phase == held, s.phase == checking && !item.Held && !b.breaksTies(inc):
		return TellingYours
	case s.phase == frozen && !b.covered(inc) && (s.side == nil || s.side.done): // who asks has the evidence that this node waits for
		b.cede(s)
		return TellingYours
	case s.phase == leaving && s.carrier() != nil && b.gives(s.carrier()):
		return TellingYours
	case item.Sending && (s.phase == hushed || s.phase == frozen || s.phase == gathering && s.apart || s.phase == leaving && s.carrier() != nil && s.carrier().looks):
		return TellingYours // there is a notice there, and none here yet
	case b.drained() && (s.carrier() == nil || len(s.carrier().inflight) == 0):
		return TellingYours // this node tells no more; the next one asks first
	default:
		return TellingMine
	}
}
