package torture

import (
	"time"

	"github.com/hb-mesh/hb-mesh/broker/lease"
	"github.com/hb-mesh/hb-mesh/broker/node"
	"github.com/hb-mesh/hb-mesh/broker/peer/link"
	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
)

// callHolder tells the older holder of the lease that it does not hold it.
func (p *process) callHolder(o *lease.Call) {
	w := p.w
	for _, q := range w.processes {
		if q.name == o.Address && q.up {
			term := o.Term
			q.later(w.rng.between(time.Millisecond, 20*time.Millisecond), func() { q.step(&node.Knows{Term: term}) })
			if !q.stalled {
				p.later(w.rng.between(20*time.Millisecond, 50*time.Millisecond), func() { p.step(&lease.Called{Op: o.Op}) })
				return
			}
		}
	}
	p.later(time.Second, func() { p.step(&lease.Called{Op: o.Op}) })
}

// call asks the other region by HTTPS.
func (p *process) call(o *link.Call) {
	w := p.w
	done := false
	answer := func(r *wire.Response) {
		if !done {
			done = true
			p.calls--
			p.step(&link.Called{ID: o.ID, Response: r})
		}
	}
	p.calls++
	w.truth.bounded("calls to the other region", p.calls, mostCalls)
	giveUp := w.now + callAnswer
	lost := func() { p.later(max(0, giveUp-w.now), func() { answer(nil) }) }
	switch {
	case w.bridge.refuse:
		p.later(time.Millisecond, func() { answer(nil) })
		return
	case w.bridge.delay > callAnswer/4:
		lost() // it may be too late
	}
	back := func(r *wire.Response) {
		w.bridge.carry(1-p.region, func() { p.run2(func() { answer(r) }) }, lost)
	}
	request := w.copyRequest(o.Request)
	w.bridge.carry(p.region, func() {
		q := w.active(1 - p.region)
		if q == nil {
			back(nil)
			return
		}
		if q.stalled {
			lost()
		}
		q.run2(func() {
			q.response = nil
			q.step(&node.Received{Token: 1, Request: request})
			var r *wire.Response
			if q.response != nil {
				r = w.copyResponse(o.Request.Kind, q.response.Response)
			}
			back(r)
		})
		if w.bridge.twice {
			again := w.copyRequest(o.Request)
			w.after(w.rng.between(10*time.Millisecond, 200*time.Millisecond), func() {
				q.run2(func() { q.step(&node.Received{Token: 2, Request: again}) })
			})
		}
	}, lost)
}
