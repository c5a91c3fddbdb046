package presence

import (
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// The defaults of Options, with their reasons.
const (
	// DefaultGrace is how long a lost session may take to come back: a relay
	// reconnects within 5 s, handshake included.
	DefaultGrace = 10 * time.Second
	// DefaultSettle is how long a node that starts opens nothing from silence,
	// at least: until nearly nobody comes back any more.
	DefaultSettle = 60 * time.Second
	// DefaultSettleMax is how long it does so at most.
	DefaultSettleMax = 10 * time.Minute
	// DefaultReask is how often a question without a final answer is repeated.
	DefaultReask = 10 * time.Second
	// DefaultBlind is how long after a loss home tells without an answer.
	DefaultBlind = 60 * time.Second
	// DefaultByeLasts is how long a goodbye excuses silence, where no opening
	// hours say when to expect the store or host again.
	DefaultByeLasts = 24 * time.Hour

	// silentReports is how many reportEvery of silence make a session suspect.
	silentReports = 3
	// saveHosts is how often at most home saves the host changes of a store.
	saveHosts = 30 * time.Second
	// refreshAfter is how long after its last save home saves a store anyway,
	// so that a restart dates it well; refreshSpread keeps stores apart.
	refreshAfter  = time.Hour
	refreshSpread = 10 * time.Minute
	// maxEpochJump is the largest step of an epoch that is believed (P2), and
	// maxFirstEpoch the largest one of a relay that is not known: who lies
	// leaves the true relay room above.
	maxEpochJump  = 1 << 32
	maxFirstEpoch = 1 << 56
	// maxRebirths is how often a rebirth restarts grace (P2).
	maxRebirths = 2
	// maxDirectHosts bounds the hosts of one store that beat directly.
	maxDirectHosts = 10_000
	// maxAsk bounds one batched question, and askGather is how long after one
	// the next goes out: many losses share a question.
	maxAsk    = 2_000
	askGather = 100 * time.Millisecond
)

// Options are what a region's presence needs to know.
type Options struct {
	// Region is this one; Regions are all that are configured (one or two).
	Region  beat.Region
	Regions []beat.Region
	// Node and Term name this start of this node.
	Node string
	Term int64

	Grace, Settle, SettleMax, Reask, Blind, ByeLasts time.Duration
}

// DefaultOptions are the options of a fleet; Region, Regions, Node and Term are
// left to the caller.
func DefaultOptions() Options {
	return Options{
		Grace: DefaultGrace, Settle: DefaultSettle, SettleMax: DefaultSettleMax, Reask: DefaultReask,
		Blind: DefaultBlind, ByeLasts: DefaultByeLasts,
	}
}

// Presence is what one region knows of its stores and hosts.
type Presence struct {
	opt     Options
	otherIs beat.Region
	started beat.Now

	// Settling (P6).
	settled   bool
	settleAt  time.Duration // when to look whether it is over
	freshFrom time.Duration // silence is counted from here at the earliest
	back      comebacks

	stores map[beat.StoreID]*store
	// sessions is how many of them have an open session.
	sessions int
	heardAt  time.Duration               // the last report of any of them
	deaf     bool                        // a loss waits for a report
	names    map[beat.HostID]beat.HostID // interned: stores name their hosts alike
	due      dueHeap
	// changed are the stores that were touched: they are judged at the end of
	// the instant.
	changed []*store

	asks      map[uint64]*inflight
	lastAsk   uint64
	lastAsked time.Duration
	asking    []*store // want an ask
	doubts    []doubt  // by subject
	doubtAt   time.Duration
	direct    uint64   // numbers the ups of direct hosts
	origins   []origin // who numbered them, this node first
	theirTerm int64    // the highest of an answer
	retired   []retirement

	peer     peer
	saidPeer bool // a verdict about the other region was given
	fleet    fleet
	// saidFleet is what was said of this region last.
	saidFleet Condition
	recount   bool // the fleet's counts changed
	settings  *setting.Fleet

	now beat.Now
	out []Out
}

// New makes a presence that starts at now: it settles from then on.
func New(opt Options, now beat.Now) *Presence {
	p := &Presence{
		opt: opt, started: now, now: now, settleAt: now.Mono + opt.Settle, freshFrom: now.Mono, lastAsked: now.Mono - askGather, doubtAt: never,
		back: newComebacks(now.Mono, opt.Settle), peer: newPeer(now.Mono, opt.Blind), fleet: fleet{blind: opt.Blind, dueAt: never},
		stores: make(map[beat.StoreID]*store), asks: make(map[uint64]*inflight),
		names: make(map[beat.HostID]beat.HostID), saidFleet: RegionWell, origins: []origin{{opt.Node, opt.Term}},
	}
	for _, r := range opt.Regions {
		if r != opt.Region {
			p.otherIs = r
		}
	}
	return p
}

// Step takes one event, or nil for the passing of time, and appends to out
// what the shell has to do. Everything that was due by now happens before it,
// each thing at its own instant: one Step over many deadlines equals many.
func (p *Presence) Step(now beat.Now, e Event, out []Out) []Out {
	p.out = out
	if _, ok := e.(*Woke); ok {
		p.now = now
		p.woke() // what was due in the stall is not: it comes first
		e = nil
	}
	p.pass(now)
	if e != nil {
		p.take(e)
		p.finish()
		p.pass(now) // what it made due at once
	}
	out, p.out = p.out, nil
	return out
}

// pass lets time pass: everything that is due happens at its own instant.
func (p *Presence) pass(now beat.Now) {
	for {
		at, ok := p.Next()
		if !ok || at > now.Mono {
			break
		}
		p.now = now.Add(max(at, p.now.Mono) - now.Mono)
		p.instant()
	}
	p.now = now
}

// take does what an event says.
func (p *Presence) take(e Event) {
	switch e := e.(type) {
	case *Report:
		p.report(e)
	case *Ended:
		p.ended(e)
	case *Direct:
		p.directBeat(e)
	case *Forget:
		p.forget(e.Store, e.Host, true)
	case *Want:
		p.want(e)
	case *Asked:
		p.asked(e.Question)
	case *Answered:
		p.answered(e)
	case *Unanswered:
		p.unanswered(e.ID)
	case *Heard:
		p.heard(e.News)
	case *Forwarded:
		p.forwarded(e.Verdicts)
	case *Loaded:
		p.load(e.Stores)
	case *Doubted:
		p.doubted(e)
	case *Settings:
		p.takeSettings(e)
	case *Lease:
		p.lease(e)
	case *Linked:
		p.stepPeer(func(m *peer) { m.linked(p.now.Mono, e.OK) })
	case *Clashed:
		p.clashed(e)
	}
}

// instant does what is due now.
func (p *Presence) instant() {
	if p.now.Mono >= p.settleAt {
		p.trySettle()
	}
	if p.now.Mono >= p.peer.dueAt {
		w := p.countWitnesses()
		p.stepPeer(func(m *peer) { m.counted(p.now.Mono, w, p.settled) })
	}
	for len(p.due) > 0 && p.due[0].dueAt <= p.now.Mono {
		s := p.due[0]
		p.touch(s)
		s.dueAt = never
		p.due.fix(s)
	}
	if p.now.Mono >= p.doubtAt {
		p.askDoubts()
	}
	if p.now.Mono >= p.probeDue() {
		p.probe()
	}
	p.finish()
}

// finish ends an instant: what it touched is judged, and questions go out.
func (p *Presence) finish() {
	p.judgeChanged()
	p.stepFleet()
	p.judgeChanged()
	p.flushAsks()
	p.sayPeer()
}

// Next is the earliest monotonic instant at which Step(now, nil) has something
// to do; ok is false while there is none.
func (p *Presence) Next() (at time.Duration, ok bool) {
	at = min(p.settleAt, p.peer.dueAt, p.fleet.dueAt, p.doubtAt, p.probeDue())
	if len(p.due) > 0 {
		at = min(at, p.due[0].dueAt)
	}
	if len(p.asking) > 0 {
		at = min(at, p.lastAsked+askGather)
	}
	return at, at != never
}

// Settled says whether the node has settled: it opens incidents from silence.
func (p *Presence) Settled() bool { return p.settled }

// Peer is what this region knows of the other one as a whole.
func (p *Presence) Peer() PeerState { return p.peer.state }

// Fleet says whether this region trusts what it sees.
func (p *Presence) Fleet() FleetState { return p.fleet.state }

// Admit says whether a relay may connect; it changes nothing, and is called
// while the CONNECT waits. For one that is refused with Clash the shell reports
// Clashed.
func (p *Presence) Admit(id beat.Identity, d beat.Death) Refusal {
	s := p.stores[id.Store]
	switch {
	case s == nil || s.session != sessionOpen:
		return NotRefused
	case s.relay != id.Relay && slices.Contains(s.retired, id.Relay):
		return Retired
	case s.relay == id.Relay && s.rival(d.Boot):
		return Clash
	default:
		return NotRefused
	}
}

func (p *Presence) emit(o Out) { p.out = append(p.out, o) }

func (p *Presence) touch(s *store) {
	if !s.touched {
		s.touched = true
		p.changed = append(p.changed, s)
	}
}

func (p *Presence) judgeChanged() {
	if len(p.changed) > 1 {
		slices.SortFunc(p.changed, func(a, b *store) int { return strings.Compare(string(a.id), string(b.id)) })
	}
	for i := 0; i < len(p.changed); i++ { // judging may touch once more
		s := p.changed[i]
		s.touched = false
		p.judge(s)
		s.dueAt = p.nextDue(s)
		p.due.fix(s)
	}
	p.changed = p.changed[:0]
}

// other is the other region, "" where there is none.
func (p *Presence) other() beat.Region { return p.otherIs }

// Home is the region that tells a store's incidents first: its pin, or the
// first in the rendezvous order.
func (p *Presence) Home(id beat.StoreID) beat.Region {
	if s := p.settings.Store(id); s != nil && slices.Contains(p.opt.Regions, s.Pin) {
		return s.Pin
	}
	return Home(id, p.opt.Regions)
}

func (p *Presence) isHome(s beat.StoreID) bool { return p.Home(s) == p.opt.Region }

// sorted are all stores by id: the order of a map reaches no output.
func (p *Presence) sorted() []*store {
	all := make([]*store, 0, len(p.stores))
	for _, s := range p.stores {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *store) int {
		if a.id < b.id {
			return -1
		}
		return 1
	})
	return all
}
