package incident

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// class tells incidents of one subject apart: at most one of each class is
// open. "Store down" and "relay dead" are one.
type class uint8

const (
	storeClass class = iota + 1
	missingClass
	failingClass
	lanClass
	comeUpClass
	neverClass
	flapClass
	conflictClass
	regionClass
	pathClass

	classes
)

// classNames are in the ids: they stay as they are.
var classNames = [classes]string{"", "store", "missing", "failing", "lan", "come-up", "never-seen", "flapping", "conflict", "region", "path"}

func (c class) String() string { return classNames[c] }

// classOf is a kind's class; 0 is a kind of a newer version.
func classOf(k Kind) class {
	switch k {
	case StoreDown, RelayDead:
		return storeClass
	case HostMissing:
		return missingClass
	case HostFailing:
		return failingClass
	case StoreLan:
		return lanClass
	case DidNotComeUp:
		return comeUpClass
	case NeverSeen:
		return neverClass
	case Flapping:
		return flapClass
	case Conflict:
		return conflictClass
	case RegionDown:
		return regionClass
	case RegionPath, RegionBlind:
		return pathClass
	default:
		return 0
	}
}

// subject is what an incident is about.
type subject struct {
	store  beat.StoreID
	host   beat.HostID
	region beat.Region
	class  class
}

// makeID is a hash of the subject, its class and the cause (I1): 26 characters
// of base32, the same wherever it is computed.
func makeID(s subject, c presence.Cause) ID {
	text := fmt.Appendf(make([]byte, 0, 160), "%s\n%s\n%s\n%s\n%d\n%s\n%d", s.store, s.host, s.class, c.Incarnation, c.Number, c.Node, c.Term)
	if s.region != "" {
		text = fmt.Appendf(text, "\n%s", s.region)
	}
	sum := sha256.Sum256(text)
	return ID(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
}

// byRelay says whether a cause is a relay's word of one of its hosts.
func byRelay(c class, cause *presence.Cause) bool {
	return (c == missingClass || c == failingClass) && cause.Incarnation != (beat.Incarnation{}) && cause.Node == ""
}

// noticeID is a ULID whose random part is a hash of what makes it unique: the
// region, this start of the node, and a count.
func noticeID(at time.Time, region beat.Region, term int64, count uint64) string {
	var id ulid.ULID
	if err := id.SetTime(ulid.Timestamp(at)); err != nil {
		panic(fmt.Sprintf("incident: %v", err)) // after the year 10889
	}
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(fmt.Appendf(nil, "%s\n%d\n", region, term), count))
	if err := id.SetEntropy(sum[:10]); err != nil {
		panic(fmt.Sprintf("incident: %v", err)) // ten bytes always fit
	}
	return id.String()
}
