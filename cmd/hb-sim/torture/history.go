package torture

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/record"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// audits is how seldom the history of a world is read at its end: one of so many
// seeds, for speed.
const audits = 4

// skewMost is what a node's wall clock may be wrong by: entries are dated by it.
const skewMost = time.Hour

// drained is how long an entry may wait in a journal: a batch of the other region,
// then its own.
const drained = 2*batchTimeout + time.Second

// entryOf is an entry for the truth.
func entryOf(s *store, inc beat.Incarnation, t *beat.Transition) truth.Entry {
	e := truth.Entry{Store: s.index, Incarnation: inc.String(), Number: uint64(t.Number), Until: uint64(t.Until)}
	if t.Until == 0 {
		e.What = string(t.Host) + " " + t.State.String()
	}
	return e
}

// left says that a relay sends a batch of its journal.
func (t *witness) left(r *relay, inc beat.Incarnation, batch []beat.Transition) {
	if !t.audits {
		return
	}
	for i := range batch {
		t.truth.Left(entryOf(r.store, inc, &batch[i]))
	}
}

// freed says that a relay is about to drop its entries up to through.
func (t *witness) freed(r *relay, through beat.Number) {
	if !t.audits {
		return
	}
	batch, err := r.disk.Batch(0, math.MaxInt, math.MaxInt)
	if err != nil {
		t.w.fail("the journal cannot be read: " + err.Error())
	}
	for i := range batch {
		if e := &batch[i]; max(e.Number, e.Until) <= through {
			t.truth.Freed(entryOf(r.store, r.disk.Incarnation(), e))
		}
	}
}

// history tells the truth what the journals came to.
func (t *witness) history() {
	w := t.w
	for _, s := range w.stores {
		if r := s.relay; r != nil && r.up && !r.stalled && !r.disk.full && !r.links.silent() && w.now-r.wrote > drained {
			depth, _ := r.disk.Backlog()
			t.truth.Backlog(s.index, depth)
		}
	}
	if !t.audits {
		return
	}
	for _, s := range w.stores {
		all, aside := record.JoinHistory(w.tables.history(s.id))
		if aside > 0 {
			w.fail("an item of the history cannot be read")
		}
		for i := range all {
			x := &all[i]
			e := truth.Entry{Store: s.index, Incarnation: x.Incarnation, Number: uint64(x.Number), Until: uint64(x.Until)}
			if x.Until == 0 {
				e.What = string(x.Host) + " " + x.State.String()
			}
			t.truth.Recorded(e)
		}
	}
	t.truth.Audited()
}

// history are the items of a store's history that each region wrote, whether or
// not they have reached the other one.
func (t *tables) history(id beat.StoreID) (items []table.Item) {
	var days []string
	for _, at := range [...]time.Time{t.w.base.Add(-skewMost), t.w.base, t.w.wall(), t.w.wall().Add(skewMost)} {
		if pk := table.HistoryPK(id, at); !slices.Contains(days, pk) {
			days = append(days, pk)
		}
	}
	for _, pk := range days {
		for g, own := range t.w.names {
			t.replicas[g].rows(pk, func(r *row) {
				if strings.HasPrefix(r.item.SK, string(own)+"#") {
					items = append(items, r.item)
				}
			})
		}
	}
	return items
}
