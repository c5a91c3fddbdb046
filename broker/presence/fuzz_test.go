package presence_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// FuzzReport steps whatever the decoder takes, and whatever it would not take
// but for its checks: nothing panics, and what is refused as impossible changes
// nothing.
func FuzzReport(f *testing.F) {
	f.Add(report(beat.Birth, 9, 1, time.Minute, beat.HostReport{Host: "pos1", State: beat.Up, Number: 1, IntervalMs: 5000}).Encode(), uint64(0))
	f.Add(report(beat.Steady, 8, 2, time.Minute).Encode(), uint64(1<<63))
	f.Add(report(beat.Goodbye, 7, 3, time.Minute).Encode(), uint64(1))
	f.Fuzz(func(t *testing.T, raw []byte, mono uint64) {
		w := newWorld(t, "us-east-1", "us-west-2")
		w.birth(1, 7, beat.HostReport{Host: "pos1", State: beat.Up, Number: 1, IntervalMs: 5000})
		var r beat.Report
		if beat.DecodeReport(raw, &r) != nil {
			return
		}
		for _, conn := range []presence.Conn{1, 2} {
			again(t, 0, w.p, w.now, &presence.Report{Conn: conn, Report: &r})
			lie := r
			lie.MonoMs, lie.Seq = mono, r.Seq+beat.Seq(mono>>1)
			again(t, 0, w.p, w.now, &presence.Report{Conn: conn, Report: &lie})
			w.at(w.now.Mono + time.Minute)
		}
	})
}

// FuzzItem loads whatever the table may hold.
func FuzzItem(f *testing.F) {
	f.Add([]byte(`{"v":1,"relay":"r1","epoch":7,"view":"open","hosts":[{"h":"pos1","s":"up","n":1,"i":5000,"d":3}]}`), "demo", "")
	f.Add([]byte(`{"v":2,"relay":{"other":true}}`), "demo", "")
	f.Add([]byte(`{"v":1,"state":"up","intervalMs":5000,"number":3,"lastBeat":"2026-01-05T12:00:00Z"}`), "demo", "pos1")
	f.Fuzz(func(t *testing.T, doc []byte, store, host string) {
		w := newWorld(t, "us-east-1")
		before := everything(t, w.p, w.now)
		item := presence.StoreItem{Region: "us-east-1", Store: beat.StoreID(store), Host: beat.HostID(host), Doc: doc}
		outs := w.do(&presence.Loaded{Stores: []presence.StoreItem{item}})
		if _, ok := find[*presence.Refused](outs); ok && everything(t, w.p, w.now) != before {
			t.Fatalf("it was set aside, and changed what is known")
		}
		w.at(w.now.Mono + 48*time.Hour)
	})
}

// An item that a later version wrote is set aside, whatever else it says.
func TestNewerItemIsSetAside(t *testing.T) {
	w := newWorld(t, "us-east-1")
	for doc, why := range map[string]presence.Refusal{
		`{"v":2,"relay":"r1","epoch":7,"view":"open"}`:           presence.NewerItem,
		`{"v":1,"relay":7}`:                                      presence.BadItem,
		`{"v":1,"relay":"r1","hosts":[{"h":"","s":"up","n":1}]}`: presence.BadItem,
		`nonsense`: presence.BadItem,
		`{"v":1,"relay":"r1","hosts":[{"h":"pos1","s":"up","n":1,"i":999999999999}]}`: presence.BadItem,
	} {
		outs := w.do(&presence.Loaded{Stores: []presence.StoreItem{{Region: "us-east-1", Store: "demo", Doc: []byte(doc)}}})
		if r, ok := find[*presence.Refused](outs); !ok || r.Reason != why {
			t.Errorf("%s: want it refused as %v, got %v", doc, why, outs)
		}
		if _, known := w.p.Status(w.now, "demo"); known {
			t.Errorf("%s: it made the store known", doc)
		}
	}
}

// What a relay cannot mean is refused, and changes nothing.
func TestImpossibleReportsChangeNothing(t *testing.T) {
	host := beat.HostReport{Host: "pos1", State: beat.Up, Number: 1, IntervalMs: 5000}
	for name, change := range map[string]func(*beat.Report){
		"a host twice":              func(r *beat.Report) { r.Picture.Hosts = []beat.HostReport{host, host} },
		"hosts out of order":        func(r *beat.Report) { r.Picture.Hosts = []beat.HostReport{{Host: "b"}, {Host: "a"}} },
		"more hosts than a store":   func(r *beat.Report) { r.Picture.Hosts = make([]beat.HostReport, beat.MaxHosts+1) },
		"a host without a name":     func(r *beat.Report) { r.Picture.Hosts[0].Host = "" },
		"an age beyond any life":    func(r *beat.Report) { r.Picture.Hosts[0].AgeMs = 1 << 62 },
		"an age beyond its uptime":  func(r *beat.Report) { r.Picture.Hosts[0].AgeMs = r.MonoMs + 1 },
		"a LAN without a number":    func(r *beat.Report) { r.Picture.Lan = &beat.Lan{Dead: true} },
		"a clock beyond any uptime": func(r *beat.Report) { r.MonoMs = 1 << 62 },
		"no promise":                func(r *beat.Report) { r.ReportEveryMs = 0 },
		"an epoch out of range":     func(r *beat.Report) { r.Epoch = beat.MaxCounter },
		"a number out of range":     func(r *beat.Report) { r.Picture.Hosts[0].Number = beat.MaxCounter },
		"a birth without a picture": func(r *beat.Report) { r.Kind, r.Picture = beat.Birth, nil },
	} {
		w := newWorld(t, "us-east-1")
		w.birth(1, 7, host)
		before := everything(t, w.p, w.now)
		r := report(beat.Steady, 7, 2, w.now.Mono, host)
		change(r)
		outs := w.do(&presence.Report{Conn: 1, Report: r})
		if refused, ok := find[*presence.Refused](outs); !ok || refused.Reason != presence.BadReport && refused.Reason != presence.BadPicture {
			t.Errorf("%s: %v", name, outs)
		}
		if everything(t, w.p, w.now) != before {
			t.Errorf("%s: it changed what is known", name)
		}
	}
}
