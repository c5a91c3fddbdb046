package relay_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// BenchmarkKillToReport is the time from a register's socket being cut to the
// region holding the report that says so: no blip, no coalescing, the disk
// written meanwhile. The registers' own connects are not counted.
func BenchmarkKillToReport(b *testing.B) {
	east := startRegion(b, "us-east-1", "127.0.0.1:0")
	o := options(b, east)
	o.Blip, o.Coalesce = 0, 0
	u := start(b, o)
	var took []time.Duration
	b.ResetTimer()
	for n := range b.N {
		b.StopTimer()
		host := fmt.Sprintf("pos%d", n%20)
		till := u.register(host)
		till.beat(`{"intervalMs": 3600000}`)
		east.wait("it up", func(all []beat.Report, _ []beat.Transition) bool {
			return strings.Contains(picture(all), host+":up")
		})
		east.clear()
		b.StartTimer()
		start := time.Now()
		till.pull()
		east.wait("it missing", func(all []beat.Report, _ []beat.Transition) bool {
			return strings.Contains(picture(all), host+":missing")
		})
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
