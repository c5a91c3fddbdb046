package presence

import "time"

// Peer is what this region knows of the other one.
type Peer uint8

// The states of the other region.
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
	// Mine is this region's own view; Grace says that the session ended less
	// than grace ago.
	Mine  View
	Grace bool
	// Theirs is the other region's word, where Peer is PeerSays; Opens counts
	// how often it said open since our loss.
	Peer   Peer
	Theirs View
	Opens  int
	// SinceLoss is the time since this region lost the store.
	SinceLoss, Blind time.Duration
	// ByeExpired says that a goodbye promised a return, and the time is over.
	ByeExpired bool
	// Direct says that a host of the store beats directly.
	Direct bool
	// Was is the store's state so far: down stays down until something lives.
	Was State
}

// Decide is the truth table of a store (P3, without P3a): which state follows
// from the facts, and why. OneSided says that the other region gave no answer.
func Decide(f Facts) (state State, why Reason, oneSided bool) {
	switch f.Mine {
	case ViewOpen:
		if f.Grace {
			return Suspect, WithinGrace, false
		}
		return Up, SessionOpen, false
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
	wasDown := f.Was == Down || f.Was == RelayDead
	switch {
	case f.Peer == PeerNone && f.ByeExpired:
		return down, ByeExpired, false
	case f.Peer == PeerNone:
		return down, OnlyRegion, false
	case f.Peer == PeerSays && f.Theirs == ViewOpen && f.Opens < 2:
		return Suspect, OpenThere, false
	case f.Peer == PeerSays && f.Theirs == ViewOpen:
		return Degraded, OpenThere, false
	case f.Peer == PeerSays && f.Theirs == ViewStopped:
		return Stopped, SaidGoodbye, false
	case f.Peer == PeerSays && (f.Theirs == ViewLost || f.Theirs == ViewNever):
		return down, lost, false
	case wasDown:
		return down, lost, false
	case f.Peer == PeerSays && f.Theirs == ViewSettling:
		return Suspect, OtherSettles, false
	case f.SinceLoss >= f.Blind:
		return down, NoAnswerForBlind, true
	default:
		return Suspect, WaitsForAnswer, false
	}
}
