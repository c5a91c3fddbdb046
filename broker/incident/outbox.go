package incident

import (
	"maps"
	"slices"
	"time"
)

// outgoing is a notice on its way: claimed by a write, handed to each channel,
// and marked. Its truth is in the table.
type outgoing struct {
	notice Notice
	steps  []*step
	side   bool // for programs, while people are not told
	since  time.Duration
	// claimed: the table has it. writing: a write is in flight. dirty: marks
	// changed since the last write.
	claimed, writing, dirty bool
	// uncertain: a claim's answer was lost, so "it is there" means ours.
	uncertain bool
	writes    int // failures in a row
	inflight  map[Channel]bool
	failures  map[Channel]int
	// perhaps are the channels that may have taken it: an answer was lost.
	perhaps map[Channel]bool
	// refusedAt is when the table, or every channel so far, first failed.
	refusedAt time.Duration
	refused   bool
	retryAt   time.Duration
	awaits    bool // it is looked at again soon
	given     bool // the other region was told to try, since it was last asked
	shared    bool // the other region was told to try: it is asked before programs are told
	looks     bool // the marks are read once more before it is claimed
	done      bool
}

// op says what a result belongs to; channel is "" for a write.
type op struct {
	out     *outgoing
	channel Channel
	steps   []*step // what the channel is told
}

func (b *Book) newOp(o *outgoing, ch Channel, steps []*step) uint64 {
	b.lastOp++
	id := b.lastOp
	b.ops[id] = op{o, ch, steps}
	b.after(lostAfter, func() { b.lost(id) })
	return id
}

// lostAfter is when a command that nobody answered counts as one whose answer
// was lost. The shell answers each long before.
const lostAfter = 5 * time.Minute

func (b *Book) lost(id uint64) {
	switch o, waits := b.ops[id]; {
	case !waits:
	case o.channel == "":
		b.wrote(&Wrote{Op: id, Result: Uncertain})
	default:
		b.published(&Published{Op: id, Result: Uncertain})
	}
}

// Reaches says whether a channel reaches somebody: a local one does where there
// are no others.
func (o *Options) Reaches(ch Channel) bool {
	return !slices.Contains(o.Local, ch) || len(o.Local) >= len(o.Channels)
}

// told says whether any channel that reaches somebody took it.
func (b *Book) told(o *outgoing) bool {
	for ch, m := range o.notice.Marks {
		if m == Sent && (o.side || b.opt.Reaches(ch)) {
			return true
		}
	}
	return false
}

