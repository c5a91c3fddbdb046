package table

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxLimit is the largest page that Query gives.
const MaxLimit = 1000

// itemOverhead is what DynamoDB counts for the names of an item's attributes
// (pk, sk, doc, rev, ttl) and for its two numbers, at most.
const itemOverhead = len("pk"+"sk"+"doc"+"rev"+"ttl") + 2*21

// Size is what the item counts against MaxItem, and by the KiB against the
// budget of writes, in bytes. It may be a few bytes too high, never too low.
func (i Item) Size() int { return len(i.PK) + len(i.SK) + len(i.Doc) + itemOverhead }

// Expired says whether the item has outlived its Expires, to the second.
func (i Item) Expired(now time.Time) bool {
	return !i.Expires.IsZero() && i.Expires.Unix() <= now.Unix()
}

// Check returns ErrInvalid, wrapped, for a key that no table takes: an empty
// part, one over MaxKey, a NUL or what is not UTF-8.
func (k Key) Check() error {
	for _, part := range [...]string{k.PK, k.SK} {
		switch {
		case part == "" || len(part) > MaxKey:
			return fmt.Errorf("%w: a key's part has %d bytes, want 1 to %d", ErrInvalid, len(part), MaxKey)
		case strings.IndexByte(part, 0) >= 0 || !utf8.ValidString(part):
			return fmt.Errorf("%w: key %.100q is not text", ErrInvalid, part)
		}
	}
	return nil
}

// Check returns ErrInvalid, wrapped, for an item that no table takes.
func (i Item) Check() error {
	if err := i.Key.Check(); err != nil {
		return err
	}
	if i.Doc == nil {
		return fmt.Errorf("%w: item %.100q has no document", ErrInvalid, i.SK)
	}
	if n := i.Size(); n > MaxItem {
		return fmt.Errorf("%w: item %.100q has %d bytes, want at most %d", ErrInvalid, i.SK, n, MaxItem)
	}
	return nil
}

// Check returns ErrInvalid, wrapped, for a write that no table takes. An item
// cannot be its own fence: IfRev says that.
func (w Write) Check() error {
	if err := w.Item.Check(); err != nil {
		return err
	}
	if w.If > IfRev {
		return fmt.Errorf("%w: unknown condition %d", ErrInvalid, w.If)
	}
	if w.Fence == nil {
		return nil
	}
	if w.Fence.Key == w.Item.Key {
		return fmt.Errorf("%w: item %.100q is its own fence", ErrInvalid, w.Item.SK)
	}
	return w.Fence.Check()
}

// CheckPut returns ErrInvalid, wrapped, for items that Put does not take: an
// invalid one, or two of one key.
func CheckPut(items []Item) error {
	seen := make(map[Key]struct{}, len(items))
	for _, it := range items {
		if err := it.Check(); err != nil {
			return err
		}
		if _, twice := seen[it.Key]; twice {
			return fmt.Errorf("%w: key %.100q comes twice", ErrInvalid, it.SK)
		}
		seen[it.Key] = struct{}{}
	}
	return nil
}

// CheckQuery returns ErrInvalid, wrapped, for arguments that Query does not take.
func CheckQuery(pk, prefix, start string, limit int) error {
	if limit < 1 || limit > MaxLimit {
		return fmt.Errorf("%w: limit %d, want 1 to %d", ErrInvalid, limit, MaxLimit)
	}
	// A prefix and a start may be empty, so they are checked as parts of a key.
	for _, sk := range [...]string{prefix, start} {
		if sk == "" {
			sk = "-"
		}
		if err := (Key{pk, sk}).Check(); err != nil {
			return err
		}
	}
	return nil
}
