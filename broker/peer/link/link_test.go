package link_test

import (
	"slices"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/peer/link"
	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

func question() *presence.Question {
	return &presence.Question{From: "us-east-1", Node: "n", Term: 5, Stores: []presence.StoreView{{Store: "demo", View: presence.ViewLost}}}
}

func TestAQuestionByHTTPSNeedsNoMail(t *testing.T) {
	p := newPair(t)
	p.run(time.Minute)
	p.step(p.east, &link.Ask{ID: 7, Question: question()})
	p.want(p.east, "answered 7 by us-west-2")
	p.run(time.Minute)
	if p.east.posted+p.west.posted+p.east.reads+p.west.reads != 0 {
		t.Errorf("letters were written or read: %d %d %d %d", p.east.posted, p.west.posted, p.east.reads, p.west.reads)
	}
}

// Where HTTPS is cut, in one direction or both, a letter is answered by one.
func TestAQuestionGoesByMail(t *testing.T) {
	for _, both := range []bool{true, false} {
		p := newPair(t)
		p.run(time.Minute)
		p.east.cut, p.west.cut = true, both
		p.run(30 * time.Second)
		p.step(p.east, &link.Ask{ID: 7, Question: question()})
		p.step(p.east, &link.Told{ID: 8, Question: &incident.ToldQuestion{From: "us-east-1"}})
		asked := p.now
		for len(p.east.got) < 2 && p.now < asked+time.Minute {
			p.run(100 * time.Millisecond)
		}
		p.want(p.east, "answered 7 by us-west-2", "told 8 by us-west-2")
		if took := p.now - asked; took > 10*time.Second {
			t.Errorf("both cut %v: it took %v", both, took)
		}
		p.run(2 * time.Minute)
		p.want(p.east) // one answer, and one only
		p.east.cut, p.west.cut = false, false
		p.run(3 * time.Minute)
		for _, l := range p.post {
			if !l.dropped {
				t.Errorf("a letter stays: %+v", l.mail)
			}
		}
	}
}

func TestBothWaysCutIsNoAnswer(t *testing.T) {
	p := newPair(t)
	p.run(time.Minute)
	p.east.cut, p.noMail = true, true
	p.step(p.east, &link.Ask{ID: 7, Question: question()})
	p.run(34 * time.Second)
	p.want(p.east)
	p.run(2 * time.Second)
	p.want(p.east, "unanswered 7")
	// The link is known to be cut: the next question knows it by HTTPS alone.
	p.step(p.east, &link.Ask{ID: 8, Question: question()})
	p.run(6 * time.Second)
	p.want(p.east, "unanswered 8")
	p.noMail, p.west.cut = false, true
	p.run(20 * time.Second)
	p.step(p.east, &link.Ask{ID: 9, Question: question()})
	p.run(15 * time.Second)
	p.want(p.east, "answered 9 by us-west-2")
}

// A question whose letter is on its way is answered at once when HTTPS heals.
func TestHTTPSThatHealsAnswers(t *testing.T) {
	p := newPair(t)
	p.run(time.Minute)
	p.east.cut, p.noMail = true, true
	p.step(p.east, &link.Ask{ID: 7, Question: question()})
	p.run(10 * time.Second)
	p.east.cut = false
	p.run(6 * time.Second)
	p.want(p.east, "answered 7 by us-west-2")
}

// What a mass of losses asks takes turns: few calls are under way at once, while
// the link is cut and when it heals, and each question is answered.
func TestQuestionsTakeTurns(t *testing.T) {
	p := newPair(t)
	p.run(time.Minute)
	p.east.cut, p.noMail = true, true
	for id := range uint64(100) {
		p.step(p.east, &link.Ask{ID: id, Question: question()})
		p.run(100 * time.Millisecond)
		if n := len(p.east.late); n > 20 {
			t.Fatalf("%v: %d calls are under way", p.now, n)
		}
	}
	p.east.cut = false
	p.run(10 * time.Second)
	if len(p.east.got) != 100 {
		t.Errorf("%d of 100 questions were answered: %q", len(p.east.got), p.east.got)
	}
}

// A letter that was late in replication is no evidence of anything, and a
// letter from before a restart neither.
func TestALateLetterIsStale(t *testing.T) {
	p := newPair(t)
	p.run(time.Minute)
	p.east.cut, p.west.cut = true, true
	p.step(p.east, &link.Ask{ID: 7, Question: question()})
	p.run(6 * time.Second)
	held := p.post
	p.post = nil
	p.run(40 * time.Second)
	p.want(p.east, "unanswered 7")
	asked := len(p.west.asked)
	p.west.got = nil
	for _, l := range held {
		if l.mail.From == p.east.region {
			l.dropped = false
			p.post = append(p.post, l)
		}
	}
	p.run(4 * time.Second)
	if len(p.west.asked) != asked || !slices.Contains(p.west.got, "ignored: stale") {
		t.Errorf("asked %d times, got %q", len(p.west.asked)-asked, p.west.got)
	}
}

// Verdicts arrive in their order, all, by whichever way.
func TestForwardsArriveInOrder(t *testing.T) {
	p := newPair(t)
	p.run(time.Minute)
	for i := range 12 {
		p.east.cut = i%4 == 1 || i%4 == 2
		p.west.cut = p.east.cut
		var v []presence.Verdict
		for k := range 300 {
			v = append(v, presence.Verdict{Store: "demo", Condition: presence.StoreDown, Cause: presence.Cause{Number: uint64(i*300 + k)}})
		}
		p.step(p.east, &link.Forward{Verdicts: v})
		p.step(p.east, &link.Tell{News: []presence.News{{Store: "demo", Host: "pos1"}}})
		p.run(20 * time.Second)
	}
	p.east.cut, p.west.cut = false, false
	p.run(time.Minute)
	next, news := uint64(0), 0
	for _, r := range p.west.asked {
		news += len(r.News)
		for _, v := range r.Verdicts {
			if v.Cause.Number > next {
				t.Fatalf("verdict %d came before %d", v.Cause.Number, next)
			}
			next = max(next, v.Cause.Number+1)
		}
	}
	if next != 12*300 || news < 12 {
		t.Errorf("%d verdicts and %d news arrived", next, news)
	}
	if n, v, _, _ := p.east.l.Queued(); n+v != 0 {
		t.Errorf("%d news and %d verdicts wait", n, v)
	}
}

// A question who tells comes behind the verdicts that it is about.
func TestAQuestionWhoTellsFollowsItsVerdict(t *testing.T) {
	o := link.DefaultOptions()
	o.Region, o.Other, o.Term = "us-east-1", "us-west-2", 5
	l := link.New(o, beat.Now{})
	out := l.Step(beat.Now{}, &link.Forward{Verdicts: []presence.Verdict{{Store: "demo", Condition: presence.StoreDown}}}, nil)
	out = l.Step(beat.Now{}, &link.Told{ID: 7, Question: &incident.ToldQuestion{}}, out)
	if len(out) != 1 {
		t.Fatalf("both left at once: %v", out)
	}
	sent := out[0].(*link.Call)
	out = l.Step(beat.Now{}, &link.Called{ID: sent.ID, Response: &wire.Response{}}, nil)
	for _, o := range out {
		if c, ok := o.(*link.Call); ok && c.Request.Kind == wire.Told {
			return
		}
	}
	t.Errorf("it did not follow: %v", out)
}

func TestAFullLaneDropsItsOldest(t *testing.T) {
	o := link.DefaultOptions()
	o.Region, o.Other, o.Queue = "us-east-1", "us-west-2", 3
	l := link.New(o, beat.Now{})
	for i := range 5 {
		l.Step(beat.Now{}, &link.Forward{Verdicts: []presence.Verdict{{Store: "demo", Condition: presence.Well, Cause: presence.Cause{Number: uint64(i)}}}}, nil)
	}
	if _, v, _, dropped := l.Queued(); v != 3 || dropped != 2 {
		t.Errorf("%d wait, %d were dropped", v, dropped)
	}
}

// An answer of a node that was replaced is none.
func TestAnAnswerOfAnOldTermIsIgnored(t *testing.T) {
	p := newPair(t)
	p.run(time.Minute)
	p.east.cut, p.west.cut = true, true
	p.run(10 * time.Second)
	p.step(p.east, &link.Ask{ID: 7, Question: question()})
	p.step(p.east, &link.Seen{Lease: wire.Moment{Term: 6, Counter: 1}})
	p.run(2 * time.Second)
	p.step(p.east, &link.Seen{Lease: wire.Moment{Term: 6, Counter: 2}})
	p.east.got = nil
	p.run(700 * time.Millisecond)
	for range 30 {
		p.step(p.east, &link.Seen{Lease: wire.Moment{Term: 6, Counter: 2}})
		p.run(100 * time.Millisecond)
	}
	if slices.Contains(p.east.got, "answered 7 by us-west-2") {
		t.Errorf("got %q", p.east.got)
	}
}

// A call that nobody ended is given up by itself; one that was sent later has its
// time still.
func TestACallThatNobodyEndsIsGivenUpAlone(t *testing.T) {
	o := link.DefaultOptions()
	o.Region, o.Other, o.Term = "us-east-1", "us-west-2", 5
	l := link.New(o, beat.Now{})
	l.Step(beat.Now{}, &link.Ask{ID: 1, Question: question()}, nil)
	l.Step(beat.Now{Mono: 5 * time.Second}, &link.Ask{ID: 2, Question: question()}, nil)
	posts := 0
	for _, out := range l.Step(beat.Now{Mono: o.Call + time.Second}, nil, nil) {
		if p, ok := out.(*link.Post); ok && p.Mail.Kind == wire.Ask {
			posts++
		}
	}
	if posts != 1 {
		t.Errorf("%d questions go by mail", posts)
	}
}

// A node has so many letters in the table at most: the oldest goes first.
func TestTheOldestLetterGoesFirst(t *testing.T) {
	o := link.DefaultOptions()
	o.Region, o.Other, o.Term = "us-east-1", "us-west-2", 5
	l := link.New(o, beat.Now{})
	var posted, dropped []wire.Name
	step := func(e link.Event) {
		for _, out := range l.Step(beat.Now{}, e, nil) {
			switch out := out.(type) {
			case *link.Post:
				posted = append(posted, out.Mail.Name())
			case *link.Drop:
				dropped = append(dropped, out.Names...)
			}
		}
	}
	step(&link.Ask{ID: 1, Question: question()})
	step(&link.Called{ID: 1})
	for id := range uint64(520) {
		step(&link.Ask{ID: 2 + id, Question: question()})
	}
	if n := len(dropped); n == 0 || !slices.Equal(dropped, posted[:n]) || len(posted)-n > 512 {
		t.Errorf("of %d letters %d were dropped: %v", len(posted), n, dropped)
	}
}

// Letters are taken in the order in which they were written, whatever order the
// table has; of a node that was replaced before those of the next one.
func TestLettersAreTakenInTheirOrder(t *testing.T) {
	o := link.DefaultOptions()
	o.Region, o.Other, o.Term = "us-east-1", "us-west-2", 5
	l := link.New(o, beat.Now{})
	lease := wire.Moment{Term: 5, Counter: 1}
	now := beat.Now{Mono: time.Minute}
	out := l.Step(now, &link.Renewed{Lease: lease, At: now.Mono}, nil)
	request := &wire.Request{Kind: wire.Ask, Ask: question()}
	body, err := request.Encode()
	if err != nil {
		t.Fatal(err)
	}
	r := &link.MailRead{}
	for _, o := range out {
		if look, ok := o.(*link.ReadMail); ok {
			r.Op = look.Op
		}
	}
	for _, n := range []wire.Name{{Term: 7, Seq: 2}, {Term: 6, Seq: 9}, {Term: 7, Seq: 3}, {Term: 7, Seq: 1}} {
		r.Letters = append(r.Letters, wire.Mail{From: "us-west-2", To: "us-east-1", Node: "w", Term: n.Term, Seq: n.Seq, Kind: wire.Ask, Body: body, Seen: lease})
	}
	var got []wire.Name
	for _, o := range l.Step(now, r, nil) {
		if received, ok := o.(*link.Received); ok {
			got = append(got, received.Name)
		}
	}
	if want := []wire.Name{{Term: 6, Seq: 9}, {Term: 7, Seq: 1}, {Term: 7, Seq: 2}, {Term: 7, Seq: 3}}; !slices.Equal(got, want) {
		t.Errorf("taken: %v", got)
	}
}
