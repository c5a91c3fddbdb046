package table

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Buckets is how many partitions each kind of item is spread over by store.
const Buckets = 64

// Bucket is the partition of a store (or of another id that is spread).
func Bucket(id string) int {
	h := fnv.New32a()
	h.Write([]byte(id))
	return int(h.Sum32() % Buckets)
}

// The partition names that are spread over Buckets.
const (
	presencePK = "presence"
	directPK   = "direct"
	incidentPK = "inc"
	settingsPK = "set"
)

// PresencePK is partition b of the stores' presence.
func PresencePK(b int) string { return fmt.Sprintf("%s#%d", presencePK, b) }

// DirectPK is partition b of the direct hosts.
func DirectPK(b int) string { return fmt.Sprintf("%s#%d", directPK, b) }

// IncidentPK is partition b of the incidents.
func IncidentPK(b int) string { return fmt.Sprintf("%s#%d", incidentPK, b) }

// SettingsPK is partition b of the operators' settings.
func SettingsPK(b int) string { return fmt.Sprintf("%s#%d", settingsPK, b) }

// OperatorPK is partition b of what operators say: apart from the keys, which
// each node reads whole every minute.
func OperatorPK(b int) string { return SettingsPK(b) + "#op" }

// OperatorKey is where region keeps one of the operators' settings, of a kind
// such as store or silence.
func OperatorKey(region beat.Region, kind, id string) Key {
	return Key{OperatorPK(Bucket(id)), string(region) + "#" + kind + "#" + id}
}

// OperatorHeadPK has one small item of each region, which says what of the
// operators' settings it changed: only that is read again.
const OperatorHeadPK = settingsPK + "#head"

// OperatorHeadKey is where region says what it changed.
func OperatorHeadKey(region beat.Region) Key { return Key{OperatorHeadPK, string(region)} }

// AuditPK is the partition of the audit of one UTC day.
func AuditPK(day time.Time) string { return "audit#" + day.UTC().Format(time.DateOnly) }

// AuditKey is where region keeps one line of the audit.
func AuditKey(region beat.Region, day time.Time, ulid string) Key {
	return Key{AuditPK(day), string(region) + "#" + ulid}
}

// NoticePK is the partition of the notices of one UTC hour.
func NoticePK(at time.Time) string { return "notice#" + at.UTC().Format("2006-01-02T15") }

// HistoryPK is the partition of a store's history of one UTC day.
func HistoryPK(store beat.StoreID, at time.Time) string {
	return "hist#" + string(store) + "#" + at.UTC().Format(time.DateOnly)
}

// PresenceKey is where region keeps its view of a store.
func PresenceKey(region beat.Region, store beat.StoreID) Key {
	return Key{PresencePK(Bucket(string(store))), string(region) + "#" + string(store)}
}

// DirectKey is where region keeps a host that beats to it directly.
func DirectKey(region beat.Region, store beat.StoreID, host beat.HostID) Key {
	return Key{DirectPK(Bucket(string(store))), string(region) + "#" + string(store) + "#" + string(host)}
}

// IncidentKey is where region keeps its word about an incident.
func IncidentKey(region beat.Region, store beat.StoreID, id string) Key {
	return Key{IncidentPK(Bucket(string(store))), string(region) + "#" + string(store) + "#" + id}
}

// NoticeKey is where region keeps a notice that it claimed at the instant at.
func NoticeKey(region beat.Region, at time.Time, ulid string) Key {
	return Key{NoticePK(at), string(region) + "#" + ulid}
}

// HistoryKey is where region keeps one journal entry of a store's relay. The
// number is padded, so that sort keys sort by it.
func HistoryKey(region beat.Region, store beat.StoreID, at time.Time, inc beat.Incarnation, n beat.Number) Key {
	return Key{HistoryPK(store, at), fmt.Sprintf("%s#%s#%020d", region, inc, uint64(n))}
}

// LeaseKey is the lease of a region's active node.
func LeaseKey(region beat.Region) Key { return Key{"lease", string(region)} }

// SettingKey is where region keeps one setting: what is its kind, such as key.
func SettingKey(region beat.Region, what, id string) Key {
	return Key{SettingsPK(Bucket(id)), string(region) + "#" + what + "#" + id}
}

// Writer is the region that writes an item: the head of its sort key.
func (k Key) Writer() beat.Region {
	region, _, _ := strings.Cut(k.SK, "#")
	return beat.Region(region)
}
