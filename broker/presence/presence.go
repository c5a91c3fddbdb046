package presence

import (
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// The defaults of Options, with their reasons.
const (
	// DefaultGrace is how long a lost session may take to come back: a relay
	// reconnects within 5 s, handshake included.
	DefaultGrace = 10 * time.Second
	// DefaultSettle is how long a node that starts opens nothing from silence.
	DefaultSettle = 60 * time.Second
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
	// maxAsk bounds one batched question.
	maxAsk = 2_000
)

// Options are what a region's presence needs to know.
type Options struct {
	// Region is this one; Regions are all that are configured (one or two).
	Region  beat.Region
	Regions []beat.Region
	// Node and Term name this start of this node.
	Node string
	Term int64

	Grace, Settle, Reask, Blind, ByeLasts time.Duration
}

// DefaultOptions are the options of a fleet; Region, Regions, Node and Term are
// left to the caller.
func DefaultOptions() Options {
	return Options{
		Grace: DefaultGrace, Settle: DefaultSettle, Reask: DefaultReask,
		Blind: DefaultBlind, ByeLasts: DefaultByeLasts,
	}
}

// Presence is what one region knows of its stores and hosts.
type Presence struct {
	opt     Options
	started beat.Now
	settled bool

	stores map[beat.StoreID]*store
	due    dueHeap
	// changed are the stores that this Step touched: they are judged at its end.
	changed []*store

	asks      map[uint64]*inflight
	lastAsk   uint64
	asking    []*store // want an ask in this Step
	direct    uint64   // numbers the ups of direct hosts
	theirTerm map[string]int64
	now       beat.Now
	out       []Out
}

// New makes a presence that starts at now: it settles until now + Settle.
func New(opt Options, now beat.Now) *Presence {
	return &Presence{
		opt: opt, started: now,
		stores: make(map[beat.StoreID]*store), asks: make(map[uint64]*inflight), theirTerm: make(map[string]int64),
	}
}

// Step takes one event, or nil for the passing of time, and appends to out
// what the shell has to do. Everything that was due by now happens in it.
func (p *Presence) Step(now beat.Now, e Event, out []Out) []Out {
	p.now, p.out = now, out
	if !p.settled && now.Mono >= p.started.Mono+p.opt.Settle {
		p.settle()
	}
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
	}
	for len(p.due) > 0 && p.due[0].dueAt <= now.Mono {
		s := p.due[0]
		p.touch(s)
		s.dueAt = never
		p.due.fix(s)
	}
	p.judgeChanged()
	p.flushAsks()
	out, p.out = p.out, nil
	return out
}

// Next is the earliest monotonic instant at which Step(now, nil) has something
// to do; ok is false while there is none.
func (p *Presence) Next() (at time.Duration, ok bool) {
	at = never
	if len(p.due) > 0 {
		at = p.due[0].dueAt
	}
	if !p.settled {
		at = min(at, p.started.Mono+p.opt.Settle)
	}
	return at, at != never
}

// Settled says whether the node has settled: it opens incidents from silence.
func (p *Presence) Settled() bool { return p.settled }

// Admit says whether a relay may connect; it changes nothing, and is called
// while the CONNECT waits.
func (p *Presence) Admit(id beat.Identity, _ beat.Death) Refusal {
	s := p.stores[id.Store]
	if s != nil && s.session == sessionOpen && s.relay != id.Relay && slices.Contains(s.retired, id.Relay) {
		return Retired
	}
	return NotRefused
}

func (p *Presence) emit(o Out) { p.out = append(p.out, o) }

func (p *Presence) touch(s *store) {
	if !s.touched {
		s.touched = true
		p.changed = append(p.changed, s)
	}
}

func (p *Presence) judgeChanged() {
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
func (p *Presence) other() beat.Region {
	for _, r := range p.opt.Regions {
		if r != p.opt.Region {
			return r
		}
	}
	return ""
}

func (p *Presence) isHome(s beat.StoreID) bool { return Home(s, p.opt.Regions) == p.opt.Region }

// settle ends the settling: what did not come back is lost now, not later.
func (p *Presence) settle() {
	p.settled = true
	for _, s := range p.sorted() {
		if s.session == sessionNone && s.relay != "" && !s.stopped {
			s.suspectAt = p.now.Mono - p.opt.Grace
		}
		p.touch(s)
	}
}

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
