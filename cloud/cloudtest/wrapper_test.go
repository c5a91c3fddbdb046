package cloudtest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cloud/cloudtest"
	"github.com/hb-mesh/hb-mesh/cloud/local"
)

func open(t *testing.T) table.Table {
	t.Helper()
	o := local.DefaultOptions("", "us-east-1")
	o.InMemory = true
	s, err := local.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s.Region("us-east-1")
}

func item(sk string, size int) table.Item {
	return table.Item{Key: table.Key{PK: "test", SK: sk}, Doc: make([]byte, size)}
}

func TestWrappersKeepTheTablesPromises(t *testing.T) {
	tb := open(t)
	cloudtest.Run(t, func(*testing.T) table.Table { return cloudtest.NewFaulty(cloudtest.NewCounter(tb)) })
}

func TestCounterCountsWhatWouldBePaid(t *testing.T) {
	c := cloudtest.NewCounter(open(t))
	for _, step := range []struct {
		name string
		do   func() error
		want cloudtest.Count
	}{
		{"a small write is one unit", func() error {
			return c.Write(t.Context(), table.Write{Item: item("a", 100)})
		}, cloudtest.Count{Writes: 1, WriteUnits: 1}},
		{"an item over 1 KiB is two", func() error {
			return c.Write(t.Context(), table.Write{Item: item("b", 1024)})
		}, cloudtest.Count{Writes: 1, WriteUnits: 2}},
		{"a fence doubles it and costs two", func() error {
			return c.Write(t.Context(), table.Write{Item: item("b", 100), Fence: &table.Fence{Key: item("a", 0).Key}})
		}, cloudtest.Count{Writes: 1, WriteUnits: 4}},
		{"a put counts its items", func() error {
			return c.Put(t.Context(), []table.Item{item("c", 10), item("d", 3000)})
		}, cloudtest.Count{Puts: 2, WriteUnits: 4}},
		{"a delete counts its keys", func() error {
			return c.Delete(t.Context(), []table.Key{item("a", 0).Key, item("b", 0).Key})
		}, cloudtest.Count{Deletes: 2, WriteUnits: 2}},
		{"a query counts its bytes", func() error {
			_, err := c.Query(t.Context(), "test", "", "", 10)
			return err
		}, cloudtest.Count{Queries: 1, ReadUnits: 1}},
	} {
		c.Reset()
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := c.Count(); got != step.want {
			t.Errorf("%s: counted %+v, want %+v", step.name, got, step.want)
		}
	}
	c.Reset()
	_ = c.Write(t.Context(), table.Write{Item: item("c", 1), If: table.IfAbsent}) // refused, and paid all the same
	if n := c.Keys()[item("c", 0).Key]; n != 1 || c.Count().Written() != 1 {
		t.Errorf("a refused write was counted as %+v, %d of its key", c.Count(), n)
	}
}

func TestFaultyDoesWhatItSays(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault cloudtest.Fault
		write error
		query error
		there bool
	}{
		{"none lets through", cloudtest.None, nil, nil, true},
		{"unavailable does nothing", cloudtest.Unavailable, table.ErrUnavailable, table.ErrUnavailable, false},
		{"throttle refuses the first of two", cloudtest.Throttle, table.ErrUnavailable, nil, false},
		{"slow is late", cloudtest.Slow, nil, nil, true},
		{"lost is done and unknown", cloudtest.Lost, table.ErrUnknown, table.ErrUnavailable, true},
		{"lost before is not done and unknown", cloudtest.LostBefore, table.ErrUnknown, table.ErrUnavailable, false},
		{"cut ends with the context", cloudtest.Cut, table.ErrUnknown, table.ErrUnavailable, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := cloudtest.NewFaulty(open(t))
				f.Set(c.fault)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				err := f.Write(ctx, table.Write{Item: item("a", 1), If: table.IfAbsent})
				if !errors.Is(err, c.write) {
					t.Errorf("write: error %v, want %v", err, c.write)
				}
				ctx2, cancel2 := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel2()
				if _, err := f.Query(ctx2, "test", "", "", 1); !errors.Is(err, c.query) {
					t.Errorf("query: error %v, want %v", err, c.query)
				}
				f.Set(cloudtest.None)
				page, err := f.Query(t.Context(), "test", "", "", 1)
				if err != nil {
					t.Fatal(err)
				}
				if there := len(page.Items) == 1; there != c.there {
					t.Errorf("the item is there: %t, want %t", there, c.there)
				}
			})
		})
	}
}

func TestFaultyStrikesTheNextWritesAndOnlyWhatItIsTold(t *testing.T) {
	f := cloudtest.NewFaulty(open(t))
	f.Only(func(k table.Key) bool { return k.SK != "spared" })
	f.Next(cloudtest.Lost, cloudtest.Unavailable)
	for _, step := range []struct {
		sk   string
		want error
	}{{"spared", nil}, {"a", table.ErrUnknown}, {"a", table.ErrUnavailable}, {"a", nil}} {
		if err := f.Put(t.Context(), []table.Item{item(step.sk, 1)}); !errors.Is(err, step.want) {
			t.Errorf("put %s: error %v, want %v", step.sk, err, step.want)
		}
	}
	if n := f.Struck(); n != 2 {
		t.Errorf("%d calls were struck, want 2", n)
	}
	f.Next(cloudtest.Lost)
	err := f.Write(t.Context(), table.Write{Item: item("a", 1), If: table.IfAbsent})
	if !errors.Is(err, table.ErrUnknown) || errors.Is(err, table.ErrConflict) {
		t.Errorf("a refused claim whose answer was lost: error %v, want unknown", err)
	}
}
