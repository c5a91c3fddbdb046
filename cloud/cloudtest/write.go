package cloudtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
)

func writeReadBack(t *testing.T, b *bench) {
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	for _, it := range []table.Item{
		{Key: b.key("a#full"), Doc: []byte(`{"a":1}`), Rev: 7, Expires: expires},
		{Key: b.key("a#binary"), Doc: []byte{0, 1, 0xff, 0xfe, 0}, Rev: -3},
		{Key: b.key("a#empty"), Doc: []byte{}, Rev: 0},
		{Key: b.key("a#большой ключ/é"), Doc: []byte("x"), Rev: 1<<63 - 1},
	} {
		b.mustWrite(t, table.Write{Item: it})
		got, ok := b.one(t, it.SK)
		if !ok {
			t.Errorf("%s is absent", it.SK)
			continue
		}
		if got.Key != it.Key || got.Rev != it.Rev || !bytes.Equal(got.Doc, it.Doc) || !got.Expires.Equal(it.Expires) {
			t.Errorf("wrote %+v, read %+v", it, got)
		}
	}
	b.mustWrite(t, table.Write{Item: b.item("a#full", 8, "new")})
	if got, _ := b.one(t, "a#full"); got.Rev != 8 || string(got.Doc) != "new" || !got.Expires.IsZero() {
		t.Errorf("after a second write the item is %+v, want all of it replaced", got)
	}
}

func (b *bench) wantConflict(t *testing.T, why string, w table.Write) {
	t.Helper()
	if err := b.Write(within(t), w); !errors.Is(err, table.ErrConflict) {
		t.Errorf("%s: error %v, want a conflict", why, err)
	}
}

func writeIfAbsent(t *testing.T, b *bench) {
	b.mustWrite(t, table.Write{Item: b.item("a#1", 1, "first"), If: table.IfAbsent})
	b.wantConflict(t, "the item is there", table.Write{Item: b.item("a#1", 2, "second"), If: table.IfAbsent})
	b.wantDoc(t, "a#1", "first")
	if err := b.Delete(within(t), []table.Key{b.key("a#1")}); err != nil {
		t.Fatal(err)
	}
	b.mustWrite(t, table.Write{Item: b.item("a#1", 3, "third"), If: table.IfAbsent})
	b.wantDoc(t, "a#1", "third")
}

func writeIfRev(t *testing.T, b *bench) {
	b.wantConflict(t, "no item is there", table.Write{Item: b.item("a#1", 1, "none"), If: table.IfRev, Rev: 0})
	b.mustWrite(t, table.Write{Item: b.item("a#1", 4, "four")})
	b.wantConflict(t, "the revision is another", table.Write{Item: b.item("a#1", 6, "six"), If: table.IfRev, Rev: 5})
	b.wantDoc(t, "a#1", "four")
	b.mustWrite(t, table.Write{Item: b.item("a#1", 5, "five"), If: table.IfRev, Rev: 4})
	b.wantDoc(t, "a#1", "five")
}

func writeFenced(t *testing.T, b *bench) {
	fence := func(rev int64) *table.Fence { return &table.Fence{Key: b.key("lease"), Rev: rev} }
	b.wantConflict(t, "no lease is there", table.Write{Item: b.item("n#1", 1, "x"), Fence: fence(1)})
	b.mustWrite(t, table.Write{Item: b.item("lease", 3, "node")})
	b.mustWrite(t, table.Write{Item: b.item("n#1", 1, "x"), Fence: fence(3), If: table.IfAbsent})
	b.wantDoc(t, "n#1", "x")
	b.wantConflict(t, "the lease has a higher term", table.Write{Item: b.item("n#2", 1, "y"), Fence: fence(2)})
	b.wantConflict(t, "the item is there", table.Write{Item: b.item("n#1", 2, "z"), Fence: fence(3), If: table.IfAbsent})
	b.wantDoc(t, "n#1", "x")
	b.mustWrite(t, table.Write{Item: b.item("n#1", 2, "z"), Fence: fence(3), If: table.IfRev, Rev: 1})
	b.wantDoc(t, "n#1", "z")
	if it, ok := b.one(t, "n#2"); ok {
		t.Errorf("a write outside its fence left %+v", it)
	}
	err := b.Write(within(t), table.Write{Item: b.item("lease", 4, "x"), Fence: fence(3)})
	if !errors.Is(err, table.ErrInvalid) {
		t.Errorf("an item that is its own fence: error %v, want invalid", err)
	}
}

