package schedule

import "strings"

// Kind is one letter of the fault alphabet.
type Kind uint8

// The kinds. What each needs beside its instant is said by its shape.
const (
	PathCut   Kind = iota + 1 // a relay's way to a region: Arg 0 both, 1 up, 2 down (half-open)
	PathReset                 // RST at both ends
	PathDelay
	WanCut      // both of its ways
	PathTwice   // reports arrive twice
	BridgeCut   // the regions' link: Arg 0 both, 1 from region 0, 2 from region 1
	BridgeReset // connections are refused at once
	BridgeDelay
	LanCut // a till's cable
	LanReset
	LanDown            // the switch of the store's LAN dies
	ReplicationCut     // from Region
	ReplicationDelay   //
	ReplicationShuffle // each item takes a time of its own
	NodeKill
	NodePower // nobody hears of it
	NodeStall
	NodeDrain
	NodeClock // its wall clock jumps by Arg seconds
	RegionPower
	RegionAlone // cut from every relay and from the other region
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
	HostFail  // it says that it is unwell
	HostFlaps // it dies and returns, Arg times
	StorePower
	Mass // Arg stores lose power at once
	Silence
	Hours
	Maintenance
	Pin
	Ack
	StaleWill // wills and reports of closed sessions come once more
	StaleLan  // wills, byes and closes of closed LAN connections, and of strangers

	// What follows is drawn by fresh alone.

	RelayBye // it stops on purpose: Arg 0 for good, 1 for a moment
	LanDelay // what a till says takes longer
	LanHalf  // nothing gets back to a till
	LanTwice // what it says arrives twice
	BridgeTwice
	ReplicationPart // of Region, the items of one part of four: Arg
	HostComes       // a host that never was there comes, by a way: Arg

	Kinds
)

// usualKinds and usualMoments are before the first that fresh alone draws: what a
// seed draws without it stays as it is.
const (
	usualKinds   = RelayBye
	usualMoments = Renews
)

// shape is what a kind needs.
type shape struct {
	name string
	// has names what it is about: r a region, n a node of it, s a store, h a
	// host of it, c a channel, a a number, w a way, d a direction, b a boot, l how long it
	// leaves.
	has string
}

var shapes = [Kinds]shape{
	PathCut: {"path-cut", "srd"}, PathReset: {"path-reset", "sr"}, PathDelay: {"path-delay", "sr"}, PathTwice: {"path-twice", "sr"}, WanCut: {"wan-cut", "s"},
	BridgeCut: {"bridge-cut", "d"}, BridgeReset: {"bridge-reset", ""}, BridgeDelay: {"bridge-delay", ""},
	LanCut: {"lan-cut", "h"}, LanReset: {"lan-reset", "h"}, LanDown: {"lan-down", "s"},
	ReplicationCut: {"replication-cut", "r"}, ReplicationDelay: {"replication-delay", "r"}, ReplicationShuffle: {"replication-shuffle", "r"},
	NodeKill: {"node-kill", "n"}, NodePower: {"node-power", "n"}, NodeStall: {"node-stall", "n"}, NodeDrain: {"node-drain", "n"}, NodeClock: {"node-clock", "na"},
	RegionPower: {"region-power", "r"}, RegionAlone: {"region-alone", "r"},
	RelayKill: {"relay-kill", "s"}, RelayPower: {"relay-power", "s"}, RelayStall: {"relay-stall", "s"},
	DiskLost: {"disk-lost", "s"}, DiskFull: {"disk-full", "s"}, DiskRestored: {"disk-restored", "s"},
	RelayClone: {"relay-clone", "sb"}, RelayReplaced: {"relay-replaced", "s"}, RelayClock: {"relay-clock", "sa"},
	TableRefuse: {"table-refuse", "r"}, TableThrottle: {"table-throttle", "ra"}, TableSlow: {"table-slow", "r"}, TableLost: {"table-lost", "ra"},
	ChannelFail: {"channel-fail", "rc"}, ChannelSlow: {"channel-slow", "rc"}, ChannelLost: {"channel-lost", "rc"},
	HostCrash: {"host-crash", "h"}, HostPower: {"host-power", "h"}, HostBye: {"host-bye", "h"}, HostMove: {"host-move", "hw"},
	HostTwice: {"host-twice", "h"}, HostFail: {"host-fail", "h"}, HostFlaps: {"host-flaps", "ha"},
	StorePower: {"store-power", "s"}, Mass: {"mass", "a"},
	Silence: {"silence", "sr"}, Hours: {"hours", "sr"}, Maintenance: {"maintenance", "sr"}, Pin: {"pin", "sra"}, Ack: {"ack", "sr"},
	StaleWill: {"stale-will", "s"}, StaleLan: {"stale-lan", "h"},
	RelayBye: {"relay-bye", "sl"}, LanDelay: {"lan-delay", "h"}, LanHalf: {"lan-half", "h"}, LanTwice: {"lan-twice", "h"},
	BridgeTwice: {"bridge-twice", ""}, ReplicationPart: {"replication-part", "ra"}, HostComes: {"host-comes", "hw"},
}

func (k Kind) String() string {
	if k < Kinds && k > 0 {
		return shapes[k].name
	}
	return "unknown"
}

// Outage says whether a kind takes a store or a host away: people are to be
// told of it.
func (k Kind) Outage() bool {
	switch k {
	case RelayKill, RelayPower, HostCrash, HostPower, StorePower, Mass, LanDown, LanCut, WanCut:
		return true
	default:
		return false
	}
}

// Moment is something that the mesh does, at which a fault may strike.
type Moment uint8

// The moments.
const (
	Decides   Moment = iota + 1 // a region gives a verdict
	Asks                        // it asks the other about stores or hosts
	Forwards                    // it forwards what it decided
	Claims                      // it writes a notice that is not sent
	Publishes                   // it hands a notice to a channel
	Told                        // a channel took it; nobody knows yet
	Marks                       // the mark is written
	Looks                       // it reads the marks, or asks who tells
	Loads                       // a node that became active loads the table
	Readies                     // and is ready

	// What follows is drawn by fresh alone.

	Renews   // a node renews its lease, or takes it
	Posts    // a region writes a letter
	Fetches  // it reads those that it got
	Archives // it writes a relay's journal into the history
	Acks     // it acks a birth, or what it wrote there
	Saves    // it writes what it knows of a store, or a fault
	Reserves // a relay reserves an epoch, or numbers
	Syncs    // its disk writes what its journal got
	Births   // it sends the first report of a connection
	Changes  // it says that a host or its LAN changed
	Frees    // it lets go of what was acked

	Moments
)

var momentNames = [Moments]string{
	"", "decide", "ask", "forward", "claim", "publish", "told", "mark", "look", "load", "ready",
	"renew", "post", "fetch", "archive", "ack", "save", "reserve", "sync", "birth", "change", "free",
}

// OfRelay says whether it is a relay that comes to a moment: a fault about a store
// waits for that store's.
func (m Moment) OfRelay() bool { return m >= Reserves }

// About says whether a kind is about one store, or a host of it.
func (k Kind) About() bool { return strings.ContainsAny(shapes[k%Kinds].has, "sh") }

func (m Moment) String() string { return momentNames[m%Moments] }
