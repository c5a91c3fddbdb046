package link

import (
	"math"
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// The defaults of Options, with their reasons.
const (
	// DefaultCall is how long HTTPS has to answer (P3a).
	DefaultCall = 5 * time.Second
	// DefaultMail is how long the mail has, from its posting (P3a): two
	// replications, two readings and room.
	DefaultMail = 30 * time.Second
	// DefaultReadEvery is how often letters are looked for.
	DefaultReadEvery = 3 * time.Second
	// DefaultProbeEvery is as often as a node shows by its lease that it lives.
	DefaultProbeEvery = 3 * time.Second
	// DefaultQueue is how many verdicts wait while the link is cut: those of a
	// fleet whose relays lost the other region, with room to spare.
	DefaultQueue = 100_000

	// firstProbe lets both regions of one start open their doors.
	firstProbe = 500 * time.Millisecond
	// callSlack is how long after its time a call is given up that the shell
	// did not end.
	callSlack = time.Second
	// firstRetry and lastRetry bound the pause between two tries of a lane: it
	// is to arrive soon after the link heals.
	firstRetry = 250 * time.Millisecond
	lastRetry  = 5 * time.Second
	// mostCalls is how many requests a call is under way for at once: those of a
	// mass of losses take turns.
	mostCalls = 16
	// unheard is how long the other region may be silent, whose probes come
	// every 3 s, before its letters are looked for; a third of Mail, where that
	// is less: it waits for an answer by mail for so long.
	unheard = 10 * time.Second
	// keepLetter is how long an answer, or a request that was answered, stays in
	// the table.
	keepLetter = time.Minute
)

// Options are what a node's link needs to know.
type Options struct {
	Region, Other beat.Region
	Node          string
	Term          int64

	Call, Mail, ReadEvery, ProbeEvery time.Duration
	// Queue bounds the verdicts, and the news, that wait.
	Queue int
}

// DefaultOptions lack regions, node and term.
func DefaultOptions() Options {
	return Options{Call: DefaultCall, Mail: DefaultMail, ReadEvery: DefaultReadEvery, ProbeEvery: DefaultProbeEvery, Queue: DefaultQueue}
}

// never is a deadline that does not come.
const never = time.Duration(math.MaxInt64)

// Link is one node's link to the other region.
type Link struct {
	opt  Options
	last uint64 // numbers calls, readings and letters

	// waiting are the requests under way, oldest first.
	waiting []*waiting
	// behind are questions who tells that wait for the verdicts before them: the
	// other region must know of what it is asked about.
	behind []*waiting
	news   lane[presence.News]
	out    lane[presence.Verdict]

	// cut says that the last call by HTTPS failed; heardAt is when the other
	// region last called by it.
	cut bool
	// mute says that a letter found no answer since anything was answered: the
	// link is cut, and a question is told so as soon as HTTPS fails. Probes go
	// on by both ways.
	mute    bool
	heardAt time.Duration
	probeAt time.Duration
	hello   *wire.Request // every probe
	postman postman

	due  time.Duration
	now  beat.Now
	outs []Out
}

// waiting is a request that waits for its answer.
type waiting struct {
	request *wire.Request
	// id is presence's or the book's, of an Ask or Told.
	id uint64
	// call is the call under way, 0: none; callAt is when it was sent.
	call   uint64
	callAt time.Duration
	// letter is the letter under way; postedAt is when.
	letter   uint64
	postedAt time.Duration
	probe    bool
}

// New makes a link that starts at now.
func New(opt Options, now beat.Now) *Link {
	l := &Link{opt: opt, hello: &wire.Request{Kind: wire.Heard}, heardAt: now.Mono, probeAt: now.Mono + min(firstProbe, opt.ProbeEvery)}
	l.postman.init(now.Mono)
	l.due = l.next()
	return l
}

// Step takes one event, or nil for the passing of time, and appends to out
// what is to be done.
func (l *Link) Step(now beat.Now, e Event, out []Out) []Out {
	l.now, l.outs = now, out
	switch e := e.(type) {
	case *Ask:
		l.ask(&waiting{id: e.ID, request: &wire.Request{Kind: wire.Ask, Ask: e.Question}})
	case *Told:
		l.behind = append(l.behind, &waiting{id: e.ID, request: &wire.Request{Kind: wire.Told, Told: e.Question}})
	case *Tell:
		l.news.add(e.News, l.opt.Queue)
	case *Forward:
		l.out.add(e.Verdicts, l.opt.Queue)
	case *Called:
		l.called(e)
	case *MailRead:
		l.mailRead(e)
	case *Reply:
		l.reply(e)
	case *Heard:
		l.heardAt = now.Mono
	case *Renewed:
		l.postman.renewed(e)
	case *Seen:
		l.postman.theirs = e.Lease
	}
	l.expire()
	l.follow()
	l.probe()
	l.flush()
	l.deliver()
	l.due = l.next()
	out, l.outs = l.outs, nil
	return out
}

// Next is the earliest monotonic instant at which Step(now, nil) has something
// to do; ok is always true.
func (l *Link) Next() (at time.Duration, ok bool) { return l.due, true }

// Cut says whether the last call by HTTPS failed, and whether letters are not
// answered either.
func (l *Link) Cut() (https, mail bool) { return l.cut, l.mute }

// Queued is how many news and verdicts wait, and how many were dropped so far.
func (l *Link) Queued() (news, verdicts int, newsDropped, verdictsDropped uint64) {
	return len(l.news.items), len(l.out.items), l.news.dropped, l.out.dropped
}

func (l *Link) emit(o Out) { l.outs = append(l.outs, o) }

// ask sends a request by HTTPS, when its turn comes, and while that fails by mail
// too: the first answer counts. Probes need no turn.
func (l *Link) ask(w *waiting) {
	l.waiting = append(l.waiting, w)
	if w.probe || l.calls() < mostCalls {
		l.call(w)
	}
	if l.cut && (!l.mute || w.probe) {
		l.post(w)
	}
}

// follow asks who tells, once the verdicts before are acknowledged, or have left
// by mail: letters keep their order.
func (l *Link) follow() {
	if len(l.behind) == 0 || l.out.busy() && !l.cut {
		return
	}
	behind := l.behind
	l.behind = nil
	for _, w := range behind {
		l.ask(w)
	}
}

func (l *Link) call(w *waiting) {
	l.last++
	w.call, w.callAt = l.last, l.now.Mono
	l.emit(&Call{ID: w.call, Request: w.request})
}

// called takes the end of a call.
func (l *Link) called(e *Called) {
	i := slices.IndexFunc(l.waiting, func(w *waiting) bool { return w.call == e.ID })
	if e.ID == 0 || i < 0 { // a letter was faster, or the call took too long
		if e.Response != nil {
			l.emit(&Ignored{Reason: Late})
		}
		return
	}
	w := l.waiting[i]
	w.call = 0
	if e.Response != nil {
		l.cut = false
		l.done(w, e.Response)
		l.takeTurns()
		return
	}
	l.cut = true
	l.emit(&Linked{})
	l.failed(w)
	for _, w := range slices.Clone(l.waiting) { // those whose turn did not come
		if w.call == 0 {
			l.failed(w)
		}
	}
}

// failed goes on by mail with a request that HTTPS does not take.
func (l *Link) failed(w *waiting) {
	switch {
	case w.letter != 0:
	case l.mute && !w.probe:
		l.unanswered(w)
	default:
		l.post(w)
	}
}

// takeTurns sends by HTTPS what waits for its turn, or for its mail: HTTPS
// answers.
func (l *Link) takeTurns() {
	n := l.calls()
	for _, w := range l.waiting {
		if w.call == 0 && n < mostCalls {
			l.call(w)
			n++
		}
	}
}

// calls is how many calls are under way.
func (l *Link) calls() int {
	n := 0
	for _, w := range l.waiting {
		if w.call != 0 {
			n++
		}
	}
	return n
}

// done ends a request that is answered.
func (l *Link) done(w *waiting, r *wire.Response) {
	l.end(w)
	l.mute = false
	l.emit(&Linked{OK: true})
	switch w.request.Kind {
	case wire.Ask:
		l.emit(&Answered{ID: w.id, Answer: r.Ask})
	case wire.Told:
		l.emit(&ToldAnswered{ID: w.id, Answer: r.Told})
	case wire.Heard:
		l.news.acked(w)
		l.emit(&Learned{State: r.State})
	case wire.Forward:
		l.out.acked(w)
		l.emit(&Learned{State: r.State})
	}
}

// end forgets a request.
func (l *Link) end(w *waiting) {
	l.waiting = slices.DeleteFunc(l.waiting, func(x *waiting) bool { return x == w })
	if w.letter != 0 {
		l.postman.drop(w.letter, l.now.Mono)
	}
}

// expire ends what neither way answered, and calls that the shell forgot.
func (l *Link) expire() {
	if !slices.ContainsFunc(l.waiting, l.expired) {
		return
	}
	for _, w := range slices.Clone(l.waiting) {
		if w.call != 0 && l.now.Mono >= w.callAt+l.opt.Call+callSlack {
			l.called(&Called{ID: w.call})
		}
		if w.call == 0 && w.letter != 0 && l.now.Mono >= w.postedAt+l.opt.Mail {
			l.mute = true
			l.unanswered(w)
		}
	}
}

// expired says whether a request's call, or its letter, had its time.
func (l *Link) expired(w *waiting) bool {
	if w.call != 0 {
		return l.now.Mono >= w.callAt+l.opt.Call+callSlack
	}
	return w.letter != 0 && l.now.Mono >= w.postedAt+l.opt.Mail
}

func (l *Link) unanswered(w *waiting) {
	l.end(w)
	switch w.request.Kind {
	case wire.Ask, wire.Told:
		l.emit(&Unanswered{ID: w.id, Told: w.request.Kind == wire.Told})
	case wire.Heard:
		l.news.failed(w, l.now.Mono)
	case wire.Forward:
		l.out.failed(w, l.now.Mono)
	}
}

// probe asks how the other region is: so its people know, and so a cut link is
// known before anything is asked.
func (l *Link) probe() {
	if l.now.Mono < l.probeAt {
		return
	}
	l.probeAt = l.now.Mono + l.opt.ProbeEvery
	if w := l.probing(); w == nil || w.letter != 0 && l.now.Mono >= w.postedAt+l.opt.Mail/3 {
		l.ask(&waiting{probe: true, request: l.hello})
	} else if w.call == 0 {
		l.call(w) // its letter is under way: HTTPS may be well again
	}
}

// probing is the newest probe that waits. By mail there are three at a time: a
// letter that was lost must not hide for long that the mail is well again.
func (l *Link) probing() *waiting {
	for _, w := range slices.Backward(l.waiting) {
		if w.probe {
			return w
		}
	}
	return nil
}

// flush sends what the lanes hold.
func (l *Link) flush() {
	if batch := l.news.next(l.now.Mono); batch != nil {
		w := &waiting{request: &wire.Request{Kind: wire.Heard, News: batch}}
		l.news.sent = w
		l.ask(w)
	}
	if batch := l.out.next(l.now.Mono); batch != nil {
		w := &waiting{request: &wire.Request{Kind: wire.Forward, Verdicts: batch}}
		l.out.sent = w
		l.ask(w)
	}
}

func (l *Link) next() time.Duration {
	at := min(l.probeAt, l.news.due(), l.out.due(), l.mailDue())
	for _, w := range l.waiting {
		if w.call != 0 {
			at = min(at, w.callAt+l.opt.Call+callSlack)
		} else if w.letter != 0 {
			at = min(at, w.postedAt+l.opt.Mail)
		}
	}
	return at
}
