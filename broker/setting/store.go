package setting

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// DefaultComeUp is how long after its opening, or after maintenance, a store
// may take until all of its hosts beat (P10).
const DefaultComeUp = 10 * time.Minute

// Store is what operators declared of one store. Its methods answer for a nil
// Store too: always open, nothing declared.
type Store struct {
	ID beat.StoreID
	// Version counts the declarations of this store; it is the cause of "never
	// seen" (I1).
	Version int64
	// Tags go with each notice of the store.
	Tags map[string]string
	// Pin is the region that tells the store's incidents; "": the rendezvous order.
	Pin beat.Region
	// Hosts are those that ought to be there.
	Hosts []Host
	// AutoAdopt says that a host that nobody declared pages people at once.
	AutoAdopt bool
	// ComeUp is how long after opening a store may take.
	ComeUp time.Duration
}

// Host is a declared host.
type Host struct {
	ID beat.HostID
	// Interval is what it promises where its beats do not say; 0: the default.
	Interval time.Duration
	Tags     map[string]string
}

// Open says whether the store is open at an instant by its opening hours, in
// its own time zone, and when that changes next (zero: never). Maintenance is
// not looked at.
func (s *Store) Open(time.Time) (open bool, edge time.Time) { return true, time.Time{} }

// Opens is the next opening after an instant; zero: there are no hours, or
// none within a month.
func (s *Store) Opens(time.Time) time.Time { return time.Time{} }

// Opened is the last opening at or before an instant, and whether the store has
// been open since; zero where there are no hours.
func (s *Store) Opened(time.Time) time.Time { return time.Time{} }

// Maintenance says until when the store is in maintenance at an instant; zero:
// it is not. Ended is when the last window before that instant ended; zero: none
// in the last day.
func (s *Store) Maintenance(time.Time) (until, ended time.Time) { return time.Time{}, time.Time{} }

// Date is the store's own date at an instant, as yyyymmdd: the cause of "did
// not come up" (I1).
func (s *Store) Date(at time.Time) uint64 {
	y, m, d := at.UTC().Date()
	return uint64(y*10000 + int(m)*100 + d)
}

// Declared is a host's declaration; nil: there is none.
func (s *Store) Declared(id beat.HostID) *Host {
	if s == nil {
		return nil
	}
	for i := range s.Hosts {
		if s.Hosts[i].ID == id {
			return &s.Hosts[i]
		}
	}
	return nil
}
