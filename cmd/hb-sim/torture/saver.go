package torture

import (
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
)

// saver is the twin of broker's: of each key only the newest item waits.
type saver struct {
	pending []saving
	busy    bool
}

type saving struct {
	item table.Item
	gone bool
}

func (s *saver) reset() { s.pending, s.busy = s.pending[:0], false }

func (p *process) save(v saving) {
	if p.w.steady {
		p.w.truth.truth.Now(p.w.now)
		p.w.truth.truth.Saved(v.item.PK + " " + v.item.SK)
	}
	s := &p.saver
	for i := range s.pending {
		if s.pending[i].item.Key == v.item.Key {
			s.pending[i] = v
			return
		}
	}
	s.pending = append(s.pending, v)
	p.flush(0)
}

// flush writes what waits, after d.
func (p *process) flush(d time.Duration) {
	s := &p.saver
	if s.busy || len(s.pending) == 0 {
		return
	}
	s.busy = true
	p.later(d, func() {
		batch := slices.Clone(s.pending)
		s.pending = s.pending[:0]
		var items []table.Item
		var gone []table.Key
		for _, v := range batch {
			if v.gone {
				gone = append(gone, v.item.Key)
			} else {
				items = append(items, v.item)
			}
		}
		if len(gone) > 0 {
			p.w.tables.del(p, gone)
		}
		p.w.tables.put(p, items, func(err error) {
			s.busy = false
			if err == nil {
				p.flush(0)
				return
			}
			for _, v := range batch {
				if !slices.ContainsFunc(s.pending, func(x saving) bool { return x.item.Key == v.item.Key }) {
					s.pending = append(s.pending, v)
				}
			}
			p.flush(time.Second)
		})
	})
}
