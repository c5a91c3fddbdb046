package uplink_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

func TestABirthThenHashes(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory()).start()
		got := m.east.got()
		if len(got) != 1 {
			t.Fatalf("%d reports at once, want the birth", len(got))
		}
		b := got[0]
		if b.Kind != beat.Birth || b.Seq != 1 || b.Epoch == 0 || b.Picture == nil || len(b.Picture.Hosts) != 2 || b.Software != "1.2.3" ||
			b.Boot != m.options.Boot || b.Incarnation != m.journal.Incarnation() || b.ReportEveryMs != 15000 || b.KeepaliveMs != 20000 {
			t.Fatalf("birth %+v", b.Report)
		}
		if other := births(m.west.got()); len(other) != 1 || other[0].Epoch == b.Epoch {
			t.Fatalf("the other region's birth %+v", other)
		}
		time.Sleep(61 * time.Second)
		got = m.east.got()
		if len(got) != 4 {
			t.Fatalf("%d reports in a minute, want 4", len(got))
		}
		for i, r := range got {
			if r.Kind != beat.Steady || r.Picture != nil || r.Hash != b.Hash || r.Seq != beat.Seq(i+2) || r.Epoch != b.Epoch || r.size > 140 {
				t.Fatalf("report %d: %+v, %d bytes", i, r.Report, r.size)
			}
			if want := uint64(15000 * (i + 1)); r.MonoMs != want {
				t.Fatalf("report %d at %d ms, want %d", i, r.MonoMs, want)
			}
		}
		for _, s := range m.group.Status() {
			if !s.Open || s.Error != "" || s.Home != (s.Region == east) || s.LastAck.IsZero() {
				t.Fatalf("status %+v", s)
			}
		}
	})
}

func TestChangesShareOneReport(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory()).start()
		m.east.got()
		time.Sleep(time.Second)
		start := time.Now()
		for range 4 {
			m.store.change(0, beat.Missing)
			m.group.Changed()
			time.Sleep(60 * time.Millisecond)
			m.store.change(1, beat.Missing)
			m.group.Changed()
		}
		time.Sleep(time.Second)
		got := m.east.got()
		if len(got) != 1 || got[0].Picture == nil || got[0].Picture.Hosts[1].State != beat.Missing || got[0].Picture.Hosts[1].Number != 8 {
			t.Fatalf("%d reports: %+v", len(got), got)
		}
		if d := got[0].at.Sub(start); d != m.options.Coalesce {
			t.Fatalf("it came after %v", d)
		}
	})
}

// While a report is on its way there is at most one unsent picture: the newest.
func TestTheNewestPictureLeavesNext(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory()).start()
		m.east.got()
		m.east.set(func() { m.east.mute = true })
		for range 5 {
			m.store.change(0, beat.Missing)
			m.group.Changed()
			time.Sleep(time.Second)
		}
		if got := m.east.got(); len(got) != 1 || got[0].Picture.Hosts[0].Number != 1 {
			t.Fatalf("%d reports without a PUBACK, want 1", len(got))
		}
		m.east.set(func() { m.east.mute = false })
		time.Sleep(7 * time.Second) // its connection is given up, and a new one born
		got := m.east.got()
		if len(got) != 1 || got[0].Kind != beat.Birth || got[0].Picture.Hosts[0].Number != 5 {
			t.Fatalf("got %+v, want a birth with the newest", got)
		}
	})
}

func TestAWholePictureNowAndThen(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory()).start()
		time.Sleep(21 * time.Minute)
		pictures := 0
		for _, r := range m.east.got()[1:] {
			if r.Picture != nil {
				pictures++
			}
		}
		if pictures != 2 {
			t.Fatalf("%d whole pictures in 21 minutes, want 2", pictures)
		}
		m.east.command(beat.Command{Order: beat.SendPicture})
		if got := m.east.got(); len(got) != 1 || got[0].Picture == nil {
			t.Fatalf("asked for the picture, got %+v", got)
		}
	})
}

func TestOrders(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory()).start()
		m.east.got()
		m.east.command(beat.Command{Order: beat.Forget, Host: "typo"})
		m.east.command(beat.Command{Order: 77})
		m.east.send(identity.CommandTopic(), []byte("garbage"))
		m.east.send(identity.AckTopic(), nil)
		m.east.send("hb/v1/down/demo/r1/config", []byte("later"))
		if got := m.east.got(); len(got) != 0 {
			t.Fatalf("it answers with %+v", got)
		}
		if len(m.store.forgot) != 1 || m.store.forgot[0] != "typo" {
			t.Fatalf("forgot %v", m.store.forgot)
		}
		time.Sleep(15 * time.Second)
		if got := m.east.got(); len(got) != 1 || len(births(got)) != 0 {
			t.Fatalf("then %+v", got)
		}
	})
}

func TestWitnessesTellOfTheOtherRegion(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory())
		m.west.refuses = true
		m.start()
		b := m.east.got()[0]
		if len(b.Others) != 1 || b.Others[0].Region != west || b.Others[0].Session || b.Others[0].AckAgeMs < 1<<30 {
			t.Fatalf("a region that never answered: %+v", b.Others)
		}
		m.west.set(func() { m.west.refuses = false })
		time.Sleep(time.Minute)
		m.west.cut()
		m.east.got()
		time.Sleep(time.Minute)
		var last arrival
		for _, r := range m.east.got() {
			last = r
		}
		if w := last.Others[0]; w.Session || w.AckAgeMs < 30_000 || w.AckAgeMs > 75_000 {
			t.Fatalf("a minute after the cut: %+v", w)
		}
	})
}
