package ring

import (
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Change is one item on its way from the region that wrote it to another.
type Change struct {
	From, To beat.Region
	Key      table.Key
}

// Passage is how one change crosses. The zero value arrives at once.
type Passage struct {
	// Lag is how long after its write the change arrives.
	Lag time.Duration
	// Held keeps it on its way until another Passage is set.
	Held bool
}

// SetPassage replaces Options.Passage while the ring runs; nil lets everything
// arrive at once. What is on its way is asked about anew.
func (r *Ring) SetPassage(of func(Change) Passage) {
	r.joint.turn(func(j *replicator) { j.passage = of })
}

// Cut holds the replication from a region to all others; Heal lets it go on
// with what was held.
func (r *Ring) Cut(from beat.Region) {
	r.joint.turn(func(j *replicator) { j.cuts[from] = true })
}

// Heal ends a Cut.
func (r *Ring) Heal(from beat.Region) {
	r.joint.turn(func(j *replicator) { delete(j.cuts, from) })
}

// turn changes what decides about changes on their way, and tells every lane.
func (j *replicator) turn(change func(*replicator)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change(j)
	close(j.turned)
	j.turned = make(chan struct{})
}

// rule is what decides now, and a channel that is closed when it no longer does.
func (j *replicator) rule() (of func(Change) Passage, turned chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	passage := j.passage
	cut := make(map[beat.Region]bool, len(j.cuts))
	for r := range j.cuts {
		cut[r] = true
	}
	return func(c Change) (p Passage) {
		if passage != nil {
			p = passage(c)
		}
		p.Held = p.Held || cut[c.From]
		return p
	}, j.turned
}