// firstKnown is when this region first knew of one of some transitions.
func firstKnown(steps []*step) time.Time {
	var first time.Time
	for _, s := range steps {
		at := s.inc.OpenedAt
		if s.change == Recovered {
			at = s.inc.EndedAt
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}

// copied is the notice as it leaves the package: nothing is shared.
func (o *outgoing) copied() Notice {
	n := o.notice
	n.Items, n.SeenFrom = slices.Clone(n.Items), slices.Clone(n.SeenFrom)
	n.Marks, n.SentAt = maps.Clone(n.Marks), maps.Clone(n.SentAt)
	return n
}

// attempt does what is next for a notice: its claim, or its channels.
func (b *Book) attempt(o *outgoing) {
	if o.done {
		return
	}
	o.looks = false
	if len(o.steps) == 0 {
		for ch, m := range o.notice.Marks {
			o.notice.Marks[ch] = Join(m, Cancelled)
		}
		b.finish(o)
		return
	}
	switch {
	case o.writing && !o.claimed: // its result goes on; marks that are being written hold nothing up
	case !b.mayClaim() && (b.drained() || !b.stuck(o, 2*b.opt.Takeover)):
		o.writes++
		b.again(o, o.writes) // or when the lease is back
	case !o.claimed && b.unmarked(o) && !b.stuck(o, 2*b.opt.Takeover):
		o.writes++
		b.again(o, o.writes)
	case !o.claimed && !b.stuck(o, 2*b.opt.Takeover):
		o.writing = true
		b.emit(&Write{Op: b.newOp(o, "", nil), Notice: o.copied()})
	default: // claimed; or both tables fail, then unclaimed rather than never
		b.publish(o)
	}
}

// mayClaim says whether this node holds the region's lease.
func (b *Book) mayClaim() bool { return !b.fenced || b.now.Mono < b.until }

// drained says that this node gave the lease up: whatever fails, it sends no
// more.
func (b *Book) drained() bool { return b.fenced && b.until == 0 }

// lease takes until when this node may claim and publish. What waited for it
// may have been told by the other region meanwhile: that is asked first.
func (b *Book) lease(until time.Duration) {
	had := b.mayClaim()
	b.fenced, b.until = true, until
	if had || !b.mayClaim() {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(b.outbox)) {
		if o := b.outbox[id]; !o.writing && len(o.inflight) == 0 {
			o.writes = 0
			b.retry(o)
		}
	}
}

// retry tries a notice again. Somebody else may have told meanwhile: the other
// region is asked first.
func (b *Book) retry(o *outgoing) {
	switch {
	case o.done || slices.Contains(b.retries, o):
	case len(b.opt.Regions) < 2 || len(o.steps) == 0 || o.side && !o.steps[0].aside && !o.shared:
		b.attempt(o)
	default:
		b.retries = append(b.retries, o)
	}
}

func backoff(failures int) time.Duration {
	return min(firstRetry<<min(failures-1, 20), lastRetry)
}

// again tries a notice again after a failure.
func (b *Book) again(o *outgoing, failures int) { b.retryIn(o, backoff(failures)) }

func (b *Book) retryIn(o *outgoing, d time.Duration) {
	if !o.refused {
		o.refused, o.refusedAt = true, b.now.Mono
	}
	o.retryAt = b.now.Mono + d
	b.after(d, func() { b.retry(o) })
}

// wrote takes the result of a claim, or of a write of marks.
func (b *Book) wrote(e *Wrote) {
	o := b.ops[e.Op].out
	delete(b.ops, e.Op)
	if o == nil {
		return
	}
	o.writing = false
	switch {
	case e.Result == Done, e.Result == Refused && o.uncertain && !o.claimed:
		o.writes = 0
		if !o.claimed {
			o.claimed, o.dirty = true, o.dirty || e.Result == Refused // what is there may lack our marks
			b.attempt(o)
		}
		b.mark(o)
	case e.Result == Refused:
		o.done = true
		delete(b.outbox, o.notice.ID)
		b.emit(&Superseded{Notice: o.copied()})
	case !o.claimed && !o.done:
		o.uncertain = o.uncertain || e.Result == Uncertain
		o.writes++
		b.again(o, o.writes)
	default:
		o.uncertain = o.uncertain || e.Result == Uncertain
		o.writes++
		o.dirty = true
		b.after(backoff(o.writes), func() { b.mark(o) })
	}
}

// mark writes marks that the table does not have. What was sent unclaimed is
// claimed afterwards, as soon as it can be: memory alone knows of it.
func (b *Book) mark(o *outgoing) {
	if !o.dirty || o.writing || !o.claimed && !o.done {
		return
	}
	o.dirty, o.writing = false, true
	if o.claimed {
		o.notice.Rev++
	}
	b.emit(&Write{Op: b.newOp(o, "", nil), Notice: o.copied()})
}

// publish hands a notice to each channel that does not have it.
func (b *Book) publish(o *outgoing) {
	for _, ch := range b.opt.Channels {
		if mark, ok := o.notice.Marks[ch]; !ok || mark != Unsent || o.inflight[ch] {
			continue
		}
		items, steps, wait := b.itemsFor(o, ch)
		switch {
		case wait:
			b.await(o)
		case len(items) == 0:
			o.notice.Marks[ch], o.dirty = Cancelled, true
			if !o.side && !slices.ContainsFunc(o.steps, func(s *step) bool { return !b.knows(s, ch) }) {
				o.notice.Marks[ch] = Sent // by the node before this one, or the other region
			}
		default:
			o.inflight[ch] = true
			n := o.copied()
			n.Items = items
			b.emit(&Publish{Op: b.newOp(o, ch, steps), Channel: ch, Notice: n, NotAfter: b.notAfter()})
		}
	}
	b.finish(o)
}

// await looks again soon at a notice whose fault is still on its way.
func (b *Book) await(o *outgoing) {
	if o.awaits {
		return
	}
	o.awaits = true
	b.after(firstRetry, func() {
		o.awaits = false
		b.attempt(o)
	})
}

// notAfter is when a publish is too late; an unclaimed one has no lease to keep.
func (b *Book) notAfter() time.Duration {
	if !b.fenced || !b.mayClaim() {
		return 0
	}
	return b.until
}

// itemsFor is what a channel is told: no fault that is over, unless it may have
// been told already (then it is told again, so that its recovery has a fault);
// no recovery of a fault that it was not told of; and nothing that it got, or gets,
// while people are not told. wait says that a fault is still on its way there.
func (b *Book) itemsFor(o *outgoing, ch Channel) (items []Item, steps []*step, wait bool) {
	for i, s := range o.steps {
		if !o.side && s.side != nil && !s.side.done && b.isProgram(ch) || slices.Contains(s.heard(), ch) {
			continue
		}
		if s != s.inc.fault && s != s.inc.recovery {
			continue // it was opened again since
		}
		tell := s.inc.Open || o.perhaps[ch]
		if s.change == Recovered {
			if b.onItsWay(s.inc.fault, ch) {
				return nil, nil, true
			}
			tell = s.inc.fault.hasTold(ch)
		}
		if tell {
			items, steps = append(items, o.notice.Items[i]), append(steps, s)
		}
	}
	return items, steps, false
}

// onItsWay says whether a channel may still get a fault.
func (b *Book) onItsWay(f *step, ch Channel) bool {
	for _, o := range [...]*outgoing{f.notice, f.side} {
		if o != nil && !o.done && o.notice.Marks[ch] == Unsent && (o.inflight[ch] || o.perhaps[ch]) {
			if _, has := o.notice.Marks[ch]; has {
				return true
			}
		}
	}
	return false
}

// hasTold says whether a channel got the fault: from this region, or from the
// other one, whose older version does not say on which.
func (s *step) hasTold(ch Channel) bool {
	return slices.Contains(s.on, ch) || len(s.on) == 0 && s.phase == told
}

// published takes a channel's result.
func (b *Book) published(e *Published) {
	o, ch, steps := b.ops[e.Op].out, b.ops[e.Op].channel, b.ops[e.Op].steps
	delete(b.ops, e.Op)
	if o == nil {
		return
	}
	delete(o.inflight, ch)
	switch {
	case e.Result == Done:
		b.sent(o, ch, steps)
	case e.Result == Refused, b.now.Mono-o.since >= giveUpAfter:
		o.notice.Marks[ch], o.dirty = Join(o.notice.Marks[ch], Cancelled), true
		b.emit(&GaveUp{Notice: o.copied(), Channel: ch})
	default:
		o.perhaps[ch] = o.perhaps[ch] || e.Result == Uncertain
		o.failures[ch]++
		b.again(o, o.failures[ch])
	}
	b.finish(o)
}

// sent marks a channel: steps are told there.
func (b *Book) sent(o *outgoing, ch Channel, steps []*step) {
	o.notice.Marks[ch], o.dirty = Sent, true
	if b.opt.Reaches(ch) {
		o.refused = false
	}
	if o.notice.SentAt == nil {
		o.notice.SentAt = make(map[Channel]time.Time)
	}
	o.notice.SentAt[ch] = b.now.Wall.UTC().Truncate(time.Millisecond)
	o.leftOut(ch, steps)
	for _, s := range steps {
		if o.side {
			b.sentAside(s, ch)
			continue
		}
		if s.notice != o {
			continue // the other region told it meanwhile
		}
		s.on = append(s.on, ch)
		first := s.phase != told
		s.phase, s.inc.Waits, s.inc.Teller, s.inc.Suppressed = told, "", b.opt.Region, false
		if !slices.Contains(s.inc.Told, ch) {
			s.inc.Told = append(s.inc.Told, ch)
			first = true
		}
		s.inc.Untold = s.change == Opened && s.inc.recovery != nil && !s.inc.recovery.final()
		if first {
			b.save(s.inc)
			b.resolve(s.inc)
		}
		b.endThere(s, ch)
	}
}

// sentAside marks that a program knows what people are not told of.
func (b *Book) sentAside(s *step, ch Channel) {
	s.on = append(s.on, ch)
	if s.inc.Teller == "" {
		s.inc.Teller = b.opt.Region
	}
	if s.aside && !s.final() {
		s.phase, s.inc.Waits, s.inc.Untold = told, "", false
	}
	if !slices.Contains(s.inc.Told, ch) {
		s.inc.Told = append(s.inc.Told, ch)
		s.inc.Suppressed = s.inc.fault.phase != told
	}
	b.save(s.inc)
}

func (b *Book) save(inc *incident) {
	i := inc.Incident
	i.Told = slices.Clone(i.Told)
	b.emit(&Save{Incident: i})
}
