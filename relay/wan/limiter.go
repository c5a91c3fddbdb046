package wan

import "time"

// Silence is how long a region that refuses reports with journal entries gets
// none: the other region may take them, and the picture goes on.
const Silence = 10 * time.Minute

// refusesWithin is how soon after a report a region closes that refuses it: it
// reads the report first, and a slow path is a second or two long.
const refusesWithin = 3 * time.Second

// Limiter shrinks the journal's part of reports that a region refuses. MQTT
// 3.1.1 cannot say why: a refusal is a connection that the region closes while
// such a report is not acknowledged.
type Limiter struct {
	most int // bytes of entries; 0 is as many as fit
}

// Room is what of the free bytes of a report the journal may take.
func (m *Limiter) Room(free int) int {
	if m.most > 0 {
		free = min(free, m.most)
	}
	return max(0, free)
}

// Halved says that the last report with entries was refused.
func (m *Limiter) Halved() bool { return m.most > 0 }

// Refused says that a report with that many bytes of entries was refused: the
// next one has half of them. silent says that it was the half already: the
// region gets none for a while, then as many as fit.
func (m *Limiter) Refused(bytes int) (silent bool) {
	if m.most > 0 {
		m.most = 0
		return true
	}
	m.most = max(1, bytes/2)
	return false
}

// Taken says that a report with entries was acknowledged.
func (m *Limiter) Taken() { m.most = 0 }
