package docs_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the repository's.
const root = "../../.."

// page is one Markdown file; path is relative to the repository's root.
type page struct {
	path, text string
	lines      []string
}

func load(t *testing.T, path string) page {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return page{path: filepath.ToSlash(path), text: string(raw), lines: strings.Split(string(raw), "\n")}
}

// read loads a page of docs/.
func read(t *testing.T, name string) page {
	t.Helper()
	return load(t, "docs/"+name)
}

// section is what stands under a heading, up to the next one of any level.
func (p page) section(t *testing.T, heading string) []string {
	t.Helper()
	var out []string
	inside, found := false, false
	for _, line := range p.prose() {
		if title, ok := headingOf(line); ok {
			inside = title == heading
			found = found || inside
			continue
		}
		if inside {
			out = append(out, line)
		}
	}
	if !found {
		t.Fatalf("%s has no heading %q", p.path, heading)
	}
	return out
}

// rows are the cells of the tables under a heading, without their heads.
func (p page) rows(t *testing.T, heading string) [][]string {
	t.Helper()
	var out [][]string
	head := true
	for _, line := range p.section(t, heading) {
		if !strings.HasPrefix(line, "|") {
			head = true
			continue
		}
		if head || strings.HasPrefix(line, "| ---") {
			head = false
			continue
		}
		var cells []string
		for c := range strings.SplitSeq(strings.Trim(line, "|"), " | ") {
			cells = append(cells, strings.TrimSpace(c))
		}
		out = append(out, cells)
	}
	return out
}

// prose are the lines outside of code blocks; those within are empty.
func (p page) prose() []string {
	out := make([]string, len(p.lines))
	fenced := false
	for i, line := range p.lines {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		} else if !fenced {
			out[i] = line
		}
	}
	return out
}

func headingOf(line string) (string, bool) {
	rest := strings.TrimLeft(line, "#")
	if rest == line || !strings.HasPrefix(rest, " ") {
		return "", false
	}
	return strings.TrimSpace(rest), true
}

// code is what a cell has between backticks, all of it.
func code(cell string) string { return strings.Trim(cell, "`") }

var inlineCode = regexp.MustCompile("`([^`]+)`")

// codes are all words between backticks in a text.
func codes(text string) []string {
	var out []string
	for _, m := range inlineCode.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

// pages are every page for people: those of docs/ and of the root.
func pages(t *testing.T) []page {
	t.Helper()
	var out []page
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			rel, err := filepath.Rel(root, f)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, load(t, rel))
		}
	}
	return out
}

// source is one Go file that is no test.
type source struct{ path, dir, text string }

func sources(t *testing.T, dirs ...string) []source {
	t.Helper()
	var out []source
	for _, dir := range dirs {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() && d.Name() == "node_modules" {
				return fs.SkipDir
			}
			if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, path)
			out = append(out, source{path: filepath.ToSlash(rel), dir: filepath.ToSlash(filepath.Dir(rel)), text: string(raw)})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// same reports what the code has and the page lacks, and the other way round.
func same(t *testing.T, where string, code, documented map[string]bool) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(code)) {
		if !documented[name] {
			t.Errorf("%s lacks %s", where, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(documented)) {
		if !code[name] {
			t.Errorf("%s has %s, which does not exist", where, name)
		}
	}
}

func set(names ...string) map[string]bool {
	out := map[string]bool{}
	for _, n := range names {
		out[n] = true
	}
	return out
}
