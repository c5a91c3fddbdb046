package table

import (
	"context"
	"errors"
	"time"
)

// The outcomes of a write that did not succeed. A caller asks with errors.Is.
var (
	// ErrConflict is a condition that did not hold: nothing was written, and a
	// retry of the same write does not help.
	ErrConflict = errors.New("condition refused")
	// ErrUnavailable is a table that refused or could not be reached before
	// anything was written: a retry helps.
	ErrUnavailable = errors.New("table unavailable")
	// ErrUnknown is a write whose answer was lost: it may have happened. Read
	// before you write again.
	ErrUnknown = errors.New("outcome unknown")
	// ErrInvalid is an item or key that no table takes; a retry does not help.
	ErrInvalid = errors.New("invalid item")
)

// Outcome is one word for the result of a call, for metrics.
func Outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ErrConflict):
		return "conflict"
	case errors.Is(err, ErrUnavailable):
		return "unavailable"
	case errors.Is(err, ErrInvalid):
		return "invalid"
	default:
		return "unknown"
	}
}

// The limits of an item that every implementation enforces, in bytes.
const (
	MaxKey  = 1024
	MaxItem = 400 << 10
)

// Key is an item's primary key.
type Key struct{ PK, SK string }

// Item is one row. Doc is opaque to a Table.
type Item struct {
	Key
	// Doc is the item's content: JSON, or CBOR where the item says so. It may be
	// empty; nil is a document that could not be made, and no table takes it.
	Doc []byte
	// Rev is a number that the writer chooses, for conditions (Write.IfRev) and fences.
	Rev int64
	// Expires is when the item may vanish by itself, to the second; zero: never.
	// An expired item is not returned by reads, though it may still be stored.
	Expires time.Time
}

// Condition is what must hold of the item that a Write replaces.
type Condition uint8

// The conditions.
const (
	// Always writes whatever is there.
	Always Condition = iota
	// IfAbsent writes only where no item is.
	IfAbsent
	// IfRev writes only where the item's Rev is Write.Rev.
	IfRev
)

// Write is one conditional write.
type Write struct {
	Item Item
	If   Condition
	// Rev is the revision that IfRev wants.
	Rev int64
	// Fence, where it is not nil, is another item that must have this Rev at
	// the same instant (a lease and its term); else ErrConflict.
	Fence *Fence
}

// Fence is a lease that must stand at the instant of a write.
type Fence struct {
	Key
	Rev int64
}

// Page is one page of a query, in the order of the sort keys.
type Page struct {
	Items []Item
	// Next is where the next page starts; "" ends.
	Next string
}

// Table is one region's replica. Reads are consistent with that replica's own
// writes; what the other region wrote arrives late, item by item. Every call
// ends with ctx, and returns one of the errors above, wrapped.
type Table interface {
	// Write does one conditional write.
	Write(ctx context.Context, w Write) error
	// Put writes items unconditionally, in any order and not as one: after an
	// error some may be there. It retries what the table left unprocessed. Two
	// items of one key are ErrInvalid.
	Put(ctx context.Context, items []Item) error
	// Query reads the items of a partition whose sort key starts with prefix,
	// from the key after start on ("": from the beginning; Page.Next of the
	// page before), at most limit items (1 to 1000).
	Query(ctx context.Context, pk, prefix, start string, limit int) (Page, error)
	// Delete removes items unconditionally; an absent one is no error.
	Delete(ctx context.Context, keys []Key) error
}

// QueryAll reads a whole partition, page by page.
func QueryAll(ctx context.Context, t Table, pk, prefix string) ([]Item, error) {
	var all []Item
	for start := ""; ; {
		page, err := t.Query(ctx, pk, prefix, start, maxPage)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			return all, nil
		}
		start = page.Next
	}
}

const maxPage = 1000
