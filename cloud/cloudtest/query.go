package cloudtest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
)

func queryOrder(t *testing.T, b *bench) {
	sorted := []string{"a", "a#", "a#1", "a#10", "a#2", "a#Z", "a#é", "b#1"}
	for _, i := range []int{5, 0, 7, 2, 6, 1, 4, 3} {
		b.mustWrite(t, table.Write{Item: b.item(sorted[i], 1, "x")})
	}
	b.mustWriteElsewhere(t)
	for prefix, want := range map[string][]string{
		"": sorted, "a": sorted[:7], "a#": sorted[1:7], "a#1": sorted[2:4], "b": sorted[7:], "c": nil,
	} {
		if got := names(b.all(t, prefix)); !slices.Equal(got, want) {
			t.Errorf("prefix %q gave %q, want %q", prefix, got, want)
		}
	}
}

// mustWriteElsewhere writes to partitions whose names are close.
func (b *bench) mustWriteElsewhere(t *testing.T) {
	t.Helper()
	for _, pk := range []string{b.pk + "0", b.pk + "#", b.pk[:len(b.pk)-1]} {
		b.mustWrite(t, table.Write{Item: table.Item{Key: table.Key{PK: pk, SK: "a#elsewhere"}, Doc: []byte("x")}})
	}
}

func queryPages(t *testing.T, b *bench) {
	var want []string
	var items []table.Item
	for i := range 25 {
		sk := fmt.Sprintf("a#%02d", i)
		want = append(want, sk)
		items = append(items, b.item(sk, 1, "x"))
	}
	b.mustPut(t, append(items, b.item("b#0", 1, "x"))...)
	for _, limit := range []int{1, 7, 25, 26, table.MaxLimit} {
		var got []string
		for start, pages := "", 0; ; pages++ {
			page, err := b.Query(within(t), b.pk, "a#", start, limit)
			if err != nil {
				t.Fatalf("limit %d: %v", limit, err)
			}
			if len(page.Items) > limit || pages > 26 {
				t.Fatalf("limit %d: page %d has %d items", limit, pages, len(page.Items))
			}
			got = append(got, names(page.Items)...)
			if start = page.Next; start == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("limit %d gave %q, want %q", limit, got, want)
		}
	}
}

func queryStart(t *testing.T, b *bench) {
	b.mustPut(t, b.item("a#1", 1, ""), b.item("a#3", 1, ""), b.item("a#5", 1, ""), b.item("b#1", 1, ""))
	for start, want := range map[string][]string{
		"":    {"a#1", "a#3", "a#5"},
		"a":   {"a#1", "a#3", "a#5"}, // before the prefix
		"a#1": {"a#3", "a#5"},
		"a#2": {"a#3", "a#5"}, // no such item
		"a#5": nil,
		"a#9": nil,
		"b":   nil, // behind the prefix
	} {
		page, err := b.Query(within(t), b.pk, "a#", start, 10)
		if err != nil {
			t.Errorf("start %q: %v", start, err)
			continue
		}
		if got := names(page.Items); !slices.Equal(got, want) {
			t.Errorf("start %q gave %q, want %q", start, got, want)
		}
	}
}

func queryOverExpired(t *testing.T, b *bench) {
	var items []table.Item
	for i := range 12 {
		it := b.item(fmt.Sprintf("a#%02d", i), 1, "x")
		if i < 9 {
			it.Expires = time.Now().Add(-time.Hour)
		}
		items = append(items, it)
	}
	b.mustPut(t, items...)
	page, err := b.Query(within(t), b.pk, "a#", "", 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Items) == 0 || page.Items[0].SK != "a#09" {
		t.Errorf("the first page is %v, want it to start with a#09", names(page.Items))
	}
	if got := names(b.all(t, "")); !slices.Equal(got, []string{"a#09", "a#10", "a#11"}) {
		t.Errorf("all pages gave %v, want a#09 to a#11", got)
	}
}

func badLimits(t *testing.T, b *bench) {
	for _, limit := range []int{-1, 0, table.MaxLimit + 1} {
		if _, err := b.Query(within(t), b.pk, "", "", limit); !errors.Is(err, table.ErrInvalid) {
			t.Errorf("limit %d: error %v, want invalid", limit, err)
		}
	}
}
