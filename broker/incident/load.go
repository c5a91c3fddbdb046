package incident

import (
	"cmp"
	"slices"
)

// load takes what the table remembers of both regions, joined: an incident is
// as far as the furthest word about it, and told where any mark says so.
func (b *Book) load(e *Loaded) {
	for i := range e.Incidents {
		b.loadIncident(&e.Incidents[i])
	}
	notices := slices.Clone(e.Notices)
	slices.SortFunc(notices, func(x, y Notice) int { return cmp.Compare(x.ID, y.ID) })
	for i := range notices {
		b.loadNotice(&notices[i])
	}
	for id, inc := range b.byID {
		if !inc.Open {
			b.after(keepEnded, func() { b.purge(id) })
		}
	}
}

func (b *Book) loadIncident(in *Incident) {
	if have := b.byID[in.ID]; have != nil {
		if in.K > have.K {
			b.end(have, in)
		}
		return
	}
	inc := &incident{Incident: *in}
	inc.Waits = ""
	inc.fault = &step{inc: inc, k: 1, change: Opened, phase: told, on: slices.Clone(in.Told)}
	b.byID[in.ID] = inc
	if in.Open {
		b.open[inc.subject()] = inc
	} else {
		inc.recovery = &step{inc: inc, k: in.K, change: Recovered, phase: told}
	}
}

// end takes a further word about an incident that is known already.
func (b *Book) end(inc *incident, in *Incident) {
	inc.K = in.K
	if !in.Open && inc.Open {
		if b.open[inc.subject()] == inc {
			delete(b.open, inc.subject())
		}
		inc.Open, inc.EndedAt = false, in.EndedAt
		inc.recovery = &step{inc: inc, k: in.K, change: Recovered, phase: told}
	}
}

// loadNotice goes on where a notice was left: what is marked sent is told;
// what is not, and is this region's, is tried again.
func (b *Book) loadNotice(n *Notice) {
	var steps []*step
	for _, item := range n.Items {
		steps = append(steps, b.loadItem(n, item))
	}
	b.remember(*n)
	unsent := false
	for ch, m := range n.Marks {
		if m == Unsent && !slices.Contains(b.opt.Channels, ch) {
			n.Marks[ch] = Cancelled // a channel that is no more
		}
		unsent = unsent || n.Marks[ch] == Unsent
	}
	if !unsent || n.Region != b.opt.Region || b.now.Wall.Sub(n.At) >= giveUpAfter {
		return
	}
	b.recent = b.recent[:len(b.recent)-1]
	o := &outgoing{
		notice: *n, steps: steps, since: b.now.Mono - b.now.Wall.Sub(n.At), claimed: true,
		inflight: make(map[Channel]bool), failures: make(map[Channel]int),
	}
	for _, s := range steps {
		s.notice = o
	}
	b.outbox[n.ID] = o
	b.again(o, 1)
}

func (b *Book) loadItem(n *Notice, item Item) *step {
	inc := b.byID[item.Incident]
	if inc == nil {
		inc = &incident{Incident: Incident{
			ID: item.Incident, Kind: item.Kind, Store: item.Store, Host: item.Host, K: item.K, Open: item.Change != Recovered,
			Since: item.Since, SinceUncertaintyMs: item.SinceUncertaintyMs, OpenedAt: n.At, SeenFrom: n.SeenFrom, OneSided: n.OneSided,
		}}
		inc.fault = &step{inc: inc, k: 1, change: Opened, phase: told}
		b.byID[item.Incident] = inc
		if inc.Open && b.open[inc.subject()] == nil {
			b.open[inc.subject()] = inc
		}
	}
	s := inc.fault
	if item.Change == Recovered {
		if inc.Open || inc.recovery == nil {
			b.end(inc, &Incident{K: max(item.K, inc.K), EndedAt: n.At})
		}
		if inc.recovery == nil {
			inc.recovery = &step{inc: inc, k: item.K, change: Recovered}
		}
		s = inc.recovery
	}
	s.phase, s.on = leaving, nil
	for _, ch := range b.opt.Channels {
		if n.Marks[ch] == Sent {
			s.phase = told
			s.on = append(s.on, ch)
			inc.Teller = n.Region
			if !slices.Contains(inc.Told, ch) {
				inc.Told = append(inc.Told, ch)
			}
		}
	}
	switch {
	case s.phase == told:
	case n.Region == b.opt.Region:
		inc.Teller = b.opt.Region
	default: // the other region has it in its outbox
		s.phase = held
		b.askAfter(s, b.opt.Takeover)
	}
	return s
}

// Incidents are all that are known, the open ones first, then by their opening.
func (b *Book) Incidents(openOnly bool) []Incident {
	var out []Incident
	for _, inc := range b.byID {
		if inc.Open || !openOnly {
			out = append(out, inc.Incident)
		}
	}
	slices.SortFunc(out, func(x, y Incident) int {
		if x.Open != y.Open {
			if x.Open {
				return -1
			}
			return 1
		}
		return cmp.Or(y.OpenedAt.Compare(x.OpenedAt), cmp.Compare(x.ID, y.ID))
	})
	return out
}

// Notices are the last ones, newest first: those on their way, then those done.
func (b *Book) Notices(limit int) []Notice {
	var out []Notice
	for _, o := range b.outbox {
		out = append(out, o.copied())
	}
	out = append(out, b.recent...)
	slices.SortFunc(out, func(x, y Notice) int { return cmp.Compare(y.ID, x.ID) })
	return out[:min(limit, len(out))]
}

// Depth is how many notices are on their way.
func (b *Book) Depth() int { return len(b.outbox) }
