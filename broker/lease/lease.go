package lease

import (
	"math"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// The defaults of Options, with their reasons.
const (
	// DefaultFor is how long a lease lasts without a renewal: a standby must not
	// take a busy node's, and a region must not be silent for long.
	DefaultFor = 10 * time.Second
	// DefaultRenew is how often it is renewed, and read: three tries in a lease.
	DefaultRenew = 3 * time.Second
	// DefaultAnswer is how long a call of the table is waited for: then its
	// outcome is unknown.
	DefaultAnswer = 4 * time.Second
	// retry is the pause after a write that failed.
	retry = time.Second
)

// Options are what a node's lease needs to know.
type Options struct {
	// Node names this process among those of the region; Life this start of it.
	Node, Life string
	// Address is this node's own HTTP door; "": it cannot be called.
	Address string
	// Other says that there is another region, whose lease is read too.
	Other bool
	// Yields says that this node lost the lease to another process of its own
	// name: then the name alone gives no right to take it back.
	Yields bool
	// Above is the highest term of the region that is known, from whoever named
	// it (see Over): a table that was restored from a copy has a lower one, and
	// the other region listens to no node below.
	Above int64

	For, Renew, Answer time.Duration
}

// DefaultOptions lack Node and Life.
func DefaultOptions() Options {
	return Options{For: DefaultFor, Renew: DefaultRenew, Answer: DefaultAnswer}
}

type phase uint8

const (
	standby phase = iota
	taking
	telling
	active
	leaving
	over
)

// never is a deadline that does not come.
const never = time.Duration(math.MaxInt64)

// Lease is one node's lease.
type Lease struct {
	opt    Options
	phase  phase
	reason Reason

	// What the table showed: seen is the holder's word, first received at
	// seenAt.
	seen   Item
	known  bool
	seenAt time.Duration

	// mine is what this node wrote, or is about to write; until is how long
	// that lets it claim.
	mine  Item
	until time.Duration

	// look and write are the operations under way, 0: none; each with the
	// instant when it was sent.
	lastOp            uint64
	look, write       uint64
	lookAt, writeAt   time.Duration
	nextLook, nextPut time.Duration
	waking, doubts    bool

	now beat.Now
	out []Out
}

// New makes the lease of a node that starts at now, as a standby.
func New(opt Options, now beat.Now) *Lease {
	return &Lease{opt: opt, reason: Starting, nextLook: now.Mono, nextPut: never}
}

// Step takes one event, or nil for the passing of time, and appends to out
// what the shell has to do.
func (l *Lease) Step(now beat.Now, e Event, out []Out) []Out {
	l.now, l.out = now, out
	switch e := e.(type) {
	case *Read:
		l.read(e)
	case *Wrote:
		l.wrote(e)
	case *Called:
		if l.phase == telling && e.Op == l.write {
			l.activate()
		}
	case *Superseded:
		if l.holds() && e.Term > l.mine.Term {
			l.end(Outbid, e.Term)
		}
	case *Woke:
		l.waking, l.look, l.nextLook = l.holds(), 0, now.Mono
	case *Doubt:
		l.doubts, l.nextLook = true, now.Mono
	case *Leave:
		l.leave()
	}
	l.expire()
	l.act()
	out, l.out = l.out, nil
	return out
}

// Next is the earliest monotonic instant at which Step(now, nil) has something
// to do; ok is false while there is none.
func (l *Lease) Next() (at time.Duration, ok bool) {
	if l.phase == over {
		return 0, false
	}
	at = never
	if l.look != 0 {
		at = l.lookAt + l.opt.Answer
	} else if l.looks() {
		at = l.nextLook
	}
	if l.write != 0 {
		at = min(at, l.writeAt+l.opt.Answer)
	} else {
		at = min(at, l.nextPut)
	}
	return at, at != never
}

// Holds says whether this node is the active one; its own item says so.
func (l *Lease) Holds() bool { return l.phase == active }

// Waking says that the node stood still and has not read the lease since.
func (l *Lease) Waking() bool { return l.waking }

// Term is the term of an active node; 0: it never was.
func (l *Lease) Term() int64 {
	if l.phase < telling {
		return 0
	}
	return l.mine.Term
}

// Reason is why the node is not active.
func (l *Lease) Reason() Reason { return l.reason }

// Holder is what the table last showed of this region; its Node is "" before.
func (l *Lease) Holder() Item {
	if l.holds() {
		return l.mine
	}
	return l.seen
}

func (l *Lease) holds() bool { return l.phase == telling || l.phase == active || l.phase == leaving }

func (l *Lease) emit(o Out) { l.out = append(l.out, o) }

// looks says whether the lease is read from time to time in this phase. An
// active node of a lone region learns all it must know from its own writes.
func (l *Lease) looks() bool {
	return l.phase == standby || l.phase == active && (l.opt.Other || l.waking || l.doubts || l.nextPut == never && l.write == 0)
}

// expire gives up what was not answered.
func (l *Lease) expire() {
	if l.look != 0 && l.now.Mono >= l.lookAt+l.opt.Answer {
		l.read(&Read{Op: l.look, Failed: true})
	}
	if l.write == 0 || l.now.Mono < l.writeAt+l.opt.Answer {
		return
	}
	if l.phase == telling {
		l.activate()
		return
	}
	l.wrote(&Wrote{Op: l.write, Result: Uncertain})
}

// act does what is due.
func (l *Lease) act() {
	if l.phase != over && l.look == 0 && l.looks() && l.now.Mono >= l.nextLook {
		l.lastOp++
		l.look, l.lookAt = l.lastOp, l.now.Mono
		l.emit(&Look{Op: l.look})
	}
	if l.phase == active && l.write == 0 && l.now.Mono >= l.nextPut {
		l.mine.Counter++
		l.put(table.IfRev, l.mine.Term)
	}
}

func (l *Lease) put(cond table.Condition, rev int64) {
	l.lastOp++
	l.write, l.writeAt, l.nextPut = l.lastOp, l.now.Mono, never
	l.emit(&Write{Op: l.write, Item: l.mine, If: cond, Rev: rev})
}

// read takes what the table shows.
func (l *Lease) read(e *Read) {
	if e.Op == 0 || e.Op != l.look {
		return
	}
	sent := l.lookAt
	l.look, l.nextLook = 0, max(l.lookAt+l.opt.Renew, l.now.Mono)
	l.waking, l.doubts = false, false
	if e.Failed {
		if l.phase == standby {
			l.reason = Unreadable
		}
		if l.phase == active && l.nextPut == never && l.write == 0 {
			l.nextPut = l.now.Mono + retry
		}
		return
	}
	switch l.phase {
	case standby:
		l.readStandby(e.Own, sent)
	case active:
		l.readActive(e.Own)
	}
}

// readStandby takes the lease where nobody holds it any more.
func (l *Lease) readStandby(own *Item, sent time.Duration) {
	if own == nil {
		l.take(nil)
		return
	}
	moved := !l.known || own.Term != l.seen.Term || own.Counter != l.seen.Counter || own.Life != l.seen.Life
	if moved {
		l.seen, l.known, l.seenAt = *own, true, l.now.Mono
	}
	if own.Life == l.mine.Life && l.mine.Life != "" && own.Term == l.mine.Term {
		// A write whose answer was lost was done. When is unknown: not yet
		// renewed, it lets this node claim nothing.
		l.mine = *own
		l.win()
		return
	}
	l.reason = Held
	if own.Released || own.Node == l.opt.Node && !l.opt.Yields || !moved && sent-l.seenAt >= l.opt.For {
		l.take(own)
	}
}

func (l *Lease) take(from *Item) {
	l.phase, l.reason = taking, Taking
	l.mine = Item{Node: l.opt.Node, Term: l.opt.Above + 1, Counter: 1, Life: l.opt.Life, Address: l.opt.Address}
	if from == nil {
		l.put(table.IfAbsent, 0)
		return
	}
	l.mine.Term = max(from.Term, l.opt.Above) + 1
	l.put(table.IfRev, from.Term)
}

// readActive looks at what became of this node's item.
func (l *Lease) readActive(own *Item) {
	switch {
	case own != nil && (own.Term > l.mine.Term || own.Term == l.mine.Term && own.Life != l.mine.Life):
		l.end(Outbid, own.Term)
	case l.write != 0:
	case own == nil: // the table was wiped, or restored from before
		l.put(table.IfAbsent, 0)
	case own.Term < l.mine.Term:
		l.put(table.IfRev, own.Term)
	case l.nextPut == never:
		l.nextPut = l.now.Mono
	}
}

// wrote takes the result of a write.
func (l *Lease) wrote(e *Wrote) {
	if e.Op == 0 || e.Op != l.write || l.phase == telling {
		return
	}
	sent := l.writeAt
	l.write = 0
	switch l.phase {
	case taking:
		if e.Result == Done {
			l.until = sent + l.opt.For
			l.win()
			return
		}
		l.phase, l.nextLook, l.nextPut = standby, l.now.Mono+retry, never
		if e.Result != Failed { // somebody was faster, or it was done
			l.nextLook = l.now.Mono
		}
	case active:
		l.renewed(e.Result, sent)
	case leaving:
		l.end(Released, l.mine.Term)
	}
}

// win makes this node the holder: it tells the one before, then opens.
func (l *Lease) win() {
	l.nextPut = l.now.Mono + l.opt.Renew
	if l.until == 0 {
		l.nextPut = l.now.Mono
	}
	if l.seen.Address == "" || l.seen.Released || l.seen.Address == l.opt.Address {
		l.activate()
		return
	}
	l.phase = telling
	l.lastOp++
	l.write, l.writeAt = l.lastOp, l.now.Mono
	l.emit(&Call{Op: l.write, Address: l.seen.Address, Term: l.mine.Term})
}

func (l *Lease) activate() {
	l.phase, l.write, l.reason, l.nextLook = active, 0, "", l.now.Mono
	l.emit(&Active{Term: l.mine.Term})
	l.emit(&Until{Until: l.until})
}

func (l *Lease) renewed(r Result, sent time.Duration) {
	switch r {
	case Done:
		l.until, l.nextPut = sent+l.opt.For, max(sent+l.opt.Renew, l.now.Mono)
		l.emit(&Until{Until: l.until})
	case Refused: // what the table holds decides
		l.nextPut = never
		if l.look == 0 {
			l.nextLook = l.now.Mono
		}
	default:
		l.nextPut = l.now.Mono + retry
	}
}

// leave gives the lease up.
func (l *Lease) leave() {
	switch l.phase {
	case telling, active:
		l.phase = leaving
		l.mine.Counter++
		l.mine.Released = true
		l.emit(&Until{})
		l.put(table.IfRev, l.mine.Term)
	case standby, taking:
		l.end(Released, 0)
	}
}

func (l *Lease) end(why Reason, term int64) {
	l.phase, l.reason, l.until, l.waking = over, why, 0, false
	l.look, l.write = 0, 0
	l.emit(&Until{})
	l.emit(&Over{Reason: why, Term: term})
}
