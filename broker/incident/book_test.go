package incident_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// solo is the book of a single region, with twins of table and channels.
type solo struct {
	t    *testing.T
	b    *incident.Book
	now  beat.Now
	pubs []*incident.Publish
	save map[incident.ID]incident.Incident
	tab  map[string]incident.Notice
	res  func(incident.Channel) incident.Result
}

func newSolo(t *testing.T, term int64, chans ...incident.Channel) *solo {
	o := incident.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Term, o.Channels = "us-east-1", []beat.Region{"us-east-1"}, "n", term, chans
	return &solo{t: t, b: incident.New(o), now: beat.Now{Wall: time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)},
		save: map[incident.ID]incident.Incident{}, tab: map[string]incident.Notice{},
		res: func(incident.Channel) incident.Result { return incident.Done }}
}

func (s *solo) do(e incident.Event) {
	for _, o := range s.b.Step(s.now, e, nil) {
		switch o := o.(type) {
		case *incident.Write:
			s.tab[o.Notice.ID] = o.Notice
			s.do(&incident.Wrote{Op: o.Op, Result: incident.Done})
		case *incident.Publish:
			s.pubs = append(s.pubs, o)
			s.do(&incident.Published{Op: o.Op, Result: s.res(o.Channel)})
		case *incident.Ask:
			s.do(&incident.Unanswered{ID: o.ID})
		case *incident.ReadMarks:
			s.do(&incident.MarksRead{ID: o.ID, Known: make([]incident.Known, len(o.Items))})
		case *incident.Save:
			doc, _ := json.Marshal(o.Incident)
			var i incident.Incident
			_ = json.Unmarshal(doc, &i)
			s.save[i.ID] = i
		}
	}
}

func (s *solo) run(d time.Duration) {
	end := s.now.Mono + d
	for {
		at, ok := s.b.Next()
		if !ok || at > end {
			break
		}
		s.now = s.now.Add(max(at-s.now.Mono, 0))
		s.do(nil)
	}
	s.now = s.now.Add(end - s.now.Mono)
}

func (s *solo) verdict(c presence.Condition, n uint64) {
	s.do(&incident.Decided{Verdict: presence.Verdict{Store: "demo", Host: "pos1", Condition: c, Cause: presence.Cause{Incarnation: beat.Incarnation{1}, Number: n},
		Since: s.now.Wall, SeenFrom: []beat.Region{"us-east-1"}}})
}

func (s *solo) restart(notices bool) *solo {
	n := newSolo(s.t, 2, "log", "sns")
	n.now = s.now
	l := &incident.Loaded{}
	for _, i := range s.save {
		l.Incidents = append(l.Incidents, i)
	}
	if notices {
		for _, x := range s.tab {
			l.Notices = append(l.Notices, x)
		}
	}
	n.do(l)
	return n
}

// A fault that was told on two channels recovers on both, also after a restart
// that no longer reads its notice.
func TestRecoveryOnAllChannels(t *testing.T) {
	s := newSolo(t, 1, "log", "sns")
	s.verdict(presence.HostMissing, 1)
	s.run(time.Minute)
	if len(s.pubs) != 2 {
		t.Fatal(len(s.pubs))
	}
	s.run(26 * time.Hour)
	n := s.restart(false) // the notice is older than noticesBack
	n.verdict(presence.Well, 2)
	n.run(time.Minute)
	var got []incident.Channel
	for _, p := range n.pubs {
		got = append(got, p.Channel)
	}
	if !slices.Contains(got, "sns") {
		t.Fatalf("recovery went to %v only; the fault was told on log and sns", got)
	}
}

// A node that dies between the end of a fault and its telling leaves the end to the
// next one, also where one channel alone got the fault.
func TestAnEndIsOwedOverARestart(t *testing.T) {
	s := newSolo(t, 1, "sns")
	s.verdict(presence.HostMissing, 1)
	s.run(time.Minute)
	s.verdict(presence.Well, 2)
	n := s.restart(true)
	n.run(time.Minute)
	if len(n.pubs) != 1 || n.pubs[0].Notice.Items[0].Change != incident.Recovered {
		t.Fatalf("the next node told %+v", n.pubs)
	}
}

