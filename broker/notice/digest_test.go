package notice_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// The events of a storm of 2,000 stores name each of them, lost and back.
func TestADigestNamesEveryStore(t *testing.T) {
	o := incident.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Term, o.Channels = "us-east-1", []beat.Region{"us-east-1"}, "n", 1, []incident.Channel{"sns"}
	s := storm{t: t, book: incident.New(o), now: beat.Now{Wall: at}}
	for _, c := range []presence.Condition{presence.StoreDown, presence.Well} {
		s.named = map[beat.StoreID]int{}
		for i := range 2000 {
			s.do(&incident.Decided{Verdict: presence.Verdict{
				Store: beat.StoreID(fmt.Sprintf("store-%05d", i)), Condition: c, Cause: presence.Cause{Number: uint64(c)},
				At: s.now.Wall, Since: s.now.Wall, SeenFrom: o.Regions,
			}})
		}
		for next, ok := s.book.Next(); ok && len(s.named) < 2000; next, ok = s.book.Next() {
			s.now.Wall, s.now.Mono = s.now.Wall.Add(next-s.now.Mono), next
			s.do(nil)
		}
		for store, n := range s.named {
			if n != 1 {
				t.Errorf("%v: %s is named %d times", c, store, n)
			}
		}
		if len(s.named) != 2000 || s.more > 0 {
			t.Errorf("%v: %d stores are named, %d counted", c, len(s.named), s.more)
		}
	}
}

// storm is a book whose table and channel always answer, and what it sent.
type storm struct {
	t     *testing.T
	book  *incident.Book
	now   beat.Now
	named map[beat.StoreID]int
	more  int
}

func (s *storm) do(e incident.Event) {
	for _, out := range s.book.Step(s.now, e, nil) {
		switch out := out.(type) {
		case *incident.Write:
			s.do(&incident.Wrote{Op: out.Op, Result: incident.Done})
		case *incident.Publish:
			var e notice.Event
			if err := json.Unmarshal(render(s.t, out.Notice).Event, &e); err != nil {
				s.t.Fatal(err)
			}
			s.more += e.Data.More
			for _, it := range e.Data.Items {
				s.named[it.Store]++
			}
			s.do(&incident.Published{Op: out.Op, Result: incident.Done})
		}
	}
}
