package incident_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// A command that the shell never answers holds nothing up for ever: every one
// has its deadline.
func TestACommandThatNobodyAnswersIsGivenAgain(t *testing.T) {
	o := incident.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Term, o.Channels = "us-east-1", []beat.Region{"us-east-1"}, "n", 1, []incident.Channel{"sns"}
	b := incident.New(o)
	now := beat.Now{Wall: time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)}
	var writes, publishes int
	step := func(e incident.Event) {
		for _, out := range b.Step(now, e, nil) {
			switch out := out.(type) {
			case *incident.Write:
				if writes++; writes == 2 {
					for _, p := range b.Step(now, &incident.Wrote{Op: out.Op, Result: incident.Done}, nil) {
						if _, ok := p.(*incident.Publish); ok {
							publishes++
						}
					}
				}
			case *incident.Publish:
				publishes++
			}
		}
	}
	step(&incident.Decided{Verdict: presence.Verdict{
		Store: "demo", Condition: presence.StoreDown, At: now.Wall, Since: now.Wall, SeenFrom: o.Regions,
	}})
	for end := now.Mono + 20*time.Minute; ; {
		at, ok := b.Next()
		if !ok || at > end {
			break
		}
		now.Wall, now.Mono = now.Wall.Add(at-now.Mono), at
		step(nil)
	}
	if writes < 2 || publishes < 2 {
		t.Errorf("%d claims and %d publishes", writes, publishes)
	}
}

// lone is the book of a lone region that was told of a store that is down, and
// the answers to what it wants.
type lone struct {
	b         *incident.Book
	now       beat.Now
	writes    func(*incident.Write) (incident.Result, bool)
	publishes func(*incident.Publish) incident.Result
	until     time.Duration // of its lease; 0: nothing bounds it
	gaveUp    int
}

func (l *lone) step(e incident.Event) {
	for _, out := range l.b.Step(l.now, e, nil) {
		switch out := out.(type) {
		case *incident.Write:
			if r, answers := l.writes(out); answers {
				l.step(&incident.Wrote{Op: out.Op, Result: r})
			}
		case *incident.Publish:
			l.step(&incident.Published{Op: out.Op, Result: l.publishes(out)})
		case *incident.GaveUp:
			l.gaveUp++
		}
	}
}

// run plays a store's loss, and what follows for so long.
func (l *lone) run(d time.Duration) {
	o := incident.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Term, o.Channels = "us-east-1", []beat.Region{"us-east-1"}, "n", 1, []incident.Channel{"sns", "bot"}
	l.b, l.now = incident.New(o), beat.Now{Wall: time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)}
	if l.until != 0 {
		l.step(&incident.Lease{Until: l.until})
	}
	l.step(&incident.Decided{Verdict: presence.Verdict{
		Store: "demo", Condition: presence.StoreDown, At: l.now.Wall, Since: l.now.Wall, SeenFrom: o.Regions,
	}})
	for {
		at, ok := l.b.Next()
		if !ok || at > d {
			return
		}
		l.now.Wall, l.now.Mono = l.now.Wall.Add(at-l.now.Mono), at
		l.step(nil)
	}
}

// A channel that refused a notice gets it again, also while the table does not
// answer the write of another channel's mark.
func TestMarksThatAreWrittenHoldNoChannelUp(t *testing.T) {
	sns := 0
	l := lone{
		writes: func(w *incident.Write) (incident.Result, bool) { return incident.Done, w.Notice.Rev == 1 },
		publishes: func(p *incident.Publish) incident.Result {
			if p.Channel != "sns" {
				return incident.Done
			}
			if sns++; sns == 1 {
				return incident.Failed
			}
			return incident.Done
		},
	}
	l.run(time.Minute)
	if sns != 2 {
		t.Errorf("sns got it %d times, not again after it refused", sns)
	}
}

