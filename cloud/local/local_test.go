package local_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cloud/cloudtest"
	"github.com/hb-mesh/hb-mesh/cloud/local"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	east = beat.Region("us-east-1")
	west = beat.Region("us-west-2")
)

// open opens a store and closes it with the test.
func open(t *testing.T, o local.Options) *local.Store {
	t.Helper()
	s, err := local.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func inMemory() local.Options {
	o := local.DefaultOptions("", east, west)
	o.InMemory = true
	return o
}

const partition = "test#1"

func item(sk, doc string) table.Item {
	return table.Item{Key: table.Key{PK: partition, SK: sk}, Doc: []byte(doc), Rev: 1}
}

func put(t *testing.T, tb table.Table, sk, doc string) {
	t.Helper()
	if err := tb.Put(t.Context(), []table.Item{item(sk, doc)}); err != nil {
		t.Fatal(err)
	}
}

func contents(t *testing.T, tb table.Table) []string {
	t.Helper()
	items, err := table.QueryAll(t.Context(), tb, partition, "")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, it := range items {
		all = append(all, fmt.Sprintf("%s=%s", it.SK, it.Doc))
	}
	return all
}

func want(t *testing.T, tb table.Table, items ...string) {
	t.Helper()
	if got := contents(t, tb); !slices.Equal(got, items) {
		t.Errorf("the table holds %q, want %q", got, items)
	}
}

func TestConformance(t *testing.T) {
	s := open(t, local.DefaultOptions(t.TempDir(), east, west))
	cloudtest.Run(t, func(*testing.T) table.Table { return s.Region(east) })
}

func TestConformanceInMemory(t *testing.T) {
	s := open(t, inMemory())
	cloudtest.Run(t, func(*testing.T) table.Table { return s.Region(west) })
}

func TestReplicas(t *testing.T) {
	s := open(t, local.DefaultOptions(t.TempDir(), east, west))
	cloudtest.RunReplicas(t, func(*testing.T) (a, b cloudtest.Replica) {
		return cloudtest.Replica{Region: east, Table: s.Region(east)}, cloudtest.Replica{Region: west, Table: s.Region(west)}
	})
}

func TestReplicasUnderLagAndCuts(t *testing.T) {
	s := open(t, local.DefaultOptions(t.TempDir(), east, west))
	cloudtest.RunDisturbed(t, func(*testing.T) (a, b cloudtest.Replica, disturb cloudtest.Disturb) {
		disturb = func(by func(beat.Region, table.Key) (time.Duration, bool)) {
			s.SetPassage(func(c local.Change) local.Passage {
				lag, held := by(c.From, c.Key)
				return local.Passage{Lag: lag, Held: held}
			})
		}
		return cloudtest.Replica{Region: east, Table: s.Region(east)}, cloudtest.Replica{Region: west, Table: s.Region(west)}, disturb
	})
}

func TestWhatIsHeldIsKeptOverARestart(t *testing.T) {
	o := local.DefaultOptions(t.TempDir(), east, west)
	o.Passage = func(local.Change) local.Passage { return local.Passage{Held: true} }
	s, err := local.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s.Region(east), "a#1", "one")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, o)
	if n := again.Pending(); n != 1 {
		t.Fatalf("%d items are on their way, want 1", n)
	}
	want(t, again.Region(west))
	again.SetPassage(nil)
	await(t, again)
	want(t, again.Region(west), "a#1=one")
}

func TestClosedStoreIsUnavailable(t *testing.T) {
	s := open(t, inMemory())
	tb := s.Region(east)
	put(t, tb, "a#1", "one")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, query := tb.Query(t.Context(), partition, "", "", 1)
	for call, err := range map[string]error{
		"write":  tb.Write(t.Context(), table.Write{Item: item("a#1", "x")}),
		"put":    tb.Put(t.Context(), []table.Item{item("a#1", "x")}),
		"delete": tb.Delete(t.Context(), []table.Key{item("a#1", "").Key}),
		"query":  query,
	} {
		if !errors.Is(err, table.ErrUnavailable) {
			t.Errorf("%s after Close: error %v, want unavailable", call, err)
		}
	}
}

