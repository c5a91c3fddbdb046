package schedule

import "time"

// Way is how a host beats.
type Way uint8

// The ways.
const (
	MQTT Way = iota
	HTTP
	Direct // to region 0, else to region 1
	Other  // to region 1, else to region 0
	Never  // it is declared, and not there

	allWays
)

// ways are those of a host that is there.
const ways = Never

var wayNames = [allWays]string{"mqtt", "http", "direct", "other", "never"}

func (w Way) String() string { return wayNames[w%allWays] }

// Host is a computer of a store.
type Host struct {
	Way      Way
	Interval time.Duration
	// Stray says that nobody declared it, in a store that adopts nobody.
	Stray bool
}

// Store is a restaurant; its id is s and its place in the list, from 1.
type Store struct {
	Relay bool
	Hosts []Host
	Opens Opening
}

// Opening is when a store is open, on each day by its own clock; the zero one is
// always open.
type Opening struct {
	Zone     string // by its IANA name
	From, To int    // in minutes after midnight
}

// Inventory says whether operators declare each host of each store.
func (s *Schedule) Inventory() bool {
	for i := range s.Stores {
		for _, h := range s.Stores[i].Hosts {
			if h.Way == Never || h.Stray {
				return true
			}
		}
	}
	return false
}

// Closes says whether the store is closed at times.
func (h Opening) Closes() bool { return h.Zone != "" }

// Patience is how long a fault waits for its moment; then it does not strike.
const Patience = 60 * time.Second

// Parts are what a cut of a part of the replication cuts the items into.
const Parts = 4

// leaving is longer than a relay takes to say goodbye.
const leaving = 10 * time.Second

// Fault strikes at an instant, or at a moment of the mesh after it, and ends
// For later (0: it does not end, or has no end). Indices count from 0.
type Fault struct {
	At, For time.Duration
	Kind    Kind
	Region  int
	Node    int // of the region
	Store   int
	Host    int
	Channel int
	Arg     int
	// On lets the fault wait for the Nth such moment after At (from 1), in any
	// region; it strikes just before, or Late after it. Region 0 is then the
	// one where the moment is, 1 the other, and Node the one that did it.
	On   Moment
	Nth  int
	Late time.Duration
}

// last is the latest instant at which the fault strikes.
func (f *Fault) last() time.Duration {
	if f.On == 0 {
		return f.At
	}
	return f.At + Patience + f.Late
}

// Schedule is all that is done to one mesh.
type Schedule struct {
	Seed uint64 // of the chance in the mesh itself
	// Wall is the wall clock at the start, to the second; zero: an ordinary noon.
	Wall   time.Time
	Stores []Store
	Faults []Fault
	// Linger is how much longer than usual the mesh is looked at in the end: for what
	// takes ten minutes.
	Linger time.Duration
	// Quiet is when the last fault is over; then the mesh has until End to
	// agree with the truth.
	Quiet, End time.Duration
}
