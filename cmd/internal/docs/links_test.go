package docs_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// A link from page to page finds its file, and its heading.
func TestLinksResolve(t *testing.T) {
	anchors := map[string]map[string]bool{}
	all := pages(t)
	for _, p := range all {
		anchors[p.path] = anchorsOf(p)
	}
	for _, p := range all {
		for _, m := range link.FindAllStringSubmatch(strings.Join(p.prose(), "\n"), -1) {
			target := m[1]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			file, anchor, _ := strings.Cut(target, "#")
			to := p.path
			if file != "" {
				to = path.Join(path.Dir(p.path), file)
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s links to %s: %v", p.path, target, err)
				continue
			}
			if anchor != "" && !anchors[to][anchor] {
				t.Errorf("%s links to %s, and %s has no such heading", p.path, target, to)
			}
		}
	}
}

// anchorsOf are the anchors of a page's headings, as GitHub makes them.
func anchorsOf(p page) map[string]bool {
	out := map[string]bool{}
	for _, line := range p.prose() {
		title, ok := headingOf(line)
		if !ok {
			continue
		}
		var b strings.Builder
		for _, c := range strings.ToLower(title) {
			switch {
			case unicode.IsLetter(c), unicode.IsDigit(c), c == '-', c == '_':
				b.WriteRune(c)
			case c == ' ':
				b.WriteByte('-')
			}
		}
		out[b.String()] = true
	}
	return out
}

// Every page of docs/ can be reached from the table of contents.
func TestContentsAreWhole(t *testing.T) {
	contents := read(t, "README.md").text
	for _, p := range pages(t) {
		name, ok := strings.CutPrefix(p.path, "docs/")
		if ok && name != "README.md" && !strings.Contains(contents, "]("+name+")") {
			t.Errorf("docs/README.md does not list %s", name)
		}
	}
}
