package incident

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// budgetWindow is what Options.Burst is counted in: what follows goes into a
// digest, after digestAfter, and while it grows (I6).
const budgetWindow = time.Minute

var digestAfter = [...]time.Duration{10 * time.Second, 60 * time.Second, 5 * time.Minute}

// budget is what people, or programs, are told of faults, or of recoveries.
type budget struct {
	// recent are when notices went at once, in the last budgetWindow.
	recent []time.Duration
	// waiting go with the next digest; stage counts those since a storm began, 0:
	// there is none.
	waiting []*step
	stage   int
	due     time.Duration // of the next digest
}

// lane is whose budget it is.
type lane uint8

const (
	people lane = iota
	programs
	lanes
)

func (b *Book) budgetOf(l lane, c Change) *budget {
	if c == Recovered {
		return &b.budgets[l][1]
	}
	return &b.budgets[l][0]
}

// room says whether one more notice may go at once, and counts it.
func (b *Book) room(g *budget) bool {
	for len(g.recent) > 0 && b.now.Mono-g.recent[0] >= budgetWindow {
		g.recent = g.recent[1:]
	}
	if g.stage > 0 || len(g.recent) >= b.opt.Burst {
		return false
	}
	g.recent = append(g.recent, b.now.Mono)
	return true
}

// tell sends transitions that go together: at once, or with the next digest.
func (b *Book) tell(l lane, steps []*step) {
	g := b.budgetOf(l, steps[0].change)
	if steps[0].inc.Region != "" || b.room(g) {
		b.send(l, steps, false)
		return
	}
	for _, s := range steps {
		if l == people {
			s.phase = digesting
			s.inc.Waits = "waits for the next digest: many things happen"
		}
	}
	g.waiting = append(g.waiting, steps...)
	if g.stage == 0 {
		b.nextDigest(l, steps[0].change, g)
	}
}

func (b *Book) nextDigest(l lane, c Change, g *budget) {
	d := digestAfter[min(g.stage, len(digestAfter)-1)]
	g.stage++
	g.due = b.now.Mono + d
	b.after(d, func() { b.digest(l, c, g) })
}

// digest tells what waits; when nothing does, the storm is over.
func (b *Book) digest(l lane, c Change, g *budget) {
	waiting := g.waiting
	g.waiting = nil
	steps, held := b.stillWaits(l, waiting)
	b.programsDigest(c, held)
	if len(steps) == 0 {
		g.calm()
		return
	}
	news := l == programs || slices.ContainsFunc(steps, func(s *step) bool { return !b.peopleKnow(s) })
	slices.SortStableFunc(steps, func(x, y *step) int {
		return cmp.Or(cmp.Compare(x.kind(), y.kind()), cmp.Compare(x.inc.Store, y.inc.Store), cmp.Compare(x.inc.Host, y.inc.Host))
	})
	for _, part := range b.parts(steps) {
		b.send(l, part, true)
	}
	if news {
		b.nextDigest(l, c, g)
	} else { // what goes to programs alone holds nothing back from people
		g.calm()
	}
}

// stillWaits are those of a digest's transitions that it is to tell, and those
// that people are told nothing of now.
func (b *Book) stillWaits(l lane, waiting []*step) (steps, held []*step) {
	for _, s := range waiting {
		switch {
		case l == people && s.phase != digesting:
		case l == programs && (s.notice != nil || s.change == Opened && !s.inc.Open): // told with people, or over
		case l == people && s.change == Opened && b.covered(s.inc):
			b.freeze(s)
		case s.phase == hushed && s.change == Opened && b.covered(s.inc): // programs are told by what covers it
			s.queued = false
			b.freeze(s)
		case l == people:
			if h := b.hushOf(s); h.held() {
				b.holdBack(s, h)
				held = append(held, s)
				continue
			}
			steps = append(steps, s)
		default:
			steps = append(steps, s)
		}
	}
	return steps, held
}

// programsDigest tells programs what people's digest would have told, if people
// were not told nothing of it: it waited for one digest, and waits for no other.
func (b *Book) programsDigest(c Change, held []*step) {
	theirs := b.forPrograms(held)
	if len(theirs) == 0 {
		return
	}
	b.room(b.budgetOf(programs, c)) // it counts, and goes in any case
	for _, part := range b.parts(theirs) {
		b.send(programs, part, true)
	}
}

// calm ends a storm.
func (g *budget) calm() { g.stage, g.recent = 0, g.recent[:0] }

// peopleKnow says whether each channel that reaches people has a transition.
func (b *Book) peopleKnow(s *step) bool {
	known := false
	for _, ch := range b.opt.Channels {
		if !b.opt.Reaches(ch) || b.isProgram(ch) {
			continue
		}
		if !slices.Contains(s.heard(), ch) {
			return false
		}
		known = true
	}
	return known
}

// MaxEvent bounds the items of one event, in bytes of its JSON as it is quoted
// within another JSON: SNS takes 256 KiB of that, with the texts and attributes.
// An event counts the items beyond it.
const MaxEvent = 216 << 10

const (
	// namedItems is how many items a digest names in its events, and namedParts in
	// how many messages it does so at most. A larger one counts most of its items.
	namedItems = 4_000
	namedParts = 5
)

// parts cuts a digest into messages: such as name all of their items, where few
// do, else as few as the table's items allow.
func (b *Book) parts(steps []*step) [][]*step {
	var parts [][]*step
	first, size := 0, 0
	for i, s := range steps {
		if len(steps) > namedItems || len(parts) == namedParts {
			return slices.Collect(slices.Chunk(steps, maxItems))
		}
		it := b.item(s)
		n := it.Quoted()
		if size += n; size > MaxEvent && i > first {
			parts = append(parts, steps[first:i])
			first, size = i, n
		}
	}
	return append(parts, steps[first:])
}

// Quoted is the length of the item's JSON within a JSON string, with its comma.
// It holds no control characters, so only quotes and backslashes grow.
func (i *Item) Quoted() int {
	var raw bytes.Buffer
	enc := json.NewEncoder(&raw)
	enc.SetEscapeHTML(false)
	if enc.Encode(i) != nil {
		return 0 // a year beyond 9999: no event can hold it either
	}
	n := raw.Len() // its end of line stands for the comma
	for _, c := range raw.Bytes() {
		if c == '"' || c == '\\' {
			n++
		}
	}
	return n
}
