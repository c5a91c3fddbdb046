package presence_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// world is one region's presence in virtual time, alone or as one of two.
type world struct {
	t   *testing.T
	p   *presence.Presence
	now beat.Now
	out []presence.Out
}

func newWorld(t *testing.T, regions ...beat.Region) *world {
	t.Helper()
	o := presence.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Term = regions[0], regions, "n1", 1
	now := beat.Now{Wall: time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)}
	w := &world{t: t, p: presence.New(o, now), now: now}
	w.at(61 * time.Second) // settled
	return w
}

func (w *world) at(mono time.Duration) {
	w.now = w.now.Add(mono - w.now.Mono)
	w.do(nil)
}

func (w *world) do(e presence.Event) []presence.Out {
	w.out = w.p.Step(w.now, e, nil)
	return w.out
}

func report(kind beat.Kind, epoch beat.Epoch, seq beat.Seq, mono time.Duration, hosts ...beat.HostReport) *beat.Report {
	p := &beat.Picture{Hosts: hosts}
	r := &beat.Report{
		V: beat.Wire, Kind: kind, Store: "demo", Relay: "r1", Incarnation: beat.Incarnation{1}, Boot: beat.Boot{1},
		Epoch: epoch, Seq: seq, MonoMs: uint64(mono.Milliseconds()), ReportEveryMs: 15000, KeepaliveMs: 20000, Hash: p.Hash(),
	}
	if kind == beat.Birth || len(hosts) > 0 {
		r.Picture = p
	}
	return r
}

func (w *world) birth(conn presence.Conn, epoch beat.Epoch, hosts ...beat.HostReport) []presence.Out {
	return w.do(&presence.Report{Conn: conn, Report: report(beat.Birth, epoch, 1, w.now.Mono, hosts...)})
}

func (w *world) state() presence.State {
	var s presence.State
	w.p.Each(w.now, func(st presence.StoreStatus) {
		if st.Store == "demo" {
			s = st.State
		}
	})
	return s
}

func (w *world) want(s presence.State) {
	w.t.Helper()
	if got := w.state(); got != s {
		w.t.Fatalf("the store is %v, want %v", got, s)
	}
}

func find[T presence.Out](outs []presence.Out) (found T, ok bool) {
	for _, o := range outs {
		if t, is := o.(T); is {
			return t, true
		}
	}
	return found, false
}

func ended(conn presence.Conn, epoch beat.Epoch) *presence.Ended {
	return &presence.Ended{Conn: conn, ID: beat.Identity{Store: "demo", Relay: "r1"}, Death: beat.Death{
		V: beat.Wire, Incarnation: beat.Incarnation{1}, Boot: beat.Boot{1}, Epoch: epoch,
	}}
}

// A late will of an older session changes nothing (P1).
func TestLateEndIsStale(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.birth(1, 7)
	w.birth(2, 8)
	if r, ok := find[*presence.Refused](w.do(ended(1, 7))); !ok || r.Reason != presence.StaleEnd {
		t.Fatalf("a stale end was not refused: %v", w.out)
	}
	w.want(presence.Up)
	w.do(ended(2, 8))
	w.want(presence.Suspect)
}

// A birth at or below the known epoch is answered with a rebirth above it, and
// changes nothing; the same birth again is a duplicate (P2).
func TestOldBirthIsReborn(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.birth(1, 7)
	if r, ok := find[*presence.Refused](w.birth(1, 7)); !ok || r.Reason != presence.Duplicate {
		t.Fatalf("a duplicate was not seen: %v", w.out)
	}
	r, ok := find[*presence.Rebirth](w.birth(2, 5))
	if !ok || r.Exceed != 7 || r.Conn != 2 {
		t.Fatalf("want a rebirth above 7, got %v", w.out)
	}
	w.do(&presence.Report{Conn: 1, Report: report(beat.Steady, 7, 2, w.now.Mono)})
	w.want(presence.Up)
}

// A birth far above the known epoch is a relay that lies (P2).
func TestFutureBirthIsRefused(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.birth(1, 7)
	if c, ok := find[*presence.Close](w.birth(2, 7+1<<33)); !ok || c.Conn != 2 {
		t.Fatalf("want the new connection closed, got %v", w.out)
	}
	w.want(presence.Up)
}

