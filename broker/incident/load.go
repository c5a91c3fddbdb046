package incident

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// load takes what the table remembers of both regions, joined: an incident is
// as far as the furthest word about it, and told where any mark says so.
func (b *Book) load(e *Loaded) {
	b.loaded, b.loadedAt = true, b.now.Mono
	incidents := slices.Clone(e.Incidents)
	slices.SortStableFunc(incidents, furthestFirst)
	for i := range incidents {
		b.loadIncident(&incidents[i])
	}
	notices := slices.Clone(e.Notices)
	slices.SortFunc(notices, func(x, y Notice) int { return cmp.Compare(x.ID, y.ID) })
	for i := range notices {
		b.loadNotice(&notices[i])
	}
	for _, id := range slices.Sorted(maps.Keys(b.byID)) {
		inc := b.byID[id]
		if inc.Open {
			if inc.Kind == Flapping {
				b.loadFlapping(inc)
			}
			continue
		}
		b.after(keepEnded, func() { b.purge(id) })
		inc.Untold = inc.Untold && inc.recovery.phase == checking
		b.loadedOver(inc)
	}
}

// loadedOver goes on with the end of an incident that was over before this node
// started: the node before it owed it, or a channel has the fault, or may have it,
// and no mark says that it has the end.
func (b *Book) loadedOver(inc *incident) {
	switch r := inc.recovery; {
	case inc.fault.phase == leaving && r.phase == cancelled:
		r.phase = waiting
	case inc.Untold, r.final() && b.lacksEnd(inc):
		b.start(r, true)
	}
}

// lacksEnd says whether a channel has a fault, and not its end, by the marks: those
// of an older end were not looked at.
func (b *Book) lacksEnd(inc *incident) bool {
	return b.now.Wall.Sub(inc.EndedAt) < giveUpAfter && slices.ContainsFunc(b.opt.Channels, func(ch Channel) bool {
		return b.opt.Reaches(ch) && slices.Contains(inc.fault.on, ch) && !slices.Contains(inc.recovery.on, ch)
	})
}

// furthestFirst orders the words about incidents, so that whichever item is read
// first, the same word stands: the furthest, and of two regions' as far the one
// that knew of it first.
func furthestFirst(x, y Incident) int {
	return cmp.Or(cmp.Compare(x.ID, y.ID), cmp.Compare(y.K, x.K), x.OpenedAt.Compare(y.OpenedAt), x.Since.Compare(y.Since),
		x.EndedAt.Compare(y.EndedAt), cmp.Compare(x.Teller, y.Teller), cmp.Compare(len(y.Told), len(x.Told)), slices.Compare(x.Told, y.Told), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.ToldAs, y.ToldAs),
		cmp.Compare(heldFirst(&x), heldFirst(&y)))
}

// heldFirst: of two words that else agree, the one stands by which people know
// nothing: they are asked about again.
func heldFirst(i *Incident) int {
	if i.Suppressed {
		return 0
	}
	return 1
}

func (b *Book) loadIncident(in *Incident) {
	if why := b.checkIncident(in); why != "" {
		b.ignore(why, string(in.ID))
		return
	}
	if have := b.byID[in.ID]; have != nil {
		if in.subject() == have.subject() && in.K == have.K && !in.Open && !have.Open && !in.Untold {
			have.Untold, have.recovery.phase = false, told
		}
		return // the furthest came first
	}
	inc := &incident{Incident: *in, began: in.OpenedAt, doubtful: true, saved: in.Told, remembered: true}
	inc.Waits = ""
	inc.fault = &step{inc: inc, change: Opened, phase: told, on: slices.Clone(in.Told)}
	if in.Suppressed && in.Open {
		b.remind(inc.fault)
	}
	b.byID[in.ID] = inc
	if in.Open {
		b.loadOpen(inc)
	} else {
		inc.recovery = loadedEnd(inc)
	}
}

// loadedEnd is the end of an incident that is loaded: told, or owed.
func loadedEnd(inc *incident) *step {
	s := &step{inc: inc, k: inc.K, change: Recovered, phase: told}
	if inc.Untold {
		s.phase = checking
	}
	return s
}

// loadOpen makes an incident the open one of its subject. Where each region
// opened one by itself, the later stands, and the other ends with it.
func (b *Book) loadOpen(inc *incident) {
	sub := inc.subject()
	have := b.open[sub]
	switch {
	case have == nil || have == inc:
		b.open[sub] = inc
	case cmp.Or(inc.OpenedAt.Compare(have.OpenedAt), cmp.Compare(inc.ID, have.ID)) > 0:
		inc.also, have.also = append(have.also, have), nil
		b.open[sub] = inc
	default:
		have.also = append(have.also, inc)
	}
}

// remind takes a fault that programs know and people do not: it is looked at
// again when there is evidence of it.
func (b *Book) remind(f *step) {
	f.phase, f.side = frozen, &outgoing{side: true, done: true}
	f.inc.Waits = "waits for evidence after this node's start"
}

// loadEnd ends an incident that is known already, as a notice says.
func (b *Book) loadEnd(inc *incident, k int, at time.Time) {
	was := inc.Open
	inc.K, inc.Open, inc.EndedAt, inc.Ended, inc.Untold = k, false, at, "", false
	if sub := inc.subject(); was && b.open[sub] == inc {
		delete(b.open, sub)
		for _, other := range inc.also {
			if other.Open {
				b.loadOpen(other)
			}
		}
		inc.also = nil
	}
	inc.recovery = loadedEnd(inc)
}

