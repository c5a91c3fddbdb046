package local

import (
	"bytes"
	"context"
	"fmt"
	"time"

	badger "github.com/dgraph-io/badger/v4"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// replica is one region's table.Table.
type replica struct {
	store  *Store
	region beat.Region
	known  bool
}

var _ table.Table = (*replica)(nil)

func (t *replica) check() error {
	if !t.known {
		return fmt.Errorf("%w: region %q has no replica here", table.ErrInvalid, t.region)
	}
	return nil
}

// Write implements table.Table.
func (t *replica) Write(ctx context.Context, w table.Write) error {
	if err := t.check(); err != nil {
		return err
	}
	if err := w.Check(); err != nil {
		return err
	}
	w.Item.Doc = bytes.Clone(w.Item.Doc) // the caller has it back when ctx ends
	return t.store.submit(ctx, newRequest(t.cost(w.Item), func(b *batch) error {
		if err := t.holds(b, w); err != nil {
			return err
		}
		return b.put(t.region, w.Item.Key, recordOf(w.Item, b.stamp()))
	}), w.Item.Size())
}

func newRequest(cost int, apply func(*batch) error) *request {
	return &request{apply: apply, cost: cost, done: make(chan error, 1)}
}

// holds returns table.ErrConflict, wrapped, when a condition does not hold.
func (t *replica) holds(b *batch, w table.Write) error {
	if w.If != table.Always {
		rec, ok, err := b.get(t.region, w.Item.Key)
		if err != nil {
			return err
		}
		live := ok && rec.live(b.now)
		if w.If == table.IfAbsent && live || w.If == table.IfRev && (!live || rec.rev != w.Rev) {
			return fmt.Errorf("write %.100q: %w", w.Item.SK, table.ErrConflict)
		}
	}
	if w.Fence == nil {
		return nil
	}
	rec, ok, err := b.get(t.region, w.Fence.Key)
	if err != nil {
		return err
	}
	if !ok || !rec.live(b.now) || rec.rev != w.Fence.Rev {
		return fmt.Errorf("write %.100q under fence %.100q: %w", w.Item.SK, w.Fence.SK, table.ErrConflict)
	}
	return nil
}

// cost is what an item adds to the memtable: itself, and once per other region
// in the queue. Large values go to the value log.
func (t *replica) cost(it table.Item) int {
	n := it.Size()
	if n >= valueThreshold && !t.store.opts.InMemory {
		n -= len(it.Doc)
	}
	return n * len(t.store.opts.Regions)
}

// Put implements table.Table.
func (t *replica) Put(ctx context.Context, items []table.Item) error {
	if err := t.check(); err != nil {
		return err
	}
	if err := table.CheckPut(items); err != nil {
		return err
	}
	for len(items) > 0 {
		n, cost, size := 0, 0, 0
		for n < len(items) && (n == 0 || cost+t.cost(items[n]) <= maxRequestCost && size+items[n].Size() <= table.MaxItem) {
			cost, size, n = cost+t.cost(items[n]), size+items[n].Size(), n+1
		}
		if err := t.store.submit(ctx, t.putRequest(items[:n], cost), size); err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}

func (t *replica) putRequest(items []table.Item, cost int) *request {
	own := make([]table.Item, len(items))
	for i, it := range items {
		it.Doc = bytes.Clone(it.Doc)
		own[i] = it
	}
	return newRequest(cost, func(b *batch) error {
		for _, it := range own {
			if err := b.put(t.region, it.Key, recordOf(it, b.stamp())); err != nil {
				return err
			}
		}
		return nil
	})
}

// deleteChunk is how many deletes share a request: keys are at most 2 KiB, in
// the item and in the queue.
const deleteChunk = 32

// Delete implements table.Table.
func (t *replica) Delete(ctx context.Context, keys []table.Key) error {
	if err := t.check(); err != nil {
		return err
	}
	for _, k := range keys {
		if err := k.Check(); err != nil {
			return err
		}
	}
	for len(keys) > 0 {
		n := min(deleteChunk, len(keys))
		if err := t.store.submit(ctx, t.deleteRequest(keys[:n:n]), n); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

func (t *replica) deleteRequest(keys []table.Key) *request {
	cost := 0
	for _, k := range keys {
		cost += t.cost(table.Item{Key: k})
	}
	own := append([]table.Key(nil), keys...)
	r := newRequest(cost, func(b *batch) error {
		for _, k := range own {
			rec, ok, err := b.get(t.region, k)
			if err != nil {
				return err
			}
			if !ok || rec.deleted {
				continue // nothing to delete is no change, and nothing to carry
			}
			if err := b.put(t.region, k, record{stamp: b.stamp(), deleted: true}); err != nil {
				return err
			}
		}
		return nil
	})
	r.makesRoom = true
	return r
}

// ctxEvery is after how many stored items a query looks at its context.
const ctxEvery = 256

// pageBytes ends a page before its limit, as DynamoDB does.
const pageBytes = 1 << 20

// Query implements table.Table.
func (t *replica) Query(ctx context.Context, pk, prefix, start string, limit int) (table.Page, error) {
	if err := t.check(); err != nil {
		return table.Page{}, err
	}
	if err := table.CheckQuery(pk, prefix, start, limit); err != nil {
		return table.Page{}, err
	}
	var page table.Page
	if err := ctx.Err(); err != nil {
		return page, unavailable(err)
	}
	t.store.reads.RLock()
	defer t.store.reads.RUnlock()
	if t.store.closed() {
		return page, unavailable(errClosed)
	}
	err := t.store.db.View(func(txn *badger.Txn) (err error) {
		page, err = t.scan(ctx, txn, table.Key{PK: pk, SK: prefix}, start, limit)
		return err
	})
	if err != nil {
		return table.Page{}, unavailable(err)
	}
	return page, nil
}

func (t *replica) scan(ctx context.Context, txn *badger.Txn, from table.Key, start string, limit int) (table.Page, error) {
	var page table.Page
	head := len(partitionPrefix(t.region, from.PK))
	opts := badger.DefaultIteratorOptions
	opts.Prefix = itemKey(t.region, from)
	opts.PrefetchSize = min(limit, 64)
	it := txn.NewIterator(opts)
	defer it.Close()
	seek := opts.Prefix
	if start > from.SK {
		// The key after start: sort keys hold no NUL.
		seek = append(itemKey(t.region, table.Key{PK: from.PK, SK: start}), 0)
	}
	now := time.Now()
	size, n := 0, 0
	for it.Seek(seek); it.Valid(); it.Next() {
		if n++; n%ctxEvery == 0 && ctx.Err() != nil {
			return page, ctx.Err()
		}
		sk := string(it.Item().Key()[head:])
		full := len(page.Items) == limit || size >= pageBytes
		live, err := take(&page, it.Item(), table.Key{PK: from.PK, SK: sk}, now, full)
		if err != nil || live && full {
			return page, err
		}
		if live {
			size += int(it.Item().EstimatedSize())
		}
	}
	return page, nil
}

// take adds an item to the page if it is live; where the page is full, it only
// says that there is a next one.
func take(page *table.Page, stored *badger.Item, k table.Key, now time.Time, full bool) (live bool, err error) {
	err = stored.Value(func(v []byte) error {
		rec, err := decodeRecord(v)
		if live = err == nil && rec.live(now); !live {
			return err
		}
		if full {
			page.Next = page.Items[len(page.Items)-1].SK
			return nil
		}
		page.Items = append(page.Items, rec.item(k))
		return nil
	})
	return live, err
}
