package presence_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

func pos1(state beat.HostState, n beat.Number) beat.HostReport {
	return beat.HostReport{Host: "pos1", State: state, Number: n, IntervalMs: 5000}
}

func hear(w *world, c presence.Condition, host beat.HostID, n uint64) []presence.Out {
	return w.do(&presence.Forwarded{Verdicts: []presence.Verdict{{
		Store: "demo", Host: host, Condition: c, Cause: presence.Cause{Incarnation: beat.Incarnation{1}, Number: n}, At: w.now.Wall, Since: w.now.Wall,
	}}})
}

// alone plays a region whose questions nobody answers, for so long; its relay says
// when it last heard of the other region. It is over with a verdict on that.
func (w *world) alone(so time.Duration, witness []beat.Witness) (down presence.Verdict, ok bool) {
	do := func(e presence.Event) {
		outs := w.do(e)
		for i := 0; i < len(outs) && !ok; i++ {
			if ask, is := outs[i].(*presence.Ask); is {
				outs = append(outs, w.do(&presence.Unanswered{ID: ask.ID})...)
			}
			down, ok = verdict(outs[i:i+1], presence.RegionDown)
		}
	}
	seq := beat.Seq(2)
	for end := w.now.Mono + so; w.now.Mono < end && !ok; seq++ {
		w.now = w.now.Add(3 * time.Second)
		do(&presence.Linked{})
		r := report(beat.Steady, 7, seq, w.now.Mono)
		r.Others = witness
		do(&presence.Report{Conn: 1, Report: r})
	}
	return down, ok
}

// The other region says that a host is missing while its store has no session
// here: the incidents have the fault, and that the host is well is said again.
func TestAFaultThatWasHeardWhileCoveredIsEnded(t *testing.T) {
	w := newWorld(t, regionNames...)
	w.birth(1, 7, pos1(beat.Up, 1))
	w.do(ended(1, 7))
	hear(w, presence.HostMissing, "pos1", 2)
	if v, ok := verdict(w.birth(2, 8, pos1(beat.Up, 3)), presence.Well); !ok || v.Host != "pos1" {
		t.Errorf("it says %+v", w.out)
	}
}

// What was only thought of a host, by the other region's word, is said once it
// beats here.
func TestAHostThatMovesHereIsSaidToBeWell(t *testing.T) {
	w := newWorld(t, regionNames...)
	w.do(&presence.Heard{News: []presence.News{{Store: "demo", Host: "pos1"}}})
	hear(w, presence.HostMissing, "pos1", 0)
	well := false
	for _, o := range w.do(&presence.Direct{Store: "demo", Beat: beat.Beat{Host: "pos1", Interval: time.Minute}}) {
		d, ok := o.(*presence.Decided)
		well = well || ok && d.Verdict.Host == "pos1" && d.Verdict.Condition == presence.Well
	}
	if !well {
		t.Errorf("it says %+v", w.out)
	}
}

// A relay that said goodbye and returns in the other region is stopped no more; an
// older word of its epochs does not end the goodbye, and no word costs the grace of
// a session that just ended.
func TestAGoodbyeEndsWhereTheRelayReturns(t *testing.T) {
	w := newWorld(t, regionNames...)
	w.birth(1, 7)
	w.do(&presence.Report{Conn: 1, Report: report(beat.Goodbye, 7, 2, w.now.Mono)})
	hear(w, presence.Well, "", 7)
	w.want(presence.Stopped)
	hear(w, presence.Well, "", 8)
	w.want(presence.Degraded)
	w.birth(2, 9)
	w.do(ended(2, 9))
	hear(w, presence.Well, "", 8)
	st, _ := w.p.Status(w.now, "demo")
	if st.State != presence.Suspect || st.Reason != presence.WithinGrace || st.Mine != presence.ViewOpen {
		t.Errorf("the store is %+v", st)
	}
}

// A doubt that the other region confirms is asked about again a minute later, one
// that it does not answer soon.
func TestADoubtIsAskedAboutAgain(t *testing.T) {
	for view, again := range map[presence.View]time.Duration{presence.ViewLost: time.Minute, presence.ViewSettling: presence.DefaultReask} {
		w := newWorld(t, regionNames...)
		w.do(&presence.Doubted{Subjects: []presence.Subject{{Store: "demo"}}})
		var asked []time.Duration
		for len(asked) < 2 && w.now.Mono < time.Hour {
			w.at(w.now.Mono + time.Second)
			if ask, ok := find[*presence.Ask](w.out); ok && len(ask.Question.Stores) > 0 {
				asked = append(asked, w.now.Mono)
				w.do(&presence.Answered{ID: ask.ID, Answer: presence.Answer{Node: "n2", Term: 1, Stores: []presence.StoreView{{Store: "demo", View: view}}}})
			}
		}
		if got := asked[1] - asked[0]; got < again || got > again+time.Second {
			t.Errorf("%s: asked again after %v, want %v", view, got, again)
		}
	}
}

