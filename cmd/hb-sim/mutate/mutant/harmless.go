package mutant

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// ReadReasons reads why survivors are harmless: a heading "## name", and the
// reason below it. A file that is not there has none.
func ReadReasons(file string) (map[string]string, error) {
	why := map[string]string{}
	raw, err := os.ReadFile(file) //nolint:gosec // a file of the project
	if errors.Is(err, os.ErrNotExist) {
		return why, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read reasons: %w", err)
	}
	name := ""
	for line := range strings.SplitSeq(string(raw), "\n") {
		if n, ok := strings.CutPrefix(line, "## "); ok {
			name = n
			continue
		}
		if line = strings.TrimSpace(line); name != "" && line != "" {
			why[name] = strings.TrimSpace(why[name] + " " + line)
		}
	}
	return why, nil
}
