package presence_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// fleet is many stores of one region, whose questions are answered by f.
type fleet struct {
	p      *presence.Presence
	now    beat.Now
	stores int
	said   map[presence.Condition]int
	asks   int
	answer func(presence.StoreView) presence.View // nil: no answer
	outs   []presence.Out
	spent  time.Duration
}

func newFleet(stores int) *fleet {
	o := presence.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Term = "us-east-1", []beat.Region{"us-east-1", "us-west-2"}, "n1", 1
	f := &fleet{now: beat.Now{Wall: time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)}, stores: stores, said: map[presence.Condition]int{}}
	f.p = presence.New(o, f.now)
	for i := range stores {
		f.birth(i, 1)
	}
	return f
}

func (f *fleet) step(e presence.Event) {
	start := time.Now()
	f.outs = f.p.Step(f.now, e, f.outs[:0])
	f.spent += time.Since(start)
	for _, o := range append([]presence.Out(nil), f.outs...) {
		switch o := o.(type) {
		case *presence.Decided:
			if !o.Verdict.First {
				f.said[o.Verdict.Condition]++
			}
		case *presence.Ask:
			f.asks++
			f.reply(o)
		}
	}
}

func (f *fleet) reply(o *presence.Ask) {
	if f.answer == nil {
		f.step(&presence.Unanswered{ID: o.ID})
		return
	}
	a := presence.Answer{Node: "n2", Term: 1}
	for _, v := range o.Question.Stores {
		a.Stores = append(a.Stores, presence.StoreView{Store: v.Store, View: f.answer(v)})
	}
	f.step(&presence.Answered{ID: o.ID, Answer: a})
}

// until steps whatever is due by an instant.
func (f *fleet) until(at time.Duration) {
	for {
		next, ok := f.p.Next()
		if !ok || next > at {
			break
		}
		f.now = f.now.Add(max(next, f.now.Mono) - f.now.Mono)
		f.step(nil)
	}
	f.now = f.now.Add(at - f.now.Mono)
}

func (f *fleet) id(i int) beat.Identity {
	return beat.Identity{Store: beat.StoreID(fmt.Sprintf("s%05d", i)), Relay: "r1"}
}

func (f *fleet) birth(i int, epoch beat.Epoch) {
	hosts := make([]beat.HostReport, 20)
	for h := range hosts {
		hosts[h] = beat.HostReport{Host: beat.HostID(fmt.Sprintf("pos%02d", h)), State: beat.Up, Number: beat.Number(h + 1), IntervalMs: 60000}
	}
	r := report(beat.Birth, epoch, 1, f.now.Mono, hosts...)
	r.Store = f.id(i).Store
	f.step(&presence.Report{Conn: f.conn(i, epoch), Report: r})
}

func (f *fleet) conn(i int, epoch beat.Epoch) presence.Conn {
	return presence.Conn(uint64(i) + uint64(epoch)*uint64(f.stores) + 1)
}

func (f *fleet) end(i int) {
	f.step(&presence.Ended{Conn: f.conn(i, 1), ID: f.id(i), Death: beat.Death{V: beat.Wire, Incarnation: beat.Incarnation{1}, Boot: beat.Boot{1}, Epoch: 1}})
}

func (f *fleet) reports() {
	for i := range f.stores {
		r := report(beat.Steady, 1, beat.Seq(2+f.now.Mono/time.Second), f.now.Mono)
		r.Store, r.Hash = f.id(i).Store, hashOf20
		f.step(&presence.Report{Conn: f.conn(i, 1), Report: r})
	}
}

var hashOf20 = func() uint64 {
	p := beat.Picture{}
	for h := range 20 {
		p.Hosts = append(p.Hosts, beat.HostReport{Host: beat.HostID(fmt.Sprintf("pos%02d", h)), State: beat.Up, Number: beat.Number(h + 1), IntervalMs: 60000})
	}
	return p.Hash()
}()

// manyStores are a whole region's; someStores show the same over a longer time.
const manyStores, someStores = 50_000, 10_000

// settled is a fleet of many stores, a minute old.
func settled(stores int) *fleet {
	f := newFleet(stores)
	f.answer = func(presence.StoreView) presence.View { return presence.ViewLost }
	for f.now.Mono < 75*time.Second {
		f.until(f.now.Mono + 15*time.Second)
		f.reports()
	}
	f.said, f.asks, f.spent = map[presence.Condition]int{}, 0, 0
	return f
}

// 50,000 stores are lost at once: each is decided once, by few questions. What
// it costs is measured by hb-sim bench.
func TestAllStoresAreLostAtOnce(t *testing.T) {
	f := settled(manyStores)
	for i := range f.stores {
		f.end(i)
	}
	f.until(f.now.Mono + 15*time.Second)
	if f.said[presence.StoreDown] != f.stores || len(f.said) != 1 {
		t.Errorf("said %v", f.said)
	}
	if f.asks > f.stores/1_000 {
		t.Errorf("%d questions", f.asks)
	}
	t.Logf("%d stores, %d questions, %v", f.stores, f.asks, f.spent)
}

// The same while nobody answers: one word about the region.
func TestAllStoresAreLostAndNobodyAnswers(t *testing.T) {
	f := settled(someStores)
	f.answer = nil
	for i := range f.stores {
		f.end(i)
	}
	f.until(f.now.Mono + 5*time.Minute)
	if f.said[presence.RegionBlind] != 1 || f.said[presence.StoreDown] != 0 {
		t.Errorf("said %v", f.said)
	}
	t.Logf("%d stores, %d questions, %v", f.stores, f.asks, f.spent)
}

// 10,000 relays come back within 30 s, each within its own grace: no word.
func TestAllStoresComeBack(t *testing.T) {
	f := settled(someStores)
	for i := range f.stores {
		if i%(f.stores/300) == 0 {
			f.until(f.now.Mono + 100*time.Millisecond)
		}
		f.end(i)
		if j := i - f.stores/10; j >= 0 {
			f.birth(j, 2)
		}
	}
	for j := f.stores - f.stores/10; j < f.stores; j++ {
		f.birth(j, 2)
	}
	f.until(f.now.Mono + 20*time.Second)
	if len(f.said) != 0 {
		t.Errorf("said %v", f.said)
	}
	t.Logf("%d stores, %d questions, %v", f.stores, f.asks, f.spent)
}
