package schedule

import "time"

// Kind is one letter of the fault alphabet.
type Kind uint8

// The kinds. What each needs beside its instant is said by Shapes.
const (
	PathCut Kind = iota + 1 // a relay's way to a region: Arg 0 both, 1 up, 2 down (half-open)
	PathReset
	PathDelay
	PathTwice
	BridgeCut // the regions' link: Arg 0 both, 1 from region 0, 2 from region 1
	BridgeDelay
	LanCut
	LanReset
	ReplicationCut // from Region
	ReplicationDelay
	ReplicationShuffle
	NodeKill
	NodePower // nobody hears of it
	NodeStall
	NodeDrain
	NodeClock // its wall clock jumps by Arg seconds
	RegionPower
	RelayKill
	RelayPower
	RelayStall
	DiskLost
	DiskFull
	DiskRestored
	RelayClone // Arg 0: another boot, 1: the same boot
	RelayReplaced
	RelayClock
	TableRefuse
	TableThrottle
	TableSlow
	TableLost // applied, and the answer is lost
	ChannelFail
	ChannelSlow
	ChannelLost
	HostCrash
	HostPower
	HostBye
	HostMove // Arg: the way
	HostTwice
	HostFail // it says that it is unwell
	StorePower
	Mass // Arg stores lose power at once
	Silence
	Hours
	Maintenance
	Pin
	Ack

	Kinds
)

var kindNames = [Kinds]string{
	"", "path-cut", "path-reset", "path-delay", "path-twice", "bridge-cut", "bridge-delay", "lan-cut", "lan-reset",
	"replication-cut", "replication-delay", "replication-shuffle", "node-kill", "node-power", "node-stall", "node-drain", "node-clock", "region-power",
	"relay-kill", "relay-power", "relay-stall", "disk-lost", "disk-full", "disk-restored", "relay-clone", "relay-replaced", "relay-clock",
	"table-refuse", "table-throttle", "table-slow", "table-lost", "channel-fail", "channel-slow", "channel-lost",
	"host-crash", "host-power", "host-bye", "host-move", "host-twice", "host-fail", "store-power", "mass",
	"silence", "hours", "maintenance", "pin", "ack",
}

func (k Kind) String() string {
	if k < Kinds {
		return kindNames[k]
	}
	return "unknown"
}

// Way is how a host beats.
type Way uint8

// The ways.
const (
	MQTT Way = iota
	HTTP
	Direct // to region 0, else to region 1
	Other  // to region 1, else to region 0
	ways
)

var wayNames = [ways]string{"mqtt", "http", "direct", "other"}

func (w Way) String() string { return wayNames[w%ways] }

// Host is a computer of a store.
type Host struct {
	Way      Way
	Interval time.Duration
}

// Store is a restaurant; its id is s and its place in the list, from 1.
type Store struct {
	Relay bool
	Hosts []Host
}

// Fault strikes at an instant, and ends For later (0: it does not end, or has
// no end). Indices count from 0.
type Fault struct {
	At, For time.Duration
	Kind    Kind
	Region  int
	Node    int // of the region
	Store   int
	Host    int
	Channel int
	Arg     int
}

// Schedule is all that is done to one mesh.
type Schedule struct {
	Seed   uint64 // of the chance in the mesh itself
	Stores []Store
	Faults []Fault
	// Quiet is when the last fault is over; then the mesh has until End to
	// agree with the truth.
	Quiet, End time.Duration
}
