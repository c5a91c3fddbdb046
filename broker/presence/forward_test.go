package presence_test

import (
	"testing"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// A loss of the other region that came late is answered: the session here is
// later than any that it is about.
func TestAnOlderLossIsAnswered(t *testing.T) {
	for _, c := range []struct {
		name  string
		cause presence.Cause
		want  bool
	}{
		{"the session is later", presence.Cause{Incarnation: beat.Incarnation{1}, Number: 6}, true},
		{"the session is the one that is lost there", presence.Cause{Incarnation: beat.Incarnation{1}, Number: 7}, false},
		{"the session is earlier", presence.Cause{Incarnation: beat.Incarnation{1}, Number: 8}, false},
		{"the epochs do not compare", presence.Cause{Incarnation: beat.Incarnation{2}, Number: 6}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "us-east-1")
			w.birth(1, 7)
			outs := w.do(&presence.Forwarded{Verdicts: []presence.Verdict{{Store: "demo", Condition: presence.StoreDown, Cause: c.cause}}})
			v, answers := verdict(outs, presence.Well)
			if answers != c.want || v.First {
				t.Fatalf("answers %v, got %v", answers, outs)
			}
		})
	}
}
