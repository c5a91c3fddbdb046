package presence_test

import (
	"slices"
	"testing"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// What the other region asks or forwards of a store or host that nobody knows
// here is set aside: it is counted, and it makes neither known. What is said
// beside it counts.
func TestWordsOfUnknownSubjectsAreSetAside(t *testing.T) {
	strangers := []presence.Subject{{Store: "nowhere"}, {Store: "nowhere", Host: "pos1"}, {Store: "demo", Host: "pos9"}}
	question := presence.Question{From: "us-west-2", Node: "n2", Term: 1, Stores: []presence.StoreView{{Store: "demo", View: presence.ViewLost}}}
	verdicts := []presence.Verdict{{Region: "us-west-2", Condition: presence.RegionPath}}
	for _, s := range strangers {
		if s.Host == "" {
			question.Stores = append(question.Stores, presence.StoreView{Store: s.Store, View: presence.ViewLost})
			verdicts = append(verdicts, presence.Verdict{Store: s.Store, Condition: presence.StoreDown})
		} else {
			question.Hosts = append(question.Hosts, presence.HostView{Store: s.Store, Host: s.Host, View: presence.ViewLost})
			verdicts = append(verdicts, presence.Verdict{Store: s.Store, Host: s.Host, Condition: presence.HostMissing})
		}
	}
	for name, event := range map[string]presence.Event{
		"a question": &presence.Asked{Question: question}, "a forward": &presence.Forwarded{Verdicts: verdicts},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "us-east-1", "us-west-2")
			w.birth(1, 7, beat.HostReport{Host: "pos1", State: beat.Up, Number: 1, IntervalMs: 5000})
			before := everything(t, w.p, w.now)
			var aside []presence.Subject
			var reply *presence.Reply
			for _, o := range w.do(event) {
				switch o := o.(type) {
				case *presence.SetAside:
					aside = append(aside, o.Subject)
				case *presence.Reply:
					reply = o
				}
			}
			if !slices.Equal(aside, strangers) {
				t.Errorf("%v were set aside, want %v", aside, strangers)
			}
			if _, asks := event.(*presence.Asked); asks && (len(reply.Answer.Stores) != 2 || reply.Answer.Stores[0].View != presence.ViewOpen || reply.Answer.Stores[1].View != presence.ViewNever) {
				t.Errorf("the answer is %+v", reply)
			} else if asks {
				return // a question is noted of the store that is known
			}
			if everything(t, w.p, w.now) != before {
				t.Error("it changed what is known")
			}
		})
	}
}
