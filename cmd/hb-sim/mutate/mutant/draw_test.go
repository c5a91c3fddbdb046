package mutant_test

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/mutate/mutant"
)

// root is the module's folder, seen from this one.
const root = "../../../.."

const source = `package lease

const most, few = 10, 0

type T struct{ n int }

func (t *T) Next(ok bool) bool {
	if t.n > most && ok {
		t.n++
		return true
	}
	t.n = 0
	return false
}

func (t *T) String() string {
	if t.n > 0 {
		return "some"
	}
	return "none"
}
`

// tree writes a small module.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func draw(t *testing.T, dir string, seed uint64) []mutant.Mutant {
	t.Helper()
	all, err := mutant.Draw(dir, seed)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func names(all []mutant.Mutant) map[string]bool {
	n := map[string]bool{}
	for _, m := range all {
		n[m.Name] = true
	}
	return n
}

func TestWhatIsChanged(t *testing.T) {
	dir := tree(t, map[string]string{"broker/lease/lease.go": source, "broker/lease/lease_test.go": source, "broker/lease/explain.go": source})
	all := names(draw(t, dir, 1))
	for _, change := range []string{
		"constant: `most, few = 10, 0` → `most, few = 20, 0`",
		"constant: `most, few = 10, 0` → `most, few = 10, 1`",
		"Next: `t.n > most && ok` → `!(t.n > most && ok)`",
		"Next: `t.n > most && ok` → `t.n > most ¦¦ ok`",
		"Next: `t.n > most` → `t.n >= most`",
		"Next: `t.n++` dropped",
		"Next: `return true` → `return false`",
		"Next: `t.n = 0` dropped",
		"Next: `0` → `1`",
		"Next: `return false` → `return true`",
	} {
		if name := "broker/lease/lease " + change; !all[name] {
			t.Errorf("%s is not among the changes", name)
		}
		delete(all, "broker/lease/lease "+change)
	}
	for name := range all {
		t.Errorf("%s is changed, too", name)
	}
}

func TestADrawnMutantParsesAndDiffers(t *testing.T) {
	files := map[string]bool{}
	defer func() {
		for _, f := range []string{"broker/presence/judge.go", "broker/incident/takeover.go", "broker/lease/lease.go", "broker/node/step.go", "broker/setting/join.go",
			"broker/record/notice.go", "broker/peer/link/link.go", "relay/roster/step.go", "relay/wan/session.go", "relay/journal/compose.go", "relay/journal/index.go", "relay/journal/record.go"} {
			if !files[f] {
				t.Errorf("%s is not mutated", f)
			}
		}
	}()
	for _, m := range draw(t, root, 3) {
		if len(m.Files) != 1 || !m.Drawn() {
			t.Fatalf("%s changes %d files", m.Name, len(m.Files))
		}
		for file, text := range m.Files {
			files[file] = true
			if _, err := parser.ParseFile(token.NewFileSet(), file, text, 0); err != nil {
				t.Errorf("%s: %v", m.Name, err)
			}
			if was, err := os.ReadFile(filepath.Join(root, file)); err != nil || string(was) == text { //nolint:gosec // a file of the project
				t.Errorf("%s changes nothing (%v)", m.Name, err)
			}
			if dir := "./" + filepath.Dir(file); m.Packages[0] != dir || len(m.Packages) < 2 {
				t.Errorf("%s runs the tests of %s", m.Name, m.Packages)
			}
		}
	}
}

func TestADrawIsTheSeeds(t *testing.T) {
	a, b, other := draw(t, root, 5), draw(t, root, 5), draw(t, root, 6)
	if !reflect.DeepEqual(a, b) {
		t.Error("a seed draws two orders")
	}
	if a[0].Name == other[0].Name && a[1].Name == other[1].Name && a[2].Name == other[2].Name {
		t.Error("two seeds draw the same")
	}
	keys := map[string]string{}
	for i := range a {
		if was, has := keys[a[i].Key()]; has {
			t.Errorf("%s and %s have one key", was, a[i].Name)
		}
		keys[a[i].Key()] = a[i].Name
	}
}

// What is drawn stays so while other code changes, and so do the results kept of it.
func TestADrawOutlivesOtherChanges(t *testing.T) {
	small := map[string]string{"broker/lease/lease.go": source}
	before := draw(t, tree(t, small), 1)
	more := strings.Replace(source, "func (t *T) Next", "// Add adds.\nfunc (t *T) Add() { t.n += 3 }\n\nfunc (t *T) Next", 1)
	after := draw(t, tree(t, map[string]string{"broker/lease/lease.go": more, "broker/node/node.go": source}), 1)
	old := names(before)
	var kept []mutant.Mutant
	for _, m := range after {
		if old[m.Name] {
			kept = append(kept, m)
		}
	}
	if len(kept) != len(before) {
		t.Fatalf("%d of %d are left", len(kept), len(before))
	}
	for i := range before {
		if kept[i].Name != before[i].Name || kept[i].Key() != before[i].Key() {
			t.Errorf("%s comes at another place, or has another key", before[i].Name)
		}
	}
}
