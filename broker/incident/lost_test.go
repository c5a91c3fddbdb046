package incident_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// BenchmarkFiftyThousandLost loses 50,000 stores at once, and brings them back:
// all that a book does until people know of both.
func BenchmarkFiftyThousandLost(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		if n := loseAndFind(b, 50_000); n > 40 {
			b.Fatalf("%d messages", n)
		}
	}
}

// BenchmarkFlipsThatTheOtherRegionTells is one picture of 256 hosts that all
// changed, of a store whose home is the other region. One operation costs the
// same whether 100 or 10,000 went before.
func BenchmarkFlipsThatTheOtherRegionTells(b *testing.B) {
	o := incident.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Term, o.Channels = "us-east-1", []beat.Region{"us-east-1", "us-west-2"}, "n", 1, []incident.Channel{"sns"}
	store := beat.StoreID("demo")
	for i := 0; presence.Home(store, o.Regions) == o.Region; i++ {
		store = beat.StoreID(fmt.Sprintf("demo-%d", i))
	}
	book, now := incident.New(o), beat.Now{Wall: time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)}
	number, out := uint64(0), []incident.Out(nil)
	for b.Loop() {
		condition := presence.HostMissing
		if number%2 == 1 {
			condition = presence.Well
		}
		number++
		for h := range 256 {
			now = now.Add(50 * time.Microsecond)
			out = book.Step(now, &incident.Decided{Verdict: presence.Verdict{
				Store: store, Host: beat.HostID(fmt.Sprintf("pos%d", h)), Condition: condition, Cause: presence.Cause{Number: number},
				At: now.Wall, Since: now.Wall, SeenFrom: o.Regions[:1],
			}}, out[:0])
		}
	}
}

// Fifty thousand stores lost at once are at most 20 messages in the first five
// minutes, each store in exactly one.
func TestAWholeCellIsTwentyMessages(t *testing.T) {
	if n := loseAndFind(t, 50_000); n > 40 {
		t.Errorf("%d messages of faults and recoveries", n)
	}
}

// Two thousand stores lost at once, and back, are at most 8 messages each time,
// and none is so long that its event cannot name all of its stores.
func TestTwoThousandStoresAreAllNamed(t *testing.T) {
	m := loseAndReturn(t, 2000)
	if m.messages > 16 || m.longest > incident.MaxEvent {
		t.Errorf("%d messages of faults and recoveries, the longest of %d bytes; want 16 and %d at most", m.messages, m.longest, incident.MaxEvent)
	}
}

func loseAndFind(t testing.TB, k int) (messages int) { return loseAndReturn(t, k).messages }

func loseAndReturn(t testing.TB, k int) *mass {
	o := incident.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Term, o.Channels = "us-east-1", []beat.Region{"us-east-1"}, "n", 1, []incident.Channel{"sns"}
	m := &mass{t: t, b: incident.New(o), now: beat.Now{Wall: time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)}, times: make(map[incident.ID]int, k)}
	for _, c := range []presence.Condition{presence.StoreDown, presence.Well} {
		for i := range k {
			m.do(&incident.Decided{Verdict: presence.Verdict{
				Store: beat.StoreID(fmt.Sprintf("store-%05d", i)), Condition: c, Cause: presence.Cause{Number: uint64(c)},
				At: m.now.Wall, Since: m.now.Wall, SeenFrom: o.Regions,
			}})
		}
		m.run(5 * time.Minute)
	}
	if len(m.times) != k {
		t.Fatalf("%d incidents were told", len(m.times))
	}
	for id, n := range m.times {
		if n != 2 {
			t.Fatalf("%s was told %d times", id, n)
		}
	}
	m.run(3 * time.Hour)
	if open, hushed, outbox := m.b.Counts(); open+hushed+outbox+len(m.b.Incidents(false)) > 0 {
		t.Fatalf("the book keeps %d open, %d hushed, %d notices, %d incidents", open, hushed, outbox, len(m.b.Incidents(false)))
	}
	return m
}

// mass is the book of a region whose table and channel always answer.
type mass struct {
	t        testing.TB
	b        *incident.Book
	now      beat.Now
	messages int
	longest  int // of the messages, in bytes of their items
	times    map[incident.ID]int
	out      []incident.Out
}

func (m *mass) do(e incident.Event) {
	out := m.b.Step(m.now, e, m.out[:0])
	m.out = nil
	for _, o := range out {
		switch o := o.(type) {
		case *incident.Write:
			m.do(&incident.Wrote{Op: o.Op, Result: incident.Done})
		case *incident.Publish:
			m.messages++
			size := 0
			for i := range o.Notice.Items {
				size += o.Notice.Items[i].Quoted()
				m.times[o.Notice.Items[i].Incident]++
			}
			m.longest = max(m.longest, size)
			m.do(&incident.Published{Op: o.Op, Result: incident.Done})
		}
	}
	m.out = out
}

func (m *mass) run(d time.Duration) {
	end := m.now.Mono + d
	for {
		at, ok := m.b.Next()
		if !ok || at > end {
			break
		}
		m.now.Wall, m.now.Mono = m.now.Wall.Add(at-m.now.Mono), at
		m.do(nil)
	}
	m.now.Wall, m.now.Mono = m.now.Wall.Add(end-m.now.Mono), end
}
