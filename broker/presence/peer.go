package presence

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
