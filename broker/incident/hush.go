package incident

import (
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// hush is why people are not told of a transition now.
type hush struct {
	why   string
	until time.Time // when to look again; zero: when something else changes
	// comesUp: the store is closed or in maintenance. A host that is still
	// missing when that ends did not come up (P10).
	comesUp bool
}

func (h hush) held() bool { return h.why != "" }

// hushOf is the reason why people are not told of s, if there is one (I8, I9,
// P10).
func (b *Book) hushOf(s *step) hush {
	inc := s.inc
	if inc.Region != "" {
		return b.silenced(s)
	}
	st := b.fleet.Store(inc.Store)
	if h := b.closed(st, inc, s.change == Opened); h.held() {
		return h
	}
	if h := b.silenced(s); h.held() {
		return h
	}
	switch {
	case s.change == Opened && inc.unadopted:
		return hush{why: "nobody declared it, and it is new: adopt it, or wait for three days of it"}
	case classOf(inc.Kind) != flapClass && b.open[inc.about(flapClass)] != nil:
		return hush{why: "it flaps: told once, until it was calm for 10 minutes"}
	default:
		return hush{}
	}
}

func (b *Book) silenced(s *step) hush {
	sub := setting.Subject{Store: s.inc.Store, Host: s.inc.Host, Kind: string(s.kind())}
	if s.change == Opened { // who acknowledged a fault wants to know its end
		sub.Incident = string(s.inc.ID)
	}
	h := b.fleet.Hush(sub, b.now.Wall)
	return hush{why: h.Why, until: h.Until}
}

// closed holds back what happened while the store was closed or in maintenance,
// until it had comeUp to come up; and recoveries while it is closed.
func (b *Book) closed(st *setting.Store, inc *incident, fault bool) hush {
	if st == nil || classOf(inc.Kind) == comeUpClass && fault {
		return hush{}
	}
	now := b.now.Wall
	comeUp := time.Duration(0)
	if fault {
		comeUp = st.ComeUp
	}
	until, ended := st.Maintenance(now)
	switch {
	case until.After(now):
		return hush{why: "the store is in maintenance until " + at(st, until), until: until.Add(comeUp), comesUp: true}
	case fault && !ended.IsZero() && inc.began.Before(ended) && now.Before(ended.Add(st.ComeUp)):
		return hush{why: "the store was in maintenance, and has until " + at(st, ended.Add(st.ComeUp)) + " to come up", until: ended.Add(st.ComeUp), comesUp: true}
	}
	if open, _ := st.Open(now); !open {
		opens := st.Opens(now)
		if opens.IsZero() {
			return hush{why: "the store is closed", comesUp: true}
		}
		return hush{why: "the store is closed until " + at(st, opens), until: opens.Add(comeUp), comesUp: true}
	}
	if opened := st.Opened(now); fault && !opened.IsZero() && inc.began.Before(opened) && now.Before(opened.Add(st.ComeUp)) {
		return hush{why: "the store has opened, and has until " + at(st, opened.Add(st.ComeUp)) + " to come up", until: opened.Add(st.ComeUp), comesUp: true}
	}
	return hush{}
}

// at is an instant for people, in the store's zone.
func at(st *setting.Store, t time.Time) string {
	return t.In(st.Zone()).Format("15:04 MST")
}

// hushPeople holds back people's part of a transition; programs get theirs.
func (b *Book) hushPeople(s *step, h hush) {
	b.holdBack(s, h)
	b.tellPrograms([]*step{s})
}

// holdBack holds back people's part of a transition.
func (b *Book) holdBack(s *step, h hush) {
	s.phase, s.quiet, s.comesUp = hushed, s.change == Recovered, h.comesUp
	s.why = h.why
	s.inc.Waits = "not told: " + h.why
	list := b.hushed[s.inc.Store]
	if list == nil {
		list = &hushList{}
		b.hushed[s.inc.Store] = list
	}
	list.steps = append(list.steps, s)
	b.lookAgain(s.inc.Store, list, h.until)
}

// onlyPrograms says whether a transition ends a fault that people know nothing
// of, in either region.
func (b *Book) onlyPrograms(s *step) bool {
	f := s.inc.fault
	return s.change == Recovered && f.phase == cancelled && !slices.ContainsFunc(f.on, func(ch Channel) bool { return b.opt.Reaches(ch) && !b.isProgram(ch) })
}

// tellPrograms hands transitions that people are not told of to programs.
func (b *Book) tellPrograms(steps []*step) {
	if theirs := b.forPrograms(steps); len(theirs) > 0 {
		b.tell(programs, theirs)
	}
}

// forPrograms are those of transitions that people are not told of which programs
// did not get yet, and get now. They get no recovery of what they were not told.
func (b *Book) forPrograms(steps []*step) (theirs []*step) {
	for _, s := range steps {
		switch {
		case s.queued || s.side != nil:
		case len(b.opt.Programs) == 0, s.change == Recovered && !b.known(s.inc.fault):
			if s.aside {
				b.cancel(s)
			}
		default:
			s.queued = true
			if s.aside {
				s.phase, s.inc.Waits = leaving, "is being sent to programs"
			}
			theirs = append(theirs, s)
		}
	}
	return theirs
}

// hushList are the transitions of one store that people are not told of now.
type hushList struct {
	steps []*step
	at    time.Time // when it is looked at again; zero: not by itself
}

func (b *Book) lookAgain(store beat.StoreID, l *hushList, until time.Time) {
	if until.IsZero() || !l.at.IsZero() && !until.Before(l.at) {
		return
	}
	l.at = until
	b.after(max(until.Sub(b.now.Wall), time.Millisecond), func() {
		if b.hushed[store] == l && l.at.Equal(until) {
			l.at = time.Time{}
			b.recheckStore(store)
		}
	})
}

// recheckStore looks again at what people are not told of a store.
func (b *Book) recheckStore(store beat.StoreID) {
	l := b.hushed[store]
	if l == nil {
		return
	}
	delete(b.hushed, store)
	for _, s := range l.steps {
		if s.phase == hushed {
			b.recheck(s)
		}
	}
}

// recheck goes on with a transition that was held back, or holds it on.
func (b *Book) recheck(s *step) {
	wasClosed := s.comesUp
	h := b.hushOf(s)
	if h.held() {
		b.hushPeople(s, h)
		return
	}
	if s.change == Opened && wasClosed && s.inc.Kind == HostMissing && !b.covered(s.inc) {
		b.didNotComeUp(s)
		return
	}
	// The other region may have taken it over meanwhile, or know it from now on.
	b.start(s, true)
}

// missedOpening says whether a host is missing since before its store opened,
// and nobody could say so then: this node started or woke since, or people were
// not to be told.
func (b *Book) missedOpening(s *step) bool {
	st := b.fleet.Store(s.inc.Store)
	if st == nil || s.change != Opened || s.inc.Kind != HostMissing {
		return false
	}
	opened := st.Opened(b.now.Wall)
	return !opened.IsZero() && s.inc.began.Before(opened)
}

// didNotComeUp tells of a host that was missing before its store opened: an
// incident of its own, whose cause is the store's local date (I1).
func (b *Book) didNotComeUp(s *step) {
	inc, st := s.inc, b.fleet.Store(s.inc.Store)
	b.cancel(s)
	inc.Waits = "told as: did not come up"
	v := presence.Verdict{
		Store: inc.Store, Host: inc.Host, Condition: presence.HostMissing, Cause: presence.Cause{Number: st.Date(b.now.Wall)},
		At: b.now.Wall, Since: inc.Since, Uncertainty: time.Duration(inc.SinceUncertaintyMs) * time.Millisecond, SeenFrom: inc.SeenFrom,
		OneSided: inc.OneSided, Reason: presence.Reason(inc.Reason), Message: inc.Message, Old: true,
	}
	b.fault(&v, DidNotComeUp, true)
}

// setFleet takes what operators say: all that is held back is looked at again.
func (b *Book) setFleet(f *setting.Fleet) {
	b.fleet = f
	stores := make([]beat.StoreID, 0, len(b.hushed))
	for store := range b.hushed {
		stores = append(stores, store)
	}
	slices.Sort(stores)
	for _, store := range stores {
		b.recheckStore(store)
	}
}

// Counts of what waits, for metrics and tests.
func (b *Book) Counts() (open, hushed, outbox int) {
	for _, l := range b.hushed {
		hushed += len(l.steps)
	}
	return len(b.open), hushed, len(b.outbox)
}
