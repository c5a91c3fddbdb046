package mutant

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ReadPatches reads the mutants made by hand. A file says "breaks ...", and then
// for each change "in FILE", optionally "at LINE" to begin behind that line, the
// lines that go (-) and those that come (+); white space at their ends does not
// count.
func ReadPatches(root, dir string) ([]Mutant, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var all []Mutant
	for _, name := range names {
		m, err := readPatch(root, name)
		if err != nil { // the code has changed since: that must not hide the others
			m.Name, m.Unfit = strings.TrimSuffix(filepath.Base(name), ".txt"), err.Error()
		}
		all = append(all, m)
	}
	return all, nil
}

// hunk is one change of one file.
type hunk struct {
	file, at string
	old, new []string
}

func readPatch(root, name string) (Mutant, error) {
	text, err := os.ReadFile(name) //nolint:gosec // a file of the project
	if err != nil {
		return Mutant{}, err
	}
	m := Mutant{Name: strings.TrimSuffix(filepath.Base(name), ".txt"), Files: map[string]string{}, key: string(text)}
	var h *hunk
	var hunks []*hunk
	for line := range strings.SplitSeq(string(text), "\n") {
		switch {
		case strings.HasPrefix(line, "breaks "):
			m.Breaks = strings.TrimPrefix(line, "breaks ")
		case strings.HasPrefix(line, "in "):
			h = &hunk{file: strings.TrimPrefix(line, "in ")}
			hunks = append(hunks, h)
		case h == nil:
		case strings.HasPrefix(line, "at "):
			h.at = strings.TrimPrefix(line, "at ")
		case strings.HasPrefix(line, "-"):
			h.old = append(h.old, strings.TrimSpace(line[1:]))
		case strings.HasPrefix(line, "+"):
			h.new = append(h.new, line[1:])
		}
	}
	if m.Breaks == "" || len(hunks) == 0 {
		return m, fmt.Errorf("it breaks nothing")
	}
	for _, h := range hunks {
		if err := h.lay(root, m.Files); err != nil {
			return m, err
		}
	}
	return m, nil
}

// lay makes the change in the file's text.
func (h *hunk) lay(root string, files map[string]string) error {
	text, ok := files[h.file]
	if !ok {
		raw, err := os.ReadFile(filepath.Join(root, h.file)) //nolint:gosec // a file of the project
		if err != nil {
			return err
		}
		text = string(raw)
	}
	lines := strings.Split(text, "\n")
	from := 0
	if h.at != "" {
		for from < len(lines) && !strings.Contains(lines[from], h.at) {
			from++
		}
	}
	found := -1
	for i := from; i+len(h.old) <= len(lines); i++ {
		if !h.matches(lines[i:]) {
			continue
		}
		if found >= 0 && h.at == "" {
			return fmt.Errorf("%s: %q is there twice", h.file, h.old[0])
		}
		if found < 0 {
			found = i
		}
	}
	if found < 0 || len(h.old) == 0 {
		return fmt.Errorf("%s: %q is not there", h.file, h.old)
	}
	files[h.file] = strings.Join(slices.Replace(lines, found, found+len(h.old), h.new...), "\n")
	return nil
}

func (h *hunk) matches(lines []string) bool {
	for k := range h.old {
		if strings.TrimSpace(lines[k]) != h.old[k] {
			return false
		}
	}
	return true
}