// A report under a lost session is answered with a rebirth, and grace starts
// again, at most twice (P2).
func TestReportAfterLossIsReborn(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.birth(1, 7)
	w.at(200 * time.Second)
	w.want(presence.Down)
	for i := range 3 {
		w.at(time.Duration(201+i*20) * time.Second)
		w.do(&presence.Report{Conn: 1, Report: report(beat.Steady, 7, beat.Seq(2+i), w.now.Mono)})
		if _, ok := find[*presence.Rebirth](w.out); !ok {
			t.Fatalf("no rebirth: %v", w.out)
		}
		want := presence.Suspect
		if i == 2 {
			want = presence.Down
		}
		w.want(want)
	}
	w.birth(3, 8)
	w.want(presence.Up)
}

// A newer relay of the store ends the older one's session, and the older one
// is refused while the newer one is there (P2).
func TestNewRelayReplacesOld(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.birth(1, 700)
	r := report(beat.Birth, 3, 1, w.now.Mono)
	r.Relay, r.Incarnation = "r2", beat.Incarnation{2}
	if c, ok := find[*presence.Close](w.do(&presence.Report{Conn: 2, Report: r})); !ok || c.Conn != 1 {
		t.Fatalf("the old connection was not closed: %v", w.out)
	}
	if c, ok := find[*presence.Close](w.birth(3, 701)); !ok || c.Conn != 3 || c.Reason != presence.Retired {
		t.Fatalf("the old relay was not refused: %v", w.out)
	}
	w.want(presence.Up)
}

// Of a host with a direct way the other region is asked first; for one that
// only its relay sees, the relay's word suffices (P13).
func TestEveryWayMustExpire(t *testing.T) {
	w := newWorld(t, "us-east-1", "us-west-2")
	up := beat.HostReport{Host: "pos1", State: beat.Up, Number: 1, IntervalMs: 5000}
	w.birth(1, 7, up)
	w.do(&presence.Direct{Store: "demo", Beat: beat.Beat{Host: "pos1", Interval: 30 * time.Second}})
	gone := up
	gone.State, gone.Number = beat.Missing, 2
	w.do(&presence.Report{Conn: 1, Report: report(beat.Steady, 7, 2, w.now.Mono, gone)})
	if d, ok := find[*presence.Decided](w.out); ok {
		t.Fatalf("its direct way lives, and it was decided %v", d.Verdict.Condition)
	}
	w.do(&presence.Report{Conn: 1, Report: report(beat.Steady, 7, 3, w.now.Mono)})
	w.at(100 * time.Second)
	ask, ok := find[*presence.Ask](w.out)
	if !ok || len(ask.Question.Hosts) != 1 {
		t.Fatalf("the other region was not asked: %v", w.out)
	}
	w.do(&presence.Answered{ID: ask.ID, Answer: presence.Answer{Node: "n2", Term: 1, Hosts: []presence.HostView{{View: presence.ViewNever}}}})
	d, ok := find[*presence.Decided](w.out)
	if !ok || d.Verdict.Condition != presence.HostMissing {
		t.Fatalf("want it missing, got %v", w.out)
	}
}

// A word that retires a host is late when the host came since, or when it comes
// again; its relay, or the node that it beats to, numbers what it says.
func TestALateWordRetiresNobody(t *testing.T) {
	relayed := func(n uint64) presence.Cause {
		return presence.Cause{Incarnation: beat.Incarnation{1}, Number: n}
	}
	direct := func(node string, n uint64) presence.Cause {
		return presence.Cause{Node: node, Term: 1, Number: n}
	}
	for _, c := range []struct {
		why     string
		cause   presence.Cause
		retires bool
	}{
		{"the relay said no more since", relayed(4), true},
		{"the relay said that it is back", relayed(3), false},
		{"a node of another region numbers its own beats", direct("n2", 3), true},
		{"a region of an older version gives no cause", presence.Cause{}, true},
	} {
		for _, news := range []bool{true, false} {
			w := newWorld(t, "us-east-1", "us-west-2")
			w.birth(1, 7, beat.HostReport{Host: "pos1", State: beat.Up, Number: 4, IntervalMs: 5000})
			if news {
				w.do(&presence.Heard{News: []presence.News{{Store: "demo", Host: "pos1", Forgotten: true, Cause: c.cause}}})
			} else {
				w.do(&presence.Forwarded{Verdicts: []presence.Verdict{{Store: "demo", Host: "pos1", Condition: presence.HostForgotten, Cause: c.cause}}})
			}
			d, ok := find[*presence.Decided](w.out)
			if ok != c.retires || ok && (d.Verdict.Condition != presence.HostForgotten || d.Verdict.Cause == (presence.Cause{}) || d.Verdict.Reason != presence.OtherSays) {
				t.Errorf("%s (news %v): got %v", c.why, news, w.out)
			}
		}
	}
}

