package record

import (
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// noticeHours is how far back notices are looked at: a notice is tried for 24
// hours. The clock that dated one may be ahead of this one, or this one may have
// been set back: aheadHours says how far.
const (
	noticeHours = 25
	aheadHours  = 1
)

// NoticePKs are the partitions of the notices that still matter at an instant.
func NoticePKs(now time.Time) []string {
	pks := make([]string, 0, noticeHours+aheadHours)
	for h := -aheadHours; h < noticeHours; h++ {
		pks = append(pks, table.NoticePK(now.Add(-time.Duration(h)*time.Hour)))
	}
	return pks
}

// Notice is the write of a notice: its claim where its Rev is 1, else its
// marks; fenced by the term of the region's lease. It vanishes keep after it
// was made.
func Notice(n incident.Notice, term int64, keep time.Duration) table.Write {
	item := table.Item{Key: table.NoticeKey(n.Region, n.At, n.ID), Doc: document(n), Rev: n.Rev, Expires: n.At.Add(keep)}
	if item.Size() > table.MaxItem { // what people lose is a host's own word, never a fault
		item.Doc = document(bare(n))
	}
	w := table.Write{
		Item:  item,
		Fence: &table.Fence{Key: table.LeaseKey(n.Region), Rev: term},
	}
	if n.Rev == 1 {
		w.If = table.IfAbsent
	}
	return w
}

// bare is a notice without what may be long: the hosts' messages, and tags.
func bare(n incident.Notice) incident.Notice {
	n.Items = slices.Clone(n.Items)
	for i := range n.Items {
		n.Items[i].Message, n.Items[i].Tags = "", nil
	}
	return n
}

// ReadNotice reads a notice.
func ReadNotice(it table.Item) (incident.Notice, Reason) {
	var n incident.Notice
	if why := read(it.Doc, &n); why != "" {
		return incident.Notice{}, why
	}
	if n.ID == "" || n.Rev < 1 || len(n.Items) == 0 && len(n.Marks) == 0 {
		return incident.Notice{}, Unreadable
	}
	if table.NoticeKey(n.Region, n.At, n.ID) != it.Key {
		return incident.Notice{}, Misplaced
	}
	for i := range n.Items {
		if why := checkSubject(n.Items[i].Store, n.Items[i].Host); why != "" {
			return incident.Notice{}, why
		}
	}
	return n, ""
}

// checkSubject: a store, a host of it, or neither (a region's).
func checkSubject(store beat.StoreID, host beat.HostID) Reason {
	if store == "" && host == "" {
		return ""
	}
	if _, err := beat.ParseStoreID(string(store)); err != nil {
		return Unreadable
	}
	if host == "" {
		return ""
	}
	if _, err := beat.ParseHostID(string(host)); err != nil {
		return Unreadable
	}
	return ""
}

// IncidentPKs are the partitions of the incidents.
func IncidentPKs() []string { return buckets(table.IncidentPK) }

// Incident is a region's word about an incident. One that has ended vanishes
// keep after its end.
func Incident(region beat.Region, i incident.Incident, keep time.Duration) table.Item {
	i.Waits = ""
	it := table.Item{Key: table.IncidentKey(region, i.Store, string(i.ID)), Doc: document(i), Rev: int64(i.K)}
	if !i.Open {
		it.Expires = i.EndedAt.Add(keep)
	}
	return it
}

// ReadIncident reads a region's word about an incident.
func ReadIncident(it table.Item) (incident.Incident, Reason) {
	var i incident.Incident
	if why := read(it.Doc, &i); why != "" {
		return incident.Incident{}, why
	}
	if i.ID == "" || i.K < 1 || strings.Contains(string(i.ID), "#") {
		return incident.Incident{}, Unreadable
	}
	if why := checkSubject(i.Store, i.Host); why != "" {
		return incident.Incident{}, why
	}
	if table.IncidentKey(it.Writer(), i.Store, string(i.ID)) != it.Key {
		return incident.Incident{}, Misplaced
	}
	return i, ""
}

func buckets(pk func(int) string) []string {
	out := make([]string, 0, table.Buckets)
	for b := range table.Buckets {
		out = append(out, pk(b))
	}
	return out
}
