package mutant

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// places are what is mutated: the pure packages and the joins.
var places = []string{
	"broker/presence", "broker/incident", "broker/lease", "broker/node", "broker/setting", "broker/record", "broker/peer/link",
	"relay/roster", "relay/wan", "relay/journal/compose.go", "relay/journal/index.go", "relay/journal/record.go",
}

// users are the packages whose unit tests step what is mutated, beside those of
// its own package.
var users = map[string][]string{
	"broker/presence":  {"./broker/incident", "./broker/node", "./broker"},
	"broker/incident":  {"./broker/node", "./broker/notice", "./broker/record", "./broker"},
	"broker/lease":     {"./broker/node", "./broker"},
	"broker/node":      {"./broker"},
	"broker/setting":   {"./broker/presence", "./broker/incident", "./broker/operator", "./broker"},
	"broker/record":    {"./broker"},
	"broker/peer/link": {"./broker/node", "./broker"},
	"relay/roster":     {"./relay"},
	"relay/wan":        {"./relay/uplink", "./relay"},
	"relay/journal":    {"./relay"},
}

// words are files of those packages that only say to people what there is, or
// read what people wrote.
var words = []string{"doc.go", "explain.go", "status.go", "view.go", "yaml.go", "file.go"}

// Draw orders all changes of the source under root by a seed. The order of two
// changes does not depend on what else is in the source.
func Draw(root string, seed uint64) ([]Mutant, error) {
	files, err := sources(root)
	if err != nil {
		return nil, err
	}
	var all []Mutant
	order := map[string][]byte{}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(root, file)) //nolint:gosec // a file of the project
		if err != nil {
			return nil, err
		}
		spots, err := spotsOf(file, string(text))
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", file, err)
		}
		for _, s := range spots {
			m := s.mutant(string(text))
			sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", seed, m.key))
			order[m.key] = sum[:]
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b Mutant) int { return bytes.Compare(order[a.key], order[b.key]) })
	return all, nil
}

// mutant makes the change of a spot.
func (s *spot) mutant(text string) Mutant {
	name := fmt.Sprintf("%s %s: %s", strings.TrimSuffix(s.file, ".go"), s.fn, s.what)
	if s.nth > 0 {
		name += fmt.Sprintf(" (%d)", s.nth+1)
	}
	return Mutant{
		Name: name, Breaks: s.what, key: name, Packages: append([]string{"./" + filepath.Dir(s.file)}, users[filepath.Dir(s.file)]...),
		Files: map[string]string{s.file: text[:s.from] + s.by + text[s.to:]},
	}
}

// sources are the files that are mutated, in order.
func sources(root string) ([]string, error) {
	var files []string
	for _, p := range places {
		pattern := filepath.Join(root, p)
		if !strings.HasSuffix(p, ".go") {
			pattern = filepath.Join(pattern, "*.go")
		}
		names, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			if base := filepath.Base(n); !strings.HasSuffix(base, "_test.go") && !slices.Contains(words, base) {
				files = append(files, filepath.Join(strings.TrimSuffix(p, base), base))
			}
		}
	}
	slices.Sort(files)
	return files, nil
}
