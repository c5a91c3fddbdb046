package presence_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

func BenchmarkSteadyReport(b *testing.B) {
	o := presence.DefaultOptions()
	o.Region, o.Regions = "us-east-1", []beat.Region{"us-east-1", "us-west-2"}
	now := beat.Now{Wall: time.Unix(0, 0)}
	p := presence.New(o, now)
	var hosts []beat.HostReport
	for i := range 20 {
		hosts = append(hosts, beat.HostReport{Host: beat.HostID(fmt.Sprintf("pos%02d", i)), State: beat.Up, Number: beat.Number(i + 1), IntervalMs: 60000})
	}
	first := report(beat.Birth, 1, 1, 0, hosts...)
	p.Step(now, &presence.Report{Conn: 1, Report: first}, nil)
	r := report(beat.Steady, 1, 2, 0)
	r.Hash = first.Hash
	e := &presence.Report{Conn: 1, Report: r}
	out := make([]presence.Out, 0, 8)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(15 * time.Second)
		r.Seq++
		r.MonoMs = uint64(now.Mono.Milliseconds())
		out = p.Step(now, e, out[:0])
	}
}

// A picture's host struct is small, and a fleet of a million fits (DESIGN.md §9).
func BenchmarkMillionHosts(b *testing.B) {
	o := presence.DefaultOptions()
	o.Region, o.Regions = "us-east-1", []beat.Region{"us-east-1", "us-west-2"}
	const stores, hosts = 50_000, 20
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		now := beat.Now{Wall: time.Unix(0, 0)}
		p := presence.New(o, now)
		for s := range stores {
			var reports []beat.HostReport
			for h := range hosts {
				reports = append(reports, beat.HostReport{Host: beat.HostID(fmt.Sprintf("pos%02d", h)), State: beat.Up, Number: beat.Number(h + 1), IntervalMs: 60000})
			}
			r := report(beat.Birth, 1, 1, 0, reports...)
			r.Store = beat.StoreID(fmt.Sprintf("store-%05d", s))
			p.Step(now, &presence.Report{Conn: presence.Conn(s + 1), Report: r}, nil)
		}
		runtime.GC()
		start := time.Now()
		runtime.GC()
		gc := time.Since(start)
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(stores*hosts), "B/host")
		b.ReportMetric(float64(gc.Milliseconds()), "ms/GC")
		runtime.KeepAlive(p)
	}
}

// A whole picture of 20 hosts in each report.
func BenchmarkWholePicture(b *testing.B) {
	o := presence.DefaultOptions()
	o.Region, o.Regions = "us-east-1", []beat.Region{"us-east-1", "us-west-2"}
	now := beat.Now{Wall: time.Unix(0, 0)}
	p := presence.New(o, now)
	var hosts []beat.HostReport
	for i := range 20 {
		hosts = append(hosts, beat.HostReport{Host: beat.HostID(fmt.Sprintf("pos%02d", i)), State: beat.Up, Number: beat.Number(i + 1), IntervalMs: 60000})
	}
	p.Step(now, &presence.Report{Conn: 1, Report: report(beat.Birth, 1, 1, 0, hosts...)}, nil)
	r := report(beat.Steady, 1, 2, 0, hosts...)
	e := &presence.Report{Conn: 1, Report: r}
	out := make([]presence.Out, 0, 8)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(15 * time.Second)
		r.Seq++
		r.MonoMs = uint64(now.Mono.Milliseconds())
		out = p.Step(now, e, out[:0])
	}
}
