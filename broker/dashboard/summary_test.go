package dashboard_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/dashboard"
)

func TestTheHeadlineSaysInWordsWhetherAllIsWell(t *testing.T) {
	up := dashboard.Store{State: "up", Hosts: dashboard.Counts{Up: 8}}
	with := func(state string, hosts dashboard.Counts) dashboard.Store {
		return dashboard.Store{State: state, Hosts: hosts}
	}
	onePath := up
	onePath.Paths = []dashboard.Path{{Region: "us-east-1", View: "open"}, {Region: "us-west-2", View: "lost"}}
	closed := dashboard.Store{State: "up", Hosts: dashboard.Counts{Missing: 8}, Closed: true}
	worked := dashboard.Store{State: "down", Hosts: dashboard.Counts{Covered: 8}, Maintenance: time.Unix(1, 0)}
	cut := dashboard.Region{Region: "us-west-2", State: dashboard.RegionReady, Link: &dashboard.Health{Since: time.Unix(1, 0)}}
	gone := dashboard.Region{Region: "us-west-2", State: dashboard.RegionUnreachable, Link: &dashboard.Health{}}
	self := dashboard.Region{Region: "us-east-1", Self: true, State: dashboard.RegionReady}
	settling := dashboard.Region{Region: "us-east-1", Self: true, State: dashboard.RegionSettling, Table: &dashboard.Health{}}
	many := make([]dashboard.Store, 1250)
	for i := range many {
		many[i] = up
	}
	for _, c := range []struct {
		stores  []dashboard.Store
		regions []dashboard.Region
		level   dashboard.Level
		want    string
	}{
		{nil, nil, dashboard.Warn, "No store has reported yet"},
		{[]dashboard.Store{up}, []dashboard.Region{self}, dashboard.Well, "1 store up · 8 hosts up"},
		{[]dashboard.Store{with("direct", dashboard.Counts{Up: 1})}, nil, dashboard.Well, "1 store up · 1 host up"},
		{[]dashboard.Store{with("up", dashboard.Counts{})}, nil, dashboard.Well, "1 store up · no hosts up"},
		{many, nil, dashboard.Well, "All 1,250 stores up · 10,000 hosts up"},
		{[]dashboard.Store{up, with("stopped", dashboard.Counts{Stopped: 3})}, nil, dashboard.Well, "1 store up, 1 stopped · 8 hosts up, 3 stopped"},
		{[]dashboard.Store{with("down", dashboard.Counts{Covered: 8}), with("up", dashboard.Counts{Missing: 2})}, nil, dashboard.Bad, "1 store down, 2 hosts missing"},
		{[]dashboard.Store{with("relay-dead", dashboard.Counts{Up: 1}), with("up", dashboard.Counts{Failing: 1})}, nil, dashboard.Bad, "1 relay dead, 1 host failing"},
		{[]dashboard.Store{up, with("degraded", dashboard.Counts{Up: 1})}, nil, dashboard.Warn, "Nothing known to be down · 1 store reaches one region only"},
		{[]dashboard.Store{up, closed, worked}, nil, dashboard.Well, "1 store up, 2 closed · 8 hosts up"},
		{[]dashboard.Store{closed}, nil, dashboard.Well, "1 store, and it is closed"},
		{[]dashboard.Store{closed, with("up", dashboard.Counts{Missing: 1})}, nil, dashboard.Bad, "1 host missing"},
		{[]dashboard.Store{up, onePath}, nil, dashboard.Warn, "Nothing known to be down · 1 store reaches one region only"},
		{[]dashboard.Store{with("suspect", dashboard.Counts{}), with("unknown", dashboard.Counts{})}, nil, dashboard.Warn, "Nothing known to be down · 1 store being checked, 1 store unknown"},
		{[]dashboard.Store{up, up}, []dashboard.Region{self, cut}, dashboard.Warn, "All 2 stores up · 16 hosts up, but the link to us-west-2 is cut"},
		{[]dashboard.Store{up}, []dashboard.Region{self, gone}, dashboard.Warn, "1 store up · 8 hosts up, but us-west-2 does not answer"},
		{[]dashboard.Store{with("down", dashboard.Counts{Covered: 8})}, []dashboard.Region{self, gone}, dashboard.Bad, "1 store down, and us-west-2 does not answer"},
		{[]dashboard.Store{up}, []dashboard.Region{settling}, dashboard.Warn, "1 store up · 8 hosts up, but us-east-1 is settling and judges nothing yet (and 1 more)"},
	} {
		got := dashboard.Summarize(dashboard.Overview{Regions: c.regions}, c.stores)
		if got.Headline != c.want || got.Level != c.level {
			t.Errorf("got %s %q, want %s %q", got.Level, got.Headline, c.level, c.want)
		}
	}
}
