package bench

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Row is one line of the closing table.
type Row struct {
	Name  string
	Value float64
	Unit  string
	// Goal is the least good value, the greatest where AtMost is true.
	Goal   float64
	AtMost bool
}

// OK says whether the goal is reached.
func (r Row) OK() bool {
	if r.AtMost {
		return r.Value <= r.Goal
	}
	return r.Value >= r.Goal
}

func (r Row) goal() string {
	if r.AtMost {
		return "<= " + figure(r.Goal)
	}
	return ">= " + figure(r.Goal)
}

// figure writes whole numbers as such, others with two decimals.
func figure(v float64) string {
	if v == float64(int64(v)) {
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// printTable writes one aligned line a row.
func printTable(w io.Writer, rows []Row) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, r := range rows {
		verdict := "ok"
		if !r.OK() {
			verdict = "short"
		}
		fmt.Fprintln(t, strings.Join([]string{r.Name, figure(r.Value), r.Unit, r.goal(), verdict}, "\t"))
	}
	_ = t.Flush()
}

// median is the middle value; of an even number, the mean of both.
func median(values []float64) float64 {
	return quantile(values, 0.5)
}

// quantile is the value that a part p of all does not exceed, between its
// neighbours in proportion.
func quantile(values []float64, p float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := p * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}
