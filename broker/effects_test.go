package broker // the effects and the saver have no exported face

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cloud/cloudtest"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Calls of a table that hangs do not hold back a question to the other region:
// it must not look silent.
func TestTableDoesNotStarveAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &effects{calls: make(chan struct{}, maxCalls), asks: make(chan struct{}, maxAsks), metrics: newMetrics(prometheus.NewRegistry())}
		ctx, cancel := context.WithCancel(t.Context())
		e.begin(ctx)
		for range 2000 { // 2,000 notices to claim: one region's storm
			e.call(e.calls, func(context.Context) { time.Sleep(DefaultTableTimeout) })
		}
		synctest.Wait()
		start, asked := time.Now(), time.Duration(0)
		got := make(chan struct{})
		e.call(e.asks, func(context.Context) { asked = time.Since(start); close(got) })
		<-got
		cancel()
		e.wg.Wait()
		if asked > time.Second {
			t.Fatalf("the ask left after %v", asked)
		}
	})
}

// One item that no table takes drops none of its batch.
func TestOneBadItemIsPicked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := cloudtest.NewCounter(&memTable{got: map[table.Key]table.Item{}})
		m := newMetrics(prometheus.NewRegistry())
		s := newSaver(tb, time.Second, slog.New(slog.DiscardHandler), m)
		good := table.Key{PK: "p", SK: "us-east-1#good"}
		s.save(saving{item: table.Item{Key: table.Key{PK: "p", SK: "us-east-1#big"}, Doc: make([]byte, table.MaxItem+1)}})
		s.save(saving{item: table.Item{Key: good, Doc: []byte("{}")}})
		ctx, cancel := context.WithCancel(t.Context())
		go s.run(ctx)
		time.Sleep(time.Minute)
		cancel()
		synctest.Wait()
		p, _ := tb.Query(context.Background(), "p", "", "", 10)
		if len(p.Items) != 1 {
			t.Fatalf("%d items saved, want the good one", len(p.Items))
		}
	})
}

// memTable is a table of one partition.
type memTable struct{ got map[table.Key]table.Item }

func (m *memTable) Write(context.Context, table.Write) error { return nil }
func (m *memTable) Put(_ context.Context, items []table.Item) error {
	if err := table.CheckPut(items); err != nil {
		return err
	}
	for _, i := range items {
		m.got[i.Key] = i
	}
	return nil
}
func (m *memTable) Delete(context.Context, []table.Key) error { return nil }
func (m *memTable) Query(context.Context, string, string, string, int) (table.Page, error) {
	var p table.Page
	for _, i := range m.got {
		p.Items = append(p.Items, i)
	}
	return p, nil
}

// A store's history has a budget of its own: a full journal at once, and a little
// more each second. What the table did not take costs nothing.
func TestAStoresHistoryHasABudget(t *testing.T) {
	now := time.Now()
	b := newBudget(func() time.Time { return now })
	taken := func(store beat.StoreID, batches int) (n int) {
		for range batches {
			if b.take(store, beat.MaxBatch) {
				n += beat.MaxBatch
			}
		}
		return n
	}
	if n := taken("back-after-a-week", 98); n < 50_000 {
		t.Errorf("of a full journal %d entries are taken", n)
	}
	if n := taken("floods", 300); n > historyBurst {
		t.Errorf("of a flood %d entries are taken at once", n)
	}
	if n := taken("another", 1); n != beat.MaxBatch {
		t.Error("one store's flood is another's loss")
	}
	now = now.Add(time.Hour)
	if n := taken("floods", 300); n < 3600 || n > 3600*historyRate+beat.MaxBatch {
		t.Errorf("an hour later %d entries are taken", n)
	}
	now = now.Add(24 * time.Hour)
	for range 1000 {
		if !b.take("its-table-is-down", beat.MaxBatch) {
			t.Fatal("what the table did not take is spent")
		}
		b.back("its-table-is-down", beat.MaxBatch)
	}
	b.sweep()
	if len(b.stores) != 0 {
		t.Errorf("%d full buckets are kept", len(b.stores))
	}
}
