package roster_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func at(mono time.Duration) beat.Now { return beat.Now{Mono: mono, Wall: start.Add(mono)} }

func beats(id string, conn uint64, every time.Duration) *roster.Beat {
	return &roster.Beat{
		From: roster.Source{Conn: conn, Addr: netip.MustParseAddr("10.0.0.1")},
		Beat: beat.Beat{Host: beat.HostID(id), Interval: every},
	}
}

func TestARelayWatches256HostsAndNoMore(t *testing.T) {
	r := roster.New(roster.Options{})
	out := r.Step(at(0), &roster.Numbers{From: 1, To: 1024}, nil)
	for i := range beat.MaxHosts + 1 {
		out = r.Step(at(0), beats(fmt.Sprintf("host-%03d", i), 0, time.Minute), out[:0])
	}
	ig, ok := out[0].(*roster.Ignored)
	if !ok || ig.Why != roster.TooMany || !ig.Why.Refused() {
		t.Fatalf("host 257: got %v, want it refused as one too many", out[0])
	}
	if p := r.Picture(at(0)); len(p.Hosts) != beat.MaxHosts {
		t.Fatalf("picture has %d hosts, want %d", len(p.Hosts), beat.MaxHosts)
	}
	r.Step(at(0), &roster.Forget{Host: "host-007"}, nil)
	out = r.Step(at(0), beats("host-256", 0, time.Minute), nil)
	if ch, ok := out[0].(*roster.Changed); !ok || !ch.New {
		t.Fatalf("after one was retired: got %v, want the new one in", out[0])
	}
}

// A steady beat makes no work, and the beats alone move no deadline.
func TestASteadyBeatAsksForNothing(t *testing.T) {
	r := roster.New(roster.Options{})
	r.Step(at(0), &roster.Numbers{From: 1, To: 1024}, nil)
	b := beats("pos1", 1, 30*time.Second)
	r.Step(at(0), b, nil)
	version := r.Version()
	var out []roster.Out
	if n := testing.AllocsPerRun(100, func() { out = r.Step(at(time.Second), b, out[:0]) }); n != 0 || len(out) != 0 {
		t.Errorf("a steady beat: %v allocations and %d outs, want none", n, len(out))
	}
	if r.Version() != version {
		t.Error("a steady beat changed the picture's version")
	}
}

// A handle's beat counts only while it says nothing new and no deadline is due.
func TestTouchLeavesToStepWhatIsNotSteady(t *testing.T) {
	r := roster.New(roster.Options{Blip: 2 * time.Second})
	r.Step(at(0), &roster.Numbers{From: 1, To: 1024}, nil)
	r.Step(at(0), beats("pos1", 1, 30*time.Second), nil)
	h, ok := r.Handle("pos1")
	if !ok || !r.Touch(h, 30*time.Second) {
		t.Fatal("a steady host was not touched")
	}
	if r.Touch(h, 40*time.Second) {
		t.Error("touched though a deadline is to be looked at")
	}
	r.Step(at(40*time.Second), nil, nil)
	if !r.Touch(h, 40*time.Second) {
		t.Error("not touched though it lives")
	}
	r.Step(at(41*time.Second), &roster.Closed{From: roster.Source{Conn: 1}}, nil)
	if r.Touch(h, 41*time.Second) {
		t.Error("touched though its connection was lost")
	}
}

// Random lives of hosts: one Step over many deadlines equals many Steps,
// numbers follow each other, and no transition leads to where the host was.
func TestOneStepEqualsMany(t *testing.T) {
	for seed := range uint64(300) {
		few := life(t, seed, false)
		many := life(t, seed, true)
		if !reflect.DeepEqual(few, many) {
			t.Fatalf("seed %d: one Step: %d transitions, many: %d\n%v\n%v", seed, len(few), len(many), few, many)
		}
		state := map[beat.HostID]beat.HostState{}
		for i, tr := range few {
			if tr.Number != beat.Number(i+1) { //nolint:gosec // small
				t.Fatalf("seed %d: number %d follows %d", seed, tr.Number, i)
			}
			if old, known := state[tr.Host]; known && old == tr.State && tr.Reason != beat.Adopted {
				t.Fatalf("seed %d: #%d leads %s from %v to %v", seed, tr.Number, tr.Host, old, tr.State)
			}
			state[tr.Host] = tr.State
		}
	}
}

