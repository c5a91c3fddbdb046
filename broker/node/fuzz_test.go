package node_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/record"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// FuzzToTheTable carries what a relay says through the node to the items of the
// table: nothing that the decoder takes ends the process, and each item can be
// written and is read again.
func FuzzToTheTable(f *testing.F) {
	seed := (&shop{w: newTown(nil), id: "demo"}).report(beat.Birth, 9)
	seed.Seq = 1
	f.Add(seed.Encode(), int64(0), uint64(0))
	seed.Kind, seed.Epoch, seed.Picture.Hosts[0].State, seed.Picture.Hosts[0].AgeMs = beat.Steady, 8, beat.Missing, 70_000
	f.Add(seed.Encode(), int64(1), uint64(1<<63))
	seed.Journal = []beat.Transition{{Number: 1, Host: "pos1", State: beat.Missing, Boot: beat.Boot{2}}}
	f.Add(seed.Encode(), int64(-100_000_000_000_000), uint64(5))
	f.Fuzz(func(t *testing.T, raw []byte, wall int64, mono uint64) {
		var r beat.Report
		if beat.DecodeReport(raw, &r) != nil {
			return
		}
		w := newTown(t)
		p := w.start(east, "e1")
		w.run(2 * time.Minute)
		birth := (&shop{w: w, id: r.Store, seq: 1}).report(beat.Birth, min(r.Epoch, 8))
		birth.Relay, birth.Incarnation, birth.Boot = r.Relay, r.Incarnation, r.Boot
		p.step(&presence.Report{Conn: 1, Report: birth})
		for i := range r.Journal {
			r.Journal[i].WallMs, r.Journal[i].MonoMs = wall, mono
		}
		for _, conn := range []presence.Conn{1, 2} {
			p.step(&presence.Report{Conn: conn, Report: &r})
			w.run(time.Minute)
		}
		written(t, w, p)
	})
}

// written: what the node wants to write can be written, and is read again.
func written(t *testing.T, w *town, p *proc) {
	t.Helper()
	for _, o := range p.outs {
		switch o := o.(type) {
		case *presence.Journal:
			items, aside := record.History(p.region, o, time.Hour)
			if _, bad := record.JoinHistory(items); aside+bad > 0 || len(items) != len(o.Entries) {
				t.Errorf("of %d entries %d were set aside, and %d are not read again", len(o.Entries), aside, bad)
			}
		case *incident.Write:
			if err := record.Notice(o.Notice, p.n.Term(), time.Hour).Check(); err != nil {
				t.Error(err)
			}
		}
	}
	for _, it := range w.items {
		if err := it.Check(); err != nil {
			t.Error(err)
		}
	}
}
