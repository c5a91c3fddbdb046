package incident_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// A command that the shell never answers holds nothing up for ever: every one
// has its deadline.
func TestACommandThatNobodyAnswersIsGivenAgain(t *testing.T) {
	o := incident.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Term, o.Channels = "us-east-1", []beat.Region{"us-east-1"}, "n", 1, []incident.Channel{"sns"}
	b := incident.New(o)
	now := beat.Now{Wall: time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)}
	var writes, publishes int
	step := func(e incident.Event) {
		for _, out := range b.Step(now, e, nil) {
			switch out := out.(type) {
			case *incident.Write:
				if writes++; writes == 2 {
					for _, p := range b.Step(now, &incident.Wrote{Op: out.Op, Result: incident.Done}, nil) {
						if _, ok := p.(*incident.Publish); ok {
							publishes++
						}
					}
				}
			case *incident.Publish:
				publishes++
			}
		}
	}
	step(&incident.Decided{Verdict: presence.Verdict{
		Store: "demo", Condition: presence.StoreDown, At: now.Wall, Since: now.Wall, SeenFrom: o.Regions,
	}})
	for end := now.Mono + 20*time.Minute; ; {
		at, ok := b.Next()
		if !ok || at > end {
			break
		}
		now.Wall, now.Mono = now.Wall.Add(at-now.Mono), at
		step(nil)
	}
	if writes < 2 || publishes < 2 {
		t.Errorf("%d claims and %d publishes", writes, publishes)
	}
}

// A channel that refused a notice gets it again, also while the table does not
// answer the write of another channel's mark.
func TestMarksThatAreWrittenHoldNoChannelUp(t *testing.T) {
	o := incident.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Term, o.Channels = "us-east-1", []beat.Region{"us-east-1"}, "n", 1, []incident.Channel{"sns", "bot"}
	b := incident.New(o)
	now := beat.Now{Wall: time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)}
	sns := 0
	var step func(e incident.Event)
	step = func(e incident.Event) {
		for _, out := range b.Step(now, e, nil) {
			switch out := out.(type) {
			case *incident.Write:
				if out.Notice.Rev == 1 { // the claim; marks get no answer
					step(&incident.Wrote{Op: out.Op, Result: incident.Done})
				}
			case *incident.Publish:
				result := incident.Done
				if out.Channel == "sns" {
					if sns++; sns == 1 {
						result = incident.Failed
					}
				}
				step(&incident.Published{Op: out.Op, Result: result})
			}
		}
	}
	step(&incident.Decided{Verdict: presence.Verdict{
		Store: "demo", Condition: presence.StoreDown, At: now.Wall, Since: now.Wall, SeenFrom: o.Regions,
	}})
	for end := now.Mono + time.Minute; ; {
		at, ok := b.Next()
		if !ok || at > end {
			break
		}
		now.Wall, now.Mono = now.Wall.Add(at-now.Mono), at
		step(nil)
	}
	if sns != 2 {
		t.Errorf("sns got it %d times, not again after it refused", sns)
	}
}
