package beat_test

import (
	"errors"
	"testing"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

func steady() *beat.Report {
	return &beat.Report{
		V: beat.Wire, Kind: beat.Steady, Store: "demo", Relay: "r1",
		Incarnation: beat.Incarnation{1}, Boot: beat.Boot{2}, Epoch: 7, Seq: 3, MonoMs: 1234,
		ReportEveryMs: 15000, KeepaliveMs: 20000, Hash: 99,
		Others: []beat.Witness{{Region: "us-west-2", Session: true, AckAgeMs: 10}},
	}
}

func TestReportRoundTrip(t *testing.T) {
	want := steady()
	want.Picture = &beat.Picture{Hosts: []beat.HostReport{{Host: "pos1", State: beat.Up, Number: 1, IntervalMs: 5000}}}
	want.Journal = []beat.Transition{{Number: 4, Host: "pos1", State: beat.Up, Boot: beat.Boot{2}}}
	var got beat.Report
	if err := beat.DecodeReport(want.Encode(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Picture.Hosts[0] != want.Picture.Hosts[0] || got.Journal[0] != want.Journal[0] || got.Epoch != want.Epoch {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}

// A steady store costs about 100 bytes a report.
func TestSteadyReportIsSmall(t *testing.T) {
	if n := len(steady().Encode()); n > 128 {
		t.Fatalf("a steady report takes %d bytes", n)
	}
}

func TestDecodeReportRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*beat.Report){
		"no version":               func(r *beat.Report) { r.V = 0 },
		"an unknown kind":          func(r *beat.Report) { r.Kind = 9 },
		"a foreign name":           func(r *beat.Report) { r.Store = "De mo" },
		"epoch 0":                  func(r *beat.Report) { r.Epoch = 0 },
		"a birth with no picture":  func(r *beat.Report) { r.Kind = beat.Birth },
		"a host twice":             func(r *beat.Report) { r.Picture = picture("a", "a") },
		"hosts out of order":       func(r *beat.Report) { r.Picture = picture("b", "a") },
		"a covered host":           func(r *beat.Report) { r.Picture = picture("a"); r.Picture.Hosts[0].State = beat.Covered },
		"a journal out of order":   func(r *beat.Report) { r.Journal = entries(2, 1) },
		"a journal entry 0":        func(r *beat.Report) { r.Journal = entries(0) },
		"a host with a bad name":   func(r *beat.Report) { r.Picture = picture("../x") },
		"a shed range of no range": func(r *beat.Report) { r.Journal = []beat.Transition{{Number: 3, Reason: beat.Shed}} },
		"an epoch nobody reaches":  func(r *beat.Report) { r.Epoch = beat.MaxCounter },
		"a number nobody reaches":  func(r *beat.Report) { r.Picture = picture("a"); r.Picture.Hosts[0].Number = beat.MaxCounter },
		"no reportEvery":           func(r *beat.Report) { r.ReportEveryMs = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			r := steady()
			spoil(r)
			var got beat.Report
			if err := beat.DecodeReport(r.Encode(), &got); !errors.Is(err, beat.ErrEnvelope) {
				t.Fatalf("got %v, want ErrEnvelope", err)
			}
		})
	}
}

func picture(hosts ...beat.HostID) *beat.Picture {
	p := &beat.Picture{}
	for _, h := range hosts {
		p.Hosts = append(p.Hosts, beat.HostReport{Host: h, State: beat.Up})
	}
	return p
}

func entries(numbers ...beat.Number) []beat.Transition {
	var out []beat.Transition
	for _, n := range numbers {
		out = append(out, beat.Transition{Number: n, Host: "a", State: beat.Up})
	}
	return out
}

func TestHashIgnoresAges(t *testing.T) {
	p := picture("a", "b")
	before := p.Hash()
	p.Hosts[0].AgeMs = 500
	if p.Hash() != before {
		t.Fatal("an age changed the hash")
	}
	p.Hosts[0].State = beat.Missing
	if p.Hash() == before {
		t.Fatal("a state did not change the hash")
	}
}

// What a relay says is fit for a terminal: no escapes, no line ends, no change
// of direction.
func TestDecodeReportCleansTexts(t *testing.T) {
	r := steady()
	r.Software = "v1\x1b[31m\n"
	r.Picture = picture("a")
	r.Picture.Hosts[0].Message = "out of paper\nALL CLEAR\u202e\u009b"
	var got beat.Report
	if err := beat.DecodeReport(r.Encode(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Software != "v1 [31m " || got.Picture.Hosts[0].Message != "out of paper ALL CLEAR  " {
		t.Fatalf("%q, %q", got.Software, got.Picture.Hosts[0].Message)
	}
}
