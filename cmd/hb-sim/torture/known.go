package torture

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// known are the seeds whose violation is known and not mended yet, each with
// what is wrong.
type known map[uint64]string

// readKnown reads a file of lines such as "6361 identity: two ids of one fault".
func readKnown(file string) (known, error) {
	if file == "" {
		return known{}, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("torture: %w", err)
	}
	k := known{}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		number, what, _ := strings.Cut(line, " ")
		seed, err := strconv.ParseUint(number, 10, 64)
		if err != nil || what == "" {
			return nil, fmt.Errorf("torture: %s:%d: want a seed and what is wrong, have %q", file, n, line)
		}
		k[seed] = what
	}
	return k, nil
}

// sift takes the known failures out of a tally. It returns how many of them
// were there, and how many seeds of the range are known to fail and held.
func (k known) sift(t *tally, from uint64, o *Options) (open, held int) {
	failed := map[uint64]bool{}
	t.failures = slices.DeleteFunc(t.failures, func(f outcome) bool {
		failed[f.seed] = true
		_, is := k[f.seed]
		if is {
			open++
		}
		return is
	})
	t.violated.Add(-uint64(open)) //nolint:gosec // at most as many as were counted
	seeds := make([]uint64, 0, len(k))
	for seed := range k {
		seeds = append(seeds, seed)
	}
	slices.Sort(seeds)
	for _, seed := range seeds {
		if seed >= from && seed < from+o.Seeds && !failed[seed] && !t.stop.Load() {
			fmt.Fprintf(o.Out, "seed %d holds now: %s\n", seed, k[seed])
			held++
		}
	}
	return open, held
}