// A fault that was over before any channel took it opens nothing after a
// restart: the next fault of the host is told.
func TestCancelledNoticeLeavesNoGhost(t *testing.T) {
	s := newSolo(t, 1, "log", "sns")
	s.res = func(incident.Channel) incident.Result { return incident.Failed }
	s.verdict(presence.HostMissing, 1)
	s.run(time.Minute)
	s.verdict(presence.Well, 2)
	s.run(10 * time.Minute)
	n := s.restart(true)
	if open := n.b.Incidents(true); len(open) != 0 {
		t.Fatalf("open after the restart: %v", open)
	}
	n.verdict(presence.HostMissing, 3)
	n.run(10 * time.Minute)
	if len(n.pubs) == 0 {
		t.Fatal("the new fault was told to nobody")
	}
}

// A notice that every channel refused for good is nobody's to tell: the other
// region may.
func TestRefusedNoticeIsYours(t *testing.T) {
	s := newSolo(t, 1, "log", "sns")
	s.res = func(incident.Channel) incident.Result { return incident.Refused }
	s.verdict(presence.HostMissing, 1)
	s.run(time.Minute)
	n := s.restart(true)
	var words []incident.Telling
	for _, notice := range s.tab {
		item := notice.Items[0]
		q := incident.ToldQuestion{Items: []incident.ToldItem{{Incident: item.Incident, K: item.K, Kind: item.Kind, Change: item.Change, Store: item.Store, Host: item.Host}}}
		for _, o := range n.b.Step(n.now, &incident.Asked{Question: q}, nil) {
			if r, ok := o.(*incident.Reply); ok {
				words = r.Answer.Words
			}
		}
	}
	if len(words) != 1 || words[0] != incident.TellingOver {
		t.Fatalf("it says %v", words)
	}
}

// A log that took a notice tells nobody: while the channel that reaches people
// refuses, the other region may tell.
func TestLogDoesNotCountAsTold(t *testing.T) {
	o := incident.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Term = "us-east-1", []beat.Region{"us-east-1", "us-west-2"}, "n", 1
	o.Channels, o.Local = []incident.Channel{"log", "sns"}, []incident.Channel{"log"}
	s := &solo{
		t: t, b: incident.New(o), now: beat.Now{Wall: time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)},
		save: map[incident.ID]incident.Incident{}, tab: map[string]incident.Notice{},
		res: func(ch incident.Channel) incident.Result {
			if ch == "sns" {
				return incident.Failed
			}
			return incident.Done
		},
	}
	s.verdict(presence.HostMissing, 1)
	s.run(10 * time.Second)
	if len(s.tab) != 1 {
		t.Fatalf("%d notices", len(s.tab))
	}
	ask := func() (word incident.Telling) {
		for _, n := range s.tab {
			i := n.Items[0]
			q := incident.ToldQuestion{Items: []incident.ToldItem{{Incident: i.Incident, K: i.K, Kind: i.Kind, Change: i.Change, Store: i.Store, Host: i.Host}}}
			for _, out := range s.b.Step(s.now, &incident.Asked{Question: q}, nil) {
				if r, ok := out.(*incident.Reply); ok {
					word = r.Answer.Words[0]
				}
			}
		}
		return word
	}
	if w := ask(); w != incident.TellingMine {
		t.Errorf("soon after: %q", w)
	}
	s.run(40 * time.Second)
	if w := ask(); w != incident.TellingYours {
		t.Errorf("after takeover: %q", w)
	}
}

// A notice says when this region knew of the fault or its end, however much later
// it is made: here it was held back, and its node was replaced.
func TestANoticeSaysWhenItsItemsWereKnown(t *testing.T) {
	s := newSolo(t, 1, "log", "sns")
	s.verdict(presence.HostMissing, 1)
	opened := s.now.Wall
	s.res = func(incident.Channel) incident.Result { return incident.Failed }
	s.run(time.Minute)
	n := s.restart(true)
	n.run(time.Minute)
	ended := n.now.Wall
	n.verdict(presence.Well, 2)
	n.run(time.Minute)
	for _, p := range append(s.pubs, n.pubs...) {
		want := opened
		if p.Notice.Items[0].Change == incident.Recovered {
			want = ended
		}
		if !p.Notice.Known.Equal(want) || !p.Notice.At.After(want) {
			t.Errorf("%s %s of %s was known %s, want %s", p.Channel, p.Notice.Items[0].Change, p.Notice.At, p.Notice.Known, want)
		}
	}
	if len(n.pubs) < 4 {
		t.Errorf("%d publishes after the restart, want the fault's and its end's on each channel", len(n.pubs))
	}
}
