package incident_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// What cannot be is set aside with its reason, and opens nothing.
func TestNonsenseIsSetAside(t *testing.T) {
	at := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	verdict := func(change func(*presence.Verdict)) incident.Event {
		v := presence.Verdict{Store: "demo", Host: "pos1", Condition: presence.HostMissing, At: at, Since: at, SeenFrom: []beat.Region{"us-west-2"}}
		change(&v)
		return &incident.Forwarded{From: "us-west-2", Verdicts: []presence.Verdict{v}}
	}
	notice := func(change func(*incident.Notice)) incident.Event {
		n := incident.Notice{
			ID: "01", Region: "us-east-1", At: at, Rev: 1, Marks: map[incident.Channel]incident.Mark{"sns": incident.Unsent},
			Items: []incident.Item{{Kind: incident.HostMissing, Change: incident.Opened, Store: "demo", Host: "pos1", Incident: "A", K: 1, Since: at}},
		}
		change(&n)
		return &incident.Loaded{Notices: []incident.Notice{n}}
	}
	known := func(change func(*incident.Incident)) incident.Event {
		i := incident.Incident{ID: "A", Kind: incident.StoreDown, Store: "demo", K: 1, Open: true, Since: at, OpenedAt: at}
		change(&i)
		return &incident.Loaded{Incidents: []incident.Incident{i}}
	}
	for _, c := range []struct {
		name  string
		event incident.Event
		want  incident.Reason
	}{
		{"a forward of a region that is not of this cell", &incident.Forwarded{From: "mars-1"}, incident.ForeignWord},
		{"a forward of our own", &incident.Forwarded{From: "us-east-1"}, incident.ForeignWord},
		{"a condition of a newer version", verdict(func(v *presence.Verdict) { v.Condition = 200 }), incident.NewerVersion},
		{"a store that no store can be called", verdict(func(v *presence.Verdict) { v.Store = "No Store" }), incident.NoSubject},
		{"a host's condition of a store", verdict(func(v *presence.Verdict) { v.Host = "" }), incident.NoSubject},
		{"a region of another cell", verdict(func(v *presence.Verdict) {
			v.Store, v.Host, v.Region, v.Condition = "", "", "mars-1", presence.RegionDown
		}), incident.ForeignWord},
		{"evidence of a region of another cell", verdict(func(v *presence.Verdict) { v.SeenFrom = []beat.Region{"mars-1"} }), incident.ForeignWord},
		{"an uncertainty below nothing", verdict(func(v *presence.Verdict) { v.Uncertainty = -1 }), incident.BadTime},
		{"a time after the year 9998", verdict(func(v *presence.Verdict) { v.Since = at.AddDate(8000, 0, 0) }), incident.BadTime},
		{"a notice of a newer version", notice(func(n *incident.Notice) { n.V = 2 }), incident.NewerVersion},
		{"a notice whose k is negative", notice(func(n *incident.Notice) { n.Items[0].K = -1 }), incident.BadCount},
		{"a notice with a mark that is none", notice(func(n *incident.Notice) { n.Marks["sns"] = 9 }), incident.BadCount},
		{"a notice of a kind of a newer version", notice(func(n *incident.Notice) { n.Items[0].Kind = "till-on-fire" }), incident.NewerVersion},
		{"a notice of a region of another cell", notice(func(n *incident.Notice) { n.Region = "mars-1" }), incident.ForeignWord},
		{"an incident of a newer version", known(func(i *incident.Incident) { i.V = 2 }), incident.NewerVersion},
		{"an incident without a transition", known(func(i *incident.Incident) { i.K = 0 }), incident.BadCount},
		{"an incident of a host of no store", known(func(i *incident.Incident) { i.Store, i.Host = "", "pos1" }), incident.NoSubject},
		{"an incident that another cell tells", known(func(i *incident.Incident) { i.Teller = "mars-1" }), incident.ForeignWord},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPrey(t)
			var got incident.Reason
			for _, o := range p.b.Step(p.now, c.event, nil) {
				if i, ok := o.(*incident.Ignored); ok {
					got = i.Reason
				}
			}
			if got != c.want {
				t.Errorf("it says %q, want %q", got, c.want)
			}
			if all := p.b.Incidents(false); len(all) > 0 {
				t.Errorf("it opened %v", all)
			}
		})
	}
}

// An answer that does not fit its question is none: the marks are read.
func TestAnAnswerOfTheWrongLengthIsNone(t *testing.T) {
	p := newPrey(t)
	v := presence.Verdict{Store: "s0", Condition: presence.StoreDown, At: p.now.Wall, Since: p.now.Wall, Old: true, SeenFrom: []beat.Region{"us-east-1"}}
	for v.Store = range stores() {
		if presence.Home(v.Store, []beat.Region{"us-east-1", "us-west-2"}) == "us-east-1" {
			break
		}
	}
	p.do(&incident.Decided{Verdict: v})
	if len(p.asks) != 1 {
		t.Fatalf("%d questions", len(p.asks))
	}
	var ignored, reads int
	for _, o := range p.b.Step(p.now, &incident.Answered{ID: p.asks[0], Answer: incident.ToldAnswer{Words: make([]incident.Telling, 3)}}, nil) {
		switch o := o.(type) {
		case *incident.Ignored:
			if o.Reason == incident.WrongLength {
				ignored++
			}
		case *incident.ReadMarks:
			reads++
		}
	}
	if ignored != 1 || reads != 1 {
		t.Errorf("set aside %d times, and marks read %d times", ignored, reads)
	}
}

// What is explained of a fault says where its telling stands, and what comes.
func TestExplainSaysWhatComes(t *testing.T) {
	s := newSolo(t, 1, "sns")
	s.res = func(incident.Channel) incident.Result { return incident.Failed }
	explain := func() incident.TransitionExplained {
		t.Helper()
		e := s.b.Explain(s.now, "demo", "pos1", "")
		if len(e.Incidents) != 1 || e.Home != "us-east-1" || !e.MayTell {
			t.Fatalf("it explains %+v", e)
		}
		return e.Incidents[0].Fault
	}
	s.verdict(presence.HostMissing, 1)
	if f := explain(); f.Phase != "gathering" || !f.At.Equal(s.now.Wall.Add(incident.DefaultGather)) {
		t.Errorf("at first: %+v", f)
	}
	s.run(3 * time.Second)
	f := explain()
	if f.Phase != "leaving" || f.Next != "is tried again" || !f.At.After(s.now.Wall) || f.Marks["sns"] != incident.Unsent || f.Notice == "" {
		t.Errorf("while the channel fails: %+v", f)
	}
	s.res = func(incident.Channel) incident.Result { return incident.Done }
	s.run(time.Minute)
	if f := explain(); f.Phase != "told" || len(f.On) != 1 || f.Next != "" {
		t.Errorf("told: %+v", f)
	}
}

func stores() func(func(beat.StoreID) bool) {
	return func(yield func(beat.StoreID) bool) {
		for c := 'a'; c <= 'z' && yield(beat.StoreID(string(c))); c++ {
		}
	}
}
