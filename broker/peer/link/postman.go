package link

import (
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
)

const (
	// renewals is how many of its own renewals a node remembers: those of
	// DefaultMail, and room.
	renewals = 20
	// maxPosted bounds this node's letters in the table.
	maxPosted = 512
)

// postman is the mail: letters that this node wrote, and what it read.
type postman struct {
	reading uint64
	readAt  time.Duration // when letters were last looked for
	// read are the letters that were taken already, as long as they are there.
	read map[wire.Name]bool
	// mine are this region's last renewals, oldest first; theirs is the other
	// region's lease, as last seen.
	mine   []Renewed
	theirs wire.Moment
	// top is the highest term that the other region's letters showed.
	top int64
	// posted are the letters to delete, and when.
	posted []posted
}

type posted struct {
	name wire.Name
	at   time.Duration
}

func (p *postman) init(now time.Duration) {
	p.read, p.readAt = make(map[wire.Name]bool), now
}

func (p *postman) renewed(e *Renewed) {
	if len(p.mine) == renewals {
		p.mine = slices.Delete(p.mine, 0, 1)
	}
	p.mine = append(p.mine, *e)
}

// drop deletes a letter of this node soon.
func (p *postman) drop(letter uint64, now time.Duration) {
	for i := range p.posted {
		if p.posted[i].name.Seq == letter {
			p.posted[i].at = min(p.posted[i].at, now+time.Second)
		}
	}
}

// age bounds how long ago a letter was written, by what it saw of this
// region's lease; ok is false where nothing bounds it.
func (p *postman) age(seen wire.Moment, now time.Duration) (time.Duration, bool) {
	for i := range p.mine {
		if p.mine[i].Lease == seen {
			return now - p.mine[i].At, true
		}
	}
	return 0, false
}

// post sends a request by mail.
func (l *Link) post(w *waiting) {
	body, err := w.request.Encode()
	if err != nil {
		l.emit(&Ignored{Reason: Unreadable})
		return
	}
	w.letter, w.postedAt = l.write(wire.Mail{Kind: w.request.Kind, Body: body}), l.now.Mono
}

// write puts a letter into the table, and says its number.
func (l *Link) write(m wire.Mail) uint64 {
	l.last++
	m.From, m.To, m.Node, m.Term, m.Seq = l.opt.Region, l.opt.Other, l.opt.Node, l.opt.Term, l.last
	m.Seen = l.postman.theirs
	l.emit(&Post{Mail: m})
	p := &l.postman
	p.posted = append(p.posted, posted{name: m.Name(), at: l.now.Mono + l.opt.Mail + keepLetter})
	if len(p.posted) > maxPosted {
		l.emit(&Drop{Names: []wire.Name{p.posted[0].name}})
		p.posted = slices.Delete(p.posted, 0, 1)
	}
	return m.Seq
}

// reads says whether letters are looked for: a call of either side fails.
func (l *Link) reads() bool {
	return l.cut || l.now.Mono-l.heardAt >= l.unheard()
}

func (l *Link) unheard() time.Duration { return min(unheard, l.opt.Mail/3) }

// deliver reads letters, and deletes those that are not needed any more.
func (l *Link) deliver() {
	p := &l.postman
	var names []wire.Name
	p.posted = slices.DeleteFunc(p.posted, func(x posted) bool {
		if l.now.Mono < x.at {
			return false
		}
		names = append(names, x.name)
		return true
	})
	if len(names) > 0 {
		l.emit(&Drop{Names: names})
	}
	if p.reading != 0 && l.now.Mono >= p.readAt+l.opt.Call+callSlack {
		p.reading = 0
	}
	if p.reading == 0 && l.reads() && l.now.Mono >= p.readAt+l.opt.ReadEvery {
		l.last++
		p.reading, p.readAt = l.last, l.now.Mono
		l.emit(&ReadMail{Op: p.reading})
	}
}

func (l *Link) mailDue() time.Duration {
	p := &l.postman
	var at time.Duration
	switch {
	case p.reading != 0:
		at = p.readAt + l.opt.Call + callSlack
	case l.cut:
		at = p.readAt + l.opt.ReadEvery
	default:
		at = max(p.readAt+l.opt.ReadEvery, l.heardAt+l.unheard())
	}
	for i := range p.posted {
		at = min(at, p.posted[i].at)
	}
	return at
}

// mailRead takes the letters that are there.
func (l *Link) mailRead(e *MailRead) {
	p := &l.postman
	if e.Op == 0 || e.Op != p.reading {
		return
	}
	p.reading = 0
	if e.Failed {
		return
	}
	letters := slices.Clone(e.Letters)
	slices.SortFunc(letters, func(a, b wire.Mail) int {
		if a.Term != b.Term {
			return int(min(max(a.Term-b.Term, -1), 1))
		}
		return int(min(max(int64(a.Seq-b.Seq), -1), 1))
	})
	there := make(map[wire.Name]bool, len(letters))
	for i := range letters {
		m := &letters[i]
		if m.From != l.opt.Other || m.To != l.opt.Region {
			continue
		}
		there[m.Name()] = true
		p.top = max(p.top, m.Term)
		if !p.read[m.Name()] {
			l.letter(m)
		}
	}
	p.read = there
}

// letter takes one letter.
func (l *Link) letter(m *wire.Mail) {
	if m.Re != 0 {
		l.answer(m)
		return
	}
	if m.Term < l.postman.top || m.Term < l.postman.theirs.Term {
		l.emit(&Ignored{Reason: OldTerm})
		return
	}
	if age, ok := l.postman.age(m.Seen, l.now.Mono); !ok || age > l.opt.Mail {
		l.emit(&Ignored{Reason: Stale})
		return
	}
	r, err := wire.DecodeRequest(m.Kind, m.Body)
	if err != nil {
		l.emit(&Ignored{Reason: Unreadable})
		return
	}
	l.emit(&Received{Name: m.Name(), Request: r})
}

// answer takes an answer, if its question still waits.
func (l *Link) answer(m *wire.Mail) {
	i := slices.IndexFunc(l.waiting, func(w *waiting) bool { return w.letter == m.Re })
	switch {
	case m.ReTerm != l.opt.Term || i < 0 || l.waiting[i].request.Kind != m.Kind:
		l.emit(&Ignored{Reason: Late})
		return
	case m.Term < l.postman.top || m.Term < l.postman.theirs.Term:
		l.emit(&Ignored{Reason: OldTerm})
		return
	}
	r, err := wire.DecodeResponse(m.Kind, m.Body)
	if err != nil {
		l.emit(&Ignored{Reason: Unreadable})
		return
	}
	l.done(l.waiting[i], r)
}

// reply answers a letter by another one.
func (l *Link) reply(e *Reply) {
	if e.Response == nil {
		return
	}
	body, err := e.Response.Encode(e.Kind)
	if err != nil {
		l.emit(&Ignored{Reason: Unreadable})
		return
	}
	l.write(wire.Mail{Kind: e.Kind, Body: body, Re: e.Name.Seq, ReTerm: e.Name.Term})
}
