package cloudtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
)

// RunReplicas holds two joined replicas to what a Global Table promises: what
// one region writes arrives in the other, late, and the last writer of a key
// wins in both.
func RunReplicas(t *testing.T, open func(t *testing.T) (a, b Replica)) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, a, b *side)
	}{
		{"what one region writes arrives in the other", replicaArrives},
		{"a delete arrives too", replicaDeletes},
		{"an expiry arrives with its item", replicaExpires},
		{"what both regions write under their own keys joins the same in any order", replicasJoin},
		{"the last writer of one key wins in both regions", lastWriterWins},
		{"conditions are local: both regions can win one claim, and one of them stays", bothClaim},
	} {
		t.Run(c.name, func(t *testing.T) {
			ra, rb := open(t)
			a := &side{newBench(t, ra.Table), ra}
			b := &side{&bench{rb.Table, a.pk}, rb}
			c.run(t, a, b)
		})
	}
}

// side is one region's replica and the partition that both share in a case.
type side struct {
	*bench
	replica Replica
}

// sk is a sort key that this region writes.
func (s *side) sk(name string) string { return string(s.replica.Region) + "#" + name }

// eventually polls until ok, or fails with what it saw last.
func eventually(t *testing.T, want string, look func() (saw string, ok bool)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		saw, ok := look()
		if ok {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited for %s, saw %s", want, saw)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// contents are a replica's items as text, in order.
func (s *side) contents(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, it := range s.all(t, "") {
		all = append(all, fmt.Sprintf("%s=%s@%d", it.SK, it.Doc, it.Rev))
	}
	return all
}

func (s *side) awaits(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%q in %s", want, s.replica.Region), func() (string, bool) {
		got := s.contents(t)
		return fmt.Sprintf("%q", got), slices.Equal(got, want)
	})
}

func replicaArrives(t *testing.T, a, b *side) {
	a.mustWrite(t, table.Write{Item: a.item(a.sk("1"), 1, "one"), If: table.IfAbsent})
	a.mustPut(t, a.item(a.sk("2"), 2, "two"))
	b.awaits(t, a.sk("1")+"=one@1", a.sk("2")+"=two@2")
	a.mustWrite(t, table.Write{Item: a.item(a.sk("1"), 2, "uno"), If: table.IfRev, Rev: 1})
	b.awaits(t, a.sk("1")+"=uno@2", a.sk("2")+"=two@2")
}

func replicaDeletes(t *testing.T, a, b *side) {
	a.mustPut(t, a.item(a.sk("1"), 1, "one"), a.item(a.sk("2"), 1, "two"))
	b.awaits(t, a.sk("1")+"=one@1", a.sk("2")+"=two@1")
	if err := a.Delete(within(t), []table.Key{a.key(a.sk("1"))}); err != nil {
		t.Fatal(err)
	}
	b.awaits(t, a.sk("2")+"=two@1")
	a.awaits(t, a.sk("2")+"=two@1")
	a.mustPut(t, a.item(a.sk("1"), 2, "again"))
	b.awaits(t, a.sk("1")+"=again@2", a.sk("2")+"=two@1")
}

func replicaExpires(t *testing.T, a, b *side) {
	gone := a.item(a.sk("1"), 1, "gone")
	gone.Expires = time.Now().Add(-time.Minute)
	stays := a.item(a.sk("2"), 1, "stays")
	stays.Expires = time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	a.mustPut(t, gone, stays, a.item(a.sk("3"), 1, "last"))
	b.awaits(t, a.sk("2")+"=stays@1", a.sk("3")+"=last@1")
	if got := b.all(t, a.sk("2")); len(got) != 1 || !got[0].Expires.Equal(stays.Expires) {
		t.Errorf("it arrived as %+v, want it to expire at %v", got, stays.Expires)
	}
}

// replicasJoin writes from both sides at once, each under its own keys and in
// an order of its own.
func replicasJoin(t *testing.T, a, b *side) {
	const keys, rounds = 20, 3
	var want []string
	var wg sync.WaitGroup
	for _, s := range []*side{a, b} {
		for i := range keys {
			want = append(want, fmt.Sprintf("%s=round %d@%d", s.sk(fmt.Sprintf("%02d", i)), rounds-1, rounds-1))
		}
		ctx := within(t)
		wg.Go(func() {
			for round := range rounds {
				for _, i := range rand.Perm(keys) {
					it := s.item(s.sk(fmt.Sprintf("%02d", i)), int64(round), fmt.Sprint("round ", round))
					if err := s.Write(ctx, table.Write{Item: it}); err != nil {
						t.Errorf("write %s: %v", it.SK, err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	slices.Sort(want)
	a.awaits(t, want...)
	b.awaits(t, want...)
}

// lastWriterWins breaks the rule of one writer on purpose.
func lastWriterWins(t *testing.T, a, b *side) {
	a.mustPut(t, a.item("shared", 1, "a first"))
	b.awaits(t, "shared=a first@1")
	b.mustPut(t, b.item("shared", 2, "b later"))
	a.awaits(t, "shared=b later@2")
	b.awaits(t, "shared=b later@2")
	a.mustPut(t, a.item("shared", 3, "a last"))
	b.awaits(t, "shared=a last@3")
	a.awaits(t, "shared=a last@3")
}

func bothClaim(t *testing.T, a, b *side) {
	errA := a.Write(within(t), table.Write{Item: a.item("claim", 1, "a"), If: table.IfAbsent})
	errB := b.Write(within(t), table.Write{Item: b.item("claim", 2, "b"), If: table.IfAbsent})
	if errA != nil {
		t.Fatalf("the first claim in its own region: %v", errA)
	}
	// The second is refused only if the first has arrived already.
	want := "claim=a@1"
	if errB == nil {
		want = "claim=b@2"
	}
	a.awaits(t, want)
	b.awaits(t, want)
}