// A word that retires a direct host does so once: a host that beats to this region
// since is another's, though the numbers of two nodes do not compare.
func TestAWordRetiresADirectHostOnce(t *testing.T) {
	word := func(number uint64) *presence.Heard {
		return &presence.Heard{News: []presence.News{{Store: "demo", Host: "pos1", Forgotten: true, Cause: presence.Cause{Node: "n2", Term: 1, Number: number}}}}
	}
	for _, c := range []struct {
		why     string
		first   bool // the host was known here as the first word came
		again   uint64
		silent  bool
		retires bool
	}{
		{"the same word comes again", true, 3, false, false},
		{"the same word comes again, and the first one found nobody", false, 3, false, false},
		{"it is retired once more, since it was there once more", true, 4, false, true},
		{"the same word comes again, and the host is silent by now", true, 3, true, false},
	} {
		w := newWorld(t, "us-east-1", "us-west-2")
		w.birth(1, 7)
		beats := &presence.Direct{Store: "demo", Beat: beat.Beat{Host: "pos1", Interval: time.Minute}}
		if c.first {
			w.do(beats)
		}
		w.do(word(3))
		w.do(beats)
		if c.silent {
			w.at(w.now.Mono + 10*time.Minute)
		}
		w.do(word(c.again))
		if d, ok := find[*presence.Decided](w.out); ok && d.Verdict.Condition == presence.HostForgotten != c.retires || !ok && c.retires {
			t.Errorf("%s: got %v", c.why, w.out)
		}
	}
}

// The start of a job is a sign of life, and no success: a direct host that
// fails goes on failing.
func TestAStartKeepsTheStatus(t *testing.T) {
	w := newWorld(t, "us-east-1")
	say := func(b beat.Beat) []presence.Out {
		b.Host, b.Interval = "pos1", 30*time.Second
		return w.do(&presence.Direct{Store: "demo", Beat: b})
	}
	say(beat.Beat{Status: beat.Fail})
	if d, ok := find[*presence.Decided](say(beat.Beat{KeepStatus: true})); ok {
		t.Errorf("a start decided %v", d.Verdict.Condition)
	}
	if d, ok := find[*presence.Decided](say(beat.Beat{})); !ok || d.Verdict.Condition != presence.Well {
		t.Errorf("a success decided %v", w.out)
	}
}

// An answer from a term below the highest that the node showed is no answer.
func TestOldTermIsNoAnswer(t *testing.T) {
	w := newWorld(t, "us-east-1", "us-west-2")
	w.birth(1, 7)
	answer := func(term int64) {
		w.do(ended(1, 7))
		w.at(w.now.Mono + 10*time.Second)
		ask, ok := find[*presence.Ask](w.out)
		if !ok {
			t.Fatalf("not asked: %v", w.out)
		}
		w.do(&presence.Answered{ID: ask.ID, Answer: presence.Answer{Node: "n2", Term: term, Stores: []presence.StoreView{{Store: "demo", View: presence.ViewLost}}}})
	}
	answer(5)
	w.want(presence.Down)
	w.do(&presence.Report{Conn: 1, Report: report(beat.Birth, 8, 1, w.now.Mono)})
	w.do(&presence.Ended{Conn: 1, ID: beat.Identity{Store: "demo", Relay: "r1"}, Death: beat.Death{V: 1, Incarnation: beat.Incarnation{1}, Epoch: 8}})
	w.at(w.now.Mono + 10*time.Second)
	ask, _ := find[*presence.Ask](w.out)
	w.do(&presence.Answered{ID: ask.ID, Answer: presence.Answer{Node: "n2", Term: 4, Stores: []presence.StoreView{{Store: "demo", View: presence.ViewLost}}}})
	w.want(presence.Suspect)
}

