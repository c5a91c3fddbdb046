package truth

import "time"

// Property is one of those that must hold.
type Property uint8

// The properties.
const (
	Loss Property = iota + 1
	Falsity
	Duplicates
	Identity
	Closure
	Stale
	Convergence
	Restart
	Writers
	Storm
	Isolation
	Bounds

	Properties
)

var propertyNames = [Properties]string{
	"", "no loss", "no falsity", "duplicates", "identity", "closure", "stale input", "convergence", "restart",
	"one writer", "storm", "isolation", "bounds",
}

func (p Property) String() string {
	if p < Properties {
		return propertyNames[p]
	}
	return "unknown"
}

// Violation is a property that did not hold.
type Violation struct {
	Property Property
	At       time.Duration
	What     string
}

// Class says what a fault may delay or repeat.
type Class uint8

// The classes of faults.
const (
	Outage  Class = iota // of a store or host: what people are to be told of
	Node                 // a broker process
	Bridge               // between the regions
	Path                 // between a relay and a region
	Table                // and its replication
	Channel              //
	Word                 // an operator's
	Harmless
)

// Strike is a fault as the truth knows it.
type Strike struct {
	At, For time.Duration
	Class   Class
	Region  int  // that it is about
	Carries bool // it is wrong with what is carried between the tables alone
	Pins    bool // it moves the home of a store
	Alone   bool // it cuts the region from every relay and the other region
	Store   int  // of an operator's word
	Many    int  // stores at once
	Times   int  // that a host goes and comes
}

// Told is one line of a notice that a channel took.
type Told struct {
	At        time.Duration
	Since     time.Duration // as people read it; on the world's clock
	Region    int
	Channel   int
	Kind      string
	Change    string
	Store     int // -1: a region's
	Host      int // -1: the store itself
	Incident  string
	K         int
	Notice    string
	OneSided  bool
	Elsewhere bool // the one side is the other region's, which said so by letter
	// Suppressed is for programs alone; Quiet wakes nobody.
	Suppressed, Quiet bool
	About             int // the region that it is about; -1: none
}

type host struct {
	dead, cable, bye track
	said             track // a goodbye that its relay took
	interval         time.Duration
	direct           bool
	to               int // the region that it beat to last, where it does so directly
	moved            bool
	failing          track           // it says that it is unwell
	absent           time.Duration   // since when it is waited for that never was there; 0: it was
	stray            bool            // it pages nobody
	two              track           // another computer beats as it, or did a while ago
	sudden           []time.Duration // when its connection ended with it, before its relay's eyes
	missed           []time.Duration // when its relay called it missing
}

type store struct {
	relayed bool
	down    track    // no relay runs
	two     track    // two of its identity do
	path    [2]track // its way to a region is no good
	hosts   []host
	said    []said          // what operators said about it
	full    track           // its relay's disk is full
	sudden  []time.Duration // when its relay's connections ended with it
	disk    bool            // its relay lost its disk, or was replaced
	cut     [2]track        // no packet gets to a region, or back
	cloned  bool            // it had two relays, and two journals of one incarnation
	// connects are the instants at which its relay began a connection.
	connects []time.Duration
	starts   []time.Duration // of its relay's process
	stands   track           // its relay stands still
	leaves   []leave         // goodbyes of its relay
}

// lost is a transition that a channel took, whose answer got lost.
type lost struct {
	incident   string
	k, channel int
}

// unfenced is a notice that a region handed over without its lease.
type unfenced struct {
	at     time.Duration
	region int
}

// Truth is what really happened in one schedule.
type Truth struct {
	base    time.Time     // the wall clock at the start
	comeUp  time.Duration // how long a store may take after an opening
	stores  []store
	region  [2]track // no node of it is ready
	bridge  track    // cut, or too slow
	strikes []Strike
	told    []Told
	lost    []lost
	// unfenced are the notices that left without the lease.
	unfenced []unfenced
	skewed   bool // a node's wall clock jumped
	Quiet    time.Duration
	End      time.Duration
	// Judged counts what each property had to judge.
	Judged  [Properties]int
	first   Violation
	keys    []tellings
	namings []Naming
	seen    []Seen
	open    []Open
	waiting [2]waiting
	journal journals
	budget  budget // is used again
	names   []string
	sends   []*Told
	now     time.Duration
	saves   int
	// twin is what was told without the deaths of nodes; twinned says that the
	// schedule was played so.
	twin    []Told
	twinned bool
}

