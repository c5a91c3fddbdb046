package presence_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// restarted is a fleet whose node starts again: the table remembers its stores
// as open, and none has come back.
func restarted(stores int) *fleet {
	f := newFleet(stores)
	var loaded presence.Loaded
	for i := range stores {
		doc := []byte(`{"v":1,"relay":"r1","incarnation":"01000000000000000000000000000000","boot":"01000000000000000000000000000000","epoch":1,"view":"open"}`)
		loaded.Stores = append(loaded.Stores, presence.StoreItem{Region: "us-east-1", Store: f.id(i).Store, Doc: doc})
	}
	o := presence.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Term = "us-east-1", []beat.Region{"us-east-1", "us-west-2"}, "n2", 2
	f.p, f.now, f.said = presence.New(o, beat.Now{Wall: f.now.Wall}), beat.Now{Wall: f.now.Wall}, map[presence.Condition]int{}
	f.answer = func(presence.StoreView) presence.View { return presence.ViewOpen }
	f.step(&loaded)
	return f
}

// settles is when the node has settled, while so many stores come back in each
// second until an instant.
func (f *fleet) settles(perSecond int, until time.Duration) time.Duration {
	next := 0
	for !f.p.Settled() && f.now.Mono < time.Hour {
		f.until(f.now.Mono + time.Second)
		for range perSecond {
			if f.now.Mono < until && next < f.stores {
				f.birth(next, 2)
				next++
			}
		}
	}
	return f.now.Mono
}

// Settling ends when under one of a thousand of the expected stores came back
// in the last 15 s; not before a minute, and after ten at the latest (P6).
func TestSettlingEndsWhenNobodyComesBack(t *testing.T) {
	for _, c := range []struct {
		name      string
		stores    int
		perSecond int
		until     time.Duration
		want      time.Duration
	}{
		{"nobody comes back", 5_000, 0, 0, 60 * time.Second},
		{"all come back at once", 5_000, 5_000, 2 * time.Second, 60 * time.Second},
		{"they come back for two minutes", 5_000, 10, 2 * time.Minute, 134 * time.Second},
		{"they come back for ever", 5_000, 5, time.Hour, 10 * time.Minute},
		{"a small fleet: every one counts", 100, 1, 80 * time.Second, 94 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := restarted(c.stores)
			if got := f.settles(c.perSecond, c.until); got < c.want || got > c.want+2*time.Second {
				t.Errorf("settled after %v, want %v", got, c.want)
			}
		})
	}
}

// Until then the first question about a store that is not back is answered
// "settling", and open for one that is.
func TestANodeThatSettlesSaysSo(t *testing.T) {
	f := restarted(2)
	f.birth(0, 2)
	q := presence.Question{From: "us-west-2", Node: "w", Term: 1, Stores: []presence.StoreView{{Store: f.id(0).Store, View: presence.ViewLost}, {Store: f.id(1).Store, View: presence.ViewLost}}}
	f.step(&presence.Asked{Question: q})
	reply, ok := find[*presence.Reply](f.outs)
	if !ok || !reply.Answer.Settles || reply.Answer.Stores[0].View != presence.ViewOpen || reply.Answer.Stores[1].View != presence.ViewSettling {
		t.Fatalf("%+v", reply)
	}
}
