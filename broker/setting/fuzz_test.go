package setting_test

import (
	"os"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/setting"
)

// Whatever a document holds, it is refused or answers every question, and what
// was taken is written and read as the same.
func FuzzDecode(f *testing.F) {
	for _, doc := range []string{
		`{"v":1,"kind":"store","id":"alex","version":1,"store":{"timezone":"Europe/Berlin","hours":{"mon":["18:00-02:00"],"tue":[],"wed":[],"thu":[],"fri":[],"sat":[],"sun":["00:00-24:00"]},"dates":{"2026-12-24..2026-12-26":[]}}}`,
		`{"v":1,"kind":"silence","id":"a","version":1,"rule":{"id":"a","kind":"silence","stores":["*"],"from":"2026-06-01T12:00:00Z","until":"2026-06-01T13:00:00Z"}}`,
		`{"v":1,"kind":"pin","id":"alex","version":1,"pin":"us-east-1"}`, `{"v":1,"kind":"ack","id":"a","version":1,"deleted":true}`, `{"v":2}`,
	} {
		f.Add([]byte(doc), int64(1780000000))
	}
	f.Fuzz(func(t *testing.T, doc []byte, at int64) {
		s, err := setting.Decode(doc)
		if err != nil {
			return
		}
		again, err := setting.Encode(&s)
		if err != nil {
			return // more than a document may hold
		}
		if _, err := setting.Decode(again); err != nil {
			t.Fatalf("%s became %s: %v", doc, again, err)
		}
		now := time.Unix(at%(1<<33), 0)
		fleet := setting.Join([]setting.Item{{Region: "a", Setting: s}})
		fleet.Hush(setting.Subject{Store: "alex", Host: "pos1"}, now)
		for store := range fleet.Stores() {
			if _, edge := store.Open(now); !edge.IsZero() && !edge.After(now) {
				t.Fatalf("%s: at %s the next edge is %s", doc, now, edge)
			}
			if opened := store.Opened(now); opened.After(now) {
				t.Fatalf("%s: at %s it opened at %s", doc, now, opened)
			}
			store.Opens(now)
			store.Maintenance(now)
			store.Date(now)
		}
	})
}

// A stores file is refused with words, or every store in it is valid.
func FuzzParseFile(f *testing.F) {
	raw, err := os.ReadFile("testdata/stores.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte("stores: {a: {hosts: [x, y]}}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		stores, err := setting.ParseFile("f.yaml", raw)
		for id, e := range stores {
			if bad := e.Check(setting.NewCompiler(), id); bad != nil {
				t.Fatalf("%s: %v (%v)", id, bad, err)
			}
		}
	})
}