func expiredIsAbsent(t *testing.T, b *bench) {
	past, future := time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	old := b.item("a#old", 5, "old")
	old.Expires = past
	young := b.item("a#young", 5, "young")
	young.Expires = future
	b.mustPut(t, old, young)
	if got := names(b.all(t, "")); len(got) != 1 || got[0] != "a#young" {
		t.Errorf("read %v, want only the item that has not expired", got)
	}
	b.wantConflict(t, "the item has expired", table.Write{Item: old, If: table.IfRev, Rev: 5})
	b.wantConflict(t, "the fence has expired", table.Write{Item: b.item("a#x", 1, "x"), Fence: &table.Fence{Key: old.Key, Rev: 5}})
	b.mustWrite(t, table.Write{Item: b.item("a#y", 1, "y"), Fence: &table.Fence{Key: young.Key, Rev: 5}})
	b.mustWrite(t, table.Write{Item: b.item("a#old", 6, "new"), If: table.IfAbsent})
	b.wantDoc(t, "a#old", "new")
}

func putTwice(t *testing.T, b *bench) {
	items := []table.Item{b.item("a#1", 1, "one"), b.item("a#2", 2, "two")}
	b.mustPut(t, items...)
	b.mustPut(t, items...)
	b.wantDoc(t, "a#1", "one")
	b.wantDoc(t, "a#2", "two")
	b.mustPut(t) // nothing at all
}

func putMany(t *testing.T, b *bench) {
	var items []table.Item
	for i := range 137 {
		items = append(items, b.item(fmt.Sprintf("a#%03d", i), int64(i), fmt.Sprint("doc ", i)))
	}
	b.mustPut(t, items...)
	got := b.all(t, "a#")
	if len(got) != len(items) {
		t.Fatalf("put %d items, read %d", len(items), len(got))
	}
	for i, it := range got {
		if it.Key != items[i].Key || it.Rev != items[i].Rev || !bytes.Equal(it.Doc, items[i].Doc) {
			t.Errorf("item %d is %+v, want %+v", i, it, items[i])
		}
	}
}

func putLarge(t *testing.T, b *bench) {
	var items []table.Item
	for i := range 12 {
		items = append(items, b.item(fmt.Sprintf("a#%02d", i), 1, strings.Repeat(string(rune('a'+i)), 20_000*(i+1))))
	}
	b.mustPut(t, items...)
	for i, it := range b.all(t, "a#") {
		if !bytes.Equal(it.Doc, items[i].Doc) {
			t.Errorf("%s has %d bytes, want %d", it.SK, len(it.Doc), len(items[i].Doc))
		}
	}
}

func putDuplicates(t *testing.T, b *bench) {
	err := b.Put(within(t), []table.Item{b.item("a#1", 1, "x"), b.item("a#2", 1, "x"), b.item("a#1", 2, "y")})
	if !errors.Is(err, table.ErrInvalid) {
		t.Errorf("error %v, want invalid", err)
	}
	if got := b.all(t, ""); len(got) != 0 {
		t.Errorf("a refused put left %v", names(got))
	}
}

func deleteItems(t *testing.T, b *bench) {
	var keys []table.Key
	var items []table.Item
	for i := range 60 {
		it := b.item(fmt.Sprintf("a#%02d", i), 1, "x")
		items, keys = append(items, it), append(keys, it.Key)
	}
	b.mustPut(t, items...)
	b.mustPut(t, b.item("b#stays", 1, "x"))
	keys = append(keys, b.key("a#never"), keys[0])
	if err := b.Delete(within(t), keys); err != nil {
		t.Fatalf("delete: %v", err)
	}
	if err := b.Delete(within(t), keys); err != nil {
		t.Fatalf("delete of absent items: %v", err)
	}
	if got := names(b.all(t, "")); len(got) != 1 || got[0] != "b#stays" {
		t.Errorf("after the delete %v are left, want [b#stays]", got)
	}
}

func sizes(t *testing.T, b *bench) {
	large := b.item("a#large", 1, "")
	large.Doc = bytes.Repeat([]byte{7}, table.MaxItem-large.Size())
	b.mustWrite(t, table.Write{Item: large})
	if got, _ := b.one(t, "a#large"); !bytes.Equal(got.Doc, large.Doc) {
		t.Errorf("the largest item came back with %d bytes, want %d", len(got.Doc), len(large.Doc))
	}
	large.Doc = append(large.Doc, 7)
	if err := b.Write(within(t), table.Write{Item: large}); !errors.Is(err, table.ErrInvalid) {
		t.Errorf("write of an item that is too large: error %v, want invalid", err)
	}
	if err := b.Put(within(t), []table.Item{b.item("a#b", 1, "x"), large}); !errors.Is(err, table.ErrInvalid) {
		t.Errorf("put of an item that is too large: error %v, want invalid", err)
	}
	long := b.item(strings.Repeat("k", table.MaxKey), 1, "x")
	b.mustWrite(t, table.Write{Item: long})
	b.wantDoc(t, long.SK, "x")
}

