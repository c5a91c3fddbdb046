package uplink_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/journal"
)

func TestAHalfOpenLinkIsLeft(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory()).start()
		time.Sleep(20 * time.Second) // the next report leaves at 30 s
		first := m.east.got()[0]
		m.east.cut()
		m.east.set(func() { m.east.refuses = false })
		time.Sleep(21 * time.Second) // 10 s without a PUBACK, and a moment of jitter
		got := m.east.got()
		if len(got) != 1 || got[0].Kind != beat.Birth || got[0].Epoch <= first.Epoch {
			t.Fatalf("after the cut %+v", got)
		}
		if took := got[0].at.Sub(first.at); took != 40*time.Second+500*time.Millisecond {
			t.Fatalf("it was born %v after the first", took)
		}
	})
}

func TestNoPubackEndsTheConnection(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory())
		m.east.mute = true
		m.start()
		time.Sleep(10*time.Second + 400*time.Millisecond)
		if got := m.east.got(); len(got) != 1 {
			t.Fatalf("%d reports", len(got))
		}
		s := m.group.Status()[0]
		if s.Open || s.Error != "no acknowledgement in time" {
			t.Fatalf("status %+v", s)
		}
		m.east.set(func() { m.east.mute = false })
		time.Sleep(time.Second)
		if got := m.east.got(); len(got) != 1 || got[0].Kind != beat.Birth || !m.group.Status()[0].Open {
			t.Fatalf("got %+v, %+v", got, m.group.Status()[0])
		}
		if len(m.east.wills) != 1 {
			t.Fatalf("wills %+v, want that of the first connection", m.east.wills)
		}
	})
}

func TestBackoffIsFullJitterUpToTheCap(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory())
		m.east.refuses = true
		m.start()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		var waits []time.Duration
		for i := range m.east.dials[1:] {
			waits = append(waits, m.east.dials[i+1].Sub(m.east.dials[i]))
		}
		want := []time.Duration{500, 1000, 2000, 4000, 8000, 15000, 15000} // half of 1, 2, 4 … 30 s
		for i := range want {
			want[i] *= time.Millisecond
		}
		if !slices.Equal(waits[:len(want)], want) {
			t.Fatalf("waits %v, want %v", waits, want)
		}
		if got := m.west.got(); len(got) < 8 {
			t.Fatalf("the other region got only %d reports meanwhile", len(got))
		}
	})
}

func TestARebirthIsObeyedAtOnce(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory()).start()
		first := m.east.got()[0]
		m.east.command(beat.Command{Order: beat.Rebirth, Exceed: first.Epoch - 1}) // stale: before this connection
		if got := m.east.got(); len(got) != 0 {
			t.Fatalf("a stale rebirth is answered with %+v", got)
		}
		start := time.Now()
		m.east.command(beat.Command{Order: beat.Rebirth, Exceed: 1000})
		got := m.east.got()
		if len(got) != 1 || got[0].Kind != beat.Birth || got[0].Epoch != 1001 || !got[0].at.Equal(start) {
			t.Fatalf("got %+v after %v", got, time.Since(start))
		}
		if len(m.east.wills) != 0 {
			t.Fatalf("wills %+v", m.east.wills)
		}
		if m.journal.Incarnation() != first.Incarnation && len(got) > 0 {
			// It was acked in this boot by this region: another relay of this
			// name, or a copy, went on counting.
			return
		}
		t.Fatal("an epoch that this acked incarnation never had makes no new incarnation")
	})
}

// A region that orders rebirths without end is not asked without end.
func TestRebirthsInARowWaitFromTheThirdOn(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory())
		m.east.noBirth = true
		m.start()
		var at []time.Duration
		for range 4 {
			b := births(m.east.got())
			for len(b) == 0 {
				time.Sleep(50 * time.Millisecond)
				b = births(m.east.got())
			}
			at = append(at, time.Duration(b[0].MonoMs)*time.Millisecond)
			m.east.command(beat.Command{Order: beat.Rebirth, Exceed: b[0].Epoch})
		}
		want := []time.Duration{0, 0, 0, 500 * time.Millisecond}
		if !slices.Equal(at, want) {
			t.Fatalf("births at %v, want %v", at, want)
		}
	})
}

func TestACutOfOneRegionLeavesTheOtherAlone(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory()).start()
		time.Sleep(time.Minute)
		m.east.got()
		m.west.got()
		m.east.cut()
		time.Sleep(5 * time.Minute)
		if got := m.west.got(); len(got) != 20 || len(births(got)) != 0 {
			t.Fatalf("%d reports in 5 minutes, %d of them births", len(got), len(births(got)))
		}
		m.east.set(func() { m.east.refuses = false })
		time.Sleep(31 * time.Second)
		if got := m.east.got(); len(births(got)) != 1 {
			t.Fatalf("healed, and %d births", len(births(got)))
		}
	})
}

