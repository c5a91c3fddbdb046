package credential

import (
	"sync"
	"time"
)

// maxRecent bounds the memory of absent keys: about 0.5 MB.
const maxRecent = 8192

// misses limits how often unknown keys are looked up in the table.
type misses struct {
	rate float64 // look-ups a second; as many may come at once
	ttl  time.Duration

	mu     sync.Mutex // guards what follows
	tokens float64
	filled time.Time
	recent map[string]time.Time // ids that were absent, and until when that is believed
}

func newMisses(rate float64, ttl time.Duration) *misses {
	return &misses{rate: rate, ttl: ttl, tokens: max(rate, 1), recent: make(map[string]time.Time)}
}

// verdict is whether an unknown key may be looked up.
type verdict string

const (
	allowed verdict = "allowed"
	recent  verdict = "recent"
	limited verdict = "limited"
)

func (m *misses) allow(id string, now time.Time) verdict {
	m.mu.Lock()
	defer m.mu.Unlock()
	if until, ok := m.recent[id]; ok && now.Before(until) {
		return recent
	}
	if !m.filled.IsZero() {
		m.tokens = min(max(m.rate, 1), m.tokens+now.Sub(m.filled).Seconds()*m.rate)
	}
	m.filled = now
	if m.tokens < 1 {
		return limited
	}
	m.tokens--
	return allowed
}

// absent remembers that the table did not have the key.
func (m *misses) absent(id string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.recent) >= maxRecent {
		for other, until := range m.recent {
			if !now.Before(until) {
				delete(m.recent, other)
			}
		}
	}
	if len(m.recent) < maxRecent {
		m.recent[id] = now.Add(m.ttl)
	}
}
