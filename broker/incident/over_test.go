package incident_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// A channel that has a fault, and that the notice of its end left out, gets that
// from the node that starts.
func TestWhoWasLeftOutOfAnEndGetsItFromTheNextNode(t *testing.T) {
	d := newDesk(t)
	over := loaded("A", d.now.Wall, "sns", "bot")
	over.K, over.Open, over.EndedAt = 2, false, d.now.Wall.Add(time.Second)
	d.do(&incident.Loaded{Incidents: []incident.Incident{over}, Notices: []incident.Notice{{
		V: incident.Version, ID: "01", Region: "us-west-2", At: d.now.Wall, Rev: 3,
		Marks: map[incident.Channel]incident.Mark{"sns": incident.Sent, "bot": incident.Sent},
		Left:  map[incident.Channel][]int{"sns": {0}},
		Items: []incident.Item{{Kind: incident.HostMissing, Change: incident.Recovered, Store: over.Store, Host: "pos1", Incident: "A", K: 2, Since: d.now.Wall}},
	}}})
	d.run(time.Minute)
	if len(d.pubs) != 1 || d.pubs[0].Channel != "sns" || len(d.pubs[0].Notice.Items) != 1 {
		t.Errorf("published: %+v", d.pubs)
	}
}

// A node died as it sent a fault, and the other region gave up its own notice of
// it: the fault may have been taken, and is told with its end.
func TestAFaultThatMayHaveBeenTakenIsToldWithItsEnd(t *testing.T) {
	for _, theirs := range []string{"0", "2"} { // whichever notice is the older one
		d := newDesk(t)
		store := storeOf("us-east-1")
		notice := func(id string, by beat.Region, m incident.Mark) incident.Notice {
			n := incident.Notice{V: incident.Version, ID: id, Region: by, At: d.now.Wall, Rev: 1, Marks: map[incident.Channel]incident.Mark{"sns": m, "bot": m}}
			n.Items = []incident.Item{{Kind: incident.HostMissing, Change: incident.Opened, Store: store, Host: "pos1", Incident: "A", K: 1, Since: d.now.Wall}}
			return n
		}
		d.do(&incident.Loaded{Notices: []incident.Notice{notice("1", "us-east-1", incident.Unsent), notice(theirs, "us-west-2", incident.Cancelled)}})
		d.run(time.Minute)
		d.say(presence.Well, store, "pos1")
		d.run(time.Minute)
		told := map[incident.Change]int{}
		for _, p := range d.pubs {
			told[p.Notice.Items[0].Change]++
		}
		if told[incident.Opened] != 2 || told[incident.Recovered] != 2 {
			t.Errorf("their notice is %s: told %v", theirs, told)
		}
	}
}
