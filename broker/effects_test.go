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
