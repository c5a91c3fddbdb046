package presence

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// FleetState says whether this region trusts what it sees (I7).
type FleetState uint8

// The states of the fleet, as this region sees it.
const (
	// FleetWell trusts it.
	FleetWell FleetState = iota
	// FleetSuspects has lost so many stores at once that the region suspects
	// itself: no store is decided without an answer.
	FleetSuspects
	// FleetBlind is the same, and for blind nobody answered: what is lost is
	// unknown.
	FleetBlind

	fleetStates
)

var fleetStateNames = [fleetStates]string{"well", "suspects itself", "blind"}

func (s FleetState) String() string {
	if s < fleetStates {
		return fleetStateNames[s]
	}
	return "unknown"
}

// MarshalText is the state's name, as JSON shows it.
func (s FleetState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

const (
	// expectedFor is how long after its last session here a store is expected.
	expectedFor = time.Hour
	// The shares at which self-suspicion begins and ends, and the least number
	// of stores where it is not all, in percent and stores.
	suspectShare  = 20
	trustShare    = 10
	suspectStores = 3
	// fleetShare is the share that makes a fault one of the whole fleet.
	fleetShare = 80
	// suspectFor is how long self-suspicion lasts at most while most stores are
	// open.
	suspectFor = 10 * time.Minute
	// pathAfter is how long the other region must see what is lost here: it may
	// only be later to lose them.
	pathAfter = 30 * time.Second
	// pathStores is how many stores show the path of the region: that of one is
	// the store's own, though it is the only one.
	pathStores = 2
)

// tally is how one store counts in the fleet.
type tally uint8

const (
	tallyExpected tally = 1 << iota
	tallyLost           // suspect or lost here
	tallyDeaf           // of these: without an answer, and not decided
	tallyOpen           // of these: open in the other region
)

// fleet is the machine of self-suspicion. It counts, and never looks at stores.
type fleet struct {
	state                      FleetState
	expected, lost, deaf, open int
	since                      time.Duration // of FleetSuspects and FleetBlind
	trusted                    bool          // the suspicion ended by time: not again before few are lost
	path                       bool          // the other region sees what is lost here
	pathSince                  time.Duration // since when it looks so; 0: it does not
	dueAt                      time.Duration
	blind                      time.Duration
}

// move counts a store that counted as was, and counts as is now.
func (f *fleet) move(was, is tally) {
	for _, c := range [...]struct {
		bit tally
		n   *int
	}{{tallyExpected, &f.expected}, {tallyLost, &f.lost}, {tallyDeaf, &f.deaf}, {tallyOpen, &f.open}} {
		if was&c.bit != 0 {
			*c.n--
		}
		if is&c.bit != 0 {
			*c.n++
		}
	}
}

// many says whether n stores are enough to suspect ourselves.
func (f *fleet) many(n int) bool {
	return n > 0 && n*100 >= suspectShare*f.expected && (n >= suspectStores || n >= f.expected)
}

func (f *fleet) few(n int) bool { return n*100 < trustShare*f.expected || n == 0 }

// wide says whether a fault is one of the whole fleet.
func (f *fleet) wide() bool { return f.lost >= suspectStores && f.lost*100 >= fleetShare*f.expected }

// step brings the machine up to date. deaf says that the other region does not
// answer at all.
func (f *fleet) step(now time.Duration, deaf bool) {
	f.dueAt = never
	if f.few(f.lost) {
		f.trusted = false
	}
	switch {
	case f.state == FleetWell:
		if f.many(f.lost) && f.deaf > 0 && !f.trusted {
			f.state, f.since = FleetSuspects, now
		}
	case f.few(f.lost), f.deaf == 0:
		f.state = FleetWell
	case now >= f.since+suspectFor && 2*f.lost < f.expected:
		f.state, f.trusted = FleetWell, true
	}
	if f.state == FleetSuspects && deaf && now >= f.since+f.blind {
		f.state = FleetBlind
	}
	f.stepPath(now)
	if f.state != FleetWell {
		for _, at := range [...]time.Duration{f.since + f.blind, f.since + suspectFor} {
			if at > now {
				f.dueAt = min(f.dueAt, at)
			}
		}
	}
}

func (f *fleet) stepPath(now time.Duration) {
	switch {
	case f.path:
		f.path = !f.few(f.open)
		f.pathSince = 0
	case !f.many(f.open) || f.open < pathStores:
		f.pathSince = 0
	case f.pathSince == 0:
		f.pathSince = max(now, 1)
	case now >= f.pathSince+pathAfter:
		f.path = true
	}
	if f.pathSince != 0 && !f.path {
		f.dueAt = min(f.dueAt, f.pathSince+pathAfter)
	}
}

// hears takes a report of any relay: this region is not cut off.
func (p *Presence) hears() {
	p.heardAt = p.now.Mono
	if p.deaf {
		p.deaf = false
		p.touchLost()
	}
}

// count counts a store as it is now.
func (p *Presence) count(s *store) {
	is := p.tally(s)
	if is != s.tally {
		p.fleet.move(s.tally, is)
		s.tally = is
		p.recount = true
	}
}

func (p *Presence) tally(s *store) tally {
	if s.relay == "" {
		return 0
	}
	if s.session == sessionOpen {
		return tallyExpected
	}
	if !s.opened || p.now.Mono >= s.openAt+expectedFor {
		return 0
	}
	t := tallyExpected
	if s.stopped || !p.settled {
		return t
	}
	t |= tallyLost
	word := s.theirs.View
	if p.peer.state == PeerDead && word != ViewLost && word != ViewNever {
		word = ""
	}
	switch {
	case word == ViewOpen:
		t |= tallyOpen
	case (word == "" || word == ViewSettling) && s.state != Down && s.state != RelayDead:
		t |= tallyDeaf
	}
	return t
}

// stepFleet does what follows from what was counted.
func (p *Presence) stepFleet() {
	if p.other() == "" || !p.recount && p.now.Mono < p.fleet.dueAt {
		return
	}
	if !p.settled {
		p.fleet.dueAt = never // it opens and ends nothing
		return
	}
	p.recount = false
	before := p.fleet.state
	p.fleet.step(p.now.Mono, p.peer.state == PeerCut || p.peer.state == PeerDead)
	p.sayFleet()
	if before != p.fleet.state {
		p.touchLost()
	}
}

// sayFleet says how this region is as a whole, if that changed: one fault at a
// time, the worse one. A region that is not reached and then blind has one
// trouble all the time.
func (p *Presence) sayFleet() {
	cond, why, lost, since := RegionWell, SeesAgain, tally(0), p.fleet.since
	switch {
	case p.fleet.state == FleetBlind:
		cond, why, lost = RegionBlind, RegionIsBlind, tallyDeaf
	case p.fleet.path:
		cond, why, lost, since = RegionPath, OpenThere, tallyOpen, p.now.Mono-pathAfter
	}
	if cond == p.saidFleet || cond == RegionWell && p.fleet.state == FleetSuspects {
		return // it suspects itself: not yet known to be well
	}
	p.saidFleet = cond
	if cond == RegionWell {
		since = p.now.Mono
	}
	p.regionVerdict(p.opt.Region, cond, why, p.counted(lost), since)
}

// counted are the stores that count as t, by id.
func (p *Presence) counted(t tally) []beat.StoreID {
	if t == 0 {
		return nil
	}
	var ids []beat.StoreID
	for _, s := range p.sorted() {
		if s.tally&t != 0 {
			ids = append(ids, s.id)
		}
	}
	return ids
}
