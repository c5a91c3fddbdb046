package incident_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// While the link is cut the second of two regions (by name), which told a fault,
// looks at the marks before it tells the end, after a wait in which the first
// one's mark would come. It has told the end before that one takes it over,
// however short takeover is.
func TestWhoToldAFaultEndsItBeforeTheOtherTakesOver(t *testing.T) {
	for _, takeover := range []time.Duration{5 * time.Second, incident.DefaultTakeover} {
		o := incident.DefaultOptions()
		o.Region, o.Regions, o.Node, o.Term = "us-west-2", []beat.Region{"us-east-1", "us-west-2"}, "n", 1
		o.Channels, o.Takeover = []incident.Channel{"sns"}, takeover
		b, now := incident.New(o), beat.Now{Mono: time.Minute, Wall: time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)}
		told := map[incident.Change]time.Duration{}
		var step func(e incident.Event)
		step = func(e incident.Event) {
			for _, out := range b.Step(now, e, nil) {
				switch out := out.(type) {
				case *incident.Ask:
					step(&incident.Unanswered{ID: out.ID})
				case *incident.ReadMarks:
					step(&incident.MarksRead{ID: out.ID, Known: make([]incident.Known, len(out.Items))})
				case *incident.Write:
					step(&incident.Wrote{Op: out.Op, Result: incident.Done})
				case *incident.Publish:
					told[out.Notice.Items[0].Change] = now.Mono
					step(&incident.Published{Op: out.Op, Result: incident.Done})
				}
			}
		}
		run := func(d time.Duration) {
			for end := now.Mono + d; ; step(nil) {
				at, ok := b.Next()
				if !ok || at > end {
					now = now.Add(end - now.Mono)
					return
				}
				now = now.Add(max(at, now.Mono) - now.Mono)
			}
		}
		verdict := func(c presence.Condition) {
			step(&incident.Decided{Verdict: presence.Verdict{
				Store: "demo", Condition: c, Cause: presence.Cause{Number: 7}, At: now.Wall, Since: now.Wall, OneSided: true, SeenFrom: []beat.Region{"us-west-2"},
			}})
		}
		step(&incident.Loaded{})
		step(&incident.Lease{Until: time.Hour})
		step(&incident.PeerIs{State: presence.PeerCut})
		run(2 * time.Minute)
		verdict(presence.StoreDown)
		run(2 * time.Minute)
		if told[incident.Opened] == 0 {
			t.Fatalf("takeover %v: the fault is not told", takeover)
		}
		ended := now.Mono
		verdict(presence.Well)
		run(2 * time.Minute)
		if at := told[incident.Recovered]; at == 0 || at >= ended+takeover {
			t.Errorf("takeover %v: the end is told %v after it", takeover, at-ended)
		}
	}
}
