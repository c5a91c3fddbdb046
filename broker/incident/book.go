package incident

import (
	"container/heap"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// The defaults of Options, with their reasons.
const (
	// DefaultGather is how long the transitions of one store wait for each other.
	DefaultGather = 2 * time.Second
	// DefaultGatherLan is how long they wait once two hosts have vanished: more
	// may follow, and then the LAN is dead (L3).
	DefaultGatherLan = 10 * time.Second
	// DefaultBurst is what people read one by one.
	DefaultBurst = 2
	// DefaultTakeover is how long a region holds a transition that the other
	// one is to tell, before it asks.
	DefaultTakeover = 30 * time.Second
	// DefaultAskAgain is how soon it asks again after "mine".
	DefaultAskAgain = 10 * time.Second

	// firstRetry and lastRetry bound the backoff of writes and publishes, and
	// giveUpAfter ends it (I5).
	firstRetry  = time.Second
	lastRetry   = 5 * time.Minute
	giveUpAfter = 24 * time.Hour
	// keepEnded is how long an incident that ended is remembered, so that late
	// words about it open nothing.
	keepEnded = time.Hour
)

// Options are what a region's book of incidents needs to know.
type Options struct {
	Region  beat.Region
	Regions []beat.Region
	Node    string
	Term    int64
	// Channels are where notices go, in the order in which they are handed over.
	Channels []Channel
	// Local are those of them that reach nobody by themselves, such as a log:
	// what only they took is not told, unless there are no others.
	Local []Channel
	// Programs are those of them whose readers are programs: they get what
	// people are not told of, marked as suppressed.
	Programs []Channel

	// Sees says whether this region has evidence of its own, now, of a store's
	// host, or ("") of what its relay says; nil: it always has. It changes nothing.
	Sees func(beat.StoreID, beat.HostID) bool

	// Gather is how long what happens in a store waits for more; GatherLan how
	// long once two of its hosts have vanished.
	Gather, GatherLan, Takeover, AskAgain time.Duration
	// Burst is how many notices of a minute go at once, of faults and of
	// recoveries each; what follows goes into a digest (I6).
	Burst int
}

// DefaultOptions are the options of a fleet; Region, Regions, Node, Term and
// Channels are left to the caller.
func DefaultOptions() Options {
	return Options{Gather: DefaultGather, GatherLan: DefaultGatherLan, Burst: DefaultBurst, Takeover: DefaultTakeover, AskAgain: DefaultAskAgain}
}

// Book holds the incidents of a region, and the notices on their way.
type Book struct {
	opt  Options
	open map[subject]*incident
	// ended is when the last incident of a subject ended, while that is remembered.
	ended map[subject]time.Time
	byID  map[ID]*incident
	// gathering are the transitions of each store that wait for each other.
	gathering map[gatherKey]*gather
	// hushed are the transitions that people are not told of now, by store ("":
	// a region's).
	hushed map[beat.StoreID]*hushList
	// yielded are faults that the other region was told to tell of before they
	// were known here.
	yielded map[subject]yielding
	// underLan are the faults of hosts that wait for their store's LAN.
	underLan map[beat.StoreID][]*step
	budgets  [lanes][2]budget // of faults, of recoveries
	flaps    map[subject]*changes
	// holding are those that the other region is to tell.
	holding []*step
	// sweepAt is how many there are when those that are held no more are let go.
	sweepAt int
	fleet   *setting.Fleet
	peer    presence.PeerState
	// loadedAt is when this node learned what the table remembers, if loaded.
	loaded   bool
	loadedAt time.Duration
	// fenced says that a lease bounds what this node does, until an instant.
	fenced  bool
	until   time.Duration
	outbox  map[string]*outgoing
	ops     map[uint64]op
	asks    map[uint64]asking
	lastOp  uint64
	notices uint64
	wantAsk []*step
	retries []*outgoing // notices to ask about in this Step
	recent  []Notice    // told notices, newest last, for people
	// recentItems is how many transitions they list.
	recentItems int
	timers      timers
	now         beat.Now
	out         []Out
}

// New makes an empty book.
func New(opt Options) *Book {
	return &Book{
		opt: opt, open: make(map[subject]*incident), ended: make(map[subject]time.Time), byID: make(map[ID]*incident),
		gathering: make(map[gatherKey]*gather), hushed: make(map[beat.StoreID]*hushList), yielded: make(map[subject]yielding), underLan: make(map[beat.StoreID][]*step), flaps: make(map[subject]*changes), outbox: make(map[string]*outgoing),
		ops: make(map[uint64]op), asks: make(map[uint64]asking),
	}
}

// Step takes one event, or nil for the passing of time, and appends to out
// what the shell has to do. Everything that was due by now happens in it.
func (b *Book) Step(now beat.Now, e Event, out []Out) []Out {
	b.now, b.out = now, out
	switch e := e.(type) {
	case *Decided:
		b.decided(&e.Verdict)
	case *Forwarded:
		b.forwarded(e)
	case *Asked:
		b.asked(e.Question)
	case *Answered:
		b.answered(e)
	case *Unanswered:
		b.unanswered(e.ID)
	case *MarksRead:
		b.marksRead(e)
	case *Wrote:
		b.wrote(e)
	case *Published:
		b.published(e)
	case *Loaded:
		b.load(e)
	case *Settings:
		b.setFleet(e.Fleet)
	case *Lease:
		b.lease(e.Until)
	case *PeerIs:
		b.peerIs(e.State)
	case *Woke:
		b.woke()
	}
	for len(b.timers) > 0 && b.timers[0].at <= now.Mono {
		heap.Pop(&b.timers).(timer).fire()
	}
	b.flushAsk()
	out, b.out = b.out, nil
	return out
}

// Next is the earliest monotonic instant at which Step(now, nil) has something
// to do; ok is false while there is none.
func (b *Book) Next() (at time.Duration, ok bool) {
	if len(b.timers) == 0 {
		return 0, false
	}
	return b.timers[0].at, true
}

func (b *Book) emit(o Out) { b.out = append(b.out, o) }

// decided takes a verdict of our own presence, and forwards it: the other
// region may have no evidence of its own, and has none of itself. Its own word
// does not go back to it: late, it would pass for evidence from here.
func (b *Book) decided(v *presence.Verdict) {
	kind, fault := faultKind(v)
	again := fault && b.open[subject{v.Store, v.Host, v.Region, classOf(kind)}] != nil
	changed := b.apply(v, true)
	if len(b.opt.Regions) > 1 && v.Reason != presence.OtherSays && (changed || fault || !v.First || v.Condition == presence.RegionWell) {
		said := *v
		said.Old = v.Old || again // a node that started since may know nothing of it, and it may be told
		b.emit(&Forward{Verdicts: []presence.Verdict{said}})
	}
}

// freshForward is how old a forwarded verdict may be before its region may
// have told it already: forwards wait while the link is cut, and the clocks of
// two regions differ a little.
const freshForward = 5 * time.Second

// forwarded takes verdicts of the other region. One that is not fresh, or that
// the other region gave alone, may have been told there.
func (b *Book) forwarded(e *Forwarded) {
	if e.From != b.other() || e.From == "" {
		b.ignore(ForeignWord, string(e.From))
		return
	}
	for i := range e.Verdicts {
		v := &e.Verdicts[i]
		if why := b.checkVerdict(v); why != "" {
			b.ignore(why, string(v.Store))
			continue
		}
		v.Old = v.Old || v.OneSided || b.now.Wall.Sub(v.At).Abs() > freshForward || b.isNew()
		b.apply(v, false)
	}
}

// isNew says whether this node started so lately that the other region may tell
// what it forwards: it took the node before for dead.
func (b *Book) isNew() bool { return b.loaded && b.now.Mono < b.loadedAt+b.opt.Takeover }

// timer is something that is due at an instant. What became moot meanwhile
// finds out in fire.
type timer struct {
	at   time.Duration
	seq  uint64
	fire func()
}

// timers is a heap in the order of (at, seq).
type timers []timer

func (t timers) Len() int { return len(t) }
func (t timers) Less(i, j int) bool {
	return t[i].at < t[j].at || t[i].at == t[j].at && t[i].seq < t[j].seq
}
func (t timers) Swap(i, j int) { t[i], t[j] = t[j], t[i] }

// Push and Pop are heap.Interface's.
func (t *timers) Push(x any) { *t = append(*t, x.(timer)) }

// Pop removes the last timer.
func (t *timers) Pop() any {
	old := *t
	x := old[len(old)-1]
	old[len(old)-1] = timer{}
	*t = old[:len(old)-1]
	return x
}

func (b *Book) after(d time.Duration, fire func()) {
	b.lastOp++
	heap.Push(&b.timers, timer{at: b.now.Mono + d, seq: b.lastOp, fire: fire})
}
