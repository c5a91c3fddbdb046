package mutant

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Overlay writes a mutant's files into dir, and the file that go build's
// -overlay takes: what stands for which file of the module under root.
func (m *Mutant) Overlay(root, dir string) (string, error) {
	over := map[string]string{}
	for i, f := range m.sorted() {
		to := filepath.Join(dir, fmt.Sprintf("%d-%s", i, filepath.Base(f)))
		if err := os.WriteFile(to, []byte(m.Files[f]), 0o600); err != nil {
			return "", fmt.Errorf("write a mutant: %w", err)
		}
		over[filepath.Join(root, f)] = to
	}
	raw, err := json.Marshal(map[string]any{"Replace": over})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		return "", fmt.Errorf("write an overlay: %w", err)
	}
	return file, nil
}
