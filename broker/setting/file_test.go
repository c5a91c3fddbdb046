package setting_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/setting"
)

func TestParseFile(t *testing.T) {
	raw, err := os.ReadFile("testdata/stores.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := setting.ParseFile("stores.yaml", raw)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{
		"alex": `{"tags":{"brand":"burger","city":"Berlin"},"timezone":"Europe/Berlin","hours":{"fri":["06:00-11:00","17:00-02:00"],"mon":["06:00-23:00"],` +
			`"sat":["06:00-11:00","17:00-02:00"],"sun":[],"thu":["06:00-23:00"],"tue":["06:00-23:00"],"wed":["06:00-23:00"]},` +
			`"dates":{"2026-12-25":[],"2026-12-27..2027-01-03":["10:00-16:00"]},"comeUp":"15m",` +
			`"hosts":{"pos1":{},"pos2":{"interval":"30s","tags":{"kind":"kiosk"}}},"pin":"us-west-2"}`,
		"ny-5th": `{"tags":{"brand":"burger"},"timezone":"America/New_York","hours":{"fri":["00:00-24:00"],"mon":["00:00-24:00"],"sat":["00:00-24:00"],` +
			`"sun":["00:00-24:00"],"thu":["00:00-24:00"],"tue":["00:00-24:00"],"wed":["00:00-24:00"]},"comeUp":"15m","autoAdopt":true,"hosts":{"pos1":{},"pos2":{}}}`,
	} {
		for store, entry := range got {
			if string(store) != id {
				continue
			}
			if doc, _ := json.Marshal(entry); string(doc) != want {
				t.Errorf("%s:\n%s, want\n%s", id, doc, want)
			}
		}
	}
	plain := got["plain"]
	s, err := setting.NewCompiler().Compile("plain", &plain.Declaration)
	if err != nil || s.ComeUp != 15*time.Minute || s.Zone().String() != "Europe/Berlin" || len(got) != 3 {
		t.Errorf("%d stores; plain: %+v, %v", len(got), s, err)
	}
}

func TestErrorsNameFileLineAndKey(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"stores:\n  Alex:\n", `f.yaml:2: stores.Alex: store "Alex": a store id is`},
		{"stores:\n  alex:\n    hour: closed\n", "f.yaml:3: stores.alex.hour: unknown key; known here: tags, timezone, hours"},
		{"stores:\n  alex:\n    timezone: Berlin\n", "f.yaml:3: stores.alex.timezone: time zone \"Berlin\" is not known"},
		{"stores:\n  alex:\n    timezone: UTC\n    hours:\n      mon-fri: 6-23\n", `f.yaml:5: stores.alex.hours.mon-fri: "6-23" is no span: write from-to`},
		{"stores:\n  alex:\n    timezone: UTC\n    hours:\n      mon-sat: 06:00-23:00\n", "stores.alex.hours: sun is not said: write its spans, or closed"},
		{"stores:\n  alex:\n    timezone: UTC\n    hours:\n      daily: 06:00-12:00,11:00-13:00\n", "f.yaml:5: stores.alex.hours.daily: 06:00-12:00 and 11:00-13:00 overlap"},
		{"stores:\n  alex:\n    hours:\n      daily: closed\n", "f.yaml:2: stores.alex: timezone: opening hours need one"},
		{"stores:\n  alex:\n    timezone: UTC\n    dates:\n      2026-02-30: closed\n", `f.yaml:5: stores.alex.dates.2026-02-30: "2026-02-30" is no date`},
		{"stores:\n  alex:\n    hosts:\n      pos1: {interval: soon}\n", `f.yaml:4: stores.alex.hosts.pos1.interval: "soon" is no duration from 1s to 12h`},
		{"stores:\n  alex:\n    hosts: [pos1, pos1]\n", "f.yaml:3: stores.alex.hosts.1: pos1 is there twice"},
		{"stores:\n  alex:\n    tags: {a b: c}\n", "f.yaml:3: stores.alex.tags.a b: a tag's name is"},
		{"stores:\n  alex:\n    tags:\n", ""},
		{"stores:\n  alex: &a\n    comeUp: 5m\n  bob: *a\n", "f.yaml:2: stores.alex: want keys here"},
		{"stores:\n  alex:\n    autoAdopt: yes\n", `f.yaml:3: stores.alex.autoAdopt: "yes" is neither true nor false`},
		{"store:\n", "f.yaml:1: store: unknown key; known here: defaults, stores"},
		{"", "f.yaml: the file is empty"},
		{"a: [", "f.yaml:1: "},
		{"stores: {}\n---\nstores: {}\n", "one document is enough"},
		{"defaults: {hosts: [pos1]}\nstores: {}\n", "f.yaml:1: defaults.hosts: unknown key"},
	} {
		_, err := setting.ParseFile("f.yaml", []byte(c.text))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\n%v, want\n%s", c.text, err, c.want)
		}
	}
}

// A file of levels within each other is an error with its line: the parser would
// run out of its stack.
func TestAFileThatIsTooDeepIsRefused(t *testing.T) {
	var steps strings.Builder
	for i := range 200 {
		steps.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	for what, text := range map[string]string{
		"brackets":       strings.Repeat("[", 300_000),
		"braces":         strings.Repeat("{a: ", 300_000),
		"dashes":         strings.Repeat("- ", 300_000),
		"question marks": strings.Repeat("? ", 100_000) + "a",
		"tags":           strings.Repeat("!a ", 300_000) + "a",
		"indentation":    steps.String(),
	} {
		if _, err := setting.ParseFile("stores.yaml", []byte("stores:\n  demo:\n    tags:\n"+text)); err == nil || !strings.Contains(err.Error(), "levels within each other") || !strings.HasPrefix(err.Error(), "stores.yaml:") {
			t.Errorf("%s: %.200v", what, err)
		}
	}
}
