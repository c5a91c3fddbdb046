package torture

import (
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/lease"
	"github.com/hb-mesh/hb-mesh/broker/node"
	"github.com/hb-mesh/hb-mesh/broker/peer/link"
	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/schedule"
)

// waiting is a fault that waits for a moment of the mesh.
type waiting struct {
	fault *schedule.Fault
	left  int // how many such moments are still to come
	until time.Duration
}

// begin lets a fault strike at its instant, or wait for its moment from then on.
func (w *world) begin(f *schedule.Fault) {
	if f.On != 0 {
		w.waiting = append(w.waiting, waiting{f, f.Nth, w.now + schedule.Patience})
		return
	}
	w.strikeFor(f)
}

// strikeFor strikes, and relaxes in time.
func (w *world) strikeFor(f *schedule.Fault) {
	w.strike(f)
	if f.For > 0 {
		w.after(f.For, func() { w.relax(f) })
	}
}

// reaches says that a process reached a moment: what waits for it strikes.
func (w *world) reaches(p *process, m schedule.Moment) {
	if m != 0 {
		w.comes(m, nil, p.region, p.index%nodesPerRegion)
	}
}

// reaches says that a relay reached a moment, of its way to a region. It goes on
// with next, unless its life is over.
func (r *relay) reaches(m schedule.Moment, region int, next func()) {
	if len(r.w.waiting) == 0 {
		next()
		return
	}
	life := r.life
	node := 0
	if p := r.w.active(region); p != nil {
		node = p.index % nodesPerRegion
	}
	r.w.comes(m, r.store, region, node)
	if r.life == life {
		r.run(next) // later, if it stands still now
	}
}

// comes lets the faults strike that wait for a moment: those about another store
// than the relay's go on waiting.
func (w *world) comes(m schedule.Moment, s *store, region, node int) {
	for i := 0; i < len(w.waiting); i++ {
		x := &w.waiting[i]
		if x.fault.On != m || x.until < w.now || s != nil && x.fault.Kind.About() && x.fault.Store != s.index {
			continue
		}
		if x.left--; x.left > 0 {
			continue
		}
		w.cover.moments[m]++
		f := *x.fault
		f.Region, f.Node = region^f.Region, node
		late := f.Late
		f.On, f.Nth, f.Late, f.At = 0, 0, 0, w.now+late
		w.waiting = slices.Delete(w.waiting, i, i+1)
		i--
		if late == 0 {
			w.strikeFor(&f)
			continue
		}
		w.after(late, func() { w.strikeFor(&f) })
	}
}

// momentOf is what a node comes to by what it asks for; 0: nothing special.
func momentOf(o node.Out) schedule.Moment {
	switch o := o.(type) {
	case *presence.Decided:
		return schedule.Decides
	case *link.Call:
		switch o.Request.Kind {
		case wire.Ask:
			return schedule.Asks
		case wire.Forward:
			return schedule.Forwards
		case wire.Told:
			return schedule.Looks
		default:
			return 0
		}
	case *incident.Write:
		for _, m := range o.Notice.Marks {
			if m == incident.Sent {
				return schedule.Marks
			}
		}
		return schedule.Claims
	case *incident.Publish:
		return schedule.Publishes
	case *incident.ReadMarks:
		return schedule.Looks
	case *node.Load:
		return schedule.Loads
	case *node.Ready:
		return schedule.Readies
	case *lease.Write:
		return schedule.Renews
	case *link.Post:
		return schedule.Posts
	case *link.ReadMail:
		return schedule.Fetches
	case *presence.Journal:
		return schedule.Archives
	case *presence.Acked:
		return schedule.Acks
	case *presence.Save, *incident.Save:
		return schedule.Saves
	default:
		return 0
	}
}
