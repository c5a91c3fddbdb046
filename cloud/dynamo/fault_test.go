package dynamo_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cloud/dynamo"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/ring"
)

// quick makes retries short, so that a test of all attempts is.
func quick(o *dynamo.Options) {
	o.Attempts = 4
	o.AttemptTimeout = 500 * time.Millisecond
	o.BackoffFirst, o.BackoffCap = time.Millisecond, 5*time.Millisecond
}

// trouble is a table behind the proxy, a partition of its own, and the fault's end.
type trouble struct {
	*dynamo.Table
	proxy *ring.Proxy
	pk    string
	ctx   context.Context
}

func newTrouble(t *testing.T, change ...func(*dynamo.Options)) *trouble {
	t.Helper()
	proxy := joined.Proxy(east)
	t.Cleanup(proxy.Heal)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return &trouble{open(t, joined, east, append([]func(*dynamo.Options){quick}, change...)...), proxy, "test#" + rand.Text(), ctx}
}

func (tr *trouble) item(sk string) table.Item {
	return table.Item{Key: table.Key{PK: tr.pk, SK: sk}, Doc: []byte("doc of " + sk), Rev: 1}
}

// there says which of the partition's items are in the table.
func (tr *trouble) there(t *testing.T) string {
	t.Helper()
	tr.proxy.Heal()
	items, err := table.QueryAll(tr.ctx, tr.Table, tr.pk, "")
	if err != nil {
		t.Fatal(err)
	}
	var sks []string
	for _, it := range items {
		sks = append(sks, it.SK)
	}
	return strings.Join(sks, " ")
}

func TestWriteUnderFaults(t *testing.T) {
	const all = 0
	for _, c := range []struct {
		name     string
		fault    ring.Fault
		write    func(tr *trouble) table.Write
		want     error
		attempts int
		there    bool
	}{
		{"a throttled claim is tried again", ring.Fault{Kind: ring.Throttle, Times: 2}, claim, nil, 3, true},
		{"a claim that is throttled to the end was not made", ring.Fault{Kind: ring.Throttle, Times: all}, claim, table.ErrUnavailable, 4, false},
		{"a claim that met a 500 is not tried again", ring.Fault{Kind: ring.Fail, Times: 1}, claim, table.ErrUnknown, 1, false},
		{"a claim whose answer was lost is unknown, though it was made", ring.Fault{Kind: ring.LostAnswer, Times: 1}, claim, table.ErrUnknown, 1, true},
		{"a claim that was lost on its way is unknown too", ring.Fault{Kind: ring.LostRequest, Times: 1}, claim, table.ErrUnknown, 1, false},
		{"a claim that waits too long is unknown", ring.Fault{Kind: ring.Slow, Delay: time.Minute, Times: 1}, claim, table.ErrUnknown, 1, false},
		{"a slow claim within the time is made", ring.Fault{Kind: ring.Slow, Delay: 100 * time.Millisecond}, claim, nil, 1, true},
		{"an unconditional write that met a 500 is tried again", ring.Fault{Kind: ring.Fail, Times: 3}, overwrite, nil, 4, true},
		{"an unconditional write whose answer was lost is tried again", ring.Fault{Kind: ring.LostAnswer, Times: 2}, overwrite, nil, 3, true},
		{"an unconditional write whose answers are all lost is unknown", ring.Fault{Kind: ring.LostAnswer}, overwrite, table.ErrUnknown, 4, true},
		{"a fenced claim whose answer was lost is tried again and is its own", ring.Fault{Kind: ring.LostAnswer, Times: 1}, fenced, nil, 2, true},
		{"a fenced claim that met a 500 is tried again", ring.Fault{Kind: ring.Fail, Times: 2}, fenced, nil, 3, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := newTrouble(t)
			if err := tr.Put(tr.ctx, []table.Item{tr.item("lease")}); err != nil {
				t.Fatal(err)
			}
			w := c.write(tr)
			op := "PutItem"
			if w.Fence != nil {
				op = "TransactWriteItems"
			}
			before := tr.proxy.Seen(op)
			tr.proxy.Inject(c.fault)
			err := tr.Write(tr.ctx, w)
			if !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if n := tr.proxy.Seen(op) - before; n != c.attempts {
				t.Errorf("%d attempts, want %d", n, c.attempts)
			}
			want := "lease"
			if c.there {
				want = "claim lease"
			}
			if got := tr.there(t); got != want {
				t.Errorf("the table holds %q, want %q", got, want)
			}
		})
	}
}

func claim(tr *trouble) table.Write {
	return table.Write{Item: tr.item("claim"), If: table.IfAbsent}
}

func overwrite(tr *trouble) table.Write { return table.Write{Item: tr.item("claim")} }

func fenced(tr *trouble) table.Write {
	return table.Write{Item: tr.item("claim"), If: table.IfAbsent, Fence: &table.Fence{Key: tr.item("lease").Key, Rev: 1}}
}

func TestBatchesUnderFaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault ring.Fault
		want  error
	}{
		{"unprocessed items are written again until none is left", ring.Fault{Kind: ring.Unprocessed}, nil},
		{"a throttled batch is tried again", ring.Fault{Kind: ring.Throttle, Times: 3}, nil},
		{"a batch whose answer was lost is written again", ring.Fault{Kind: ring.LostAnswer, Times: 3}, nil},
		{"batches that are throttled to the end were not written", ring.Fault{Kind: ring.Throttle}, table.ErrUnavailable},
		{"batches whose answers are all lost are unknown", ring.Fault{Kind: ring.LostAnswer}, table.ErrUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := newTrouble(t)
			var items []table.Item
			var keys []table.Key
			for i := range 60 {
				items = append(items, tr.item(fmt.Sprintf("a#%02d", i)))
				keys = append(keys, items[i].Key)
			}
			tr.proxy.Inject(c.fault)
			if err := tr.Put(tr.ctx, items); !errors.Is(err, c.want) {
				t.Fatalf("put: error %v, want %v", err, c.want)
			}
			if c.want != nil {
				return
			}
			if n := len(strings.Fields(tr.there(t))); n != len(items) {
				t.Errorf("the table holds %d items, want %d", n, len(items))
			}
			tr.proxy.Inject(c.fault)
			if err := tr.Delete(tr.ctx, keys); err != nil {
				t.Fatalf("delete: %v", err)
			}
			if got := tr.there(t); got != "" {
				t.Errorf("after the delete the table holds %q", got)
			}
		})
	}
}

func TestQueryUnderFaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault ring.Fault
		want  error
	}{
		{"a query that met a 500 is tried again", ring.Fault{Kind: ring.Fail, Times: 3}, nil},
		{"a query whose answer was lost is tried again", ring.Fault{Kind: ring.LostAnswer, Times: 3}, nil},
		{"a query that only meets 500s is unavailable, never unknown", ring.Fault{Kind: ring.Fail}, table.ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := newTrouble(t)
			tr.proxy.Inject(c.fault)
			_, err := tr.Query(tr.ctx, tr.pk, "", "", 10)
			if !errors.Is(err, c.want) || errors.Is(err, table.ErrUnknown) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

func TestDeadlineHolds(t *testing.T) {
	tr := newTrouble(t, func(o *dynamo.Options) { o.AttemptTimeout = time.Minute })
	tr.proxy.Inject(ring.Fault{Kind: ring.Slow, Delay: time.Minute})
	ctx, cancel := context.WithTimeout(tr.ctx, 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := tr.Put(ctx, []table.Item{tr.item("a")})
	if !errors.Is(err, table.ErrUnknown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want unknown because of its deadline", err)
	}
	if took := time.Since(start); took > 30*time.Second { // half of what the table takes
		t.Errorf("it took %v", took)
	}
}

func TestEndpointDown(t *testing.T) {
	tr := newTrouble(t)
	if err := tr.proxy.Down(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tr.proxy.Up(); err != nil {
			t.Error(err)
		}
	})
	tb := open(t, joined, east, quick) // with no connection from before
	if err := tb.Write(tr.ctx, claim(tr)); !errors.Is(err, table.ErrUnavailable) {
		t.Errorf("claim: error %v, want unavailable: nothing can have been written", err)
	}
	if _, err := tb.Query(tr.ctx, tr.pk, "", "", 1); !errors.Is(err, table.ErrUnavailable) {
		t.Errorf("query: error %v, want unavailable", err)
	}
	if err := tr.proxy.Up(); err != nil {
		t.Fatal(err)
	}
	if err := tb.Write(tr.ctx, claim(tr)); err != nil {
		t.Errorf("claim after it came back: %v", err)
	}
}

func TestMissingTableSaysItsName(t *testing.T) {
	tr := newTrouble(t, func(o *dynamo.Options) { o.Name = "no-such-table" })
	err := tr.Write(tr.ctx, claim(tr))
	if !errors.Is(err, table.ErrUnavailable) || !strings.Contains(err.Error(), "no-such-table") {
		t.Errorf("error %v, want unavailable with the table's name", err)
	}
}

func TestEnsureIsIdempotent(t *testing.T) {
	tr := newTrouble(t, func(o *dynamo.Options) { o.Name = "made-twice" })
	for range 2 {
		if err := tr.Ensure(tr.ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := tr.Write(tr.ctx, claim(tr)); err != nil {
		t.Errorf("write to the new table: %v", err)
	}
}

func TestMetricsCountOutcomesAndRetries(t *testing.T) {
	reg := prometheus.NewRegistry()
	tr := newTrouble(t, func(o *dynamo.Options) { o.Metrics = dynamo.NewMetrics(reg) })
	tr.proxy.Inject(ring.Fault{Kind: ring.Throttle, Times: 2})
	if err := tr.Write(tr.ctx, claim(tr)); err != nil {
		t.Fatal(err)
	}
	if err := tr.Write(tr.ctx, claim(tr)); !errors.Is(err, table.ErrConflict) {
		t.Fatalf("error %v, want a conflict", err)
	}
	const want = `
# HELP hbmesh_broker_dynamo_calls_total Calls of the DynamoDB table, by call and outcome (ok, conflict, unavailable, unknown, invalid).
# TYPE hbmesh_broker_dynamo_calls_total counter
hbmesh_broker_dynamo_calls_total{call="write",outcome="conflict"} 1
hbmesh_broker_dynamo_calls_total{call="write",outcome="ok"} 1
# HELP hbmesh_broker_dynamo_retries_total Attempts of table calls that were made again, by call; unprocessed items of a batch count as one.
# TYPE hbmesh_broker_dynamo_retries_total counter
hbmesh_broker_dynamo_retries_total{call="write"} 2
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "hbmesh_broker_dynamo_calls_total", "hbmesh_broker_dynamo_retries_total"); err != nil {
		t.Error(err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, change := range map[string]func(*dynamo.Options){
		"no table name":      func(o *dynamo.Options) { o.Name = "" },
		"no attempt":         func(o *dynamo.Options) { o.Attempts = 0 },
		"no attempt timeout": func(o *dynamo.Options) { o.AttemptTimeout = 0 },
		"a falling backoff":  func(o *dynamo.Options) { o.BackoffCap = o.BackoffFirst / 2 },
	} {
		o := dynamo.DefaultOptions()
		change(&o)
		if _, err := dynamo.New(joined.Config(east), o); err == nil {
			t.Errorf("options with %s were taken", name)
		}
	}
}
