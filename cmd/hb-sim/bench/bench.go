package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Bench measures. Make it with New.
type Bench struct {
	o    Options
	plan plan
}

// New checks the options. It starts nothing.
func New(o Options) (*Bench, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	return &Bench{o: o, plan: o.plan()}, nil
}

// Run measures every row, and prints what it does and the closing table. An
// error is a row that could not be measured: the others are printed.
func (b *Bench) Run(ctx context.Context) error {
	start := time.Now()
	b.header(ctx)
	parts := []struct {
		name    string
		measure func(context.Context) ([]Row, error)
	}{{"ingest", b.ingest}, {"touch", b.touch}, {"notice", b.notice}, {"relay", b.relay}, {"fleet", b.fleet}, {"cost", b.cost}}
	var rows []Row
	var broken []error
	for _, p := range parts {
		if len(b.o.Only) > 0 && !slices.Contains(b.o.Only, p.name) {
			continue
		}
		b.say("%s: load average %s", p.name, load())
		got, err := p.measure(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			broken = append(broken, fmt.Errorf("%s: %w", p.name, err))
			b.say("%s: NOT MEASURED: %v", p.name, err)
		}
		rows = append(rows, got...)
		debug.FreeOSMemory() // so that the next row starts as this one did
	}
	b.say("measured in %v; load average %s", time.Since(start).Round(time.Second), load())
	if b.o.Quick {
		b.say("--quick: the figures below say nothing")
	}
	fmt.Fprintln(b.o.Out)
	printTable(b.o.Out, rows)
	if len(broken) > 0 {
		return broken[0]
	}
	return nil
}

// say prints a line of progress.
func (b *Bench) say(format string, args ...any) {
	fmt.Fprintf(b.o.Out, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

// header names what is measured with what.
func (b *Bench) header(ctx context.Context) {
	b.say("%s %s/%s, GOMAXPROCS %d, GOGC %s, mochi %s, paho %s, badger %s", runtime.Version(), runtime.GOOS, runtime.GOARCH,
		runtime.GOMAXPROCS(0), setting("GOGC", "100"), moduleVersion("github.com/mochi-mqtt/server/v2"),
		moduleVersion("github.com/eclipse/paho.mqtt.golang"), moduleVersion("github.com/dgraph-io/badger/v4"))
	b.say("%s, config: %s", b.mosquittoVersion(ctx), strings.ReplaceAll(strings.TrimSpace(mosquittoConfig), "\n", "; "))
	b.say("processor: %s", processor())
}

func setting(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, m := range info.Deps {
			if m.Path == path {
				return m.Version
			}
		}
	}
	return "of go.mod" // a test binary names none
}

func (b *Bench) mosquittoVersion(ctx context.Context) string {
	cmd := exec.CommandContext(ctx, b.o.Mosquitto, "-h")
	cmd.Env = b.mosquittoEnv()
	out, _ := cmd.Output() // it exits with 3 after its help
	if first, _, ok := strings.Cut(string(out), "\n"); ok {
		return first
	}
	return "mosquitto of unknown version"
}

// load is what else the machine does: the averages of 1, 5 and 15 minutes.
func load() string {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(raw))[:3], " ")
}

func processor() string {
	raw, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(raw)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return fmt.Sprintf("%d x %s", runtime.NumCPU(), strings.TrimSpace(value))
		}
	}
	return fmt.Sprintf("%d, unknown", runtime.NumCPU())
}
