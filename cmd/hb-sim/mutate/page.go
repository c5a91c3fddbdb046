package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// harmless says why a mutant that survives breaks nothing, by its name.
var harmless = map[string]string{}

// page is the table for people.
func page(all []result, o *options) string {
	var b strings.Builder
	b.WriteString(`# What the simulation notices

A test that cannot fail shows nothing. So the decision code is broken on purpose,
one small change at a time, and the simulation has to notice within ` + fmt.Sprint(o.seeds) + ` seeds.
` + "`make mutants`" + ` lays each change over the source for one build (no switch exists in
what is shipped), and prints this table. How the properties read is said in
[the invariants](invariants.md).

## Made by hand

Each breaks one invariant.

| mutant | what it breaks | caught by | seeds |
| --- | --- | --- | ---: |
`)
	var drawn, survived []result
	counts := map[string]int{}
	for _, r := range all {
		if strings.HasPrefix(r.Name, "auto ") {
			drawn = append(drawn, r)
			counts[r.CaughtBy]++
			if r.CaughtBy == "" {
				survived = append(survived, r)
			}
			continue
		}
		by := r.CaughtBy
		if by == "" {
			by = "**nothing**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %d |\n", r.Name, r.Breaks, by, r.Played)
	}
	fmt.Fprintf(&b, `
## Drawn by a seed

%d changes of conditions, comparisons, statements and returned truth values in
presence, incident, lease, roster and the joins (seed %d). Each is run against the
unit tests of its package, and what passes them against the simulation.

| caught by | mutants |
| --- | ---: |
`, len(drawn), o.seed)
	for _, by := range order(counts) {
		name := by
		if name == "" {
			name = "nothing"
		}
		fmt.Fprintf(&b, "| %s | %d |\n", name, counts[by])
	}
	if len(survived) > 0 {
		b.WriteString("\n## What survived\n\n| mutant | why it is harmless |\n| --- | --- |\n")
		for _, r := range survived {
			fmt.Fprintf(&b, "| %s | %s |\n", strings.TrimPrefix(r.Name, "auto "), harmless[strings.TrimPrefix(r.Name, "auto ")])
		}
	}
	return b.String()
}

// order are the names, the most frequent first.
func order(counts map[string]int) []string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
}