func TestByeIsNoDeath(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory()).start()
		m.east.got()
		m.store.change(0, beat.Missing) // not yet told
		start := time.Now()
		m.stop()
		<-m.stopped
		if took := time.Since(start); took > time.Second {
			t.Fatalf("it took %v", took)
		}
		for _, r := range []*region{m.east, m.west} {
			got := r.got()
			bye := got[len(got)-1]
			if bye.Kind != beat.Goodbye || bye.Picture == nil || bye.Picture.Hosts[0].State != beat.Missing {
				t.Fatalf("%s: the last report is %+v", r.name, bye.Report)
			}
			time.Sleep(time.Minute)
			if len(r.wills) != 0 {
				t.Fatalf("%s: wills %+v", r.name, r.wills)
			}
		}
	})
}

func TestAByeIsBoundedInTime(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory()).start()
		m.east.got()
		m.east.cut()
		start := time.Now()
		m.stop()
		<-m.stopped
		if took := time.Since(start); took > m.options.ByeTimeout+time.Second {
			t.Fatalf("it took %v", took)
		}
	})
}

func TestARelayThatIsCutAtItsEndSendsWills(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory()).start()
		b := m.east.got()[0]
		for _, g := range m.east.gates {
			_ = g.Conn.Close()
		}
		synctest.Wait()
		want := beat.Death{V: beat.Wire, Incarnation: b.Incarnation, Boot: b.Boot, Epoch: b.Epoch}
		if len(m.east.wills) != 1 || m.east.wills[0] != want {
			t.Fatalf("wills %+v, want %+v", m.east.wills, want)
		}
	})
}

func onDisk(t *testing.T) journal.Options {
	t.Helper()
	o := journal.DefaultOptions()
	o.Dir = t.TempDir()
	return o
}

func TestARestoredCopyBecomesANewIncarnation(t *testing.T) {
	for name, c := range map[string]struct {
		acked bool        // before this boot
		top   beat.Number // that the region knows
		renew bool
	}{
		"a copy that is behind the region":        {true, 5000, true},
		"the relay itself":                        {true, 0, false},
		"a new relay, of which nobody knows":      {false, 0, false},
		"a new relay under a number of another's": {false, 5000, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := onDisk(t)
			in(t, func(t *testing.T) {
				m := newMesh(t, o)
				if c.acked {
					if err := m.journal.NoteAcked(); err != nil {
						t.Fatal(err)
					}
				}
				before := m.journal.Incarnation()
				m.east.top = c.top
				m.west.refuses = true
				m.start()
				time.Sleep(time.Second)
				got := births(m.east.got())
				if renewed := m.journal.Incarnation() != before; renewed != c.renew {
					t.Fatalf("a new incarnation: %v", renewed)
				}
				if last := got[len(got)-1]; last.Incarnation != m.journal.Incarnation() || c.renew != (len(got) > 1) {
					t.Fatalf("%d births, the last %+v", len(got), last.Report)
				}
				if c.top > 0 && (len(m.store.exceeded) == 0 || m.store.exceeded[0] != c.top) {
					t.Fatalf("exceeded %v", m.store.exceeded)
				}
			})
		})
	}
}

func TestOptionsAreChecked(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory())
		good := m.options
		for name, spoil := range map[string]func(){
			"no identity":               func() { m.options.Identity = beat.Identity{} },
			"no boot":                   func() { m.options.Boot = beat.Boot{} },
			"no regions":                func() { m.options.Regions = nil },
			"one region twice":          func() { m.options.Regions = append(m.options.Regions[:1:1], m.options.Regions[0]) },
			"a keepalive below 1 s":     func() { m.options.Keepalive = time.Millisecond },
			"coalesce as reportEvery":   func() { m.options.Coalesce = m.options.ReportEvery },
			"no clock":                  func() { m.options.Now = nil },
			"an address with no port":   func() { m.options.Regions[0].Address = "tcp://east" },
			"an address of the web":     func() { m.options.Regions[0].Address = "https://east:443" },
			"a negative ack timeout":    func() { m.options.AckTimeout = -1 },
			"a version that is a novel": func() { m.options.Software = string(make([]byte, 65)) },
		} {
			m.options = good
			m.options.Regions = slices.Clone(good.Regions)
			spoil()
			if _, err := newGroup(m); err == nil {
				t.Errorf("%s is taken", name)
			}
		}
	})
}
