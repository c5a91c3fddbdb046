package torture

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

func smoke(w *world, seed uint64) {
	w.reset(seed)
	for _, p := range w.processes {
		w.at(w.rng.between(0, time.Second), p.start)
	}
	for i := range 3 {
		s := w.addStore(beat.StoreID([]string{"s1", "s2", "s3"}[i]), true, 3)
		w.at(w.rng.between(0, time.Second), s.relay.start)
		for _, t := range s.tills {
			w.at(w.rng.between(2*time.Second, 4*time.Second), t.start)
		}
	}
	w.at(100*time.Second, func() { w.stores[0].relay.stop(true) })
	w.at(200*time.Second, func() { w.stores[0].relay.start() })
	w.at(150*time.Second, func() { w.stores[1].tills[0].die(true) })
	w.run(300 * time.Second)
}

func TestSmoke(t *testing.T) {
	w := newWorld()
	w.tracing = true
	w.trace = func(l string) {
		if len(l) > 300 {
			l = l[:300]
		}
		t.Log(l)
	}
	smoke(w, 1)
	t.Logf("%d events, %d steps", w.events, w.steps)
	if w.failure != nil {
		t.Fatal(w.failure)
	}
}

func BenchmarkSmoke(b *testing.B) {
	w := newWorld()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		smoke(w, uint64(i))
	}
	b.ReportMetric(float64(w.events), "events")
	b.ReportMetric(float64(w.steps), "steps")
}