func TestCloseWhileMuchIsWrittenAnswersEveryCall(t *testing.T) {
	s := open(t, inMemory())
	var wg sync.WaitGroup
	for i := range 64 {
		tb := s.Region([]beat.Region{east, west}[i%2])
		wg.Go(func() {
			for n := 0; ; n++ {
				err := tb.Write(t.Context(), table.Write{Item: item(fmt.Sprintf("%d#%d", i, n), "x")})
				_, query := tb.Query(t.Context(), partition, "", "", 5)
				if errors.Is(err, table.ErrUnavailable) && errors.Is(query, table.ErrUnavailable) {
					return
				}
				if err != nil && !errors.Is(err, table.ErrUnavailable) {
					t.Errorf("write: %v, want nil or unavailable", err)
					return
				}
			}
		})
	}
	deadline := time.Now().Add(10 * time.Second)
	for len(contents(t, s.Region(east))) < 500 && time.Now().Before(deadline) {
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
}

func TestRegionWithoutReplicaIsInvalid(t *testing.T) {
	s := open(t, inMemory())
	if err := s.Region("eu-west-1").Put(t.Context(), nil); !errors.Is(err, table.ErrInvalid) {
		t.Errorf("error %v, want invalid", err)
	}
}

func TestItemsArriveAfterTheirOwnLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := inMemory()
		o.Passage = func(c local.Change) local.Passage {
			switch {
			case c.From != east || c.To != west:
				return local.Passage{Lag: time.Hour}
			case c.Key.SK == "slow":
				return local.Passage{Lag: 10 * time.Second}
			default:
				return local.Passage{Lag: time.Second}
			}
		}
		s := open(t, o)
		a, b := s.Region(east), s.Region(west)
		put(t, a, "slow", "1")
		put(t, a, "fast", "1")
		put(t, b, "other way", "1")
		want(t, b, "other way=1")
		time.Sleep(999 * time.Millisecond)
		synctest.Wait()
		want(t, b, "other way=1")
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		want(t, b, "fast=1", "other way=1")
		put(t, a, "fast", "2") // each change has its own lag, from its own write
		put(t, a, "slow", "2")
		time.Sleep(9 * time.Second)
		synctest.Wait()
		want(t, b, "fast=2", "other way=1", "slow=1")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		want(t, b, "fast=2", "other way=1", "slow=2")
		want(t, a, "fast=2", "slow=2")
		if n := s.Pending(); n != 1 {
			t.Errorf("%d items are on their way, want 1", n)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		want(t, a, "fast=2", "other way=1", "slow=2")
		if n := s.Pending(); n != 0 {
			t.Errorf("%d items are on their way, want 0", n)
		}
	})
}

func TestOlderWriteThatArrivesLateChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := inMemory()
		o.Passage = func(c local.Change) local.Passage {
			if c.From == east {
				return local.Passage{Lag: time.Minute}
			}
			return local.Passage{}
		}
		s := open(t, o)
		a, b := s.Region(east), s.Region(west)
		put(t, a, "shared", "old")
		put(t, a, "deleted", "old")
		time.Sleep(time.Second)
		put(t, b, "shared", "new")
		put(t, b, "deleted", "new")
		if err := b.Delete(t.Context(), []table.Key{item("deleted", "").Key}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		want(t, a, "shared=new")
		want(t, b, "shared=new")
	})
}

func TestMoreThanAWindowOfItemsArrives(t *testing.T) {
	s := open(t, inMemory())
	var items []table.Item
	for i := range 10_000 {
		items = append(items, item(fmt.Sprintf("a#%05d", i), "x"))
	}
	if err := s.Region(east).Put(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	await(t, s)
	if n := len(contents(t, s.Region(west))); n != len(items) {
		t.Errorf("%d items arrived, want %d", n, len(items))
	}
}

// await waits until nothing is on its way.
func await(t *testing.T, s *local.Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for s.Pending() > 0 {
		select {
		case <-ctx.Done():
			t.Fatalf("%d items are still on their way", s.Pending())
		case <-time.After(time.Millisecond):
		}
	}
}

func TestExpiredItemVanishesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, inMemory())
		tb := s.Region(east)
		it := item("a#1", "one")
		it.Expires = time.Now().Add(time.Minute)
		if err := tb.Put(t.Context(), []table.Item{it}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Second)
		want(t, tb, "a#1=one")
		want(t, s.Region(west), "a#1=one")
		time.Sleep(time.Second)
		want(t, tb)
		want(t, s.Region(west))
	})
}

func TestFullQueueWaitsAsLongAsItsContext(t *testing.T) {
	// One free-space check that hangs stands for a disk that does.
	hang, hung := make(chan struct{}), make(chan struct{})
	var once sync.Once
	o := local.DefaultOptions(t.TempDir(), east)
	first := true
	o.FreeSpace = func(string) (uint64, error) {
		if first { // of Open
			first = false
			return 1 << 40, nil
		}
		once.Do(func() { close(hung) })
		<-hang
		return 1 << 40, nil
	}
	s := open(t, o)
	t.Cleanup(func() { close(hang) })
	tb := s.Region(east)
	large := item("a#large", "")
	large.Doc = make([]byte, table.MaxItem-1024)
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for i := range 40 { // 16 MB, twice what may wait
		wg.Go(func() {
			it := large
			it.SK = fmt.Sprint("a#", i)
			err := tb.Write(ctx, table.Write{Item: it})
			if !errors.Is(err, table.ErrUnavailable) && !errors.Is(err, table.ErrUnknown) {
				t.Errorf("error %v, want unavailable or unknown", err)
			}
		})
	}
	<-hung
	cancel()
	wg.Wait()
}
