package incident_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
)

// What the marks of a notice say of a transition: by its id, and by its subject
// only where the regions may have made two ids of one fault.
func TestMarksAreOfOneFault(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name       string
		incident   incident.ID
		k          int
		suppressed bool
		byRelay    bool
		want       bool
	}{
		{name: "the same transition", incident: "one", k: 1, byRelay: true, want: true},
		{name: "the same one, and people were not told", incident: "one", k: 1, suppressed: true, want: true},
		{name: "it was opened again", incident: "one", k: 3, byRelay: true},
		{name: "another fault of a host, by its relay", incident: "two", k: 1, byRelay: true},
		{name: "each region made an id for one fault", incident: "two", k: 1, want: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked := incident.ToldItem{
				Incident: "one", K: 1, Kind: incident.HostMissing, Change: incident.Opened, Store: "demo", Host: "pos1", Since: at, ByRelay: tt.byRelay,
			}
			n := incident.Notice{At: at.Add(time.Minute), Suppressed: tt.suppressed, Marks: map[incident.Channel]incident.Mark{"bot": incident.Sent, "ops": incident.Unsent}}
			n.Items = []incident.Item{{Incident: tt.incident, K: tt.k, Kind: incident.HostMissing, Change: incident.Opened, Store: "demo", Host: "pos1"}}
			known := incident.KnownBy([]incident.ToldItem{asked}, []incident.Notice{n}, nil)
			if got := slices.Equal(known[0].On, []incident.Channel{"bot"}); got != tt.want {
				t.Errorf("it was told on %v", known[0].On)
			}
		})
	}
}

// Of two names of a fault that notices give, and neither of which is its own, one
// stands in any order of the notices.
func TestOneNameStandsInAnyOrder(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	named := func(id incident.ID, k int) incident.Notice {
		return incident.Notice{
			At: at.Add(time.Minute), Marks: map[incident.Channel]incident.Mark{"bot": incident.Sent},
			Items: []incident.Item{{Incident: id, K: k, Kind: incident.StoreDown, Change: incident.Opened, Store: "demo"}},
		}
	}
	asked := incident.ToldItem{Incident: "own", K: 1, Kind: incident.StoreDown, Change: incident.Opened, Store: "demo", Since: at}
	for _, n := range [][]incident.Notice{{named("a", 3), named("b", 1)}, {named("b", 1), named("a", 3)}, {named("b", 1), named("a", 1)}} {
		if k := incident.KnownBy([]incident.ToldItem{asked}, n, nil)[0]; k.Incident != "b" || k.K != 1 {
			t.Errorf("%+v: it is %s, %d", n, k.Incident, k.K)
		}
	}
	if k := incident.KnownBy([]incident.ToldItem{asked}, []incident.Notice{named("b", 3), named("b", 1)}, nil)[0]; k.K != 3 {
		t.Errorf("the greatest is %d", k.K)
	}
}

// Each region says who told people of a fault, also the one that did not.
func TestBothRegionsSayWhoToldIt(t *testing.T) {
	m := newMesh()
	for _, line := range []string{"0s relay starts demo pos1", "70s host demo/pos1 missing", "200s told host-missing open demo/pos1"} {
		w := strings.Fields(line)
		at, err := time.ParseDuration(w[0])
		if err != nil {
			t.Fatal(err)
		}
		m.run(at)
		if err := m.act(w[1:]); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range m.regions {
		e := n.book.Explain(m.now, "demo", "pos1", "")
		if len(e.Incidents) != 1 || !strings.HasPrefix(e.Incidents[0].Words(), "told ") || !strings.HasSuffix(e.Incidents[0].Words(), "by "+string(e.Home)) {
			t.Errorf("%s says %+v, want that %s told it", n.region, e.Incidents, e.Home)
		}
	}
}

// An end that its own notice tells is told where that was sent: the end of the
// subject's next fault is another one, in whatever order the notices are read.
func TestMarksOfTheNextEndAreNotItsOwn(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	end := func(id incident.ID, after time.Duration, marks map[incident.Channel]incident.Mark) incident.Notice {
		return incident.Notice{At: at.Add(after), Marks: marks, Items: []incident.Item{
			{Incident: id, K: 2, Kind: incident.HostMissing, Change: incident.Recovered, Store: "demo", Host: "pos1"},
		}}
	}
	notices := []incident.Notice{
		end("one", time.Minute, map[incident.Channel]incident.Mark{"ops": incident.Sent, "bot": incident.Unsent}),
		end("two", 2*time.Minute, map[incident.Channel]incident.Mark{"ops": incident.Sent, "bot": incident.Sent}),
	}
	asked := incident.ToldItem{Incident: "one", K: 2, Kind: incident.HostMissing, Change: incident.Recovered, Store: "demo", Host: "pos1", Since: at}
	for range 2 {
		known := incident.KnownBy([]incident.ToldItem{asked}, notices, nil)
		if !slices.Equal(known[0].On, []incident.Channel{"ops"}) || known[0].Incident != "one" {
			t.Errorf("it was told on %v as %s, want on ops alone", known[0].On, known[0].Incident)
		}
		slices.Reverse(notices)
	}
}

// A mark says nothing of an item that its notice left out: neither that the end
// was told there, nor that the fault was.
func TestAMarkDoesNotCoverWhatWasLeftOut(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	notice := func(c incident.Change, k int, left ...incident.Channel) incident.Notice {
		n := incident.Notice{At: at.Add(time.Minute), Marks: map[incident.Channel]incident.Mark{"ops": incident.Sent, "bot": incident.Sent}, Left: map[incident.Channel][]int{}}
		n.Items = []incident.Item{{Incident: "one", K: k, Kind: incident.HostMissing, Change: c, Store: "demo", Host: "pos1"}}
		for _, ch := range left {
			n.Left[ch] = []int{0}
		}
		return n
	}
	asked := incident.ToldItem{Incident: "one", K: 2, Kind: incident.HostMissing, Change: incident.Recovered, Store: "demo", Host: "pos1", Since: at}
	known := incident.KnownBy([]incident.ToldItem{asked}, []incident.Notice{
		notice(incident.Opened, 1, "bot"), notice(incident.Recovered, 2, "ops"), notice(incident.Recovered, 2, "bot", "ops"),
	}, nil)
	if k := known[0]; !slices.Equal(k.On, []incident.Channel{"bot"}) || !slices.Equal(k.Fault, []incident.Channel{"ops"}) {
		t.Errorf("the end was told on %v, the fault on %v; want bot, and ops", k.On, k.Fault)
	}
}
