package peer

import (
	"sync"
	"time"
)

// nonces remembers which requests were taken. Only what is signed gets in, so
// no stranger can fill it.
type nonces struct {
	// mu guards the two generations and the instant of their last change.
	mu       sync.Mutex
	young    map[string]struct{}
	old      map[string]struct{}
	turnedAt time.Time
}

// take says whether a nonce is new. A request is good for at most 2 × Window
// (from Window before its time to Window after), so each generation lasts that.
func (n *nonces) take(nonce string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.young == nil || now.Sub(n.turnedAt) > 2*Window {
		n.old, n.young, n.turnedAt = n.young, map[string]struct{}{}, now
	}
	if _, seen := n.young[nonce]; seen {
		return false
	}
	if _, seen := n.old[nonce]; seen {
		return false
	}
	n.young[nonce] = struct{}{}
	return true
}
