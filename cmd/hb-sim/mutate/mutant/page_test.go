package mutant_test

import (
	"strings"
	"testing"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/mutate/mutant"
)

func TestThePageSaysWhatCaughtEach(t *testing.T) {
	o := mutant.DefaultOptions()
	o.Seed, o.First, o.Seeds = 7, 500, 20000
	page := mutant.Page([]mutant.Result{
		{Name: "i01-k", Breaks: "I1: k stands", CaughtBy: "closure", Played: 12},
		{Name: "i02-both", Breaks: "I2: both tell", Played: 20000},
		{Name: "a/b f: `x` dropped", CaughtBy: "closure", Played: 3, Drawn: true},
		{Name: "a/b g: `x` dropped", CaughtBy: "unit tests", Played: 500, Drawn: true},
		{Name: "a/b h: `x` dropped", CaughtBy: "closure", Played: 4, Drawn: true},
		{Name: "a/b i: `y` dropped", Played: 20000, Drawn: true, Tested: true},
		{Name: "a/b j: `z` dropped", Played: 20000, Drawn: true},
	}, map[string]string{"a/b j: `z` dropped": "it is only a word"}, &o)
	for _, want := range []string{
		"notice within 20000 seeds",
		"| i01-k | I1: k stands | closure | 12 |\n",
		"| i02-both | I2: both tell | **nothing** | 20000 |\n",
		"\n5 changes of",
		"drawn by seed 7;",
		"| closure | 2 |\n| nothing | 2 |\n| unit tests | 1 |\n",
		"| a/b i: `y` dropped | 20000 | **not known** |\n| a/b j: `z` dropped | 20000 | it is only a word |\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}

func TestReasonsAreReadByTheirHeadings(t *testing.T) {
	dir := tree(t, map[string]string{"harmless.md": "# Why\n\nwords\n\n## a f: `x`\n\nIt is\nequivalent.\n\n## b\n\nOnly speed.\n"})
	why, err := mutant.ReadReasons(dir + "/harmless.md")
	if err != nil || len(why) != 2 || why["a f: `x`"] != "It is equivalent." || why["b"] != "Only speed." {
		t.Errorf("%v, %q", err, why)
	}
	if why, err := mutant.ReadReasons(dir + "/none.md"); err != nil || len(why) != 0 {
		t.Errorf("a file that is not there: %v, %q", err, why)
	}
}
