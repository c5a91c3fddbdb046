package setting

import (
	"cmp"
	"slices"
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
	// seen" (I1). 0: it is not declared, but pinned or in maintenance.
	Version int64
	// Tags go with each notice of the store.
	Tags map[string]string
	// Pin is the region that tells the store's incidents; "": the rendezvous order.
	Pin beat.Region
	// Hosts are those that ought to be there, by id.
	Hosts []Host
	// AutoAdopt says that a host that nobody declared pages people at once, where
	// the store is declared; else see Fleet.Adopts.
	AutoAdopt bool
	// ComeUp is how long after opening a store may take.
	ComeUp time.Duration

	hours *Hours
	zone  *time.Location
	// windows are its maintenance, in order, no two touching.
	windows []window
	// writer is the region whose word of this Version counts.
	writer beat.Region
}

// Host is a declared host.
type Host struct {
	ID beat.HostID
	// Interval is what it promises where its beats do not say; 0: the default.
	Interval time.Duration
	Tags     map[string]string
}

type window struct{ from, until time.Time }

// Open says whether the store is open at an instant by its opening hours, in
// its own time zone, and when that changes next (zero: never). Maintenance is
// not looked at.
func (s *Store) Open(at time.Time) (open bool, edge time.Time) {
	if s == nil || s.hours == nil {
		return true, time.Time{}
	}
	open, sec, ok := s.hours.open(at.Unix())
	return open, instant(sec, ok)
}

// Opens is the next opening after an instant; zero: there are no hours, or
// none within a month.
func (s *Store) Opens(at time.Time) time.Time {
	if s == nil || s.hours == nil {
		return time.Time{}
	}
	return instant(s.hours.opens(at.Unix()))
}

// Opened is the last opening at or before an instant: of the time it is open,
// or of the time before it closed. Zero: there are no hours, or none within a
// month.
func (s *Store) Opened(at time.Time) time.Time {
	if s == nil || s.hours == nil {
		return time.Time{}
	}
	return instant(s.hours.opened(at.Unix()))
}

// Maintenance says until when the store is in maintenance at an instant; zero:
// it is not. Ended is when the last window before that instant ended; zero: none
// in the last day.
func (s *Store) Maintenance(at time.Time) (until, ended time.Time) {
	if s == nil {
		return time.Time{}, time.Time{}
	}
	for i := range s.windows {
		w := &s.windows[i]
		switch {
		case w.from.After(at):
			return until, ended
		case w.until.After(at):
			until = w.until
		case at.Sub(w.until) < 24*time.Hour:
			ended = w.until
		}
	}
	return until, ended
}

// Zone is the store's time zone; UTC where none is declared.
func (s *Store) Zone() *time.Location {
	if s == nil || s.zone == nil {
		return time.UTC
	}
	return s.zone
}

// Date is the store's own date at an instant, as yyyymmdd: the cause of "did
// not come up" (I1).
func (s *Store) Date(at time.Time) uint64 {
	y, m, d := at.In(s.Zone()).Date()
	return uint64(y*10000 + int(m)*100 + d)
}

// Declared is a host's declaration; nil: there is none.
func (s *Store) Declared(id beat.HostID) *Host {
	if s == nil {
		return nil
	}
	if i, ok := slices.BinarySearchFunc(s.Hosts, id, func(h Host, id beat.HostID) int { return cmp.Compare(h.ID, id) }); ok {
		return &s.Hosts[i]
	}
	return nil
}

// same says whether two snapshots say the same of a store.
func (s *Store) same(t *Store) bool {
	if s == nil || t == nil {
		return s == t
	}
	return s.Version == t.Version && s.writer == t.writer && s.Pin == t.Pin && s.AutoAdopt == t.AutoAdopt &&
		slices.EqualFunc(s.windows, t.windows, func(a, b window) bool { return a.from.Equal(b.from) && a.until.Equal(b.until) })
}
