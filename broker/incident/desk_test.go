package incident_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// desk is the book of us-east-1, one of two regions. What the other region, the
// table and the channels answer is a test's to say; else all is well, and the
// other region is silent and told nothing.
type desk struct {
	t       *testing.T
	b       *incident.Book
	now     beat.Now
	asks    []*incident.Ask
	pubs    []*incident.Publish
	forward []presence.Verdict
	answer  func(incident.ToldItem) (incident.Telling, incident.Known)
	publish func(*incident.Publish) incident.Result
	bare    bool // the other region's answers say no more than their words
}

func newDesk(t *testing.T) *desk { return newDeskIn(t, "us-east-1") }

func newDeskIn(t *testing.T, region beat.Region) *desk {
	o := incident.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Term = region, regionNames, "n", 1
	o.Channels, o.Programs = []incident.Channel{"sns", "bot"}, []incident.Channel{"bot"}
	return &desk{t: t, b: incident.New(o), now: beat.Now{Wall: time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)}}
}

func (d *desk) do(e incident.Event) {
	for _, o := range d.b.Step(d.now, e, nil) {
		switch o := o.(type) {
		case *incident.Write:
			d.do(&incident.Wrote{Op: o.Op})
		case *incident.Publish:
			d.pubs = append(d.pubs, o)
			result := incident.Done
			if d.publish != nil {
				result = d.publish(o)
			}
			d.do(&incident.Published{Op: o.Op, Result: result})
		case *incident.Ask:
			d.asks = append(d.asks, o)
			d.reply(o)
		case *incident.ReadMarks:
			d.do(&incident.MarksRead{ID: o.ID, Known: make([]incident.Known, len(o.Items))})
		case *incident.Forward:
			d.forward = append(d.forward, o.Verdicts...)
		}
	}
}

func (d *desk) reply(o *incident.Ask) {
	if d.answer == nil {
		d.do(&incident.Unanswered{ID: o.ID})
		return
	}
	var a incident.ToldAnswer
	for _, item := range o.Question.Items {
		word, known := d.answer(item)
		a.Words, a.Known = append(a.Words, word), append(a.Known, known)
	}
	if d.bare {
		a.Known = nil
	}
	d.do(&incident.Answered{ID: o.ID, Answer: a})
}

// whoTells is what this region answers to another one that is about to send a
// transition.
func (d *desk) whoTells(from beat.Region, item incident.ToldItem) incident.Telling {
	d.t.Helper()
	item.Held, item.Sending = false, true
	for _, o := range d.b.Step(d.now, &incident.Asked{Question: incident.ToldQuestion{From: from, Items: []incident.ToldItem{item}}}, nil) {
		if r, ok := o.(*incident.Reply); ok {
			return r.Answer.Words[0]
		}
	}
	d.t.Fatal("it gives no answer")
	return ""
}

// run lets so much time pass.
func (d *desk) run(so time.Duration) {
	end := d.now.Mono + so
	for {
		at, ok := d.b.Next()
		if !ok || at > end {
			break
		}
		d.now = d.now.Add(max(at-d.now.Mono, 0))
		d.do(nil)
	}
	d.now = d.now.Add(end - d.now.Mono)
}

// say is a verdict about a host, or a store, that this region saw itself.
func (d *desk) say(c presence.Condition, store beat.StoreID, host beat.HostID) {
	d.do(&incident.Decided{Verdict: presence.Verdict{
		Store: store, Host: host, Condition: c, Cause: presence.Cause{Incarnation: beat.Incarnation{1}, Number: 7},
		At: d.now.Wall, Since: d.now.Wall, SeenFrom: regionNames[:1],
	}})
}

// storeOf is a store whose home is a region.
func storeOf(home beat.Region) beat.StoreID {
	for _, s := range []beat.StoreID{"demo", "calm", "shop", "mall", "kiosk"} {
		if presence.Home(s, regionNames) == home {
			return s
		}
	}
	return ""
}

// A node that starts finds its stores well, one by one, which is no news to the
// other region; that a region lives is, for it may know of a fault of before.
func TestThatAllIsWellAsANodeStartsIsNotForwarded(t *testing.T) {
	d := newDesk(t)
	well := presence.Verdict{Store: "demo", Condition: presence.Well, At: d.now.Wall, Since: d.now.Wall, First: true, SeenFrom: regionNames[:1]}
	d.do(&incident.Decided{Verdict: well})
	if len(d.forward) != 0 {
		t.Errorf("forwarded: %+v", d.forward)
	}
	well.Store, well.Region, well.Condition = "", "us-west-2", presence.RegionWell
	d.do(&incident.Decided{Verdict: well})
	if len(d.forward) != 1 || d.forward[0].Condition != presence.RegionWell {
		t.Errorf("forwarded: %+v", d.forward)
	}
}

