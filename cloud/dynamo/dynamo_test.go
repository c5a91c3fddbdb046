package dynamo_test

import (
	"context"
	"log"
	"os"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cloud/cloudtest"
	"github.com/hb-mesh/hb-mesh/cloud/dynamo"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/ring"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	east = beat.Region("us-east-1")
	west = beat.Region("us-west-2")
)

// joined is the ring that the cases share; one that breaks something takes a
// ring of its own.
var joined *ring.Ring

func TestMain(m *testing.M) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	r, err := ring.Start(ctx, ring.TestOptions())
	cancel()
	if err != nil {
		log.Fatal(err) // says how to install what is missing
	}
	joined = r
	code := m.Run()
	r.Stop()
	os.Exit(code)
}

func open(t *testing.T, r *ring.Ring, region beat.Region, change ...func(*dynamo.Options)) *dynamo.Table {
	t.Helper()
	o := dynamo.DefaultOptions()
	for _, c := range change {
		c(&o)
	}
	tb, err := dynamo.New(r.Config(region), o)
	if err != nil {
		t.Fatal(err)
	}
	return tb
}

func TestConformance(t *testing.T) {
	cloudtest.Run(t, func(t *testing.T) table.Table { return open(t, joined, east) })
}

func TestReplicas(t *testing.T) {
	cloudtest.RunReplicas(t, func(t *testing.T) (a, b cloudtest.Replica) {
		return cloudtest.Replica{Region: east, Table: open(t, joined, east)},
			cloudtest.Replica{Region: west, Table: open(t, joined, west)}
	})
}

func TestReplicasUnderLagAndCuts(t *testing.T) {
	cloudtest.RunDisturbed(t, func(t *testing.T) (a, b cloudtest.Replica, disturb cloudtest.Disturb) {
		disturb = func(by func(beat.Region, table.Key) (time.Duration, bool)) {
			joined.SetPassage(func(c ring.Change) ring.Passage {
				lag, held := by(c.From, c.Key)
				return ring.Passage{Lag: lag, Held: held}
			})
		}
		t.Cleanup(func() { joined.SetPassage(nil) })
		return cloudtest.Replica{Region: east, Table: open(t, joined, east)},
			cloudtest.Replica{Region: west, Table: open(t, joined, west)}, disturb
	})
}
