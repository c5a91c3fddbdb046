package incident

import (
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// incident is an Incident with what this region has to do about it.
type incident struct {
	Incident
	cause    presence.Cause
	endedBy  presence.Cause // of the word that ended it
	after    time.Time      // when the subject's last incident ended; zero: not known
	fault    *step
	recovery *step // nil while open
	// began is when the fault began, as far as opening hours matter: its opening,
	// or, where it is older than this node's look, the last proof of life.
	began time.Time
	// unadopted: nobody declared the host, and it was not seen often enough.
	unadopted bool
	// doubtful says that the other region may have told its end: it is older than
	// this node, or that region was out of reach meanwhile.
	doubtful bool
	// saved is where its item in the table says that it was told.
	saved []Channel
	// also are incidents of the same subject that the other region opened by
	// itself, before this node started: they end with this one.
	also []*incident
	// noticed: it is known by notices alone, which do not say whether a relay
	// decided it.
	noticed bool
	// remembered: only the table says it, and no word since this node started.
	remembered bool
	// dead says which regions see the relay dead and the store alive: ours,
	// the other.
	dead [2]bool
}

// kind is what the incident is, by what both regions see: one that sees hosts
// beat directly knows more than one that sees nothing.
func (i *incident) kind(said Kind, own bool) Kind {
	if classOf(said) != storeClass {
		return said
	}
	at := 0
	if !own {
		at = 1
	}
	i.dead[at] = said == RelayDead
	if i.dead[0] || i.dead[1] {
		return RelayDead
	}
	return StoreDown
}

func (i *Incident) subject() subject { return subject{i.Store, i.Host, i.Region, classOf(i.Kind)} }

// about is another incident of the same store or host.
func (i *incident) about(c class) subject { return subject{i.Store, i.Host, i.Region, c} }

// phase is where the telling of a transition stands.
type phase uint8

const (
	// held: the other region is its teller; after Takeover it is asked.
	held phase = iota + 1
	// checking: it happened before this node started, was held back, or it ends
	// what was taken over from home, which may be back and have told the fault too: somebody may have
	// told it: the other region and the marks are asked first.
	checking
	// frozen: a host's fault under a store that is not up.
	frozen
	// waiting: a recovery whose fault is still on its way.
	waiting
	// gathering: it goes with what else its store has, when gather is over.
	gathering
	// hushed: people are not told now; programs were.
	hushed
	// digesting: it goes with the next digest.
	digesting
	// leaving: it is in a notice.
	leaving
	// told and cancelled are final.
	told
	cancelled
)

// step is one transition that people are told of: a fault, or its recovery.
type step struct {
	inc    *incident
	k      int
	change Change
	phase  phase
	// asked counts the rounds of asking, so that an old timer finds out.
	asked int
	askAt time.Duration
	// given: the other region was told to tell it.
	given  bool
	notice *outgoing
	// seenFrom are the regions whose evidence a recovery is.
	seenFrom []beat.Region
	// on is where it was told; side is the notice that programs got meanwhile.
	on     []Channel
	side   *outgoing
	queued bool // it was handed to programs already, and may wait for their digest
	apart  bool // it was taken over while the other region was out of reach
	aside  bool // only programs are to hear of it: the end of what they alone know
	// quiet: it was held back, and wakes nobody when it is told. why is the
	// reason for that, and comesUp that the store was closed.
	quiet, comesUp bool
	why            string
}

func (s *step) final() bool { return s.phase == told || s.phase == cancelled }

// carrier is the notice that it leaves in, nil where there is none yet.
func (s *step) carrier() *outgoing {
	if s.notice == nil && s.aside {
		return s.side
	}
	return s.notice
}

func (s *step) item() ToldItem {
	return ToldItem{
		Incident: s.inc.ID, K: s.k, Kind: s.kind(), Change: s.change,
		Store: s.inc.Store, Host: s.inc.Host, Region: s.inc.Region, Since: s.since(), ByRelay: s.inc.ByRelay,
	}
}

// since is after what a notice about the transition must have been made: an end
// that was told before this fault was known is another one's, and so is a fault
// that was told before the last one was over.
func (s *step) since() time.Time {
	known := s.inc.after
	if s.change == Recovered {
		known = s.inc.OpenedAt
	}
	if known = known.Add(-freshForward); known.After(s.inc.Since) {
		return known
	}
	return s.inc.Since
}

// fault opens an incident, or goes on with the one that is open (I1).
func (b *Book) fault(v *presence.Verdict, kind Kind, own bool) bool {
	sub := subject{v.Store, v.Host, v.Region, classOf(kind)}
	id := makeID(sub, v.Cause)
	if own {
		b.endOthers(sub, id, v)
	}
	if inc := b.open[sub]; inc != nil {
		return b.goesOn(inc, v, kind, own)
	}
	if ended := b.byID[id]; ended != nil {
		return b.reopen(ended, v, kind, own)
	}
	inc := &incident{
		Incident: Incident{
			V: Version, ID: id, Kind: kind, Store: v.Store, Host: v.Host, Region: v.Region, Lost: v.Lost, FleetWide: v.FleetWide, K: 1, Open: true,
			Since: v.Since.UTC().Truncate(time.Millisecond), SinceUncertaintyMs: v.Uncertainty.Milliseconds(), OpenedAt: b.now.Wall.UTC().Truncate(time.Millisecond),
			SeenFrom: v.SeenFrom, OneSided: v.OneSided, Reason: string(v.Reason), Message: v.Message,
		},
		cause: v.Cause, unadopted: v.Unadopted, doubtful: b.peer != presence.PeerLives,
	}
	inc.after = b.ended[sub]
	inc.ByRelay = byRelay(sub.class, &v.Cause)
	inc.begin(v)
	inc.kind(kind, own)
	if inc.Region != "" || kind == DidNotComeUp {
		// A region's fault is told by who sees it, not by a store's home; what was
		// held back by who did that, wherever home is now.
		inc.Teller = b.opt.Region
		if !own {
			inc.Teller = b.other()
		}
	}
	if b.hasYielded(inc) {
		inc.Teller = b.other()
	}
	inc.fault = &step{inc: inc, k: 1, change: Opened, given: b.hasYielded(inc)}
	delete(b.yielded, sub)
	b.open[sub], b.byID[id] = inc, inc
	b.emit(&Happened{Incident: inc.Incident, Change: Opened})
	b.changed(inc)
	b.start(inc.fault, v.Old)
	return true
}

func (i *incident) begin(v *presence.Verdict) {
	i.began = i.OpenedAt
	if v.Old {
		i.began = i.Since
	}
}

// other is the other region, "" where there is none.
func (b *Book) other() beat.Region {
	for _, r := range b.opt.Regions {
		if r != b.opt.Region {
			return r
		}
	}
	return ""
}

// reopen opens an incident again whose cause stands: its subject lived
// meanwhile. A forwarded word about it is a late one, unless it was decided
// after the end, and by nothing older than that. People who were not told of
// the end yet take it for the same fault.
func (b *Book) reopen(inc *incident, v *presence.Verdict, kind Kind, own bool) bool {
	if !own && (!v.At.After(inc.EndedAt) || older(&v.Cause, &inc.endedBy)) {
		return false
	}
	owed := inc.recovery.phase == gathering || inc.recovery.phase == digesting || inc.recovery.phase == hushed
	known := inc.fault.phase == told && owed
	on, why := without(inc.fault.on, inc.recovery.on), inc.recovery.why
	for _, s := range []*step{inc.fault, inc.recovery} {
		if !s.final() {
			b.cancel(s)
		}
	}
	if !b.known(inc.fault) && inc.Region == "" && inc.Kind != DidNotComeUp {
		inc.Teller = "" // who took it over told nobody: home tells again
	}
	inc.dead, inc.after = [2]bool{}, inc.EndedAt
	inc.kind(kind, own)
	as := kind
	if known {
		as = inc.shown()
	}
	inc.Kind, inc.Open, inc.EndedAt, inc.Told, inc.recovery = kind, true, time.Time{}, nil, nil
	inc.Suppressed, inc.Untold, inc.doubtful = false, false, b.peer != presence.PeerLives
	inc.Since, inc.SinceUncertaintyMs = v.Since.UTC().Truncate(time.Millisecond), v.Uncertainty.Milliseconds()
	inc.OpenedAt = b.now.Wall.UTC().Truncate(time.Millisecond)
	inc.SeenFrom, inc.OneSided, inc.Reason, inc.Message, inc.Ended = v.SeenFrom, v.OneSided, string(v.Reason), v.Message, ""
	inc.toldBy(as)
	inc.begin(v)
	inc.unadopted, inc.FleetWide, inc.Lost = v.Unadopted, v.FleetWide, v.Lost
	inc.K++
	inc.fault = &step{inc: inc, k: inc.K, change: Opened}
	b.open[inc.subject()] = inc
	b.emit(&Happened{Incident: inc.Incident, Change: Opened})
	b.changed(inc)
	if known {
		inc.fault.phase, inc.fault.on, inc.Told, inc.fault.why = told, on, slices.Clone(on), why
		b.saveTold(inc)
		b.tellAgain(inc.fault)
	} else {
		if owed { // programs alone know the fault, and are owed its end still
			inc.fault.on, inc.Told = on, slices.Clone(on)
		}
		b.start(inc.fault, v.Old || older(&v.Cause, &inc.endedBy)) // a report that was late, or a relay that forgot
	}
	return true
}

// tellAgain tells programs of a fault that people take for the one before, whose
// end programs know already.
func (b *Book) tellAgain(f *step) {
	if slices.ContainsFunc(b.opt.Programs, func(ch Channel) bool { return !slices.Contains(f.on, ch) }) {
		b.tellPrograms([]*step{f})
	}
}

// goesOn takes a further word about an open fault.
func (b *Book) goesOn(inc *incident, v *presence.Verdict, said Kind, own bool) bool {
	kind := inc.kind(said, own)
	for _, r := range v.SeenFrom {
		if !slices.Contains(inc.SeenFrom, r) {
			inc.SeenFrom = append(inc.SeenFrom, r)
		}
	}
	inc.OneSided = inc.OneSided && v.OneSided
	if inc.unadopted && !v.Unadopted {
		inc.unadopted = false
		b.recheckStore(inc.Store)
	}
	if inc.fault.phase == frozen && !b.covered(inc) {
		b.start(inc.fault, true) // the other region may have taken it over before
	}
	if inc.Kind == Flapping && byRelay(missingClass, &v.Cause) {
		inc.cause = v.Cause // who says so, after a start of this node: it says when it is calm
	}
	if inc.Kind == kind {
		return false
	}
	as := kind
	if inc.fault.notice != nil || b.known(inc.fault) {
		as = inc.shown()
	}
	inc.Kind, inc.Reason, inc.Lost = kind, string(v.Reason), v.Lost
	inc.toldBy(as)
	inc.K++
	b.emit(&Happened{Incident: inc.Incident, Change: Changed})
	b.saveTold(inc)
	return true
}

// ends ends the open incident of a class, unless the other region's word is
// older than the fault, by its number and by its time: the numbers of a relay
// that was restored from a copy go on below. This region's presence says what
// is so now.
func (b *Book) ends(v *presence.Verdict, own bool, c class) bool {
	inc := b.open[subject{v.Store, v.Host, v.Region, c}]
	if inc == nil || !own && c <= failingClass && older(&v.Cause, &inc.cause) && !v.At.After(inc.OpenedAt) {
		return false
	}
	b.end(inc, v)
	return true
}

// older says whether a word is older than a fault: numbers of one incarnation
// tell.
func older(word, fault *presence.Cause) bool {
	return word.Node == "" && fault.Node == "" && word.Incarnation == fault.Incarnation && word.Number < fault.Number
}

// teller is the region that told the incident's last transition, else home.
func (b *Book) teller(inc *incident) beat.Region {
	if inc.Teller != "" {
		return inc.Teller
	}
	return b.home(inc.Store)
}

// home is the region that tells a store's incidents first: its pin, else the
// rendezvous order.
func (b *Book) home(store beat.StoreID) beat.Region {
	if s := b.fleet.Store(store); s != nil && slices.Contains(b.opt.Regions, s.Pin) {
		return s.Pin
	}
	return presence.Home(store, b.opt.Regions)
}

// start begins the telling of a transition.
func (b *Book) start(s *step, old bool) {
	switch {
	case s.change == Opened && b.covered(s.inc):
		b.freeze(s)
	case b.teller(s.inc) != b.opt.Region:
		s.phase = held
		s.inc.Waits = "is told by " + string(b.teller(s.inc))
		b.hold(s)
	case len(b.opt.Regions) > 1 && (old || s.change == Recovered && b.mayTellToo(s.inc)):
		b.check(s)
	default:
		b.gather(s)
	}
}

// check asks the other region about a transition before it is told from here.
func (b *Book) check(s *step) {
	s.phase, s.inc.Waits = checking, "asks whether the other region told it"
	b.askAfter(s, 0)
}

// saveTold saves an incident that people know of; what nobody was told of, the
// evidence opens again after a restart.
func (b *Book) saveTold(inc *incident) {
	if inc.Teller == b.opt.Region && (len(inc.Told) > 0) {
		b.emit(&Save{Incident: inc.Incident})
	}
}
