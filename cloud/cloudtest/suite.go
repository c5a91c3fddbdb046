package cloudtest

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// patience is how long the suite waits for a call, and for a replica.
const patience = 20 * time.Second

// Run holds a table to what table.Table promises. Every case uses partitions
// of its own, so open may return the same table each time.
func Run(t *testing.T, open func(t *testing.T) table.Table) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, tb *bench)
	}{
		{"a write is read back as it was", writeReadBack},
		{"a write that wants no item is refused where one is", writeIfAbsent},
		{"a write that wants a revision is refused at another", writeIfRev},
		{"a write under a fence needs its revision at the same instant", writeFenced},
		{"an expired item is absent for reads, conditions and fences", expiredIsAbsent},
		{"a put that is repeated changes nothing", putTwice},
		{"a put of more than a batch writes every item once", putMany},
		{"a put of large items is not cut", putLarge},
		{"two items of one key are refused whole", putDuplicates},
		{"a query gives the prefix in the order of the sort keys", queryOrder},
		{"a query goes on after its page, to the end", queryPages},
		{"a query starts after any key, also one that is gone", queryStart},
		{"a page of expired items does not end a query", queryOverExpired},
		{"a delete removes what is there and minds nothing else", deleteItems},
		{"an item of the largest size is taken and a larger one is refused", sizes},
		{"keys that no table takes are refused", badKeys},
		{"limits that no table takes are refused", badLimits},
		{"a call whose context has ended does nothing", endedContext},
		{"one of many concurrent claims wins", oneWinner},
		{"one of many concurrent changes of a revision wins", oneRevision},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, newBench(t, open(t))) })
	}
}

// bench is a table and a partition of its own.
type bench struct {
	table.Table
	pk string
}

func newBench(t *testing.T, tb table.Table) *bench {
	t.Helper()
	return &bench{tb, "test#" + rand.Text()}
}

// key is a key of the partition, written by region a.
func (b *bench) key(sk string) table.Key { return table.Key{PK: b.pk, SK: sk} }

func (b *bench) item(sk string, rev int64, doc string) table.Item {
	return table.Item{Key: b.key(sk), Rev: rev, Doc: []byte(doc)}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func (b *bench) mustWrite(t *testing.T, w table.Write) {
	t.Helper()
	if err := b.Write(within(t), w); err != nil {
		t.Fatalf("write %s: %v", w.Item.SK, err)
	}
}

func (b *bench) mustPut(t *testing.T, items ...table.Item) {
	t.Helper()
	if err := b.Put(within(t), items); err != nil {
		t.Fatalf("put of %d items: %v", len(items), err)
	}
}

func (b *bench) all(t *testing.T, prefix string) []table.Item {
	t.Helper()
	items, err := table.QueryAll(within(t), b.Table, b.pk, prefix)
	if err != nil {
		t.Fatalf("query %q: %v", prefix, err)
	}
	return items
}

// one is the item of a sort key, which no other begins with.
func (b *bench) one(t *testing.T, sk string) (table.Item, bool) {
	t.Helper()
	items := b.all(t, sk)
	if len(items) > 1 {
		t.Fatalf("query %q gave %d items, want at most 1", sk, len(items))
	}
	if len(items) == 0 {
		return table.Item{}, false
	}
	return items[0], true
}

func (b *bench) wantDoc(t *testing.T, sk, doc string) {
	t.Helper()
	it, ok := b.one(t, sk)
	if !ok {
		t.Fatalf("%s is absent, want %q", sk, doc)
	}
	if string(it.Doc) != doc {
		t.Errorf("%s holds %q, want %q", sk, it.Doc, doc)
	}
}

func names(items []table.Item) []string {
	var sks []string
	for _, it := range items {
		sks = append(sks, it.SK)
	}
	return sks
}

// Replica is a table and the region that it belongs to.
type Replica struct {
	Region beat.Region
	Table  table.Table
}
