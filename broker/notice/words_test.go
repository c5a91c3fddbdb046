package notice_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/notice"
)

// One line of what happened has a title's words, and names its subject in full.
func TestSays(t *testing.T) {
	for _, c := range []struct {
		i      incident.Incident
		change incident.Change
		want   string
	}{
		{incident.Incident{Kind: incident.HostMissing, Store: "demo", Host: "pos3"}, incident.Opened, "Hosts missing [demo/pos3]"},
		{incident.Incident{Kind: incident.HostMissing, Store: "demo", Host: "pos3", Ended: incident.Stopped}, incident.Recovered, "Hosts stopped [demo/pos3]"},
		{incident.Incident{Kind: incident.RegionDown, Region: "us-west-2"}, incident.Recovered, "Region back [us-west-2]"},
		{incident.Incident{Kind: incident.RelayDead, ToldAs: incident.StoreDown, Store: "demo"}, incident.Recovered, "Store up [demo]"},
		{incident.Incident{Kind: incident.RelayDead, Store: "demo"}, incident.Changed, "Relay dead [demo], open before"},
	} {
		if got := notice.Says(&c.i, c.change); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// A LAN and a region say what they are, since when, and then what it means; their
// end says what they were.
func TestWordsOfALanAndARegion(t *testing.T) {
	for _, c := range []struct {
		kind       incident.Kind
		open, over string
	}{
		{incident.StoreLan, "without its LAN since %s: the relay lives, and its hosts vanished together.", "back after 4 min 12 s, was without its LAN since %s."},
		{incident.RegionDown, "down since %s: it does not answer, and no relay reaches it.", "back after 4 min 12 s, was down since %s."},
		{incident.RegionPath, "not reached by many stores since %s: the other region sees them. Look at its certificate, DNS and network.", "back after 4 min 12 s, was not reached by many stores since %s."},
		{incident.RegionBlind, "blind since %s: it sees neither many of its stores nor the other region.", "back after 4 min 12 s, was blind since %s."},
		{incident.Conflict, "two live relays have one identity since %s.", "one relay again after 4 min 12 s, was two relays with one identity since %s."},
		{"store-roof", "since %s.", "back after 4 min 12 s, was in trouble since %s."},
	} {
		for change, want := range map[incident.Change]string{incident.Opened: c.open, incident.Recovered: c.over} {
			it := item(c.kind, change, "demo", "")
			if strings.HasPrefix(string(c.kind), "region") {
				it.Store, it.Region = "", "us-west-2"
			}
			want = fmt.Sprintf(want, "Mon 2025-11-24 03:12:09 EST")
			if text := render(t, of(it)).Text; !strings.Contains(text, ": "+want+"\n") && !strings.Contains(text, "]: "+want+"\n") {
				t.Errorf("%s %s:\n%s\nlacks %q", c.kind, change, text, want)
			}
		}
	}
}
