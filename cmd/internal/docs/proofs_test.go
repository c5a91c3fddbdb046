package docs_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// proofs is the page whose tables name a proof for each of their rows.
const proofs = "explanation/decisions.md"

var namedTest = regexp.MustCompile("\\[`(Test[A-Za-z0-9]+)`\\]\\(([^)]+_test\\.go)\\)")

// Each test that the page names is in the file that it links to. (That a link
// finds its file, TestLinksResolve says.)
func TestNamedProofsExist(t *testing.T) {
	p := read(t, proofs)
	found := namedTest.FindAllStringSubmatch(p.text, -1)
	if len(found) == 0 {
		t.Fatalf("%s names no test", p.path)
	}
	for _, m := range found {
		to := path.Join(path.Dir(p.path), m[2])
		raw, err := os.ReadFile(filepath.Join(root, to))
		if err != nil {
			t.Error(err)
			continue
		}
		if !strings.Contains(string(raw), "\nfunc "+m[1]+"(") {
			t.Errorf("%s says that %s has %s, and it has not", p.path, to, m[1])
		}
	}
}

// Each scenario of a pure core is linked from the page.
func TestScenariosAreOnThePage(t *testing.T) {
	p := read(t, proofs)
	linked := map[string]bool{}
	for _, m := range link.FindAllStringSubmatch(p.text, -1) {
		linked[path.Join(path.Dir(p.path), m[1])] = true
	}
	for _, pattern := range []string{"broker/*/testdata/*.txt", "relay/roster/testdata/*.txt"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, f := range files {
			rel, err := filepath.Rel(root, f)
			if err != nil {
				t.Fatal(err)
			}
			if !linked[filepath.ToSlash(rel)] {
				t.Errorf("%s links to no %s: give it a row, or a line under \"Further scenarios\"", p.path, rel)
			}
		}
	}
}

// The truth table names reasons that presence gives, and the phases of a
// telling are those that explain names.
func TestDecisionsAreInTheCodesWords(t *testing.T) {
	p := read(t, proofs)
	reasons := load(t, "broker/presence/verdict.go").text
	for _, row := range p.rows(t, "A store") {
		if why := row[len(row)-1]; len(row) == 4 && why != "" && !strings.Contains(reasons, `"`+why+`"`) {
			t.Errorf("%s: presence has no reason %q", p.path, why)
		}
	}
	_, names, ok := strings.Cut(load(t, "broker/incident/explain.go").text, "phaseNames = [...]string{\"\", ")
	if !ok {
		t.Fatal("explain.go has no phaseNames")
	}
	names, _, _ = strings.Cut(names, "}")
	phases, documented := map[string]bool{}, map[string]bool{}
	for name := range strings.SplitSeq(names, ", ") {
		phases[strings.Trim(name, `"`)] = true
	}
	for _, row := range p.rows(t, "The telling of a transition") {
		if len(row) == 3 {
			documented[row[0]] = true
		}
	}
	same(t, p.path+", the phases", phases, documented)
}

// The README and the invariants list the same reasons of a duplicate.
func TestDuplicatesHaveTheSameReasons(t *testing.T) {
	reasons := func(lines []string) (out []string) {
		for _, l := range lines {
			if strings.HasPrefix(l, "- (") {
				out = append(out, l)
			}
		}
		return out
	}
	want := reasons(read(t, "explanation/invariants.md").section(t, "I4: at least once"))
	got := reasons(load(t, "README.md").section(t, "What you can rely on"))
	if len(want) != 5 || !slices.Equal(got, want) {
		t.Errorf("README.md says %q, the invariants %q", got, want)
	}
}
