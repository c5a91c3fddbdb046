package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// testLimit bounds the unit tests of a mutant: some run for ever.
	testLimit = 4 * time.Minute
	// buildLimit bounds its build.
	buildLimit = 5 * time.Minute
	// playLimit bounds its schedules: a mutant may run for ever in one.
	playLimit = 4 * time.Minute
)

type options struct {
	root        string
	auto        int
	seed        uint64
	from, seeds uint64
	only        string
	results     string
	page        string
}

// result is what became of a mutant.
type result struct {
	Key      string `json:"key"` // its name and text
	Name     string `json:"name"`
	Breaks   string `json:"breaks"`
	CaughtBy string `json:"caughtBy"` // "": it survived
	What     string `json:"what,omitempty"`
	Seed     uint64 `json:"seed,omitempty"`
	Played   uint64 `json:"played,omitempty"`
}

func (o *options) run(ctx context.Context) (survivors int, err error) {
	byHand, err := readPatches(o.root, filepath.Join(o.root, "cmd/hb-sim/mutate/testdata"))
	if err != nil {
		return 0, err
	}
	drawn, err := drawMutants(o.root, o.auto, o.seed)
	if err != nil {
		return 0, err
	}
	known, results, err := o.baseline(ctx)
	if err != nil {
		return 0, err
	}
	var all []result
	for _, m := range slices.Concat(byHand, drawn) {
		if !strings.Contains(m.name, o.only) {
			continue
		}
		if m.unfit != "" {
			fmt.Printf("%-60s DOES NOT FIT: %s\n", m.name, m.unfit)
			survivors++
			continue
		}
		r, ok := results[m.key()]
		if !ok {
			if r, err = o.try(ctx, &m, known); err != nil {
				return survivors, err
			}
			if err := o.keep(r); err != nil {
				return survivors, err
			}
		}
		fmt.Println(r.line())
		all = append(all, r)
		if r.CaughtBy == "" && m.pkg == "" {
			survivors++
		}
	}
	if o.page != "" {
		err = os.WriteFile(o.page, []byte(page(all, o)), 0o644) //nolint:gosec // a page for people
	}
	return survivors, err
}

func (r *result) line() string {
	by := r.CaughtBy
	if by == "" {
		by = "SURVIVES"
	}
	return fmt.Sprintf("%-60s %-14s after %6d seeds", r.Name, by, r.Played)
}

func (m *mutant) key() string {
	h := sha256.New()
	fmt.Fprintln(h, m.name)
	for _, f := range m.sorted() {
		fmt.Fprintln(h, f, m.files[f])
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

func (m *mutant) sorted() []string {
	var names []string
	for f := range m.files {
		names = append(names, f)
	}
	slices.Sort(names)
	return names
}

// baseline are the seeds that break a property without any mutant, and the
// results that an earlier run kept.
func (o *options) baseline(ctx context.Context) (known string, results map[string]result, err error) {
	results = map[string]result{}
	raw, err := os.ReadFile(o.results)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", nil, err
	}
	for line := range bytes.SplitSeq(raw, []byte("\n")) {
		var r result
		if json.Unmarshal(line, &r) == nil && r.Key != "" {
			results[r.Key] = r
		}
	}
	none := mutant{name: fmt.Sprintf("none %d %d", o.from, o.seeds)}
	if r, ok := results[none.key()]; ok {
		return r.What, results, nil
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return "", nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the system's folder for what is temporary
	if why := o.build(ctx, dir, &none); why != "" {
		return "", nil, fmt.Errorf("build: %s", why)
	}
	out := o.play(ctx, dir, "", true)
	var seeds []string
	for _, f := range out.failures {
		seeds = append(seeds, strconv.FormatUint(f.Seed, 10))
	}
	r := result{Key: none.key(), Name: none.name, CaughtBy: "nothing", What: strings.Join(seeds, ","), Played: out.played}
	fmt.Printf("without a mutant %d of %d seeds break a property\n", len(seeds), out.played)
	return r.What, results, o.keep(r)
}

// keep appends a result to the file.
func (o *options) keep(r result) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(o.results), 0o750); err != nil {
		return err
	}
	f, err := os.OpenFile(o.results, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(raw, '\n'))
	return errors.Join(err, f.Close())
}

