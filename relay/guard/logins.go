package guard

import (
	"net/netip"
	"sync"
	"time"
)

// maxAddresses bounds what Logins remembers; above it the oldest windows go.
const maxAddresses = 1 << 14

// Logins counts failed logins by address, or IPv6 network: after a number of them in a minute,
// each further one is answered late.
type Logins struct {
	perMinute int
	delay     time.Duration

	mu sync.Mutex // guards what follows
	by map[netip.Prefix]failures
}

type failures struct {
	since time.Time
	count int
}

// NewLogins allows perMinute failures of an address in a minute, and delays
// the answer to each further one.
func NewLogins(perMinute int, delay time.Duration) *Logins {
	return &Logins{perMinute: perMinute, delay: delay, by: make(map[netip.Prefix]failures)}
}

// Failed counts a failed login and returns how late its answer is to be: 0, or
// the delay.
func (l *Logins) Failed(from netip.Addr) time.Duration {
	now, key := time.Now(), network(from)
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok := l.by[key]
	if !ok && len(l.by) >= maxAddresses {
		l.sweep(now)
	}
	if now.Sub(f.since) >= time.Minute {
		f = failures{since: now}
	}
	f.count++
	l.by[key] = f
	if f.count <= l.perMinute {
		return 0
	}
	return l.delay
}

// sweep forgets windows that are over, or any, if none is: a flood of
// addresses must not fill the memory.
func (l *Logins) sweep(now time.Time) {
	for a, f := range l.by {
		if now.Sub(f.since) >= time.Minute {
			delete(l.by, a)
		}
	}
	for a := range l.by {
		if len(l.by) < maxAddresses {
			return
		}
		delete(l.by, a)
	}
}