// What this region says only because the other one does, that one does not hear:
// late, it would end there what began since.
func TestAWordOfTheOtherRegionDoesNotGoBack(t *testing.T) {
	d := newDesk(t)
	d.say(presence.HostMissing, "demo", "pos1")
	d.forward = nil
	for _, c := range []presence.Condition{presence.Well, presence.HostForgotten} {
		d.do(&incident.Decided{Verdict: presence.Verdict{Store: "demo", Host: "pos1", Condition: c, Reason: presence.OtherSays, At: d.now.Wall, Since: d.now.Wall}})
	}
	if open := d.b.Incidents(true); len(d.forward) != 0 || len(open) != 0 {
		t.Errorf("forwarded: %+v, open: %+v", d.forward, open)
	}
}

// Both regions, of this version and the next, compute one id of one fault.
func TestAnIDStaysAsItIs(t *testing.T) {
	for _, c := range []struct {
		v    presence.Verdict
		want incident.ID
	}{
		{presence.Verdict{Store: "demo", Condition: presence.StoreDown, Cause: presence.Cause{Incarnation: beat.Incarnation{1}, Number: 7}}, "768UTL2013SQ8RE13NRAFA6KP8"},
		{presence.Verdict{Store: "demo", Host: "pos1", Condition: presence.HostMissing, Cause: presence.Cause{Node: "n", Term: 3, Number: 7}}, "RELI6R2P1MK7JEK2QANFE4ML28"},
		{presence.Verdict{Region: "us-west-2", Condition: presence.RegionDown, Cause: presence.Cause{Node: "us-west-2", Term: 3}}, "LDIATT5AL4BSSF73487O731JM8"},
	} {
		d := newDesk(t)
		c.v.At, c.v.Since = d.now.Wall, d.now.Wall
		d.do(&incident.Decided{Verdict: c.v})
		if all := d.b.Incidents(true); len(all) != 1 || all[0].ID != c.want {
			t.Errorf("%s of %s%s/%s: %+v", c.v.Condition, c.v.Region, c.v.Store, c.v.Host, all)
		}
	}
}

// Of two faults in one notice the other region told one while a channel failed:
// the channel gets the other one, and nothing else.
func TestWhatTheOtherRegionToldLeavesTheNotice(t *testing.T) {
	d := newDesk(t)
	fails := true
	d.publish = func(*incident.Publish) incident.Result {
		if fails {
			return incident.Failed
		}
		return incident.Done
	}
	d.answer = func(i incident.ToldItem) (incident.Telling, incident.Known) {
		fails = false
		if i.Host == "pos1" {
			return incident.TellingSent, incident.Known{On: []incident.Channel{"sns", "bot"}}
		}
		return incident.TellingYours, incident.Known{}
	}
	store := storeOf("us-east-1")
	d.say(presence.HostMissing, store, "pos1")
	d.say(presence.HostMissing, store, "pos2")
	d.run(time.Minute)
	got := map[incident.Channel]string{}
	for _, p := range d.pubs[2:] {
		for _, i := range p.Notice.Items {
			got[p.Channel] += string(i.Host)
		}
	}
	if len(d.pubs[0].Notice.Items) != 2 || len(got) != 2 || got["sns"] != "pos2" || got["bot"] != "pos2" {
		t.Errorf("first %+v, then %v", d.pubs[0].Notice.Items, got)
	}
}

// An answer may leave out what the other region knows: its words alone count then.
func TestWordsWithoutWhatIsKnownCount(t *testing.T) {
	for word, want := range map[incident.Telling]int{incident.TellingSent: 0, incident.TellingYours: 2} {
		d := newDesk(t)
		d.bare = true
		d.answer = func(incident.ToldItem) (incident.Telling, incident.Known) { return word, incident.Known{} }
		d.say(presence.HostMissing, storeOf("us-west-2"), "pos1")
		d.run(2 * time.Minute)
		if len(d.asks) == 0 || len(d.pubs) != want {
			t.Errorf("%v: asked %d times, sent %d notices, want %d", word, len(d.asks), len(d.pubs), want)
		}
	}
}

