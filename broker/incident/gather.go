package incident

import (
	"maps"
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// gather collects what happens in one store within Gather, so that one fault
// makes one message (I6).
type gather struct {
	steps []*step
	due   time.Duration
	// vanished counts the hosts among them that went missing.
	vanished int
}

func (b *Book) gather(s *step) {
	s.phase = gathering
	s.inc.Waits = "gathers what else happens in the store"
	key := gatherKey{s.inc.Store, s.inc.Region}
	g := b.gathering[key]
	if g == nil {
		g = &gather{}
		b.gathering[key] = g
		b.flushAfter(key, g, b.opt.Gather)
	}
	g.steps = append(g.steps, s)
	if s.change == Opened && s.inc.Kind == HostMissing {
		// Two hosts that vanish may be the first of a dead LAN (L3).
		if g.vanished++; g.vanished == 2 {
			b.flushAfter(key, g, b.opt.GatherLan)
		}
	}
}

// gatherKey is what gathers together: a store, or a region.
type gatherKey struct {
	store  beat.StoreID
	region beat.Region
}

func (b *Book) flushAfter(key gatherKey, g *gather, d time.Duration) {
	due := b.now.Mono + d
	if due < g.due {
		return
	}
	g.due = due
	b.after(d, func() {
		if b.gathering[key] == g && g.due == due {
			b.flush(key)
		}
	})
}

// maxItems bounds one notice: its item must fit the table.
const maxItems = 10_000

// flush sends what gathered: one notice for each kind and change.
func (b *Book) flush(key gatherKey) {
	g := b.gathering[key]
	delete(b.gathering, key)
	var groups [][]*step
	for _, s := range g.steps {
		if s.phase != gathering {
			continue
		}
		if s.change == Opened && b.covered(s.inc) {
			b.freeze(s)
			continue
		}
		s.aside = b.onlyPrograms(s)
		if h := b.hushOf(s); h.held() && !s.aside {
			b.hushPeople(s, h)
			continue
		}
		if b.missedOpening(s) {
			b.didNotComeUp(s)
			continue
		}
		i := slices.IndexFunc(groups, func(g []*step) bool {
			return len(g) < maxItems && g[0].kind() == s.kind() && g[0].change == s.change && g[0].inc.Ended == s.inc.Ended && g[0].quiet == s.quiet && g[0].aside == s.aside
		})
		if i < 0 {
			groups = append(groups, []*step{s})
		} else {
			groups[i] = append(groups[i], s)
		}
	}
	for _, steps := range groups {
		if steps[0].aside {
			b.tellPrograms(steps)
		} else {
			b.tell(people, steps)
		}
	}
}

// item is a transition as a notice lists it.
func (b *Book) item(s *step) Item {
	i := Item{
		Kind: s.kind(), Change: s.change, Store: s.inc.Store, Host: s.inc.Host, Region: s.inc.Region, Incident: s.inc.ID, K: s.k,
		Since: s.inc.Since, SinceUncertaintyMs: s.inc.SinceUncertaintyMs,
	}
	if s.change == Recovered {
		i.Ended = s.inc.Ended
		i.DurationMs = max(1, s.inc.EndedAt.Sub(s.inc.Since).Milliseconds())
	} else {
		i.Message, i.Lost = s.inc.Message, s.inc.Lost
	}
	i.Tags = b.tags(s.inc)
	return i
}

// tags are a store's, and its host's over them.
func (b *Book) tags(inc *incident) map[string]string {
	st := b.fleet.Store(inc.Store)
	if st == nil {
		return nil
	}
	h := st.Declared(inc.Host)
	if h == nil || len(h.Tags) == 0 {
		return st.Tags // shared: nobody changes it
	}
	tags := maps.Clone(h.Tags)
	for k, v := range st.Tags {
		if _, own := tags[k]; !own {
			tags[k] = v
		}
	}
	return tags
}

func (b *Book) isProgram(ch Channel) bool { return slices.Contains(b.opt.Programs, ch) }

// send makes a notice of transitions that go together, and claims it.
func (b *Book) send(l lane, steps []*step, digest bool) {
	b.notices++
	o := &outgoing{
		notice: Notice{
			V: Version, ID: noticeID(b.now.Wall, b.opt.Region, b.opt.Term, b.notices), Region: b.opt.Region,
			At: b.now.Wall.UTC().Truncate(time.Millisecond), Marks: make(map[Channel]Mark), Rev: 1,
		},
		steps: steps, side: l == programs, since: b.now.Mono, inflight: make(map[Channel]bool), failures: make(map[Channel]int), perhaps: make(map[Channel]bool),
	}
	n := &o.notice
	for _, ch := range b.opt.Channels {
		if l == people || b.isProgram(ch) {
			n.Marks[ch] = Unsent
		}
	}
	n.Suppressed, n.Quiet, n.Digest = l == programs, steps[0].quiet && l == people, digest && len(steps) > 1
	if l == programs {
		n.Why = steps[0].why
	}
	for _, s := range steps {
		n.FleetWide = n.FleetWide || s.inc.FleetWide && s.change == Opened
		if l == programs {
			s.side = o
		} else {
			s.phase, s.notice = leaving, o
			if s.change == Opened {
				s.inc.ToldAs = "" // it is told as what it is now
			}
			s.inc.Waits = "is being sent"
		}
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
	slices.Sort(n.SeenFrom)
	n.Known = firstKnown(steps)
	b.outbox[o.notice.ID] = o
	if slices.ContainsFunc(steps, func(s *step) bool { return s.apart && s.carrier() == o }) {
		b.lookLast(o)
	} else {
		b.attempt(o)
	}
}
