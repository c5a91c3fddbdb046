package dynamo_test

import (
	"context"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cloud/cloudtest"
	"github.com/hb-mesh/hb-mesh/cloud/dynamo"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/ring"
)

// AWS's own emulator refuses what ministack lets pass.
func TestConformanceOnDynamoDBLocal(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := ring.StartStrict(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	tb, err := s.MakeTable(ctx, string(east), dynamo.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	cloudtest.Run(t, func(*testing.T) table.Table { return tb })
}