// Begin forgets everything, for a new schedule.
func (t *Truth) Begin(quiet, end time.Duration) {
	t.stores = t.stores[:0]
	for g := range t.region {
		t.region[g].reset()
		t.region[g].set(0, true)
	}
	t.bridge.reset()
	t.strikes, t.told, t.keys, t.lost, t.unfenced = t.strikes[:0], t.told[:0], t.keys[:0], t.lost[:0], t.unfenced[:0]
	t.seen, t.open, t.waiting, t.saves = t.seen[:0], t.open[:0], [2]waiting{}, 0
	t.skewed, t.namings = false, t.namings[:0]
	t.journal.reset()
	t.Quiet, t.End = quiet, end
	t.Judged, t.first = [Properties]int{}, Violation{}
	t.twin, t.twinned = nil, false
}

// AddStore opens a store; its hosts are not alive yet.
func (t *Truth) AddStore(relayed bool, hosts int) {
	if n := len(t.stores); n < cap(t.stores) {
		t.stores = t.stores[:n+1]
	} else {
		t.stores = append(t.stores, store{})
	}
	s := &t.stores[len(t.stores)-1]
	// Only memory is used again: what was known of another schedule must not be.
	*s = store{relayed: relayed, down: s.down, two: s.two, path: s.path, cut: s.cut, full: s.full, hosts: s.hosts[:0], said: s.said[:0], connects: s.connects[:0], leaves: s.leaves[:0], sudden: s.sudden[:0], starts: s.starts[:0], stands: s.stands}
	s.two.reset()
	s.stands.reset()
	s.down.reset()
	s.full.reset()
	s.down.set(0, relayed)
	for g := range s.path {
		s.path[g].reset()
		s.cut[g].reset()
	}
	for range hosts {
		if n := len(s.hosts); n < cap(s.hosts) {
			s.hosts = s.hosts[:n+1]
		} else {
			s.hosts = append(s.hosts, host{})
		}
		h := &s.hosts[len(s.hosts)-1]
		*h = host{dead: h.dead, cable: h.cable, bye: h.bye, said: h.said, failing: h.failing, two: h.two, sudden: h.sudden[:0], missed: h.missed[:0]}
		for _, k := range [...]*track{&h.dead, &h.cable, &h.bye, &h.said, &h.failing, &h.two} {
			k.reset()
		}
		h.dead.set(0, true)
	}
}

// HostIs says whether a host lives; direct that it beats to the regions.
func (t *Truth) HostIs(at time.Duration, s, h int, alive, direct bool, interval time.Duration) {
	x := &t.stores[s].hosts[h]
	x.dead.set(at, !alive)
	if alive {
		x.bye.set(at, false)
		x.said.set(at, false)
	}
	x.direct, x.interval = direct, interval
}

// Bye says that a host stopped on purpose.
func (t *Truth) Bye(at time.Duration, s, h int) { t.stores[s].hosts[h].bye.set(at, true) }

// Sudden says that a host, or (-1) a store's relay, ended and its connections with
// it: who watches it need not wait for silence.
func (t *Truth) Sudden(at time.Duration, s, h int) {
	if h < 0 {
		t.stores[s].sudden = append(t.stores[s].sudden, at)
		return
	}
	x := &t.stores[s].hosts[h]
	x.sudden = append(x.sudden, at)
}

// Heard says that a host's goodbye reached its relay.
func (t *Truth) Heard(at time.Duration, s, h int) { t.stores[s].hosts[h].said.set(at, true) }

// BeatTo says which region a host beat to, of one that does so directly.
func (t *Truth) BeatTo(s, h, region int) { t.stores[s].hosts[h].to = region }

// Moved says that a host changed its way; direct that it beats to the regions
// from now on.
func (t *Truth) Moved(s, h int, direct bool) {
	x := &t.stores[s].hosts[h]
	x.moved, x.direct = true, x.direct || direct
}

// Cable says whether a host's cable is out.
func (t *Truth) Cable(at time.Duration, s, h int, out bool) { t.stores[s].hosts[h].cable.set(at, out) }

// RelayIs says whether a store's relay runs.
func (t *Truth) RelayIs(at time.Duration, s int, running bool) { t.stores[s].down.set(at, !running) }

// PathIs says whether a store's way to a region is good.
func (t *Truth) PathIs(at time.Duration, s, g int, good bool) { t.stores[s].path[g].set(at, !good) }

// CutIs says whether nothing gets from a store to a region, or nothing back.
func (t *Truth) CutIs(at time.Duration, s, g int, cut bool) { t.stores[s].cut[g].set(at, cut) }

