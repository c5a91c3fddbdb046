package cloudtest

import (
	"context"
	"maps"
	"sync"

	"github.com/hb-mesh/hb-mesh/broker/table"
)

// Count is what a table was asked, and what DynamoDB would charge for it in
// one region.
type Count struct {
	// Writes, Puts, Queries and Deletes are calls; of Put and Delete, items.
	Writes, Puts, Queries, Deletes int
	// WriteUnits are write request units: one for each KiB of an item begun,
	// two under a fence (and two for the fence), one for a delete.
	WriteUnits int
	// ReadUnits are read request units: one for each 4 KiB of a page begun.
	ReadUnits int
}

// Written is how many items were written or deleted.
func (c Count) Written() int { return c.Writes + c.Puts + c.Deletes }

// Counter counts the calls of the table that it wraps, those that fail
// included: DynamoDB charges for a refused condition too.
type Counter struct {
	inner table.Table

	mu    sync.Mutex // guards what follows
	count Count
	keys  map[table.Key]int
}

var _ table.Table = (*Counter)(nil)

// NewCounter counts the calls of inner.
func NewCounter(inner table.Table) *Counter {
	return &Counter{inner: inner, keys: map[table.Key]int{}}
}

// Count is what was counted since the start or the last Reset.
func (c *Counter) Count() Count {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// Keys are the keys that were written or deleted, and how often.
func (c *Counter) Keys() map[table.Key]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.keys)
}

// Reset begins anew and returns what was counted.
func (c *Counter) Reset() Count {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.count
	c.count = Count{}
	clear(c.keys)
	return was
}

func units(bytes, unit int) int { return max(1, (bytes+unit-1)/unit) }

// Write implements table.Table.
func (c *Counter) Write(ctx context.Context, w table.Write) error {
	c.mu.Lock()
	c.count.Writes++
	n := units(w.Item.Size(), 1<<10)
	if w.Fence != nil {
		n = 2*n + 2
	}
	c.count.WriteUnits += n
	c.keys[w.Item.Key]++
	c.mu.Unlock()
	return c.inner.Write(ctx, w)
}

// Put implements table.Table.
func (c *Counter) Put(ctx context.Context, items []table.Item) error {
	c.mu.Lock()
	for _, it := range items {
		c.count.Puts++
		c.count.WriteUnits += units(it.Size(), 1<<10)
		c.keys[it.Key]++
	}
	c.mu.Unlock()
	return c.inner.Put(ctx, items)
}

// Query implements table.Table.
func (c *Counter) Query(ctx context.Context, pk, prefix, start string, limit int) (table.Page, error) {
	page, err := c.inner.Query(ctx, pk, prefix, start, limit)
	size := 0
	for _, it := range page.Items {
		size += it.Size()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count.Queries++
	c.count.ReadUnits += units(size, 4<<10)
	return page, err
}

// Delete implements table.Table.
func (c *Counter) Delete(ctx context.Context, keys []table.Key) error {
	c.mu.Lock()
	c.count.Deletes += len(keys)
	c.count.WriteUnits += len(keys)
	for _, k := range keys {
		c.keys[k]++
	}
	c.mu.Unlock()
	return c.inner.Delete(ctx, keys)
}