// The other region is asked about a transition once at a time, whatever made it
// due meanwhile: here it settles while it is waited for.
func TestAQuestionNamesATransitionOnce(t *testing.T) {
	d := newDesk(t)
	d.answer = func(incident.ToldItem) (incident.Telling, incident.Known) {
		return incident.TellingMine, incident.Known{}
	}
	d.say(presence.HostMissing, storeOf("us-west-2"), "pos1")
	d.run(10 * time.Second)
	d.do(&incident.PeerIs{State: presence.PeerSettles})
	d.run(50 * time.Second)
	if len(d.asks) != 6 {
		t.Errorf("asked %d times, not every 10 s", len(d.asks))
	}
	for _, a := range d.asks {
		if len(a.Question.Items) != 1 {
			t.Errorf("asked about %+v", a.Question.Items)
		}
	}
}

// loaded is a fault that us-east-1 told on some channels before its node started.
func loaded(id incident.ID, at time.Time, told ...incident.Channel) incident.Incident {
	return incident.Incident{
		V: incident.Version, ID: id, Kind: incident.HostMissing, Store: storeOf("us-east-1"), Host: "pos1", K: 1, Open: true,
		Since: at, OpenedAt: at, Teller: "us-east-1", Told: told,
	}
}

// The name by which people know a fault from here stays, also where one channel
// alone got it.
func TestAFaultThatWasToldKeepsItsName(t *testing.T) {
	d := newDesk(t)
	d.do(&incident.Loaded{Incidents: []incident.Incident{loaded("A", d.now.Wall, "sns")}})
	d.answer = func(incident.ToldItem) (incident.Telling, incident.Known) {
		return incident.TellingMine, incident.Known{Incident: "B", K: 2}
	}
	d.say(presence.Well, storeOf("us-east-1"), "pos1")
	if all := d.b.Incidents(false); len(d.asks) != 1 || len(all) != 1 || all[0].ID != "A" {
		t.Errorf("%d questions, and %+v", len(d.asks), all)
	}
}

// Each region opened a fault by itself and told it: the host that is back ends
// both, and each end is told.
func TestTwoFaultsOfOneHostEndTogether(t *testing.T) {
	d := newDesk(t)
	d.do(&incident.Loaded{Incidents: []incident.Incident{
		loaded("A", d.now.Wall, "sns", "bot"), loaded("B", d.now.Wall.Add(time.Second), "sns", "bot"),
	}})
	d.run(time.Minute)
	d.say(presence.Well, storeOf("us-east-1"), "pos1")
	d.run(time.Minute)
	ends := map[incident.ID]int{}
	for _, p := range d.pubs {
		for _, i := range p.Notice.Items {
			if i.Change == incident.Recovered {
				ends[i.Incident]++
			}
		}
	}
	if open := d.b.Incidents(true); len(open) != 0 || ends["A"] != 2 || ends["B"] != 2 {
		t.Errorf("open: %+v, ends told: %v", open, ends)
	}
}

// A notice of a change tells nobody of a fault or its end: who told the fault
// tells its end, and asks at once.
func TestAChangeIsNoFaultThatWasTold(t *testing.T) {
	d := newDesk(t)
	d.do(&incident.Loaded{Incidents: []incident.Incident{loaded("A", d.now.Wall, "sns", "bot")}, Notices: []incident.Notice{{
		V: incident.Version, ID: "01", Region: "us-west-2", At: d.now.Wall, Rev: 1, Marks: map[incident.Channel]incident.Mark{"sns": incident.Sent},
		Items: []incident.Item{{Kind: incident.HostMissing, Change: incident.Changed, Store: storeOf("us-east-1"), Host: "pos1", Incident: "A", K: 2, Since: d.now.Wall}},
	}}})
	d.say(presence.Well, storeOf("us-east-1"), "pos1")
	if len(d.asks) != 1 {
		t.Errorf("%d questions", len(d.asks))
	}
}

// What was taken over while the other region was out of reach, and is on its way, is
// this region's: who tries it there as well is told so.
func TestWhatWasTakenOverApartAndLeavesIsOurs(t *testing.T) {
	d := newDesk(t)
	d.publish = func(*incident.Publish) incident.Result { return incident.Failed }
	d.say(presence.HostMissing, storeOf("us-west-2"), "pos1")
	d.run(35 * time.Second)
	if len(d.pubs) == 0 {
		t.Fatal("it was not taken over")
	}
	if word := d.whoTells("us-west-2", d.asks[0].Question.Items[0]); word != incident.TellingMine {
		t.Errorf("it says %s", word)
	}
}