func life(t *testing.T, seed uint64, many bool) []beat.Transition {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test's schedule
	r := roster.New(roster.Options{Blip: 2 * time.Second, WarmUp: time.Minute})
	r.Step(at(0), &roster.Numbers{From: 1, To: 1 << 20}, nil)
	var log []beat.Transition
	keep := func(outs []roster.Out) {
		for _, o := range outs {
			switch o := o.(type) {
			case *roster.Changed:
				log = append(log, o.Transition)
			case *roster.Lan:
				log = append(log, o.Transition)
			case *roster.Forgot:
				log = append(log, o.Transition)
			}
		}
	}
	now := time.Duration(0)
	for range 400 {
		now += time.Duration(rng.Int64N(int64(6 * time.Second)))
		e := event(rng)
		for many {
			next, ok := r.Next()
			if !ok || next >= now {
				break
			}
			keep(r.Step(at(next), nil, nil))
		}
		keep(r.Step(at(now), e, nil))
	}
	return log
}

func event(rng *rand.Rand) roster.Event {
	id := string(rune('a' + rng.IntN(5)))
	from := roster.Source{Conn: rng.Uint64N(8), Addr: netip.MustParseAddr("10.0.0.1")}
	switch rng.IntN(13) {
	case 0:
		return &roster.Gone{From: from, Host: beat.HostID(id)}
	case 1:
		return &roster.Bye{From: from, Host: beat.HostID(id)}
	case 2:
		return &roster.Connected{From: from, Host: beat.HostID(id)}
	case 3, 4:
		return &roster.Closed{From: from, Clean: rng.IntN(3) == 0}
	case 5:
		return &roster.Forget{Host: beat.HostID(id)}
	case 6:
		return &roster.Carrier{Up: rng.IntN(2) == 0}
	default:
		b := beats(id, from.Conn, time.Duration(1+rng.IntN(3))*5*time.Second)
		b.Beat.Status = beat.Status(rng.IntN(3)) //nolint:gosec // three statuses
		return b
	}
}

// BenchmarkTouch is the deadline of a million hosts: 50,000 stores in random
// order, 20 hosts each.
func BenchmarkTouch(b *testing.B) {
	const stores, perStore = 50_000, 20
	rosters := make([]*roster.Roster, stores)
	for s := range rosters {
		r := roster.New(roster.Options{})
		r.Step(at(0), &roster.Numbers{From: 1, To: 1024}, nil)
		for h := range perStore {
			r.Step(at(0), beats(fmt.Sprintf("pos%d", h), 1, 12*time.Hour), nil)
		}
		rosters[s] = r
	}
	order := rand.New(rand.NewPCG(1, 2)).Perm(stores) //nolint:gosec // a benchmark's order
	now := time.Duration(0)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		now++
		for _, s := range order {
			r := rosters[s]
			for h := range perStore {
				if !r.Touch(h, now) {
					b.Fatal("not steady")
				}
			}
			if n += perStore; n >= b.N {
				break
			}
		}
	}
}

// BenchmarkStepBeat is the whole way of a steady beat, its host looked up.
func BenchmarkStepBeat(b *testing.B) {
	r := roster.New(roster.Options{})
	r.Step(at(0), &roster.Numbers{From: 1, To: 1024}, nil)
	events := make([]*roster.Beat, 60)
	for i := range events {
		events[i] = beats(fmt.Sprintf("pos%d", i), 1, 12*time.Hour)
		r.Step(at(0), events[i], nil)
	}
	var out []roster.Out
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		out = r.Step(at(time.Duration(n)), events[n%len(events)], out[:0])
	}
}
