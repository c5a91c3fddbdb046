package torture

import (
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/schedule"
)

// publishTimeout is how long a channel's answer is waited for.
const publishTimeout = 10 * time.Second

// channel is one destination of notices, as one region reaches it.
type channel struct {
	name incident.Channel
	// fails: it refuses. slow: so much longer it takes. lost: it takes the
	// notice, and the answer gets lost.
	fails, lost bool
	slow        time.Duration
}

// publish hands a notice to a channel, and checks the lease as its last act.
func (p *process) publish(o *incident.Publish) {
	w := p.w
	ch := w.channel(p.region, o.Channel)
	p.publishes++
	w.truth.bounded("notices on their way to channels", p.publishes, mostPublishes)
	done := func(r incident.Result) func() {
		return func() {
			p.publishes--
			p.step(&incident.Published{Op: o.Op, Result: r})
		}
	}
	p.later(w.rng.between(time.Millisecond, 5*time.Millisecond), func() {
		limit := publishTimeout
		if o.NotAfter != 0 {
			left := o.NotAfter - p.clock().Mono
			if left < 0 {
				done(incident.Failed)()
				return
			}
			limit = min(limit, left)
		}
		if p.clock().Mono > p.node.Until() {
			w.truth.unfenced(p, o)
		}
		takes := w.rng.between(20*time.Millisecond, 80*time.Millisecond)
		if ch.slow > 0 {
			takes += w.rng.between(ch.slow/2, ch.slow)
		}
		if ch.fails {
			p.later(min(takes, limit), done(incident.Failed))
			return
		}
		region, lost := p.region, ch.lost
		// It is out of the process's hands: a kill does not call it back.
		w.after(takes/2, func() {
			w.truth.told(region, o.Channel, &o.Notice)
			w.reaches(p, schedule.Told)
		})
		if lost || takes > limit {
			p.later(limit, done(incident.Uncertain))
			w.truth.answerLost(region, o.Channel, &o.Notice)
			return
		}
		p.later(takes, done(incident.Done))
	})
}
