package wan_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/wan"
)

var times = wan.Times{
	ReportEvery: 15 * time.Second, Keepalive: 20 * time.Second, AckTimeout: 10 * time.Second,
	Coalesce: 250 * time.Millisecond, PictureEvery: 10 * time.Minute,
}

// line is a session, and the picture that its relay has.
type line struct {
	*wan.Session
	picture beat.Picture
}

func born(t *testing.T) *line {
	t.Helper()
	l := &line{Session: wan.NewSession(times, beat.Incarnation{1}, 7), picture: beat.Picture{Hosts: []beat.HostReport{{Host: "a", State: beat.Up, Number: 1}}}}
	if r := l.send(0, beat.Birth); r.Seq != 1 || r.Epoch != 7 || r.Picture == nil || r.Software != "v1" {
		t.Fatalf("a birth %+v", r)
	}
	l.Pubacked()
	l.Opened()
	return l
}

func (l *line) send(now time.Duration, k beat.Kind) *beat.Report {
	p := l.picture
	r := l.Compose(now, k, wan.Facts{Software: "v1", Picture: &p, Mono: now})
	l.Sent(now, r, 0)
	return r
}

func (l *line) due(now time.Duration) bool { return l.Due(now, func() bool { return false }) }

func TestASteadyStoreReportsItsHash(t *testing.T) {
	l := born(t)
	if l.due(times.ReportEvery-1) || !l.due(times.ReportEvery) || l.Next() != times.ReportEvery {
		t.Fatalf("due at %v", l.Next())
	}
	r := l.send(times.ReportEvery, beat.Steady)
	if r.Picture != nil || r.Seq != 2 || r.Software != "" || r.MonoMs != 15_000 || r.ReportEveryMs != 15_000 || r.KeepaliveMs != 20_000 {
		t.Fatalf("a steady report %+v", r)
	}
}

func TestThePictureGoesWholeWhenItIsNewOrWanted(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*line)
		at   time.Duration
		want bool
	}{
		"unchanged":                     {func(*line) {}, time.Minute, false},
		"changed":                       {func(l *line) { l.picture.Hosts[0].State = beat.Missing }, time.Minute, true},
		"asked for":                     {func(l *line) { l.Ask() }, time.Minute, true},
		"every ten minutes":             {func(*line) {}, 10 * time.Minute, true},
		"its report was never PUBACKed": {func(l *line) { l.picture.Hosts[0].Number = 2; l.send(1, beat.Steady) }, 2, true},
	} {
		l := born(t)
		c.do(l)
		if r := l.send(c.at, beat.Steady); (r.Picture != nil) != c.want {
			t.Errorf("%s: whole is %v, want %v", name, r.Picture != nil, c.want)
		}
	}
}

// Changes within 250 ms share a report; while one is on its way they wait for
// the next, which has the newest picture.
func TestChangesGather(t *testing.T) {
	l := born(t)
	l.Changed(time.Second)
	l.Changed(time.Second + 200*time.Millisecond)
	at := time.Second + times.Coalesce
	if l.due(at-1) || !l.due(at) || l.Next() != at {
		t.Fatalf("due at %v, want %v", l.Next(), at)
	}
	l.send(at, beat.Steady)
	l.Changed(at + 1)
	if l.due(at+time.Second) || l.Next() != at+times.AckTimeout {
		t.Fatal("a second report left before the first was PUBACKed")
	}
	if l.Overdue(at+times.AckTimeout-1) || !l.Overdue(at+times.AckTimeout) {
		t.Fatal("a report without PUBACK is overdue after 10 s")
	}
	l.Pubacked()
	if !l.due(at + time.Second) {
		t.Fatal("the change is forgotten")
	}
}