// Who takes over from a region that is dead waits for no mark of it.
func TestWhatADeadRegionWasToTellIsToldAtOnce(t *testing.T) {
	d := newDeskIn(t, "us-west-2")
	d.do(&incident.PeerIs{State: presence.PeerDead})
	d.say(presence.HostMissing, storeOf("us-east-1"), "pos1")
	d.run(4 * time.Second)
	if len(d.pubs) != 2 {
		t.Errorf("%d publishes", len(d.pubs))
	}
}

// A fault whose end was told before a node started is over, though notices alone
// know of both.
func TestNoticesAloneEndAFault(t *testing.T) {
	d := newDesk(t)
	notice := func(id string, c incident.Change, k int) incident.Notice {
		return incident.Notice{
			V: incident.Version, ID: id, Region: "us-east-1", At: d.now.Wall, Rev: 2, Marks: map[incident.Channel]incident.Mark{"sns": incident.Sent, "bot": incident.Sent},
			Items: []incident.Item{{Kind: incident.HostMissing, Change: c, Store: storeOf("us-east-1"), Host: "pos1", Incident: "A", K: k, Since: d.now.Wall}},
		}
	}
	d.do(&incident.Loaded{Notices: []incident.Notice{notice("01", incident.Opened, 1), notice("02", incident.Recovered, 2)}})
	if all := d.b.Incidents(false); len(all) != 1 || all[0].Open || all[0].K != 2 {
		t.Errorf("it knows %+v", all)
	}
}

// A fault that people know by the incident's own item stays open, whatever notice of
// it was sent nowhere.
func TestANoticeThatWentNowhereEndsNoFaultThatWasTold(t *testing.T) {
	d := newDesk(t)
	d.do(&incident.Loaded{Incidents: []incident.Incident{loaded("A", d.now.Wall, "sns")}, Notices: []incident.Notice{{
		V: incident.Version, ID: "01", Region: "us-west-2", At: d.now.Wall, Rev: 2, Marks: map[incident.Channel]incident.Mark{"sns": incident.Cancelled, "bot": incident.Cancelled},
		Items: []incident.Item{{Kind: incident.HostMissing, Change: incident.Opened, Store: storeOf("us-east-1"), Host: "pos1", Incident: "A", K: 1, Since: d.now.Wall}},
	}}})
	if open := d.b.Incidents(true); len(open) != 1 {
		t.Errorf("open: %+v", open)
	}
}

// While a region looks at the marks a last time, the other one, which has a notice
// and is about to try it again, goes first.
func TestWhoLooksALastTimeLetsTheOtherRegionTell(t *testing.T) {
	d := newDeskIn(t, "us-west-2")
	d.say(presence.HostMissing, storeOf("us-east-1"), "pos1")
	d.run(34 * time.Second) // it was taken over without an answer, and gathered
	if len(d.asks) != 1 || len(d.pubs) != 0 {
		t.Fatalf("%d questions, %d publishes", len(d.asks), len(d.pubs))
	}
	if word := d.whoTells("us-east-1", d.asks[0].Question.Items[0]); word != incident.TellingYours {
		t.Errorf("it says %s", word)
	}
}

// What programs alone are told, and the other region does not share, is tried again
// without a question.
func TestWhatProgramsAloneAreToldIsTriedAgainAtOnce(t *testing.T) {
	d := newDesk(t)
	store := storeOf("us-east-1")
	s := setting.Setting{Kind: setting.Silence, ID: "s1", Version: 1, At: d.now.Wall, By: "anna", Rule: &setting.Rule{
		ID: "s1", Kind: setting.Silence, Match: setting.Match{Stores: []string{string(store)}}, From: d.now.Wall, Until: d.now.Wall.Add(time.Hour), By: "anna", Why: "works",
	}}
	if err := setting.NewCompiler().Validate(&s); err != nil {
		t.Fatal(err)
	}
	d.do(&incident.Settings{Fleet: setting.Join([]setting.Item{{Region: "us-east-1", Setting: s}})})
	d.publish = func(*incident.Publish) incident.Result {
		if len(d.pubs) < 3 {
			return incident.Failed
		}
		return incident.Done
	}
	d.say(presence.HostMissing, store, "pos1")
	d.run(20 * time.Second)
	if len(d.pubs) != 3 || len(d.asks) != 0 || !d.pubs[2].Notice.Suppressed {
		t.Errorf("%d publishes, %d questions", len(d.pubs), len(d.asks))
	}
}