// A report that does not speak of the other region any more is no witness of it: a
// cut link alone proves no death.
func TestAWitnessIsWhoStillSpeaksOfTheOtherRegion(t *testing.T) {
	for _, speaks := range []bool{true, false} {
		w := newWorld(t, regionNames...)
		witness := []beat.Witness{{Region: "us-west-2", AckAgeMs: 1_000_000}}
		r := report(beat.Birth, 7, 1, w.now.Mono)
		r.Others = witness
		w.do(&presence.Report{Conn: 1, Report: r})
		if !speaks {
			witness = nil
		}
		if _, dead := w.alone(5*time.Minute, witness); dead != speaks {
			t.Errorf("speaks %v: the other region %v", speaks, w.p.Peer())
		}
	}
}

// People read how sure it is since when: of a host that fell silent, since its
// last beat or its promise after it; of a region, since its last sign of life.
func TestAFaultSaysHowSureItsTimeIs(t *testing.T) {
	w := newWorld(t, regionNames[0])
	w.do(&presence.Direct{Store: "demo", Beat: beat.Beat{Host: "pos1", Interval: 30 * time.Second}})
	last := w.now
	w.at(w.now.Mono + 33*time.Second)
	if v, ok := verdict(w.out, presence.HostMissing); !ok || v.Uncertainty != 33*time.Second || !v.Since.Equal(last.Wall) {
		t.Errorf("it says %+v", w.out)
	}

	w = newWorld(t, regionNames...)
	w.birth(1, 7)
	w.do(&presence.Linked{OK: true})
	last = w.now
	down, _ := w.alone(5*time.Minute, []beat.Witness{{Region: "us-west-2", AckAgeMs: 1_000_000}})
	if !down.Since.Equal(last.Wall) || down.Uncertainty < time.Minute || down.Uncertainty > 2*time.Minute || down.At.Sub(down.Since) < down.Uncertainty {
		t.Errorf("it says %+v", down)
	}
	if v, ok := verdict(w.do(&presence.Linked{OK: true}), presence.RegionWell); !ok || v.Uncertainty != 0 {
		t.Errorf("then it says %+v", w.out)
	}
}

// A host that a relay lists by what its disk knows, and that did not beat to it yet,
// is adopted once.
func TestAHostIsAdoptedOnce(t *testing.T) {
	w := newWorld(t, regionNames[0])
	adopted := 0
	for i, r := range [...]*beat.Report{
		report(beat.Birth, 7, 1, w.now.Mono, pos1(beat.Up, 4)), report(beat.Birth, 8, 1, w.now.Mono, pos1(beat.Unknown, 4)),
		report(beat.Steady, 8, 2, w.now.Mono, pos1(beat.Unknown, 4)), report(beat.Steady, 8, 3, w.now.Mono, pos1(beat.Up, 4)),
	} {
		for _, o := range w.do(&presence.Report{Conn: presence.Conn(min(i, 1)), Report: r}) {
			if _, ok := o.(*presence.Adopted); ok {
				adopted++
			}
		}
	}
	if adopted != 1 {
		t.Errorf("adopted %d times", adopted)
	}
}

// A host that nobody declared pages people once it was seen on three days, also
// where nothing happens in its store on any of them.
func TestQuietDaysCount(t *testing.T) {
	d := setting.Declaration{Timezone: "UTC", Hosts: map[beat.HostID]setting.DeclaredHost{"till": {}}}
	doc := setting.Setting{Kind: setting.Declared, ID: "demo", Version: 1, Store: &d}
	if err := setting.NewCompiler().Validate(&doc); err != nil {
		t.Fatal(err)
	}
	for days, unadopted := range []bool{true, true, false} {
		w := newWorld(t, regionNames[1], regionNames[0]) // home saves a store each hour, and looks at it then
		w.do(&presence.Settings{Fleet: setting.Join([]setting.Item{{Region: regionNames[0], Setting: doc}})})
		hash := (&beat.Picture{Hosts: []beat.HostReport{pos1(beat.Up, 1)}}).Hash()
		w.birth(1, 7, pos1(beat.Up, 1))
		seq := beat.Seq(2)
		for end := w.now.Mono + time.Duration(days)*24*time.Hour; w.now.Mono < end; seq++ {
			w.at(w.now.Mono + 30*time.Second)
			r := report(beat.Steady, 7, seq, w.now.Mono)
			r.Hash = hash
			w.do(&presence.Report{Conn: 1, Report: r})
		}
		v, ok := verdict(w.do(&presence.Report{Conn: 1, Report: report(beat.Steady, 7, seq, w.now.Mono, pos1(beat.Missing, 2))}), presence.HostMissing)
		if !ok || v.Unadopted != unadopted {
			t.Errorf("after %d nights: %+v", days, w.out)
		}
	}
}

