package uplink

import "time"

// silence is how long a region that refuses reports with journal entries gets
// none: the other region may take them, and the picture goes on.
const silence = 10 * time.Minute

// limiter shrinks the journal's part of reports that the region refuses. MQTT
// 3.1.1 cannot say why: a refusal is a connection that the region closes while
// such a report is not acknowledged.
type limiter struct {
	refusals int // in a row: 1 halves the entries, 2 sends none
}

// room is what of the free bytes of a report the journal may take.
func (m *limiter) room(free int) int { return max(0, free>>m.refusals) }

// refused counts a refusal; silent says that the region gets no more entries
// for a while, and half of them after it.
func (m *limiter) refused() (silent bool) {
	if m.refusals++; m.refusals < 2 {
		return false
	}
	m.refusals = 1
	return true
}

// taken says that a report with entries was acknowledged.
func (m *limiter) taken() { m.refusals = 0 }
