package incident_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Two regions know one fault by milliseconds apart: whichever item is read first,
// the same word stands, and the furthest of all.
func TestWordsAreJoinedInAnyOrder(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	word := func(k int, after time.Duration) incident.Incident {
		return incident.Incident{
			V: incident.Version, ID: "one", Kind: incident.HostMissing, Store: "demo", Host: "pos1", K: k, Open: k%2 == 1,
			Since: at.Add(after), OpenedAt: at.Add(time.Minute + after), Told: []incident.Channel{"ops"},
		}
	}
	for _, words := range [][]incident.Incident{
		{word(1, 0), word(1, time.Millisecond)},
		{word(2, 0), word(2, time.Millisecond), word(1, 0)},
		{word(3, 0), word(2, time.Millisecond)},
	} {
		var views [][]incident.Incident
		for turn := range words {
			o := incident.DefaultOptions()
			o.Region, o.Regions, o.Channels = "us-east-1", []beat.Region{"us-east-1", "us-west-2"}, []incident.Channel{"ops"}
			b := incident.New(o)
			list := append(append([]incident.Incident{}, words[turn:]...), words[:turn]...)
			b.Step(beat.Now{Mono: time.Hour, Wall: at.Add(2 * time.Minute)}, &incident.Loaded{Incidents: list}, nil)
			views = append(views, b.Incidents(false))
		}
		for _, v := range views[1:] {
			if len(v) != 1 || v[0].K != words[0].K || !reflect.DeepEqual(v, views[0]) {
				t.Errorf("one order: %+v\nanother: %+v", views[0], v)
			}
		}
	}
}

// What a node wrote, the next one reads: each kind has a class.
func TestEveryKindIsReadBack(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, kind := range incident.Kinds() {
		o := incident.DefaultOptions()
		o.Region, o.Regions, o.Channels = "us-east-1", []beat.Region{"us-east-1", "us-west-2"}, []incident.Channel{"ops"}
		b := incident.New(o)
		in := incident.Incident{V: incident.Version, ID: "one", Kind: kind, Store: "demo", K: 1, Open: true, Since: at, OpenedAt: at}
		out := b.Step(beat.Now{Mono: time.Hour, Wall: at.Add(time.Minute)}, &incident.Loaded{Incidents: []incident.Incident{in}}, nil)
		if got := b.Incidents(true); len(got) != 1 || got[0].Kind != kind {
			t.Errorf("%s is not read back: %v, %v", kind, got, out)
		}
	}
}
