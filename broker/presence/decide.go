package presence

import "time"

// Peer is where the question about a lost store stands.
type Peer uint8

// The states of a question.
const (
	// PeerNone: only one region is configured.
	PeerNone Peer = iota
	// PeerWaits: the question is not answered yet.
	PeerWaits
	// PeerSilent: the question found no answer.
	PeerSilent
	// PeerSays: the other region answered, or told by itself, after our loss.
	PeerSays
)

// Facts are what Decide judges a store by.
type Facts struct {
	// Mine is this region's own view; Grace says that it is open though the
	// session ended: less than grace ago, or the other of two relays lives.
	Mine  View
	Grace bool
	// Conflict says that two relays live, or lived lately, with one identity (P14).
	Conflict bool
	// Theirs is the other region's word, where Peer is PeerSays; Opens counts
	// how often it said open since our loss.
	Peer   Peer
	Theirs View
	Opens  int
	// Link is the other region as a whole, and Fleet what this one thinks of
	// itself.
	Link  PeerState
	Fleet FleetState
	// OpenedHere says that the store was open here shortly before the other
	// region's last sign of life, or later, and not open there alone. NoSessionThere says that the store's
	// reports here had no session there for blind.
	OpenedHere, NoSessionThere bool
	// GoesWithIt says that the store is open there alone, and that the other region
	// is about to be called dead: then the store is unknown under it, not down.
	GoesWithIt bool
	// Deaf says that no relay has reported to this region since the session of
	// this one ended: it may be the region that is cut off, and lose the others a
	// little later, because they promise less.
	Deaf bool
	// SinceLoss is the time since this region lost the store.
	SinceLoss, Blind time.Duration
	// ByeExpired says that a goodbye promised a return, and the time is over.
	ByeExpired bool
	// Direct says that a host of the store beats directly, or did when its relay
	// was called dead: from then on its hosts are judged one by one (P5).
	Direct bool
	// Was is the store's state so far, and Why its reason: down stays down until
	// something lives, and for the reason that it went down by, while nobody has
	// another word.
	Was State
	Why Reason
}

// Decide is the truth table of a store (P3, P3a, I7, P14): which state follows
// from the facts, and why. oneSided says that the other region gave no answer.
func Decide(f Facts) (state State, why Reason, oneSided bool) {
	switch f.Mine {
	case ViewOpen:
		switch {
		case f.Grace && f.Conflict:
			return Suspect, TwoRelays, false
		case f.Grace:
			return Suspect, WithinGrace, false
		case f.Conflict:
			return Conflict, TwoRelays, false
		default:
			return Up, SessionOpen, false
		}
	case ViewStopped:
		return Stopped, SaidGoodbye, false
	case ViewSettling:
		if f.Was == Down || f.Was == RelayDead {
			return f.Was, Settling, false
		}
		return Unknown, Settling, false
	case ViewNever:
		if f.Direct {
			return DirectOnly, NoRelay, false
		}
		return Unknown, NothingSeen, false
	default:
		return decideLost(f)
	}
}

// decideLost is the part of the table where this region has lost the store.
func decideLost(f Facts) (State, Reason, bool) {
	down := Down
	if f.Direct {
		down = RelayDead
	}
	lost := LostInBoth
	if f.ByeExpired {
		lost = ByeExpired
	}
	word := f.Theirs
	if f.Peer != PeerSays || f.Link == PeerDead && word != ViewLost && word != ViewNever {
		word = "" // a dead region's views are void
	}
	switch {
	case f.Peer == PeerNone && f.ByeExpired:
		return down, ByeExpired, false
	case f.Peer == PeerNone:
		return down, OnlyRegion, false
	case word == ViewOpen && f.Opens < 2:
		return Suspect, OpenThere, false
	case word == ViewOpen:
		return Degraded, OpenThere, false
	case word == ViewStopped:
		return Stopped, SaidGoodbye, false
	case word == ViewLost, word == ViewNever:
		return down, lost, false
	case f.Was == Down, f.Was == RelayDead:
		switch f.Why {
		case NoAnswerForBlind, NoAnswerNoSession, OtherDead:
			lost = f.Why
		}
		return down, lost, false
	default:
		return decideAlone(f, down, word)
	}
}

// decideAlone is the part of the table where nobody else has a word.
func decideAlone(f Facts, down State, word View) (state State, why Reason, oneSided bool) {
	switch {
	case f.Fleet == FleetBlind:
		return Unknown, RegionIsBlind, false
	case f.Fleet == FleetSuspects:
		return Suspect, SuspectsItself, false
	case f.Link == PeerDead && f.OpenedHere:
		return down, OtherDead, true
	case f.Link == PeerDead:
		return Unknown, OtherDead, false
	case f.Link == PeerCut && f.GoesWithIt:
		return Suspect, WaitsForAnswer, false
	case word == ViewSettling:
		return Suspect, OtherSettles, false
	case f.Link == PeerCut && f.NoSessionThere:
		why = NoAnswerNoSession
	case (f.Link == PeerCut || f.Peer == PeerSilent) && f.SinceLoss >= f.Blind:
		why = NoAnswerForBlind
	default:
		return Suspect, WaitsForAnswer, false
	}
	if f.Deaf {
		return Suspect, HearsNobody, false
	}
	return down, why, true
}
