package node_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// However many stores are lost at once, the first message leaves within grace,
// gather and 3 s of the loss; there are at most 8 in the first five minutes; and
// each store is in exactly one fault's message, and in one of its end. The
// instants are those of the nodes, in virtual time: a busy machine changes none.
func TestAStormIsToldSoonAndInFewMessages(t *testing.T) {
	o := incident.DefaultOptions()
	const grace = 10 * time.Second
	for _, k := range []int{1, 3, 20, 2000} {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			w := newTown(t)
			e, v := w.start(east, "e1"), w.start(west, "w1")
			shops := make([]*shop, max(k, 100))
			for i := range shops {
				shops[i] = w.shop(beat.StoreID(fmt.Sprintf("s%04d", i)), e, v)
			}
			w.run(150*time.Second, shops...)
			w.want()
			for _, s := range shops[:k] {
				s.leave()
			}
			lost := w.now
			w.run(5*time.Minute, shops[k:]...)
			w.storm(k, lost, grace+o.Gather+3*time.Second, incident.Opened)
			back := w.now
			w.run(5*time.Minute, shops...)
			// A relay of these comes back with its next report.
			w.storm(k, back, 15*time.Second+o.Gather+3*time.Second, incident.Recovered)
		})
	}
}

// storm holds the messages since an instant to what one fault may make.
func (w *town) storm(k int, since, first time.Duration, change incident.Change) {
	w.t.Helper()
	told := map[beat.StoreID]int{}
	for _, s := range w.sent {
		for _, i := range s.notice.Items {
			if i.Change != change || i.Kind != incident.StoreDown {
				w.t.Errorf("%v: a message of %s %s", s.at, i.Kind, i.Change)
			}
			told[i.Store]++
		}
	}
	if len(w.sent) == 0 || w.sent[0].at > since+first {
		w.t.Fatalf("%d messages; the first is to leave within %v of %v", len(w.sent), first, since)
	}
	w.t.Logf("%d stores, %s: %d messages, the first after %v, the last after %v", k, change, len(w.sent), w.sent[0].at-since, w.sent[len(w.sent)-1].at-since)
	if len(w.sent) > 8 {
		w.t.Errorf("%d messages in five minutes, want at most 8", len(w.sent))
	}
	if len(told) != k {
		w.t.Errorf("%d stores are told, want %d", len(told), k)
	}
	for store, n := range told {
		if n != 1 {
			w.t.Errorf("%s is in %d messages", store, n)
		}
	}
	w.sent, w.told = nil, nil
}
