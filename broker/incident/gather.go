package incident

import (
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// gather collects what happens in one store within Gather, so that one fault
// makes one message (I6).
type gather struct{ steps []*step }

func (b *Book) gather(s *step) {
	s.phase = gathering
	s.inc.Waits = "gathers what else happens in the store"
	g := b.gathering[s.inc.Store]
	if g == nil {
		g = &gather{}
		b.gathering[s.inc.Store] = g
		store := s.inc.Store
		b.after(b.opt.Gather, func() { b.flush(store) })
	}
	g.steps = append(g.steps, s)
}

// maxItems bounds one notice: its item must fit the table.
const maxItems = 500

// flush sends what gathered: one notice for each kind and change.
func (b *Book) flush(store beat.StoreID) {
	g := b.gathering[store]
	delete(b.gathering, store)
	var groups [][]*step
	for _, s := range g.steps {
		if s.phase != gathering {
			continue
		}
		if s.change == Opened && b.covered(s.inc) {
			s.phase = frozen
			s.inc.Waits = "the store is down: its hosts cannot be seen"
			continue
		}
		i := slices.IndexFunc(groups, func(g []*step) bool {
			return len(g) < maxItems && g[0].inc.Kind == s.inc.Kind && g[0].change == s.change && g[0].inc.Ended == s.inc.Ended
		})
		if i < 0 {
			groups = append(groups, []*step{s})
		} else {
			groups[i] = append(groups[i], s)
		}
	}
	for _, steps := range groups {
		b.send(steps)
	}
}

// item is a transition as a notice lists it.
func (b *Book) item(s *step) Item {
	i := Item{
		Kind: s.inc.Kind, Change: s.change, Store: s.inc.Store, Host: s.inc.Host, Incident: s.inc.ID, K: s.k,
		Since: s.inc.Since, SinceUncertaintyMs: s.inc.SinceUncertaintyMs,
	}
	if s.change == Recovered {
		i.Ended = s.inc.Ended
		i.DurationMs = max(1, s.inc.EndedAt.Sub(s.inc.Since).Milliseconds())
	} else {
		i.Message = s.inc.Message
	}
	return i
}

// send makes a notice of transitions that go together, and claims it.
func (b *Book) send(steps []*step) {
	b.notices++
	o := &outgoing{
		notice: Notice{
			ID: noticeID(b.now.Wall, b.opt.Region, b.opt.Term, b.notices), Region: b.opt.Region,
			At: b.now.Wall.UTC().Truncate(time.Millisecond), Marks: make(map[Channel]Mark), Rev: 1,
		},
		steps: steps, since: b.now.Mono, inflight: make(map[Channel]bool), failures: make(map[Channel]int), perhaps: make(map[Channel]bool),
	}
	for _, ch := range b.opt.Channels {
		o.notice.Marks[ch] = Unsent
	}
	for _, s := range steps {
		s.phase, s.notice = leaving, o
		s.inc.Waits = "is being sent"
		o.notice.Items = append(o.notice.Items, b.item(s))
		o.notice.OneSided = o.notice.OneSided || s.inc.OneSided && s.change == Opened
		from := s.inc.SeenFrom
		if len(s.seenFrom) > 0 {
			from = s.seenFrom
		}
		for _, r := range from {
			if !slices.Contains(o.notice.SeenFrom, r) {
				o.notice.SeenFrom = append(o.notice.SeenFrom, r)
			}
		}
	}
	slices.Sort(o.notice.SeenFrom)
	b.outbox[o.notice.ID] = o
	b.attempt(o)
}
