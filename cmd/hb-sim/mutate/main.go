package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/mutate/mutant"
)

func main() { os.Exit(run()) }

func run() int {
	o := mutant.DefaultOptions()
	flag.IntVar(&o.Auto, "auto", o.Auto, "how many mutants to draw beside those made by hand")
	flag.Uint64Var(&o.Seed, "seed", o.Seed, "what draws them")
	flag.Uint64Var(&o.From, "from", o.From, "the first seed of the simulation")
	flag.Uint64Var(&o.First, "first", o.First, "how many seeds each mutant is played for before its unit tests run")
	flag.Uint64Var(&o.Seeds, "seeds", o.Seeds, "how many seeds those that survive are played for")
	flag.IntVar(&o.Jobs, "jobs", o.Jobs, "how many seeds are played at once")
	flag.DurationVar(&o.Limit, "limit", o.Limit, "how long the seeds, or the unit tests, of one mutant take at most")
	flag.StringVar(&o.Only, "only", "", "only the mutants whose names contain this")
	flag.StringVar(&o.Results, "results", ".cache/mutants.jsonl", "where results are kept")
	flag.BoolVar(&o.AsIs, "as-is", false, "try nothing: write the page of the results that are kept")
	flag.StringVar(&o.Page, "page", "", "write the table into this file (docs/explanation/mutants.md)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate: find the module:", err)
		return 1
	}
	o.Root = strings.TrimSpace(string(out))
	for _, f := range [...]*string{&o.Results, &o.Page} {
		if *f != "" && !filepath.IsAbs(*f) {
			*f = filepath.Join(o.Root, *f)
		}
	}
	if err := mutant.Run(ctx, o); err != nil {
		if !errors.Is(err, mutant.ErrSurvivors) {
			fmt.Fprintln(os.Stderr, "mutate:", err)
		}
		return 1
	}
	return 0
}
