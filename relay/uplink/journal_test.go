package uplink_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// carried are the numbers of the entries that arrivals carry.
func carried(all []arrival) (out []beat.Number) {
	for _, a := range all {
		for _, t := range a.Journal {
			out = append(out, t.Number)
		}
	}
	return out
}

func TestTheJournalGoesHomeAndIsFreedByItsAck(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory()).start()
		m.east.got()
		m.transitions(1300)
		time.Sleep(time.Second)
		got := m.east.got()
		if n := carried(got); len(n) != 1300 || n[0] != 1 || n[1299] != 1300 {
			t.Fatalf("home got %d entries", len(n))
		}
		for _, a := range got {
			if a.size > beat.MaxReport || len(a.Journal) > beat.MaxBatch {
				t.Fatalf("a report of %d bytes, %d entries", a.size, len(a.Journal))
			}
		}
		if n := carried(m.west.got()); len(n) != 0 {
			t.Fatalf("the other region got %v", n)
		}
		if d := m.depth(); d != 0 {
			t.Fatalf("%d entries are left", d)
		}
	})
}

func TestNoJournalBeforeTheFirstAck(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory())
		m.east.noBirth, m.west.noBirth = true, true
		m.start()
		m.transitions(3)
		time.Sleep(5 * time.Minute)
		if n := append(carried(m.east.got()), carried(m.west.got())...); len(n) != 0 {
			t.Fatalf("entries %v left", n)
		}
	})
}

func TestTheOtherRegionGetsItAtOnceIfHomeIsNotOpen(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory())
		m.east.refuses = true
		m.start()
		m.west.got()
		m.transitions(3)
		time.Sleep(time.Second)
		if n := carried(m.west.got()); len(n) != 3 || m.depth() != 0 {
			t.Fatalf("it got %v", n)
		}
		m.east.set(func() { m.east.refuses = false })
		time.Sleep(time.Minute)
		m.transitions(3)
		time.Sleep(time.Second)
		if n := carried(m.east.got()); len(n) != 3 || n[0] != 4 {
			t.Fatalf("home is back and got %v", n)
		}
	})
}

func TestTheOtherRegionGetsWhatHomeDoesNotAck(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory()).start()
		m.east.got()
		m.east.set(func() { m.east.noTaking = true })
		start := time.Now()
		m.transitions(3)
		time.Sleep(9 * time.Second)
		if n := carried(m.west.got()); len(n) != 0 || len(carried(m.east.got())) != 3 {
			t.Fatalf("the other region got %v before home's 10 s were over", n)
		}
		time.Sleep(2 * time.Second)
		got := m.west.got()
		if n := carried(got); len(n) != 3 || m.depth() != 0 {
			t.Fatalf("the other region got %v, %d are left", n, m.depth())
		}
		if d := got[len(got)-1].at.Sub(start); d > 11*time.Second {
			t.Fatalf("after %v", d)
		}
		// Home's table is down: for a while it is not tried first.
		m.transitions(2)
		time.Sleep(time.Second)
		if n := carried(m.west.got()); len(n) != 2 {
			t.Fatalf("the next batch: the other region got %v", n)
		}
		// Later it is again.
		m.east.set(func() { m.east.noTaking = false })
		time.Sleep(time.Minute)
		m.east.got()
		m.transitions(2)
		time.Sleep(time.Second)
		if n := carried(m.east.got()); len(n) != 2 || m.depth() != 0 {
			t.Fatalf("home got %v", n)
		}
	})
}

// A batch that was carried by a connection that ended is sent again; the history
// joins it by its numbers.
func TestABatchOfALostConnectionIsSentAgain(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory()).start()
		m.east.got()
		m.east.set(func() { m.east.mute = true })
		m.west.set(func() { m.west.noTaking = true })
		m.transitions(3)
		time.Sleep(5 * time.Second)
		m.east.set(func() { m.east.mute = false })
		time.Sleep(time.Minute)
		if d := m.depth(); d != 0 || len(m.east.history)+len(m.west.history) != 3 {
			t.Fatalf("history %v, %v; %d are left", m.east.history, m.west.history, d)
		}
	})
}

func TestARegionAloneIsTriedAgain(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory())
		m.options.Regions = m.options.Regions[:1]
		m.east.noTaking = true
		m.start()
		m.transitions(3)
		time.Sleep(time.Minute)
		m.east.set(func() { m.east.noTaking = false })
		got := len(m.east.got())
		if got > 20 {
			t.Fatalf("%d reports in a minute: it is pressed", got)
		}
		time.Sleep(15 * time.Second)
		if d := m.depth(); d != 0 {
			t.Fatalf("%d are left", d)
		}
	})
}

func TestAReportThatIsRefusedShrinks(t *testing.T) {
	for name, c := range map[string]struct {
		most  int
		taken bool // by the region itself
	}{"half of it fits": {300, true}, "no journal fits": {0, false}} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				m := newMesh(t, inMemory())
				m.options.Regions = m.options.Regions[:1]
				m.east.most = c.most
				m.start()
				m.east.got()
				m.transitions(beat.MaxBatch)
				time.Sleep(time.Minute)
				got := m.east.got()
				if taken := m.depth() == 0; taken != c.taken {
					t.Fatalf("%d entries are left", m.depth())
				}
				if n := len(births(got)); n < 1 || n > 3 {
					t.Fatalf("%d births: one a refusal is enough", n)
				}
				last := got[len(got)-1]
				if last.Kind != beat.Steady || len(last.Journal) != 0 || time.Since(last.at) > m.options.ReportEvery {
					t.Fatalf("the last report is %+v", last.Report)
				}
			})
		})
	}
}

// An ack that speaks of another incarnation frees nothing.
func TestAStrangeAckFreesNothing(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory()).start()
		b := m.east.got()[0]
		m.east.set(func() { m.east.noTaking = true })
		m.transitions(3)
		time.Sleep(time.Second)
		a := beat.Ack{V: beat.Wire, Epoch: b.Epoch, Seq: 2, Home: east, Incarnation: beat.Incarnation{9}, Through: 3}
		m.east.send(identity.AckTopic(), a.Encode())
		if d := m.depth(); d != 3 {
			t.Fatalf("%d are left", d)
		}
		a.Incarnation = b.Incarnation
		m.east.send(identity.AckTopic(), a.Encode())
		if d := m.depth(); d != 0 {
			t.Fatalf("%d are left", d)
		}
	})
}

// An entry that a region never takes does not keep the reports from it.
func TestOneEntryThatIsRefused(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory())
		m.east.most = 0
		m.start()
		m.transitions(1)
		time.Sleep(2 * time.Minute)
		got := m.east.got()
		if n := len(births(got)); n > 3 {
			t.Fatalf("%d births", n)
		}
		if d := m.depth(); d != 0 || m.west.history[1] != 1 {
			t.Fatalf("the other region did not get it: %d left", d)
		}
	})
}
