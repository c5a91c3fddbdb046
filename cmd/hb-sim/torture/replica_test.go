package torture

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cloud/cloudtest"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// guarded lets the suite call a replica from many goroutines; a world has one.
type guarded struct {
	mu *sync.Mutex
	t  *replica
}

func (g guarded) Write(ctx context.Context, w table.Write) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.t.Write(ctx, w)
}

func (g guarded) Put(ctx context.Context, items []table.Item) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.t.Put(ctx, items)
}

func (g guarded) Query(ctx context.Context, pk, prefix, start string, limit int) (table.Page, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.t.Query(ctx, pk, prefix, start, limit)
}

func (g guarded) Delete(ctx context.Context, keys []table.Key) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.t.Delete(ctx, keys)
}

// The twin of the table promises what the real ones promise.
func TestReplicaPassesTheTablesSuite(t *testing.T) {
	cloudtest.Run(t, func(*testing.T) table.Table {
		return guarded{new(sync.Mutex), newReplica("a", 0, time.Now)}
	})
}

func TestReplicasPassTheTablesSuite(t *testing.T) {
	cloudtest.RunReplicas(t, func(*testing.T) (a, b cloudtest.Replica) {
		mu := new(sync.Mutex)
		ra, rb := newReplica("a", 0, time.Now), newReplica("b", 1, time.Now)
		ra.carry, rb.carry = rb.apply, ra.apply
		return cloudtest.Replica{Region: beat.Region("a"), Table: guarded{mu, ra}}, cloudtest.Replica{Region: beat.Region("b"), Table: guarded{mu, rb}}
	})
}
