package torture

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

type roughTold struct {
	at   time.Duration
	ch   incident.Channel
	it   incident.Item
	one  bool
	node int
}

func rough(w *world, seed uint64, say func(string, ...any)) (told []roughTold, bad string) {
	w.reset(seed)
	w.truth.onTold = func(region int, ch incident.Channel, n *incident.Notice) {
		for _, it := range n.Items {
			told = append(told, roughTold{w.now, ch, it, n.OneSided, region})
		}
	}
	for _, p := range w.processes {
		w.at(w.rng.between(0, time.Second), p.start)
	}
	n := 1 + w.rng.below(5)
	type iv struct{ a, b time.Duration }
	storeOut := map[beat.StoreID][]iv{}
	hostOut := map[string][]iv{}
	for i := range n {
		s := w.addStore(beat.StoreID(fmt.Sprintf("s%d", i+1)), true, 1+w.rng.below(4))
		w.at(w.rng.between(0, time.Second), s.relay.start)
		for _, t := range s.tills {
			w.at(w.rng.between(2*time.Second, 4*time.Second), t.start)
		}
	}
	end := 300 * time.Second
	linkCut := false
	for range 1 + w.rng.below(4) {
		at := 80*time.Second + w.rng.between(0, 100*time.Second)
		dur := w.rng.between(time.Second, 90*time.Second)
		s := w.stores[w.rng.below(n)]
		g := w.rng.below(2)
		back := at + dur
		switch k := w.rng.below(13); k {
		case 0, 1:
			kill := k == 0
			storeOut[s.id] = append(storeOut[s.id], iv{at, back})
			w.at(at, func() { say("FAULT relay %s stops kill=%v", s.id, kill); s.relay.stop(kill) })
			w.at(back, func() {
				say("FAULT relay %s starts", s.id)
				if !s.relay.up {
					s.relay.start()
				}
			})
		case 2, 3:
			t := s.tills[w.rng.below(len(s.tills))]
			hostOut[string(s.id)+"/"+string(t.id)] = append(hostOut[string(s.id)+"/"+string(t.id)], iv{at, back})
			crash := k == 2
			w.at(at, func() { say("FAULT host %s/%s dies crash=%v", s.id, t.id, crash); t.die(crash) })
			w.at(back, func() {
				if !t.alive {
					say("FAULT host %s/%s returns", s.id, t.id)
					t.start()
				}
			})
		case 4:
			w.at(at, func() { say("FAULT path %s %d cut", s.id, g); s.relay.paths[g].cut = [2]bool{true, true} })
			w.at(back, func() { say("FAULT path %s %d heals", s.id, g); s.relay.paths[g].heal() })
		case 5:
			w.at(at, func() { say("FAULT path %s %d reset", s.id, g); s.relay.paths[g].reset() })
		case 6, 7:
			p := w.processes[w.rng.below(4)]
			quiet := k == 6
			w.at(at, func() { say("FAULT node %s killed quiet=%v", p.name, quiet); p.end(quiet) })
			w.at(back, func() {
				if !p.up {
					p.start()
				}
			})
		case 8:
			p := w.processes[w.rng.below(4)]
			w.at(at, func() { say("FAULT node %s stalls %v", p.name, dur); p.stall(dur) })
		case 9:
			linkCut = true
			w.at(at, func() { say("FAULT bridge cut"); w.bridge.cut = [2]bool{true, true} })
			w.at(back, func() { say("FAULT bridge heals"); w.bridge.cut = [2]bool{} })
		case 10:
			w.at(at, func() { say("FAULT table %d refuses", g); w.tables.ailing[g].refuse = true })
			w.at(back, func() { say("FAULT table %d heals", g); w.tables.ailing[g] = ailment{} })
		case 11:
			w.at(at, func() { say("FAULT replication %d cut", g); w.tables.carriage[g].cut = true })
			w.at(back, func() { say("FAULT replication %d heals", g); w.tables.heal(g) })
		case 12:
			p := w.processes[w.rng.below(4)]
			w.at(at, func() { say("FAULT node %s drains", p.name); p.drain() })
			w.at(back, func() {
				if !p.up {
					p.start()
				}
			})
		}
	}
	w.run(end + 300*time.Second)
	if w.failure != nil {
		return told, w.failure.What
	}
	open := map[string]int{}
	for _, x := range told {
		sub := string(x.it.Store)
		outs := storeOut[x.it.Store]
		if x.it.Host != "" {
			sub += "/" + string(x.it.Host)
			outs = append(outs, hostOut[sub]...)
		}
		key := sub + " on " + string(x.ch) + " " + string(x.it.Incident)
		switch x.it.Change {
		case incident.Opened:
			ok := x.one && linkCut
			for _, o := range outs {
				ok = ok || o.a <= x.at && x.at <= o.b+30*time.Second
			}
			if !ok {
				bad = fmt.Sprintf("false: %s at %v", key, x.at)
			}
			open[key]++
		case incident.Recovered:
			if open[key] == 0 {
				bad = fmt.Sprintf("recovery without fault: %s at %v", key, x.at)
			}
			open[key] = 0
		}
	}
	for k, v := range open {
		if v > 0 {
			bad = "no recovery: " + k
		}
	}
	for h, outs := range hostOut {
		for _, o := range outs {
			if o.b-o.a > 75*time.Second && len(storeOut) == 0 {
				found := 0
				for _, x := range told {
					if string(x.it.Store)+"/"+string(x.it.Host) == h {
						found++
					}
				}
				if found == 0 {
					bad = "not told: " + h
				}
			}
		}
	}
	return told, bad
}

func TestRough(t *testing.T) {
	w := newWorld()
	n, from := 300, uint64(1)
	if s := os.Getenv("ROUGH"); s != "" {
		from, _ = strconv.ParseUint(s, 10, 64)
		n = 1
		w.tracing = true
		w.trace = func(l string) {
			if len(l) > 400 {
				l = l[:400]
			}
			fmt.Println(l)
		}
	}
	if s := os.Getenv("ROUGHN"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	total := 0
	for i := range n {
		told, bad := rough(w, from+uint64(i), w.tracef)
		total += len(told)
		if bad != "" {
			t.Logf("seed %d: %s", from+uint64(i), bad)
		}
	}
	t.Logf("%d told", total)
}
