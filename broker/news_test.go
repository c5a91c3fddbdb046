package broker // what the core makes of a node's outs has no exported face

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/node"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/guard"
)

// Whatever word or item is set aside is counted by its reason, and said, at
// most ten times a minute.
func TestWhatIsSetAsideIsCountedByReason(t *testing.T) {
	for _, o := range []struct {
		out    node.Out
		reason string
		said   bool // in a log of the usual level
	}{
		{&incident.Ignored{Reason: incident.NewerVersion, ID: "01J"}, "it has a newer version", true},
		{&incident.Ignored{Reason: incident.NoSubject}, "it is about nothing that can be", true},
		{&incident.Ignored{Reason: incident.ForeignWord}, "it names a region that is not of this cell", true},
		{&incident.Ignored{Reason: incident.BadCount}, "its k, its mark or its revision cannot be", true},
		{&incident.Ignored{Reason: incident.BadTime}, "its time cannot be", true},
		{&incident.Ignored{Reason: incident.TooLong}, "it lists too much", true},
		{&incident.Ignored{Reason: incident.WrongLength}, "the answer does not fit the question", true},
		{&presence.SetAside{Subject: presence.Subject{Store: "s9", Host: "pos1"}, Reason: presence.UnknownSubject}, "unknown store or host", false},
	} {
		t.Run(o.reason, func(t *testing.T) {
			var b bytes.Buffer
			log := slog.New(slog.NewTextHandler(&b, nil))
			c := &core{log: log, sparse: guard.NewSparse(log), metrics: newMetrics(prometheus.NewRegistry())}
			for range 25 {
				c.did(beat.Now{}, o.out)
			}
			if n := testutil.ToFloat64(c.metrics.setAside.WithLabelValues(o.reason)); n != 25 {
				t.Errorf("%v were counted, want 25", n)
			}
			want := 0
			if o.said {
				want = 10
			}
			if n := strings.Count(b.String(), o.reason); n != want {
				t.Errorf("the log says it %d times, want %d:\n%s", n, want, b.String())
			}
		})
	}
}
