package mutant

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Page is the table for people.
func Page(all []Result, harmless map[string]string, o *Options) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# What the simulation notices

A test that cannot fail shows nothing. So the decision code is broken on purpose,
one small change at a time, and the simulation has to notice within %d seeds.
`+"`make mutants`"+` lays each change over the source for one build (no switch exists in
what is shipped), and prints this table. How the properties read is said in
[the invariants](invariants.md).

## Made by hand

Each breaks one invariant.

| mutant | what it breaks | caught by | seeds |
| --- | --- | --- | ---: |
`, o.Seeds)
	var drawn []Result
	for _, r := range all {
		if r.Drawn {
			drawn = append(drawn, r)
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %d |\n", r.Name, r.Breaks, cmp.Or(r.CaughtBy, "**nothing**"), r.Played)
	}
	pageDrawn(&b, drawn, harmless, o)
	return b.String()
}

func pageDrawn(b *strings.Builder, drawn []Result, harmless map[string]string, o *Options) {
	counts := map[string]int{}
	var survived []Result
	for _, r := range drawn {
		counts[cmp.Or(r.CaughtBy, "nothing")]++
		if r.CaughtBy == "" {
			survived = append(survived, r)
		}
	}
	fmt.Fprintf(b, `
## Drawn by a seed

%d changes of conditions, operators, constants, statements and returned truth values
in the pure packages and the joins, drawn by seed %d; those that do not compile are
drawn again. Each is played for %d seeds; what survives is run against the unit tests
of its package and of those that step it, and what survives those is played for up to
%d seeds.

| caught by | mutants |
| --- | ---: |
`, len(drawn), o.Seed, o.First, o.Seeds)
	for _, by := range order(counts) {
		fmt.Fprintf(b, "| %s | %d |\n", by, counts[by])
	}
	if len(survived) == 0 {
		return
	}
	b.WriteString(`
### What survived

*Not known* is what nobody has looked at yet: a second guard may hold what the change
takes away, or a judge may not see it. Where the unit tests have not run, it says so.
How many seeds were played so far is in the table.

| change | seeds | why it is harmless |
| --- | ---: | --- |
`)
	slices.SortFunc(survived, func(x, y Result) int { return strings.Compare(x.Name, y.Name) })
	for _, r := range survived {
		fmt.Fprintf(b, "| %s | %d | %s |\n", r.Name, r.Played, cmp.Or(harmless[r.Name], untold(&r)))
	}
}

// untold is what the page says of a survivor without a reason.
func untold(r *Result) string {
	if r.Tested {
		return "**not known**"
	}
	return "**not known**; unit tests not run"
}

// order are the names, the most frequent first.
func order(counts map[string]int) []string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
}