// A report under another epoch than the session's, of the same boot, is a relay that
// the region lost: it is told to come back, though it counts its reports anew.
func TestAReportUnderAnotherEpochIsReborn(t *testing.T) {
	w := newWorld(t, regionNames[0])
	w.birth(1, 7)
	w.do(&presence.Report{Conn: 1, Report: report(beat.Steady, 7, 9, w.now.Mono)})
	w.do(ended(1, 7))
	r, ok := find[*presence.Rebirth](w.do(&presence.Report{Conn: 2, Report: report(beat.Steady, 9, 2, w.now.Mono)}))
	if !ok || r.Exceed != 9 {
		t.Errorf("it says %+v", w.out)
	}
}

// Counters at the end of their range are refused, each of them.
func TestCountersAtTheirEndAreRefused(t *testing.T) {
	lan := func(n beat.Number) func(*beat.Report) {
		return func(r *beat.Report) { r.Picture.Lan = &beat.Lan{Number: n} }
	}
	for name, c := range map[string]struct {
		change func(*beat.Report)
		want   presence.Refusal
	}{
		"an epoch":        {func(r *beat.Report) { r.Epoch = beat.MaxCounter }, presence.BadReport},
		"a seq":           {func(r *beat.Report) { r.Seq = beat.MaxCounter }, presence.BadReport},
		"a host's number": {func(r *beat.Report) { r.Picture.Hosts[0].Number = beat.MaxCounter }, presence.BadPicture},
		"a LAN's number":  {lan(beat.MaxCounter), presence.BadPicture},
		"no LAN's number": {lan(0), presence.BadPicture},
	} {
		w := newWorld(t, regionNames[0])
		r := report(beat.Birth, 7, 1, w.now.Mono, pos1(beat.Up, 1))
		c.change(r)
		if refused, ok := find[*presence.Refused](w.do(&presence.Report{Conn: 1, Report: r})); !ok || refused.Reason != c.want {
			t.Errorf("%s: %+v", name, w.out)
		}
	}
}

// A doubt about what this region sees by itself is settled here: it is said once more
// that all is well, and nobody is asked.
func TestADoubtAboutWhatIsSeenHereIsSettledHere(t *testing.T) {
	w := newWorld(t, regionNames...)
	w.birth(1, 7, pos1(beat.Up, 1))
	w.do(&presence.Doubted{Subjects: []presence.Subject{{Store: "demo", Host: "pos1"}}})
	w.at(w.now.Mono + presence.DefaultGrace)
	if v, ok := verdict(w.out, presence.Well); !ok || v.Host != "pos1" {
		t.Errorf("it says %+v", w.out)
	}
	if ask, ok := find[*presence.Ask](w.out); ok {
		t.Errorf("it asks %+v", ask.Question)
	}
}

// A LAN is dead since the last beat of the hosts that vanished with it.
func TestADeadLanIsDeadSinceItsLastBeat(t *testing.T) {
	w := newWorld(t, regionNames[0])
	host := func(id beat.HostID, state beat.HostState, n beat.Number, age time.Duration) beat.HostReport {
		return beat.HostReport{Host: id, State: state, Number: n, IntervalMs: 5000, AgeMs: uint64(age.Milliseconds())}
	}
	w.birth(1, 7, host("a", beat.Up, 1, 0), host("b", beat.Up, 2, 0), host("c", beat.Up, 3, 0), host("d", beat.Up, 4, 0))
	w.at(w.now.Mono + 20*time.Second)
	r := report(beat.Steady, 7, 2, w.now.Mono, host("a", beat.Missing, 5, 9*time.Second), host("b", beat.Missing, 6, 7*time.Second),
		host("c", beat.Missing, 7, 8*time.Second), host("d", beat.Up, 4, time.Second))
	r.Picture.Lan = &beat.Lan{Dead: true, Number: 8, AgeMs: 2000}
	v, ok := verdict(w.do(&presence.Report{Conn: 1, Report: r}), presence.StoreLan)
	if !ok || w.now.Wall.Sub(v.Since) != 7*time.Second || v.Uncertainty != 5*time.Second {
		t.Errorf("it says %+v", v)
	}
}

// A question about a host that nobody knows here is counted as set aside, one about a
// known host is not.
func TestAQuestionAboutAStrangerIsSetAside(t *testing.T) {
	w := newWorld(t, regionNames...)
	w.birth(1, 7, pos1(beat.Up, 1))
	for host, strange := range map[beat.HostID]bool{"pos1": false, "pos2": true} {
		q := presence.Question{From: "us-west-2", Node: "w", Term: 1, Hosts: []presence.HostView{{Store: "demo", Host: host, View: presence.ViewLost}}}
		if aside, ok := find[*presence.SetAside](w.do(&presence.Asked{Question: q})); ok != strange || ok && aside.Subject.Host != host {
			t.Errorf("%s: %+v", host, w.out)
		}
	}
}
