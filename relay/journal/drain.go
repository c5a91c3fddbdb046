package journal

import (
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// flattenAfter is how much must have been freed before an empty journal is
// compacted: it costs half a second, and gives back up to 170 MB.
const flattenAfter = 1 << 20

// Batch returns the oldest entries above after, at most limit of them and at
// most maxBytes of their encoding; only entries that are on disk. It is empty
// if the oldest alone is too large.
func (j *Journal) Batch(after beat.Number, maxBytes, limit int) ([]beat.Transition, error) {
	j.mu.Lock()
	items := j.index.above(after)
	n, size := 0, 0
	for n < len(items) && n < limit && size+int(items[n].size) <= maxBytes {
		size += int(items[n].size)
		n++
	}
	var first, last beat.Number
	if n > 0 {
		first, last = items[0].number, items[n-1].number
	}
	j.mu.Unlock()
	if n == 0 {
		return nil, nil
	}
	out := make([]beat.Transition, 0, n)
	err := j.view(func(txn *badger.Txn) error {
		return scan(txn, entryPrefix, entryKey(first), func(_, v []byte) error {
			t, err := decodeTransition(v)
			if err != nil {
				return err
			}
			if t.Number > last {
				return errEnough
			}
			out = append(out, t)
			return nil
		})
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	return out, nil
}

// errEnough ends a scan.
var errEnough = errors.New("enough")

// Free deletes the entries up to through: a region took them.
func (j *Journal) Free(through beat.Number) error {
	j.writing <- struct{}{}
	defer func() { <-j.writing }()
	for {
		more, err := j.freePage(through)
		if err != nil {
			return fmt.Errorf("free journal: %w", err)
		}
		if !more {
			j.compactIfEmpty()
			return nil
		}
	}
}

// freePage deletes up to a page of what is taken; more says that some is left.
func (j *Journal) freePage(through beat.Number) (more bool, err error) {
	j.mu.Lock()
	live, closed := j.index.live(), j.closed
	k := 0
	for k < len(live) && k < pageSize && live[k].end() <= through {
		k++
	}
	taken := live[:k:k]
	var cut *item // a shed range that was taken in part
	if k < len(live) && k < pageSize && live[k].number <= through {
		cut = &live[k]
	}
	j.mu.Unlock()
	if closed {
		return false, ErrClosed
	}
	if k == 0 && cut == nil {
		return false, nil
	}
	if err := j.reserve(); err != nil {
		return false, err
	}
	var rest beat.Transition
	err = j.commit(func(txn *badger.Txn) error {
		for _, i := range taken {
			if err := txn.Delete(entryKey(i.number)); err != nil {
				return err
			}
		}
		if cut == nil {
			return nil
		}
		rest, err = cutRange(txn, cut.number, through)
		return err
	})
	if err != nil {
		return false, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	before := j.index.bytes
	if cut != nil {
		j.index.drop(k + 1)
		j.index.unshift(itemOf(rest, len(encode(rest))))
	} else {
		j.index.drop(k)
	}
	j.freed += before - j.index.bytes
	j.measure()
	return k == pageSize, nil
}

// cutRange leaves of a shed range what is above through.
func cutRange(txn *badger.Txn, number, through beat.Number) (beat.Transition, error) {
	var t beat.Transition
	item, err := txn.Get(entryKey(number))
	if err != nil {
		return t, err
	}
	err = item.Value(func(v []byte) error {
		t, err = decodeTransition(v)
		return err
	})
	if err != nil {
		return t, err
	}
	if err := txn.Delete(entryKey(number)); err != nil {
		return t, err
	}
	t.Number = through + 1
	return t, txn.Set(entryKey(t.Number), encode(t))
}

// compactIfEmpty gives the disk back what a drained journal took: Badger by
// itself keeps it. The caller holds writing; Close waits for the compaction.
func (j *Journal) compactIfEmpty() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.options.InMemory || j.index.len() > 0 || j.freed < flattenAfter || j.closed {
		return
	}
	j.freed = 0
	j.compacting.Go(func() {
		if err := j.db.Flatten(2); err != nil {
			j.log.Warn("the journal cannot be compacted", "err", err)
		}
	})
}
