package record

import (
	"strings"

	"github.com/hb-mesh/hb-mesh/broker/lease"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// StorePKs are the partitions of the stores' presence and the direct hosts.
func StorePKs() []string { return append(buckets(table.PresencePK), buckets(table.DirectPK)...) }

// Store is the item of a store, or of a direct host. Its document is
// presence's own.
func Store(s presence.StoreItem) table.Item {
	key := table.PresenceKey(s.Region, s.Store)
	if s.Host != "" {
		key = table.DirectKey(s.Region, s.Store, s.Host)
	}
	return table.Item{Key: key, Doc: s.Doc}
}

// ReadStore reads the item of a store, or of a direct host.
func ReadStore(it table.Item) (presence.StoreItem, Reason) {
	region, rest, _ := strings.Cut(it.SK, "#")
	store, host, direct := strings.Cut(rest, "#")
	s := presence.StoreItem{Region: beat.Region(region), Doc: it.Doc}
	var err error
	if _, err = beat.ParseRegion(region); err == nil {
		s.Store, err = beat.ParseStoreID(store)
	}
	if err == nil && direct {
		s.Host, err = beat.ParseHostID(host)
	}
	switch {
	case err != nil:
		return presence.StoreItem{}, Unreadable
	case Store(s).Key != it.Key:
		return presence.StoreItem{}, Misplaced
	}
	return s, ""
}

// LeasePK is the partition of both regions' leases.
func LeasePK() string { return table.LeaseKey("").PK }

// Lease is the write of a region's lease: its revision is the term.
func Lease(region beat.Region, w *lease.Write) table.Write {
	return table.Write{
		Item: table.Item{Key: table.LeaseKey(region), Doc: document(w.Item), Rev: w.Item.Term}, If: w.If, Rev: w.Rev,
	}
}

// ReadLease reads a region's lease. Its revision is the term, whatever the
// document says: it fences. So a document of another version holds the lease.
func ReadLease(it table.Item) (lease.Item, Reason) {
	var l lease.Item
	why := read(it.Doc, &l)
	if it.Key != table.LeaseKey(it.Writer()) {
		return lease.Item{}, Misplaced
	}
	if why != "" {
		l = lease.Item{}
	}
	l.Term = it.Rev
	return l, why
}

// Leases finds both regions' leases in their partition, and how many items it
// set aside.
func Leases(items []table.Item, own beat.Region) (ours, theirs *lease.Item, aside int) {
	for i := range items {
		l, why := ReadLease(items[i])
		if why != "" {
			aside++
		}
		switch {
		case why == Misplaced:
		case items[i].Writer() == own:
			ours = &l
		default:
			theirs = &l
		}
	}
	return ours, theirs, aside
}