// loadNotice goes on where a notice was left: what is marked sent is told;
// what is not, and is this region's, is tried again.
func (b *Book) loadNotice(n *Notice) {
	if why := b.checkNotice(n); why != "" {
		b.ignore(why, n.ID)
		return
	}
	for ch, m := range n.Marks {
		if m == Unsent && (!slices.Contains(b.opt.Channels, ch) || b.now.Wall.Sub(n.At) >= giveUpAfter) {
			n.Marks[ch] = Cancelled // a channel that is no more, or too late
		}
	}
	steps := make([]*step, 0, len(n.Items))
	for i := range n.Items {
		steps = append(steps, b.loadItem(n, i))
	}
	if !n.pending() || n.Region != b.opt.Region {
		b.remember(*n)
		return
	}
	o := &outgoing{
		notice: *n, steps: steps, side: n.Suppressed, since: b.now.Mono - b.now.Wall.Sub(n.At), claimed: true,
		inflight: make(map[Channel]bool), failures: make(map[Channel]int), perhaps: make(map[Channel]bool),
	}
	for ch, m := range n.Marks {
		o.perhaps[ch] = m == Unsent // it may have been taken, and not marked
	}
	for _, s := range steps {
		if o.side {
			s.side = o
		} else {
			s.notice = o
		}
	}
	b.outbox[n.ID] = o
	b.again(o, 1)
}

// pending says whether a channel still waits for the notice.
func (n *Notice) pending() bool {
	for _, m := range n.Marks {
		if m == Unsent {
			return true
		}
	}
	return false
}

// loadItem is the step of one transition that a notice lists, with what became
// of it. Notices are loaded oldest first, so the last word about an incident
// stands.
func (b *Book) loadItem(n *Notice, place int) *step {
	item := &n.Items[place]
	inc := b.loadSubject(n, item)
	s := inc.fault
	switch item.Change {
	case Recovered:
		s = inc.recovery
	case Changed:
		s = nil // it tells nobody of a fault or its end
	}
	if s == nil || item.K < s.k {
		return &step{inc: inc, k: item.K, change: item.Change, phase: told} // an earlier round of it
	}
	if item.K > s.k {
		s.k, s.on = item.K, nil
		if s == inc.fault { // its last round, as far as is known
			s.on = slices.Clone(inc.saved)
		}
	}
	if item.Change == Opened {
		inc.toldBy(item.Kind)
	}
	if n.Suppressed {
		b.loadAside(n, place, s)
		return s
	}
	sent := false
	for _, ch := range b.opt.Channels {
		if n.sentOn(ch, place) {
			sent = true
			s.on = union(s.on, []Channel{ch})
			inc.Teller = n.Region
			if !slices.Contains(inc.Told, ch) {
				inc.Told = append(inc.Told, ch)
			}
		}
	}
	switch {
	case sent:
		s.phase = told
	case s.notice != nil, !n.pending() && (s.phase == leaving || len(s.on) > 0): // another notice tells it
	case !n.pending():
		s.phase = cancelled
		if item.Change == Opened && inc.Open {
			// Nobody was told: evidence opens it again.
			b.loadEnd(inc, inc.K+1, n.At)
			inc.recovery.phase = cancelled
		}
	case n.Region == b.opt.Region:
		s.phase, inc.Teller = leaving, b.opt.Region
	case s == inc.fault && !inc.Open && b.everywhere(s):
		s.phase = told // who has it in its outbox left no mark
	default: // the other region has it in its outbox
		s.phase = held
		b.hold(s)
	}
	return s
}

// loadAside takes what programs were told while people were not.
func (b *Book) loadAside(n *Notice, place int, s *step) {
	for _, ch := range b.opt.Channels {
		if n.sentOn(ch, place) {
			s.on = append(s.on, ch)
			if !slices.Contains(s.inc.Told, ch) {
				s.inc.Told = append(s.inc.Told, ch)
			}
		}
	}
	if s.change == Recovered {
		s.side = &outgoing{side: true, done: true}
		switch {
		case s.phase == checking: // people are to hear of it, too
		case len(s.on) > 0:
			s.phase = told
		default:
			s.phase = cancelled
		}
		return
	}
	if s.inc.Open {
		s.inc.Suppressed = true
		b.remind(s)
	}
}

// loadSubject is the incident of an item, as far as the item goes.
func (b *Book) loadSubject(n *Notice, item *Item) *incident {
	inc := b.byID[item.Incident]
	if inc == nil {
		inc = &incident{doubtful: true, noticed: true, Incident: Incident{
			V: Version, ID: item.Incident, Kind: item.Kind, Store: item.Store, Host: item.Host, Region: item.Region, Lost: item.Lost,
		}}
		if item.Change == Changed {
			return inc
		}
		b.byID[item.Incident] = inc
	}
	if (subject{item.Store, item.Host, item.Region, classOf(item.Kind)}) != inc.subject() {
		return inc // not what its id says: the first word stands
	}
	switch {
	case item.Change == Recovered && item.K > inc.K:
		if inc.fault == nil {
			inc.fault = &step{inc: inc, change: Opened, phase: told}
		}
		inc.Open = true
		b.loadEnd(inc, item.K, n.At)
	case item.Change == Opened && item.K > inc.K:
		inc.K, inc.Open, inc.EndedAt, inc.recovery = item.K, true, time.Time{}, nil
		inc.Since, inc.SinceUncertaintyMs, inc.OpenedAt = item.Since, item.SinceUncertaintyMs, n.At
		inc.began = n.At
		inc.SeenFrom, inc.OneSided, inc.Message = n.SeenFrom, n.OneSided, item.Message
		inc.fault = &step{inc: inc, k: item.K, change: Opened, phase: told}
		b.loadOpen(inc)
	}
	return inc
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
