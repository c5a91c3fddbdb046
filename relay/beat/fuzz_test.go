package beat_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// FuzzEnvelope: what a decoder takes is valid, and stays what it is when it is
// written and read again. Nothing makes it panic.
func FuzzEnvelope(f *testing.F) {
	files, err := filepath.Glob("testdata/wire/*/*.cbor")
	if err != nil || len(files) == 0 {
		f.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r, again beat.Report
		if beat.DecodeReport(raw, &r) == nil {
			if err := r.Validate(); err != nil {
				t.Fatalf("taken, and not valid: %v", err)
			}
			if err := beat.DecodeReport(r.Encode(), &again); err != nil {
				t.Fatalf("not read again: %v", err)
			}
			if !reflect.DeepEqual(again.Picture, r.Picture) || len(again.Journal) != len(r.Journal) || again.Epoch != r.Epoch {
				t.Fatalf("read again as %+v, was %+v", again, r)
			}
		}
		if d, err := beat.DecodeDeath(raw); err == nil {
			if got, err := beat.DecodeDeath(d.Encode()); err != nil || got != d {
				t.Fatalf("death %+v, %v", got, err)
			}
		}
		if a, err := beat.DecodeAck(raw); err == nil {
			if got, err := beat.DecodeAck(a.Encode()); err != nil || got != a {
				t.Fatalf("ack %+v, %v", got, err)
			}
		}
		if c, err := beat.DecodeCommand(raw); err == nil {
			if got, err := beat.DecodeCommand(c.Encode()); err != nil || got != c {
				t.Fatalf("command %+v, %v", got, err)
			}
		}
	})
}

// FuzzBeat: the JSON of a till never makes a decoder panic, and what is taken
// is within its bounds.
func FuzzBeat(f *testing.F) {
	for _, s := range []string{`{"hostId":"pos1","intervalMs":300000}`, `{"hostId":7,"intervalMs":"999.9"}`, `{"intervalMs":true}`, `{"status":"fail","message":"\u202e"} tail`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		check := func(b beat.Beat) {
			if b.Interval != 0 && (b.Interval < beat.MinInterval || b.Interval > beat.MaxInterval) || len(b.Message) > 256 || len(b.Version) > 64 {
				t.Fatalf("taken: %+v", b)
			}
		}
		if b, _, err := beat.DecodeHTTP(raw); err == nil {
			check(b)
			if _, err := beat.ParseHostID(string(b.Host)); err != nil {
				t.Fatal(err)
			}
		}
		if b, err := beat.DecodeMQTT("pos1", raw); err == nil {
			check(b)
		}
	})
}