func TestNoJournalLeavesBeforeTheFirstAck(t *testing.T) {
	l := &line{Session: wan.NewSession(times, beat.Incarnation{1}, 7)}
	l.send(0, beat.Birth)
	l.Pubacked()
	turn := func() bool { return true }
	if l.Due(1, turn) || l.TakesJournal(beat.Steady) {
		t.Fatal("entries leave before the birth's ack")
	}
	if l.Births(beat.Ack{Epoch: 6}) || !l.Births(beat.Ack{Epoch: 7}) {
		t.Fatal("the ack of another connection opens this one")
	}
	l.Opened()
	if !l.Due(1, turn) || !l.TakesJournal(beat.Steady) || l.TakesJournal(beat.Goodbye) || l.Births(beat.Ack{Epoch: 7}) {
		t.Fatal("entries do not leave after it")
	}
	if l.Obeys(beat.Command{Exceed: 6}) || !l.Obeys(beat.Command{Exceed: 7}) {
		t.Fatal("an order for an older connection is obeyed")
	}
}

func TestAJournalFromACopyIsFoundOutOncePerBoot(t *testing.T) {
	p := wan.NewPast(64, true)
	if p.Beyond(64) || !p.Beyond(65) {
		t.Fatal("beyond is above what was reserved")
	}
	p.Gave(128)
	if p.Beyond(128) {
		t.Fatal("an epoch that was given is not beyond")
	}
	if !p.Renews(false) || p.Renews(true) {
		t.Fatal("want a new incarnation once")
	}
	p.Failed()
	if !p.Renews(false) {
		t.Fatal("want another try after a failure")
	}
	if p = wan.NewPast(64, false); p.Renews(false) || !p.Renews(true) {
		t.Fatal("an incarnation that nobody acked is new")
	}
}

func TestRetryIsFullJitterAndARebirthIsAtOnceTwice(t *testing.T) {
	var r wan.Retry
	wait := func(settled, reborn bool) time.Duration {
		return r.Wait(settled, reborn, time.Second, 30*time.Second, 0.5)
	}
	for i, want := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 15 * time.Second, 15 * time.Second} {
		if got := wait(false, false); got != want {
			t.Fatalf("wait %d is %v, want %v", i, got, want)
		}
	}
	if wait(true, true) != 0 || wait(false, true) != 0 || wait(false, true) != 500*time.Millisecond {
		t.Fatal("a rebirth is obeyed at once twice, then as a failure")
	}
}

func TestARefusedJournalIsHalvedThenSilent(t *testing.T) {
	var m wan.Limiter
	if m.Room(1000) != 1000 || m.Refused(900) || !m.Halved() || m.Room(1000) != 450 {
		t.Fatal("want half of what was refused")
	}
	if !m.Refused(450) || m.Halved() || m.Room(-1) != 0 {
		t.Fatal("want silence after the half was refused")
	}
}

// A path that breaks while a report waits for long says nothing of its entries.
func TestAPathThatBreaksRefusesNothing(t *testing.T) {
	s := wan.NewSession(wan.Times{ReportEvery: 15 * time.Second, AckTimeout: 10 * time.Second}, beat.Incarnation{1}, 1)
	s.Sent(time.Minute, &beat.Report{}, 900)
	if n := s.Refused(time.Minute + 200*time.Millisecond); n != 900 {
		t.Errorf("closed at once: %d bytes, want 900", n)
	}
	if n := s.Refused(time.Minute + 8*time.Second); n != 0 {
		t.Errorf("broken after 8 s: %d bytes, want 0", n)
	}
}

// A session that would not ask for a batch does not watch the courier's clock.
func TestASessionGathersOnlyWhenNothingElseIsDue(t *testing.T) {
	s := wan.NewSession(wan.Times{ReportEvery: 15 * time.Second, AckTimeout: 10 * time.Second}, beat.Incarnation{1}, 1)
	if s.Gathers() {
		t.Error("it gathers before its birth is acked")
	}
	s.Opened()
	if !s.Gathers() {
		t.Error("it does not gather when it is open")
	}
	s.Changed(time.Second)
	if s.Gathers() {
		t.Error("it gathers while a change waits, which takes the entries along")
	}
}
