package bench_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/bench"
)

// quick is a smoke run with an hb-relay of this tree.
func quick(t *testing.T) bench.Options {
	t.Helper()
	relay := filepath.Join(t.TempDir(), "hb-relay")
	if out, err := exec.Command("go", "build", "-o", relay, "../../hb-relay").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Chdir(filepath.Join("..", "..", "..")) // where .ci/mosquitto unpacks its own
	o := bench.DefaultOptions()
	o.Quick, o.Relay = true, relay
	return o
}

func TestEveryRowIsMeasuredAndIsOneLineOfTheTable(t *testing.T) {
	o := quick(t)
	var out strings.Builder
	o.Out = &out
	b, err := bench.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Run(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	progress, table, _ := strings.Cut(out.String(), "\n\n")
	for _, want := range []string{"GOMAXPROCS", "mosquitto version", "16 connections", "QoS 1", "load average"} {
		if !strings.Contains(progress, want) {
			t.Errorf("the progress does not say %q:\n%s", want, progress)
		}
	}
	line := regexp.MustCompile(`^(.+?) {2,}([0-9.]+) +(ratio|ns|us|s|allocations|messages|ms|MB|%|bytes|dollars a month) +([<>]= [0-9.]+) +(ok|short)$`)
	rows := strings.Split(strings.TrimSpace(table), "\n")
	for _, r := range rows {
		if !line.MatchString(r) {
			t.Errorf("no line of a table: %q", r)
		}
	}
	if len(rows) != 17 {
		t.Errorf("%d rows, want 17:\n%s", len(rows), table)
	}
}

func TestWhatIsMissingIsNamedBeforeAnythingStarts(t *testing.T) {
	for _, c := range []struct {
		what, want string
		lacks      func(*bench.Options)
	}{
		{"a run without mosquitto names the script that brings it", ".ci/mosquitto", func(o *bench.Options) { o.Mosquitto = "" }},
		{"a run without hb-relay names the target that makes it", "make build", func(o *bench.Options) { o.Relay = "nowhere/hb-relay" }},
	} {
		o := bench.DefaultOptions()
		o.Mosquitto, o.Relay = "mosquitto", "bench_test.go"
		c.lacks(&o)
		if _, err := bench.New(o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", c.what, err)
		}
	}
}

func TestARowIsOKAtItsGoalAndShortBeyond(t *testing.T) {
	for _, c := range []struct {
		what string
		row  bench.Row
		ok   bool
	}{
		{"a ratio at its goal", bench.Row{Value: 0.9, Goal: 0.9}, true},
		{"a ratio below its goal", bench.Row{Value: 0.899, Goal: 0.9}, false},
		{"a time at its goal", bench.Row{Value: 10, Goal: 10, AtMost: true}, true},
		{"a time above its goal", bench.Row{Value: 10.01, Goal: 10, AtMost: true}, false},
		{"nothing written", bench.Row{AtMost: true}, true},
		{"one byte written", bench.Row{Value: 1, AtMost: true}, false},
	} {
		if c.row.OK() != c.ok {
			t.Errorf("%s: ok is %v", c.what, c.row.OK())
		}
	}
}