func badKeys(t *testing.T, b *bench) {
	if err := b.Put(within(t), []table.Item{{Key: b.key("a#nothing")}}); !errors.Is(err, table.ErrInvalid) {
		t.Errorf("an item that nobody wrote a document for: error %v, want invalid", err)
	}
	for why, k := range map[string]table.Key{
		"no partition":       {SK: "a"},
		"no sort key":        {PK: b.pk},
		"a sort key is long": {PK: b.pk, SK: strings.Repeat("k", table.MaxKey+1)},
		"a NUL":              {PK: b.pk, SK: "a\x00b"},
		"no UTF-8":           {PK: b.pk, SK: "a\xff"},
	} {
		it := table.Item{Key: k}
		_, query := b.Query(within(t), k.PK, "", k.SK, 1)
		for what, err := range map[string]error{
			"write":  b.Write(within(t), table.Write{Item: it}),
			"fence":  b.Write(within(t), table.Write{Item: b.item("a", 1, ""), Fence: &table.Fence{Key: k}}),
			"put":    b.Put(within(t), []table.Item{it}),
			"delete": b.Delete(within(t), []table.Key{k}),
			"query":  query,
		} {
			if what == "query" && k.SK == "" {
				continue // an empty start is the beginning
			}
			if !errors.Is(err, table.ErrInvalid) {
				t.Errorf("%s with %s: error %v, want invalid", what, why, err)
			}
		}
	}
}

func endedContext(t *testing.T, b *bench) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, query := b.Query(ctx, b.pk, "", "", 1)
	for what, err := range map[string]error{
		"write":  b.Write(ctx, table.Write{Item: b.item("a#1", 1, "x")}),
		"put":    b.Put(ctx, []table.Item{b.item("a#2", 1, "x")}),
		"delete": b.Delete(ctx, []table.Key{b.key("a#3")}),
		"query":  query,
	} {
		if !errors.Is(err, table.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want unavailable because it was cancelled", what, err)
		}
	}
	if got := b.all(t, ""); len(got) != 0 {
		t.Errorf("calls without time left %v", names(got))
	}
}

const contenders = 16

// contend runs one write per contender at once and returns who won.
func (b *bench) contend(t *testing.T, claim func(i int) table.Write) []int64 {
	t.Helper()
	ctx := within(t)
	var mu sync.Mutex
	var won []int64
	var odd atomic.Value
	var wg sync.WaitGroup
	for i := range contenders {
		wg.Go(func() {
			err := b.Write(ctx, claim(i))
			if err == nil {
				mu.Lock()
				won = append(won, int64(i))
				mu.Unlock()
			} else if !errors.Is(err, table.ErrConflict) {
				odd.Store(err)
			}
		})
	}
	wg.Wait()
	if err, ok := odd.Load().(error); ok {
		t.Errorf("a loser's error is %v, want a conflict", err)
	}
	return won
}

func oneWinner(t *testing.T, b *bench) {
	won := b.contend(t, func(i int) table.Write {
		return table.Write{Item: b.item("a#claim", int64(i), fmt.Sprint("by ", i)), If: table.IfAbsent}
	})
	if len(won) != 1 {
		t.Fatalf("%d contenders won, want 1", len(won))
	}
	b.wantDoc(t, "a#claim", fmt.Sprint("by ", won[0]))
}

func oneRevision(t *testing.T, b *bench) {
	b.mustPut(t, b.item("a#claim", 0, "free"), b.item("lease", 9, "node"))
	won := b.contend(t, func(i int) table.Write {
		return table.Write{
			Item: b.item("a#claim", int64(i+1), fmt.Sprint("by ", i)), If: table.IfRev, Rev: 0,
			Fence: &table.Fence{Key: b.key("lease"), Rev: 9},
		}
	})
	if len(won) != 1 {
		t.Fatalf("%d contenders won, want 1", len(won))
	}
	b.wantDoc(t, "a#claim", fmt.Sprint("by ", won[0]))
}
