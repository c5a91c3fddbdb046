// Command play plays seeds of the simulation in a mutated build, and says which
// of them break a property: one line "seed property what" for each.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
)

func main() { os.Exit(run()) }

func run() int {
	from := flag.Uint64("from", 1, "the first seed")
	seeds := flag.Uint64("seeds", 20000, "how many")
	jobs := flag.Int("jobs", 2, "how many at once")
	known := flag.String("known", "", "seeds that break a property without the mutant, separated by commas")
	limit := flag.Duration("limit", 10*time.Minute, "how long at most")
	all := flag.Bool("all", false, "do not stop at the first")
	flag.Parse()
	skip := map[string]bool{}
	for s := range strings.SplitSeq(*known, ",") {
		skip[s] = true
	}
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	n := torture.Each(ctx, *from, *seeds, *jobs, func(seed uint64, v truth.Violation) bool {
		if skip[fmt.Sprint(seed)] {
			return false
		}
		fmt.Printf("%d\t%s\t%s\n", seed, v.Property, v.What)
		return !*all
	})
	fmt.Printf("played %d\n", n)
	return 0
}
