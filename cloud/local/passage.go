package local

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
	// Held keeps it on its way, as a cut does, until another Passage is set.
	Held bool
}

// SetPassage replaces Options.Passage while the store runs; nil lets everything
// arrive at once. What is on its way is asked about anew, whatever was said of
// it before: items of one key may so arrive in any order, and the last writer wins
// in both replicas all the same.
func (s *Store) SetPassage(of func(Change) Passage) {
	if of == nil {
		of = atOnce
	}
	s.passage.Store(&of)
	for _, c := range s.carriers {
		c.restart()
	}
}

func atOnce(Change) Passage { return Passage{} }