// What was sent without a claim while the table failed is claimed and marked once
// the table is back: until then memory alone knows of it.
func TestWhatWasSentUnclaimedIsClaimedAfterwards(t *testing.T) {
	var l lone
	sent, marks := 0, map[incident.Channel]incident.Mark(nil)
	l.writes = func(w *incident.Write) (incident.Result, bool) {
		if l.now.Mono < 5*time.Minute {
			return incident.Failed, true
		}
		marks = w.Notice.Marks
		return incident.Done, true
	}
	l.publishes = func(*incident.Publish) incident.Result {
		sent++
		return incident.Done
	}
	l.run(time.Hour)
	if sent != 2 || marks["sns"] != incident.Sent || marks["bot"] != incident.Sent {
		t.Errorf("it was sent %d times, and the table has the marks %v", sent, marks)
	}
}

// A claim whose answer was lost was made: that the notice is there already, when it
// is claimed again, says that it is this node's.
func TestAClaimWhoseAnswerWasLostIsOurs(t *testing.T) {
	writes, sent := 0, 0
	l := lone{
		writes: func(*incident.Write) (incident.Result, bool) {
			if writes++; writes <= 2 {
				return []incident.Result{incident.Uncertain, incident.Refused}[writes-1], true
			}
			return incident.Done, true
		},
		publishes: func(*incident.Publish) incident.Result {
			sent++
			return incident.Done
		},
	}
	l.run(time.Minute)
	if writes < 3 || sent != 2 {
		t.Errorf("it was written %d times, and sent %d times", writes, sent)
	}
}

// The same of what was sent without a claim, and is claimed afterwards: its marks
// are written over what is there.
func TestALateClaimWhoseAnswerWasLostIsOurs(t *testing.T) {
	var l lone
	late, rev := 0, int64(0)
	l.writes = func(w *incident.Write) (incident.Result, bool) {
		if l.now.Mono < 5*time.Minute {
			return incident.Failed, true
		}
		rev = w.Notice.Rev
		if late++; late <= 2 {
			return []incident.Result{incident.Uncertain, incident.Refused}[late-1], true
		}
		return incident.Done, true
	}
	l.publishes = func(*incident.Publish) incident.Result { return incident.Done }
	l.run(time.Hour)
	if late != 3 || rev != 2 {
		t.Errorf("it was claimed and marked %d times, the last time as revision %d", late, rev)
	}
}

// A node that cannot renew its lease, and did not give it up, tells after twice
// the time of a takeover: unclaimed rather than never (I3).
func TestANodeThatCannotRenewTellsAtLast(t *testing.T) {
	var l lone
	var first time.Duration
	l.writes = func(*incident.Write) (incident.Result, bool) { return incident.Failed, true }
	l.publishes = func(p *incident.Publish) incident.Result {
		if first == 0 {
			first = l.now.Mono
		}
		if p.NotAfter != 0 {
			t.Errorf("it is bounded by a lease that is over: %v", p.NotAfter)
		}
		return incident.Done
	}
	l.until = time.Second
	l.run(10 * time.Minute)
	if first < time.Minute || first > 3*time.Minute {
		t.Errorf("first sent at %v", first)
	}
}

// A channel that refuses for a day is given up, and that is said (I5).
func TestAChannelIsGivenUpAfterADay(t *testing.T) {
	var l lone
	var last time.Duration
	l.writes = func(*incident.Write) (incident.Result, bool) { return incident.Done, true }
	l.publishes = func(*incident.Publish) incident.Result {
		last = l.now.Mono
		return incident.Failed
	}
	l.run(72 * time.Hour)
	if last < 24*time.Hour || last > 24*time.Hour+10*time.Minute || l.gaveUp != 2 {
		t.Errorf("last tried after %v, and given up %d times", last, l.gaveUp)
	}
}

// The table says when a channel took a notice.
func TestAMarkSaysWhenItWasSent(t *testing.T) {
	var l lone
	var marked incident.Notice
	l.writes = func(w *incident.Write) (incident.Result, bool) {
		marked = w.Notice
		return incident.Done, true
	}
	l.publishes = func(*incident.Publish) incident.Result { return incident.Done }
	l.run(time.Minute)
	for _, ch := range []incident.Channel{"sns", "bot"} {
		if at := marked.SentAt[ch]; at.Before(marked.At) || at.Sub(marked.At) > time.Second {
			t.Errorf("%s took it at %v, of %v", ch, at, marked.At)
		}
	}
}
