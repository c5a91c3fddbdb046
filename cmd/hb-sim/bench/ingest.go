package bench

import (
	"context"
	"fmt"
	"runtime"

	"github.com/hb-mesh/hb-mesh/cloud/local"
)

// contender is a server and what is sent to it.
type contender struct {
	name  string
	start func(context.Context) (*server, error)
	lane  opener

	perSecond []float64
	bytes     int
}

// ingest is how many reports a broker takes, beside what bare mochi and
// mosquitto take. Mosquitto gets the reports, too, and the shortest beat that
// there is; what it does better counts.
func (b *Bench) ingest(ctx context.Context) ([]Row, error) {
	// The table stays open for all: its memory is a ballast that lets the
	// collector run less often, and bare mochi is to have that as well.
	s, err := local.Open(inMemory())
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }() // it was in memory
	bare := &contender{name: "bare mochi, report", start: b.bareMochi, lane: reporting}
	ours := &contender{name: "hb-broker, report", lane: reporting, start: func(ctx context.Context) (*server, error) {
		return wholeBroker(ctx, s.Region(regionEast))
	}}
	peer := &contender{name: "mosquitto, report", start: b.mosquitto, lane: reporting}
	peerBeat := &contender{name: "mosquitto, beat", start: b.mosquitto, lane: beating}
	all := []*contender{bare, ours, peer, peerBeat}
	b.say("ingest: QoS 1, %d connections of %d messages in flight, %v after %v, %d runs in turn; generator, mochi and hb-broker (auth, ACL, presence; table in memory) share a process, mosquitto has one of its own",
		lanes, window, b.plan.measure, b.plan.warm, b.plan.runs)
	for run := range b.plan.runs {
		for _, c := range all {
			if err := c.run(ctx, run+1, b.plan); err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			b.say("ingest: run %d: %-18s %8.0f messages/s of %d bytes", run+1, c.name, c.perSecond[run], c.bytes)
		}
	}
	beats := median(ours.perSecond) * laneHosts
	rival := max(median(peer.perSecond), median(peerBeat.perSecond))
	b.say("ingest: medians: %.0f reports/s at hb-broker are %.0f register beats/s; bare mochi takes %.0f reports/s, mosquitto %.0f beats/s",
		median(ours.perSecond), beats, median(bare.perSecond), rival)
	return []Row{
		{Name: "report ingest, broker to bare mochi", Value: median(ours.perSecond) / median(bare.perSecond), Unit: "ratio", Goal: 0.9},
		{Name: "register beats a second, to mosquitto", Value: beats / rival, Unit: "ratio", Goal: 20},
	}, nil
}

func inMemory() local.Options {
	o := local.DefaultOptions("", regionEast, regionWest)
	o.InMemory = true
	return o
}

func (c *contender) run(ctx context.Context, run int, p plan) error {
	runtime.GC() // none pays for the one before
	s, err := c.start(ctx)
	if err != nil {
		return err
	}
	perSecond, bytes, err := generate(ctx, s.address, c.lane, run, p)
	if stopErr := s.stop(); err == nil {
		err = stopErr
	}
	if err != nil {
		return err
	}
	c.perSecond, c.bytes = append(c.perSecond, perSecond), bytes
	return nil
}
