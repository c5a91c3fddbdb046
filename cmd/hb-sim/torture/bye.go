package torture

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// byeTimeout is how long a relay that stops waits for its goodbyes.
const byeTimeout = 5 * time.Second

// bye stops the relay on purpose: from here on the ends of its connections are its
// own doing. restart promises that it is back at once.
func (r *relay) bye(restart bool) {
	if !r.up || r.stalled || r.leaving {
		return
	}
	r.leaving = true
	r.links.restarts = restart
	r.later(byeTimeout, func() { r.stop(true) })
	r.later(0, func() {
		r.links.look()
		r.links.left()
	})
}

// part says goodbye once nothing is on its way, and ends the connection once that
// was taken.
func (l *uplink) part() {
	switch {
	case l.session.Waiting():
	case !l.bye:
		l.bye = true
		l.send(beat.Goodbye)
	default:
		l.conn.close(true)
		l.conn, l.session, l.open = nil, nil, false
		l.u.left()
	}
}

// left stops the relay that said goodbye to all that it is connected to.
func (u *uplinks) left() {
	if u.each[0].session == nil && u.each[1].session == nil && u.r.up {
		u.r.stop(true)
	}
}
