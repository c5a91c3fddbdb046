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
)

func (c class) String() string { return [...]string{"", "store", "missing", "failing"}[c] }

// subject is what an incident is about.
type subject struct {
	store beat.StoreID
	host  beat.HostID
	class class
}

func classOf(k Kind) class {
	switch k {
	case StoreDown, RelayDead:
		return storeClass
	case HostFailing:
		return failingClass
	case HostMissing:
		return missingClass
	default:
		return 0 // a kind of a newer version
	}
}

// MakeID is a hash of the subject, its class and the cause (I1): 26 characters
// of base32, the same wherever it is computed.
func MakeID(store beat.StoreID, host beat.HostID, kind Kind, c presence.Cause) ID {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%s\n%d\n%s\n%d",
		store, host, classOf(kind), c.Incarnation, c.Number, c.Node, c.Term))
	return ID(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
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
