package settings_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/internal/settings"
)

type region struct {
	Name     string          `yaml:"name" help:"its name"`
	Password settings.Secret `yaml:"password"`
}

type config struct {
	Store       string        `yaml:"store" help:"the store's id"`
	ReportEvery time.Duration `yaml:"reportEvery" help:"time between reports"`
	Keyed       bool          `yaml:"keyed"`
	Keys        []string      `yaml:"keys"`
	Limits      struct {
		Beats int `yaml:"beats" help:"beats a second"`
	} `yaml:"limits"`
	Regions []region `yaml:"regions" help:"where to report"`
}

func defaults() *config {
	return &config{Store: "s1", ReportEvery: 15 * time.Second, Keys: []string{}}
}

func environ(vars map[string]string) settings.Environ {
	return func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
}

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestAFlagIsStrongerThanTheEnvironmentAndThatThanTheFile(t *testing.T) {
	name := file(t, `
# a comment
store: from-file
reportEvery: 1m30s
limits: {beats: 7}
keys: [a, "b"]
regions:
  - name: east
    password: geheim
  - name: west
`)
	c := defaults()
	err := settings.Load(c, []string{"--report-every", "3s", "--keyed", "--regions-1-name=far-west", "--regions-2-name", "third"}, environ(map[string]string{
		"HB_CONFIG": name, "HB_REPORT_EVERY": "2s", "HB_LIMITS_BEATS": "9", "HB_KEYS": "x, y", "HB_REGIONS_0_PASSWORD": "env", "HB_UNRELATED": "1",
	}))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(c.Store, c.ReportEvery, c.Limits.Beats, c.Keys, c.Keyed, len(c.Regions), c.Regions[0].Name, string(c.Regions[0].Password), c.Regions[1].Name, c.Regions[2].Name)
	if want := "from-file3s 9 [x y] true 3 eastenvfar-westthird"; strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAFilesErrorsNameFileLineAndKey(t *testing.T) {
	for text, want := range map[string]string{
		"store: a\nreprotEvery: 3s\n":             "c.yaml:2: reprotEvery: unknown key: is it reportEvery?",
		"store: a\ncolour: red\n":                 "c.yaml:2: colour: unknown key; known here: keyed, keys, limits, regions, reportEvery, store",
		"reportEvery: soon\n":                     `c.yaml:1: reportEvery: "soon" is no duration`,
		"reportEvery: 15\n":                       `c.yaml:1: reportEvery: "15" is no duration`,
		"keyed: maybe\n":                          `c.yaml:1: keyed: "maybe" is neither true nor false`,
		"limits:\n  beats: x\n":                   `c.yaml:2: limits.beats: "x" is no whole number`,
		"limits: 5\n":                             "c.yaml:1: limits: want keys: beats here",
		"regions:\n- name: a\n  pass: b\n":        "c.yaml:3: regions[0].pass: unknown key",
		"regions: {name: a}\n":                    "c.yaml:1: regions: want a list here, not keys",
		"store: [a]\n":                            "c.yaml:1: store: want one value here, not a list",
		"store: a\nstore: b\n":                    "c.yaml:2",
		"store: \"a\n":                            "c.yaml:1",
		"store: a\n---\nstore: b\n":               "one document is enough",
		"store: &x a\n":                           "anchors",
		"limits:\n  beats: 1\n store: b\n":        "c.yaml:3",
		"store: a\nkeys: one\nkeyed: 1x\nz: q\n":  "c.yaml:2: keys: want a list here",
		"regions:\n- name: a\n- {}\n- nmae: c\n ": "c.yaml:4: regions[2].nmae: unknown key: is it name?",
	} {
		err := settings.Load(defaults(), []string{"--config", file(t, text)}, environ(nil))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want …%s…", text, err, want)
		}
	}
}

// The parser would run out of its stack, or of all memory.
func TestAFileWithoutBoundsIsRefused(t *testing.T) {
	var steps strings.Builder
	for i := range 200 {
		steps.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	for text, want := range map[string]string{
		"limits: " + strings.Repeat("[", 100_000):           "c.yaml:1: more than 64 levels within each other",
		strings.Repeat(`{"limits": `, 100_000):              "c.yaml:1: more than 64 levels within each other",
		"store: a\nkeys:\n" + strings.Repeat("- ", 100_000): "c.yaml:3: more than 64 levels within each other",
		steps.String(): "c.yaml:65: more than 64 levels within each other",
		strings.Repeat("# a core dump\n", 400_000): "c.yaml has more than 4 MiB: is it a configuration?",
	} {
		err := settings.Load(defaults(), []string{"--config", file(t, text)}, environ(nil))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: got %.200v, want %q", text, err, want)
		}
	}
}