// try builds a mutant, plays it, and runs its unit tests where that is not
// enough: they take longer.
func (o *options) try(ctx context.Context, m *mutant, known string) (result, error) {
	r := result{Key: m.key(), Name: m.name, Breaks: m.breaks}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the system's folder for what is temporary
	if why := o.build(ctx, dir, m); why != "" {
		r.CaughtBy, r.What = "the compiler", why
		return r, ctx.Err()
	}
	out := o.play(ctx, dir, known, false)
	r.Played = out.played
	switch {
	case len(out.failures) > 0:
		f := out.failures[0]
		r.CaughtBy, r.What, r.Seed = f.Name, f.What, f.Seed
		r.Played = f.Seed - o.from + 1
	case out.broke != "":
		r.CaughtBy, r.What = "a panic or no end", out.broke
	case m.pkg != "" && !o.test(ctx, dir, m):
		r.CaughtBy = "its unit tests"
	}
	return r, ctx.Err()
}

// build lays the mutant over the source, and builds the player of seeds.
func (o *options) build(ctx context.Context, dir string, m *mutant) (why string) {
	over := map[string]string{}
	for i, f := range m.sorted() {
		to := filepath.Join(dir, fmt.Sprintf("%d-%s", i, filepath.Base(f)))
		if err := os.WriteFile(to, []byte(m.files[f]), 0o600); err != nil {
			return err.Error()
		}
		over[filepath.Join(o.root, f)] = to
	}
	raw, err := json.Marshal(map[string]any{"Replace": over})
	if err != nil {
		return err.Error()
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), raw, 0o600); err != nil {
		return err.Error()
	}
	ctx, cancel := context.WithTimeout(ctx, buildLimit)
	defer cancel()
	c := exec.CommandContext(ctx, "go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", filepath.Join(dir, "play"), "./cmd/hb-sim/mutate/play") //nolint:gosec // our own arguments
	c.Dir = o.root
	out, err := c.CombinedOutput()
	if err != nil {
		return firstLine(string(out) + err.Error())
	}
	return ""
}

// test says whether the mutant's unit tests pass.
func (o *options) test(ctx context.Context, dir string, m *mutant) bool {
	ctx, cancel := context.WithTimeout(ctx, buildLimit)
	defer cancel()
	c := exec.CommandContext(ctx, "go", "test", "-overlay", filepath.Join(dir, "overlay.json"), "-count=1", "-failfast", "-timeout", testLimit.String(), m.pkg) //nolint:gosec // our own arguments
	c.Dir = o.root
	return c.Run() == nil
}

type played struct {
	failures []result // Seed, Name, What
	played   uint64
	broke    string
}

// play plays seeds until one breaks a property, or all of them.
func (o *options) play(ctx context.Context, dir, known string, all bool) (p played) {
	limit := playLimit
	if all {
		limit *= 4
	}
	ctx, cancel := context.WithTimeout(ctx, limit+30*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, filepath.Join(dir, "play"), "-from", strconv.FormatUint(o.from, 10), "-seeds", strconv.FormatUint(o.seeds, 10), //nolint:gosec // our own arguments
		"-limit", limit.String(), "-known", known, "-all="+strconv.FormatBool(all))
	out, err := c.CombinedOutput()
	for line := range strings.SplitSeq(string(out), "\n") {
		if n, ok := strings.CutPrefix(line, "played "); ok {
			p.played, _ = strconv.ParseUint(n, 10, 64)
			continue
		}
		if f := strings.SplitN(line, "\t", 3); len(f) == 3 {
			seed, _ := strconv.ParseUint(f[0], 10, 64)
			p.failures = append(p.failures, result{Seed: seed, Name: f[1], What: f[2]})
		}
	}
	if err != nil {
		p.broke = firstLine(string(out) + err.Error())
	}
	return p
}

func firstLine(s string) string {
	for line := range strings.SplitSeq(s, "\n") {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return line
		}
	}
	return ""
}
