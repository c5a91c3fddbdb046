package torture

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// stamp orders the writes of one key: the last one wins in both replicas.
type stamp struct {
	at     int64
	region int
	seq    uint64
}

func (s stamp) less(t stamp) bool {
	if s.at != t.at {
		return s.at < t.at
	}
	if s.region != t.region {
		return s.region < t.region
	}
	return s.seq < t.seq
}

// row is one version of an item; a deleted one stays as a tombstone. A row is
// never changed: a write makes another one.
type row struct {
	item  table.Item
	stamp stamp
	gone  bool
	memo  any // what a reader made of it
}

// partition is the rows of one partition key, in the order of their sort keys.
type partition struct {
	pk   string
	rows []*row
}

func (p *partition) find(sk string) (int, bool) {
	lo, hi := 0, len(p.rows)
	for lo < hi {
		mid := (lo + hi) / 2
		if p.rows[mid].item.SK < sk {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < len(p.rows) && p.rows[lo].item.SK == sk
}

// replica is one region's copy of the table: a twin of cloud/dynamo and
// cloud/local in virtual time. Its calls are those of table.Table.
type replica struct {
	region beat.Region
	index  int
	now    func() time.Time
	parts  map[string]*partition
	seq    uint64
	// carry takes what is written here to the other replica; foreign hears of
	// a key that another region writes too.
	carry   func(r *row)
	memo    any // the next row's
	foreign func(k table.Key)
}

var _ table.Table = (*replica)(nil)

func newReplica(region beat.Region, index int, now func() time.Time) *replica {
	return &replica{region: region, index: index, now: now, parts: make(map[string]*partition, 32)}
}

func (t *replica) reset() {
	clear(t.parts)
	t.seq = 0
}

func (t *replica) get(k table.Key) *row {
	p := t.parts[k.PK]
	if p == nil {
		return nil
	}
	i, ok := p.find(k.SK)
	if !ok || !t.live(p.rows[i]) {
		return nil
	}
	return p.rows[i]
}

func (t *replica) live(r *row) bool { return !r.gone && !r.item.Expired(t.now()) }

// apply takes a row, its own or the other replica's, unless it has a later one.
func (t *replica) apply(r *row) {
	p := t.parts[r.item.PK]
	if p == nil {
		p = &partition{pk: r.item.PK}
		t.parts[r.item.PK] = p
	}
	i, ok := p.find(r.item.SK)
	if !ok {
		p.rows = slices.Insert(p.rows, i, r)
		return
	}
	if p.rows[i].stamp.less(r.stamp) {
		p.rows[i] = r
	}
}

// put writes a row here, and sends it on its way.
func (t *replica) put(it table.Item, gone bool) {
	if t.foreign != nil && it.Writer() != t.region {
		t.foreign(it.Key)
	}
	t.seq++
	it.Doc = bytes.Clone(it.Doc)
	if !it.Expires.IsZero() {
		it.Expires = it.Expires.UTC().Truncate(time.Second)
	}
	r := &row{item: it, stamp: stamp{t.now().UnixNano(), t.index, t.seq}, gone: gone, memo: t.memo}
	t.memo = nil
	t.apply(r)
	if t.carry != nil {
		t.carry(r)
	}
}

func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", table.ErrUnavailable, err)
	}
	return nil
}

// Write implements table.Table.
func (t *replica) Write(ctx context.Context, w table.Write) error {
	if err := ended(ctx); err != nil {
		return err
	}
	if err := w.Check(); err != nil {
		return err
	}
	return t.write(&w)
}

// write is Write of what is known to be valid.
func (t *replica) write(w *table.Write) error {
	old := t.get(w.Item.Key)
	switch {
	case w.If == table.IfAbsent && old != nil, w.If == table.IfRev && (old == nil || old.item.Rev != w.Rev):
		return table.ErrConflict
	}
	if w.Fence != nil {
		if f := t.get(w.Fence.Key); f == nil || f.item.Rev != w.Fence.Rev {
			return table.ErrConflict
		}
	}
	t.put(w.Item, false)
	return nil
}

// Put implements table.Table.
func (t *replica) Put(ctx context.Context, items []table.Item) error {
	if err := ended(ctx); err != nil {
		return err
	}
	if err := table.CheckPut(items); err != nil {
		return err
	}
	for _, it := range items {
		t.put(it, false)
	}
	return nil
}

// Query implements table.Table.
func (t *replica) Query(ctx context.Context, pk, prefix, start string, limit int) (table.Page, error) {
	if err := ended(ctx); err != nil {
		return table.Page{}, err
	}
	if err := table.CheckQuery(pk, prefix, start, limit); err != nil {
		return table.Page{}, err
	}
	var page table.Page
	p := t.parts[pk]
	if p == nil {
		return page, nil
	}
	i, _ := p.find(max(prefix, start))
	for ; i < len(p.rows); i++ {
		r := p.rows[i]
		if r.item.SK <= start && start != "" {
			continue
		}
		if !strings.HasPrefix(r.item.SK, prefix) {
			break
		}
		if !t.live(r) {
			continue
		}
		if len(page.Items) == limit {
			page.Next = page.Items[limit-1].SK
			break
		}
		it := r.item
		it.Doc = bytes.Clone(it.Doc)
		page.Items = append(page.Items, it)
	}
	return page, nil
}

// Delete implements table.Table.
func (t *replica) Delete(ctx context.Context, keys []table.Key) error {
	if err := ended(ctx); err != nil {
		return err
	}
	for _, k := range keys {
		if err := k.Check(); err != nil {
			return err
		}
	}
	for _, k := range keys {
		t.put(table.Item{Key: k}, true)
	}
	return nil
}

// rows calls f for the living rows of a partition, in order.
func (t *replica) rows(pk string, f func(*row)) {
	p := t.parts[pk]
	if p == nil {
		return
	}
	for _, r := range p.rows {
		if t.live(r) {
			f(r)
		}
	}
}
