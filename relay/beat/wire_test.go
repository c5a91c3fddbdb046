package beat_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// update writes fixtures that are not there yet; it never changes one.
var update = flag.Bool("update", false, "write the wire fixtures that are missing")

// fixture is an envelope as a release wrote it. Those in testdata/wire never
// change: relays and regions of that release are still out there.
func fixture(t *testing.T, name string, now []byte) []byte {
	t.Helper()
	file := filepath.Join("testdata", "wire", "v1", name+".cbor")
	raw, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) && *update {
		raw, err = now, os.WriteFile(file, now, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// fixed is the first release's reports, and those with what came later.
func fixed() map[string]*beat.Report {
	report := func(kind beat.Kind, seq beat.Seq) *beat.Report {
		r := steady()
		r.Kind, r.Seq, r.MonoMs, r.JournalDepth, r.JournalLost = kind, seq, 65_000, 2, 1
		return r
	}
	birth := report(beat.Birth, 1)
	birth.Software = "0.1.0"
	birth.Picture = &beat.Picture{Hosts: []beat.HostReport{
		{Host: "kiosk1", State: beat.Failing, Number: 9, AgeMs: 100, IntervalMs: 30_000, Status: beat.Fail, Message: "no paper", Reason: beat.SaidFail},
		{Host: "pos1", State: beat.Up, Number: 7, AgeMs: 2_000, IntervalMs: 600_000, Reason: beat.Adopted},
		{Host: "pos2", State: beat.Missing, Number: 8, AgeMs: 90_000, IntervalMs: 30_000, Flapping: true, Reason: beat.Deadline},
	}}
	birth.Hash = birth.Picture.Hash()
	journal := report(beat.Steady, 2)
	journal.Journal = []beat.Transition{
		{Number: 3, Reason: beat.Shed, Boot: beat.Boot{1}, MonoMs: 5, Until: 6},
		{Number: 8, Host: "pos2", State: beat.Missing, Reason: beat.Deadline, Boot: beat.Boot{2}, MonoMs: 64_000, WallMs: 1_900_000_000_000, SilentMs: 33_000, IntervalMs: 30_000},
		{Number: 9, Host: "kiosk1", State: beat.Failing, Reason: beat.SaidFail, Boot: beat.Boot{2}, MonoMs: 64_900, WallMs: 1_900_000_000_900, SilentMs: 900, IntervalMs: 30_000, Message: "no paper"},
	}
	lan := report(beat.Steady, 3)
	lan.Picture = &beat.Picture{Hosts: birth.Picture.Hosts, Lan: &beat.Lan{Dead: true, Number: 12, AgeMs: 1_500, Reason: beat.LanDead}}
	lan.Hash = lan.Picture.Hash()
	lan.Journal = []beat.Transition{{Number: 12, State: beat.Missing, Reason: beat.LanDead, Boot: beat.Boot{2}, MonoMs: 63_500}}
	restart := report(beat.Goodbye, 5)
	restart.Restart = true
	return map[string]*beat.Report{
		"birth": birth, "report": report(beat.Steady, 4), "journal": journal, "bye": report(beat.Goodbye, 4),
		"report-lan": lan, "bye-restart": restart,
	}
}

// What a release wrote is read as it was meant, and what this code writes of
// the same is byte for byte the same, so that the release reads it too.
func TestReportsOfEveryReleaseAreRead(t *testing.T) {
	for name, want := range fixed() {
		t.Run(name, func(t *testing.T) {
			raw := fixture(t, name, want.Encode())
			var got beat.Report
			if err := beat.DecodeReport(raw, &got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(&got, want) {
				t.Errorf("got %+v, want %+v", got, *want)
			}
			if !bytes.Equal(want.Encode(), raw) {
				t.Error("this code writes it in other bytes")
			}
			if p := got.Picture; p != nil && p.Hash() != got.Hash {
				t.Errorf("the picture's hash is %d, the release made %d", p.Hash(), got.Hash)
			}
		})
	}
}

func TestOtherEnvelopesOfEveryReleaseAreRead(t *testing.T) {
	ack := beat.Ack{V: 1, Epoch: 7, Seq: 2, Home: "us-east-1", Incarnation: beat.Incarnation{1}, Through: 9, Top: 9}
	if got, err := beat.DecodeAck(fixture(t, "ack", ack.Encode())); err != nil || got != ack {
		t.Errorf("ack %+v, %v", got, err)
	}
	death := beat.Death{V: 1, Incarnation: beat.Incarnation{1}, Boot: beat.Boot{2}, Epoch: 7}
	if got, err := beat.DecodeDeath(fixture(t, "death", death.Encode())); err != nil || got != death {
		t.Errorf("death %+v, %v", got, err)
	}
	for name, want := range map[string]beat.Command{
		"command-rebirth": {V: 1, Order: beat.Rebirth, Exceed: 70},
		"command-picture": {V: 1, Order: beat.SendPicture},
		"command-forget":  {V: 1, Order: beat.Forget, Host: "pos2"},
	} {
		if got, err := beat.DecodeCommand(fixture(t, name, want.Encode())); err != nil || got != want {
			t.Errorf("%s %+v, %v", name, got, err)
		}
	}
}

// A later version only adds keys: this one ignores them, wherever they are.
func TestKeysOfLaterVersionsAreIgnored(t *testing.T) {
	for name, want := range fixed() {
		var tree map[any]any
		if err := cbor.Unmarshal(want.Encode(), &tree); err != nil {
			t.Fatal(err)
		}
		raw, err := cbor.Marshal(extended(tree))
		if err != nil {
			t.Fatal(err)
		}
		var got beat.Report
		if err := beat.DecodeReport(raw, &got); err != nil || !reflect.DeepEqual(&got, want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, *want)
		}
	}
}

// extended adds keys that nobody knows to every map.
func extended(v any) any {
	switch v := v.(type) {
	case map[any]any:
		for k, e := range v {
			v[k] = extended(e)
		}
		v[uint64(200)], v[uint64(201)], v["later"] = "news", []any{uint64(1), map[any]any{uint64(2): true}}, uint64(3)
	case []any:
		for i := range v {
			v[i] = extended(v[i])
		}
	}
	return v
}

// A wrong clock is no reason to lose a store's history; a date that nobody can
// write is.
func TestJournalsThatCannotBeDatedAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		wall int64
		want error
	}{
		"1970":              {1, nil},
		"2106":              {4_294_967_295_000, nil},
		"before the year 1": {-100_000_000_000_000, beat.ErrDate},
		"after all":         {1<<63 - 1, beat.ErrDate},
	} {
		r := steady()
		r.Journal = []beat.Transition{{Number: 1, Host: "pos1", State: beat.Missing, WallMs: c.wall}}
		var got beat.Report
		if err := beat.DecodeReport(r.Encode(), &got); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestPicturesThatCannotBeTrueAreRefusedByName(t *testing.T) {
	many := make([]beat.HostReport, beat.MaxHosts+1)
	for i := range many {
		many[i] = beat.HostReport{Host: beat.HostID([]byte{'a' + byte(i/26/26), 'a' + byte(i/26%26), 'a' + byte(i%26)})}
	}
	old := uint64(beat.MaxAge/time.Millisecond) + 1
	for name, c := range map[string]struct {
		p    beat.Picture
		want error
	}{
		"more than 256 hosts":                    {beat.Picture{Hosts: many}, beat.ErrTooManyHosts},
		"a host twice":                           {*picture("a", "a"), beat.ErrHostTwice},
		"a bad id":                               {*picture("../x"), beat.ErrHostID},
		"a host up since before the relay began": {beat.Picture{Hosts: []beat.HostReport{{Host: "a", State: beat.Up, AgeMs: 1_235}}}, beat.ErrAge},
		"a host silent for a hundred years":      {beat.Picture{Hosts: []beat.HostReport{{Host: "a", State: beat.Missing, AgeMs: old}}}, beat.ErrAge},
		"a number that nobody reaches":           {beat.Picture{Hosts: []beat.HostReport{{Host: "a", Number: beat.MaxCounter}}}, beat.ErrNumber},
		"a LAN without a number":                 {beat.Picture{Lan: &beat.Lan{Dead: true}}, beat.ErrNumber},
		"a LAN dead for a hundred years":         {beat.Picture{Lan: &beat.Lan{Number: 1, AgeMs: old}}, beat.ErrAge},
		// What a restarted relay knows by its journal is older than the process.
		"a host missing since before the start": {beat.Picture{Hosts: []beat.HostReport{{Host: "a", State: beat.Missing, AgeMs: 99_999}}}, nil},
	} {
		r := steady()
		r.Picture = &c.p
		var got beat.Report
		if err := beat.DecodeReport(r.Encode(), &got); !errors.Is(err, c.want) || c.want != nil && !errors.Is(err, beat.ErrEnvelope) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