// An hour of steady reports and direct beats saves nothing.
func TestSteadySavesNothing(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.birth(1, 7, beat.HostReport{Host: "pos1", State: beat.Up, Number: 1, IntervalMs: 60000})
	w.do(&presence.Direct{Store: "solo", Beat: beat.Beat{Host: "till", Interval: time.Minute}})
	w.at(w.now.Mono + 31*time.Second) // the first host changes are saved late
	saves := 0
	seq := beat.Seq(2)
	for end := w.now.Mono + time.Hour; w.now.Mono < end; seq++ {
		w.at(w.now.Mono + 15*time.Second)
		outs := w.do(&presence.Report{Conn: 1, Report: report(beat.Steady, 7, seq, w.now.Mono, beat.HostReport{Host: "pos1", State: beat.Up, Number: 1, IntervalMs: 60000})})
		outs = append(slices.Clone(outs), w.do(&presence.Direct{Store: "solo", Beat: beat.Beat{Host: "till", Interval: time.Minute}})...)
		for _, o := range outs {
			if _, ok := o.(*presence.Save); ok {
				saves++
			}
		}
	}
	if saves != 0 {
		t.Fatalf("%d saves in an hour of steady beats", saves)
	}
}

func TestHomeSpreadsAndStays(t *testing.T) {
	regions := []beat.Region{"us-east-1", "us-west-2"}
	count := map[beat.Region]int{}
	for i := range 10_000 {
		id := beat.StoreID(fmt.Sprintf("store-%d", i))
		home := presence.Home(id, regions)
		if home != presence.Home(id, []beat.Region{"us-west-2", "us-east-1"}) {
			t.Fatalf("the home of %s depends on the order of the regions", id)
		}
		count[home]++
	}
	for r, n := range count {
		if n < 4_500 {
			t.Fatalf("%s is home of %d of 10,000 stores", r, n)
		}
	}
}

// A relay that came back during settle and blinks at its end has no grace.
func TestSettleLeavesGrace(t *testing.T) {
	o := presence.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Term = "us-east-1", []beat.Region{"us-east-1"}, "n1", 1
	now := beat.Now{Wall: time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)}
	w := &world{t: t, p: presence.New(o, now), now: now}
	w.at(10 * time.Second)
	w.birth(1, 7)
	w.at(59 * time.Second)
	w.do(&presence.Report{Conn: 1, Report: report(beat.Steady, 7, 2, w.now.Mono)})
	w.do(ended(1, 7))
	w.at(60 * time.Second)
	if d, ok := find[*presence.Decided](w.out); ok && d.Verdict.Condition == presence.StoreDown {
		t.Fatalf("down 1 s after the session ended, grace is %v", o.Grace)
	}
}

// A goodbye that expires is down since the goodbye.
func TestByeIsAProofOfLife(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.birth(1, 7)
	for s := beat.Seq(2); s < 100; s++ {
		w.at(61*time.Second + time.Duration(s)*10*time.Second)
		w.do(&presence.Report{Conn: 1, Report: report(beat.Steady, 7, s, w.now.Mono)})
	}
	w.do(&presence.Report{Conn: 1, Report: report(beat.Goodbye, 7, 200, w.now.Mono)})
	bye := w.now.Wall
	w.at(w.now.Mono + 24*time.Hour)
	d, ok := find[*presence.Decided](w.out)
	if !ok {
		t.Fatal("nothing")
	}
	if d.Verdict.Reason != presence.OnlyRegion && d.Verdict.Reason != presence.ByeExpired {
		t.Errorf("reason %q", d.Verdict.Reason)
	}
	if d.Verdict.Since.Before(bye.Add(-time.Second)) {
		t.Fatalf("since %v, the goodbye was at %v", d.Verdict.Since, bye)
	}
}

// A relay that nobody knows leaves room above its epoch: who holds a stolen
// password cannot shut the true relay out.
func TestFirstEpochLeavesRoom(t *testing.T) {
	w := newWorld(t, "us-east-1")
	if _, ok := find[*presence.Close](w.birth(1, 1<<57)); !ok {
		t.Fatalf("want it refused, got %v", w.out)
	}
	w.birth(2, 7)
	r := report(beat.Birth, 1<<57, 1, w.now.Mono)
	r.Relay, r.Incarnation = "r2", beat.Incarnation{2}
	if _, ok := find[*presence.Close](w.do(&presence.Report{Conn: 3, Report: r})); !ok {
		t.Fatalf("want another relay refused too, got %v", w.out)
	}
	w.want(presence.Up)
}
