package ingress

import (
	"sync"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// newcomers knows the hosts that beat here, and how many were new of late.
type newcomers struct {
	anHour int

	mu    sync.RWMutex // guards what follows
	known map[beat.HostID]struct{}
	taken []time.Time // when the last anHour new hosts came, oldest first
}

func newNewcomers(anHour int) newcomers {
	return newcomers{anHour: anHour, known: make(map[beat.HostID]struct{})}
}

// takes says whether a beat of host may pass, and if not, why.
func (n *newcomers) takes(host beat.HostID, exempt bool) (ok bool, why string) {
	n.mu.RLock()
	_, ok = n.known[host]
	n.mu.RUnlock()
	if ok {
		return true, ""
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.known[host]; ok {
		return true, ""
	}
	if len(n.known) >= beat.MaxHosts {
		return false, "too many hosts"
	}
	if n.anHour > 0 && !exempt {
		now := time.Now()
		for len(n.taken) > 0 && now.Sub(n.taken[0]) >= time.Hour {
			n.taken = n.taken[1:]
		}
		if len(n.taken) >= n.anHour {
			return false, "too many new hosts"
		}
		n.taken = append(n.taken, now)
	}
	n.known[host] = struct{}{}
	return true, ""
}

func (n *newcomers) know(hosts []beat.HostID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, h := range hosts {
		n.known[h] = struct{}{}
	}
}

func (n *newcomers) forget(host beat.HostID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.known, host)
}
