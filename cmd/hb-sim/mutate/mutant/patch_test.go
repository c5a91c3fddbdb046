package mutant_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/mutate/mutant"
)

func patches(t *testing.T, dir string) map[string]mutant.Mutant {
	t.Helper()
	all, err := mutant.ReadPatches(dir, filepath.Join(dir, "patches"))
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]mutant.Mutant{}
	for _, m := range all {
		byName[m.Name] = m
	}
	return byName
}

func TestAPatchIsLaidOverItsLines(t *testing.T) {
	dir := tree(t, map[string]string{
		"broker/lease/lease.go": source,
		"patches/good.txt":      "breaks I1: it counts\n\nin broker/lease/lease.go\nat func (t *T) Next\n- t.n++\n- return true\n+\t\treturn true\n",
		"patches/second.txt":    "breaks I1: words\n\nin broker/lease/lease.go\nat func (t *T) String\n- if t.n > 0 {\n+\tif true {\n",
		"patches/gone.txt":      "breaks I1: it is not there\n\nin broker/lease/lease.go\n- t.n--\n+\tt.n++\n",
		"patches/twice.txt":     "breaks I1: which\n\nin broker/lease/lease.go\n- }\n+}\n",
		"patches/empty.txt":     "breaks I1: nothing\n",
		"patches/no-file.txt":   "breaks I1: no file\n\nin broker/lease/none.go\n- a\n+b\n",
	})
	all := patches(t, dir)
	if m := all["good"]; m.Unfit != "" || m.Breaks != "I1: it counts" || m.Drawn() || m.Files["broker/lease/lease.go"] != strings.Replace(source, "\t\tt.n++\n", "", 1) {
		t.Errorf("good: %q, %s", m.Unfit, m.Files)
	}
	if m := all["second"]; m.Unfit != "" || m.Files["broker/lease/lease.go"] != strings.Replace(source, "if t.n > 0 {", "if true {", 1) {
		t.Errorf("second: %q, %s", m.Unfit, m.Files)
	}
	for _, name := range []string{"gone", "twice", "empty", "no-file"} {
		if all[name].Unfit == "" {
			t.Errorf("%s fits", name)
		}
	}
}

// Each mutant made by hand fits the source, and says what it breaks.
func TestTheMutantsMadeByHandFit(t *testing.T) {
	all, err := mutant.ReadPatches(root, "../testdata")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Errorf("only %d", len(all))
	}
	keys := map[string]bool{}
	for _, m := range all {
		if m.Unfit != "" || !strings.Contains(m.Breaks, ": ") {
			t.Errorf("%s: %s (%s)", m.Name, m.Unfit, m.Breaks)
		}
		if keys[m.Key()] {
			t.Errorf("%s is there twice", m.Name)
		}
		keys[m.Key()] = true
	}
}

func TestAnOverlayNamesWhatStandsForWhat(t *testing.T) {
	m := mutant.Mutant{Name: "m", Files: map[string]string{"a/one.go": "package a // one", "b/one.go": "package b"}}
	dir := t.TempDir()
	file, err := m.Overlay("/module", dir)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(file) //nolint:gosec // it was just written
	if err != nil {
		t.Fatal(err)
	}
	var o struct{ Replace map[string]string }
	if err := json.Unmarshal(raw, &o); err != nil || len(o.Replace) != 2 {
		t.Fatalf("%v: %s", err, raw)
	}
	for name, text := range m.Files {
		if got, err := os.ReadFile(o.Replace["/module/"+name]); err != nil || string(got) != text {
			t.Errorf("%s becomes %q (%v)", name, got, err)
		}
	}
}