// RegionIs says whether a node of a region is ready.
func (t *Truth) RegionIs(at time.Duration, g int, ready bool) { t.region[g].set(at, !ready) }

// BridgeIs says whether the link between the regions is good.
func (t *Truth) BridgeIs(at time.Duration, good bool) { t.bridge.set(at, !good) }

// Cloned says that a store has two relays of one identity, and one incarnation.
func (t *Truth) Cloned(s int) { t.stores[s].cloned = true }

// Disk says that a store's relay lost its disk, or was replaced.
func (t *Truth) Disk(s int) { t.stores[s].disk = true }

// Full says whether the disk of a store's relay is full.
func (t *Truth) Full(at time.Duration, s int, full bool) { t.stores[s].full.set(at, full) }

// torn says whether a relay that started with a disk that missed something may
// not know its hosts within a time: the disk was full while it ran before, or is.
// It knows them again once each has beaten, or warmUp is over (L2).
func (st *store) torn(from, until time.Duration) bool {
	for _, d := range st.down.spans {
		if d.from > 0 && d.until <= until && after(d.until, warmUp) >= from && st.full.held(0, d.until, 0) {
			return true
		}
	}
	return false
}

// Failing says whether a host says that it is unwell.
func (t *Truth) Failing(at time.Duration, s, h int, is bool) {
	t.stores[s].hosts[h].failing.set(at, is)
}

// TwoHosts says whether a second computer beats as a host.
func (t *Truth) TwoHosts(at time.Duration, s, h int, both bool) {
	t.stores[s].hosts[h].two.set(at, both)
}

// Skewed says that a wall clock jumped.
func (t *Truth) Skewed() { t.skewed = true }

// Strikes says that a fault strikes.
func (t *Truth) Strikes(s Strike) {
	t.strikes = append(t.strikes, s)
}

// Tell says what a channel took.
func (t *Truth) Tell(x Told) { t.told = append(t.told, x) }

// AnswerLost says that a channel took a transition, and that its answer got lost.
func (t *Truth) AnswerLost(incident string, k, channel int) {
	t.lost = append(t.lost, lost{incident, k, channel})
}

// Unfenced says that a node hands over a notice without its region's lease: only
// while its table fails it may.
func (t *Truth) Unfenced(at time.Duration, region int, ails bool, what string) {
	t.Judges(Writers)
	t.unfenced = append(t.unfenced, unfenced{at, region})
	if ails {
		return
	}
	for i := range t.strikes {
		s := &t.strikes[i]
		if s.Class == Table && s.Region == region && s.At <= at && s.At+s.For+5*time.Second >= at {
			return
		}
	}
	t.Fail(Writers, at, what+" is handed over without the lease")
}

// Claimed says that a node claims a notice, and whether it held its region's
// lease: without it nobody claims, whatever fails.
func (t *Truth) Claimed(at time.Duration, fenced bool, what string) {
	t.Judges(Writers)
	if fenced {
		t.Fail(Writers, at, what+" is claimed without the lease")
	}
}

// Saved says that a region wrote something into the table that is no lease, at
// a time when nothing happened.
func (t *Truth) Saved(what string) {
	t.saves++
	t.Fail(Bounds, t.now, "a steady mesh wrote "+what)
}

// Steady says that the mesh was steady for a while: Saved would have said so.
func (t *Truth) Steady() { t.Judges(Bounds) }

// Merged says whether both replicas hold the same at the end; what names the
// first item that differs.
func (t *Truth) Merged(same bool, what string) {
	t.Judges(Writers)
	if !same {
		t.Fail(Writers, t.End, "the replicas differ: "+what)
	}
}

// Joined says that all items were read in two orders; what names the first thing
// that a node then sees otherwise.
func (t *Truth) Joined(what string) {
	t.Judges(Writers)
	if what != "" {
		t.Fail(Writers, t.now, "what a node knows depends on the order of the items: "+what)
	}
}

// Inert says that stale input came, and whether it changed anything.
func (t *Truth) Inert(changed bool, what string) {
	t.Judges(Stale)
	if changed {
		t.Fail(Stale, t.now, what)
	}
}

// Fail notes a violation that somebody saw at once.
func (t *Truth) Fail(p Property, at time.Duration, what string) {
	if t.first.Property == 0 {
		t.first = Violation{p, at, what}
	}
}

// Judges says that a property had something to judge.
func (t *Truth) Judges(p Property) { t.Judged[p]++ }
