package local_test

import (
	"testing"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cloud/cloudtest"
	"github.com/hb-mesh/hb-mesh/cloud/local"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	east = beat.Region("us-east-1")
	west = beat.Region("us-west-2")
)

// open opens a store in dir and closes it with the test.
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
