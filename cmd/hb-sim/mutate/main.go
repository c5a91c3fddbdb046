package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() { os.Exit(run()) }

func run() int {
	o := options{}
	flag.IntVar(&o.auto, "auto", 200, "how many mutants to draw beside those made by hand")
	flag.Uint64Var(&o.seed, "seed", 1, "what draws them")
	flag.Uint64Var(&o.from, "from", 1, "the first seed of the simulation")
	flag.Uint64Var(&o.seeds, "seeds", 20000, "how many seeds each mutant is played for")
	flag.StringVar(&o.only, "only", "", "only the mutants whose names contain this")
	flag.StringVar(&o.results, "results", ".cache/mutants.jsonl", "where results are kept")
	flag.StringVar(&o.page, "page", "", "write the table into this file (docs/explanation/mutants.md)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate: find the module:", err)
		return 1
	}
	o.root = strings.TrimSpace(string(out))
	if !filepath.IsAbs(o.results) {
		o.results = filepath.Join(o.root, o.results)
	}
	survivors, err := o.run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		return 1
	}
	if survivors > 0 {
		return 1
	}
	return 0
}