func TestEveryErrorIsSaidAtOnce(t *testing.T) {
	err := settings.Load(defaults(), []string{"--config", file(t, "a: 1\nb: 2\n"), "--keyed=perhaps"}, environ(map[string]string{"HB_REPORT_EVERY": "x"}))
	for _, want := range []string{":1: a", ":2: b", "HB_REPORT_EVERY: \"x\" is no duration", "--keyed: \"perhaps\""} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want …%s…", err, want)
		}
	}
}

func TestBadCommandLines(t *testing.T) {
	for _, args := range [][]string{{"--colour", "red"}, {"--store"}, {"stray"}, {"--store", "a", "stray"}} {
		if err := settings.Load(defaults(), args, environ(nil)); !errors.Is(err, settings.ErrUsage) {
			t.Errorf("%v: got %v, want ErrUsage", args, err)
		}
	}
	if err := settings.Load(defaults(), []string{"--config", "/does/not/exist.yaml"}, environ(nil)); err == nil || !strings.Contains(err.Error(), "/does/not/exist.yaml") {
		t.Errorf("a missing file: got %v", err)
	}
}

func TestShowMasksSecretsAndIsReadBack(t *testing.T) {
	c := defaults()
	c.Keys = []string{"k1", "true", "a b"}
	c.Regions = []region{{Name: "east", Password: "geheim"}, {Name: "west"}}
	var b bytes.Buffer
	if err := settings.Show(&b, c); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "geheim") || !strings.Contains(b.String(), "********") {
		t.Errorf("the secret is not masked:\n%s", b.String())
	}
	if s := fmt.Sprintf("%v %+v %#v", c.Regions, c.Regions, c.Regions); strings.Contains(s, "geheim") {
		t.Errorf("printed: %s", s)
	}
	back := defaults()
	if err := settings.Load(back, []string{"--config", file(t, b.String())}, environ(nil)); err != nil {
		t.Fatalf("read back: %v\n%s", err, b.String())
	}
	back.Regions[0].Password, back.Regions[1].Password = "geheim", ""
	if fmt.Sprintf("%q", back.Keys) != fmt.Sprintf("%q", c.Keys) || fmt.Sprint(back.Regions) != fmt.Sprint(c.Regions) || back.ReportEvery != c.ReportEvery {
		t.Errorf("read back %+v, want %+v", back, c)
	}
}

func TestProgram(t *testing.T) {
	var ran string
	p := settings.Program[config]{
		Name: "hb-x", About: "tests.", Version: "1.2.3", Defaults: defaults,
		Check: func(c *config) error {
			if c.Store == "bad" {
				return errors.New("store: it is bad")
			}
			return nil
		},
		Run: func(_ context.Context, c *config) error {
			ran = c.Store
			if c.Store == "fails" {
				return errors.New("listen: used")
			}
			return nil
		},
	}
	for _, tc := range []struct {
		args        string
		status      int
		out, errOut string
	}{
		{"version", 0, "hb-x 1.2.3\n", ""},
		{"--store a", 0, "", ""},
		{"run --store fails", 1, "", "hb-x: listen: used"},
		{"run --store bad", 2, "", "hb-x: store: it is bad"},
		{"config check --store bad", 2, "", "store: it is bad"},
		{"config check", 0, "valid", ""},
		{"config show --store b", 0, "store: b", ""},
		{"config example", 0, "# the store's id\nstore: s1", ""},
		{"config", 2, "", "example"},
		{"dance", 2, "", "unknown command"},
		{"--help", 0, "--regions-0-name, HB_REGIONS_0_NAME", ""},
		{"--nope", 2, "", "nope"},
		{"--store bad", 2, "", "hb-x config example prints one"},
		{"--config /no/such/file", 2, "", "hb-x config example prints a configuration to begin with"},
	} {
		var out, errOut bytes.Buffer
		status := p.Main(t.Context(), strings.Fields(tc.args), environ(nil), &out, &errOut)
		if status != tc.status || !strings.Contains(out.String(), tc.out) || !strings.Contains(errOut.String(), tc.errOut) {
			t.Errorf("%s: status %d, out %q, err %q", tc.args, status, out.String(), errOut.String())
		}
	}
	if ran != "fails" {
		t.Errorf("ran with %q", ran)
	}
}
