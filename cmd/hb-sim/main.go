// Command hb-sim runs a whole mesh on one machine: to show it, to break it, and
// to test it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // opening hours need zones, on machines without a database of them too

	"github.com/alecthomas/kong"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/bench"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/demo"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/ring"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture"
)

// version is the software's; the linker sets it.
var version = "dev"

// endWithin is when an interrupted run is left, whatever still goes on.
const endWithin = 2800 * time.Millisecond

type grammar struct {
	Demo  demoCmd  `cmd:"" help:"Run the demo: two regions, one store's relay, eight registers, and switches to break them."`
	AWS   awsCmd   `cmd:"" name:"aws" help:"Run DynamoDB and SNS of two regions on this machine, joined, until Ctrl-C."`
	Bench benchCmd `cmd:"" help:"Measure against bare mochi and mosquitto, and print a table: make bench."`

	Torture tortureCmd `cmd:"" help:"Break a simulated mesh, many thousand times, and judge what people were told: make torture."`
}

type demoCmd struct {
	Webhook    string   `help:"Also POST every notice to this URL." env:"HB_DEMO_WEBHOOK" placeholder:"URL"`
	Data       string   `help:"Keep the data in this folder (default: a temporary one, removed at the end)." placeholder:"DIR"`
	PortOffset int      `help:"Move all ports by this number; give hbctl the same flag." placeholder:"K"`
	AWS        []string `name:"aws" help:"Run on DynamoDB and SNS at the endpoints of the two regions, creating what is missing; make aws starts both." placeholder:"URL"`
	Stores     int      `help:"How many stores; all but the whole one are light: a relay's sessions, and no LAN. At most 50,000; the first 2,000 on real sockets." default:"1" placeholder:"N"`
	Registers  int      `help:"How many hosts each light store has." default:"4" placeholder:"M"`
	Verbose    bool     `short:"v" help:"Write the log of every part to stderr."`
}

// Run runs the demo.
func (c *demoCmd) Run(ctx context.Context) error {
	o := demo.DefaultOptions()
	o.Webhook, o.DataDir, o.PortOffset, o.AWS, o.Verbose = c.Webhook, c.Data, c.PortOffset, c.AWS, c.Verbose
	o.Stores, o.Registers = c.Stores, c.Registers
	o.Out, o.Log, o.Version = os.Stdout, os.Stderr, version
	d, err := demo.New(o)
	if err != nil {
		return err
	}
	return d.Run(ctx)
}

type awsCmd struct {
	Port    []int  `help:"Where the regions listen on 127.0.0.1 (default: 4566 and 4567)." placeholder:"PORT"`
	Program string `help:"The ministack to run (default: that of .venv, else of PATH)." placeholder:"PATH"`
	Verbose bool   `short:"v" help:"Write the ring's log to stderr."`
}

// Run runs the emulators.
func (c *awsCmd) Run(ctx context.Context) error {
	o := ring.DefaultOptions()
	o.Program = c.Program
	if len(c.Port) > 0 {
		o.Ports = c.Port
	}
	if c.Verbose {
		o.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return ring.Run(ctx, os.Stdout, o)
}

type benchCmd struct {
	Quick     bool     `help:"Only prove that every row can be measured; the figures say nothing."`
	Only      []string `help:"Measure only these: ingest, touch, notice, relay, fleet, cost." enum:"ingest,touch,notice,relay,fleet,cost" placeholder:"ROW"`
	Mosquitto string   `help:"The mosquitto server to run (default: what .ci/mosquitto unpacked)." placeholder:"PATH"`
	Relay     string   `help:"The hb-relay to run (default: the one beside this program)." placeholder:"PATH"`
}

// Run measures.
func (c *benchCmd) Run(ctx context.Context) error {
	o := bench.DefaultOptions()
	o.Quick, o.Only, o.Out = c.Quick, c.Only, os.Stdout
	if c.Mosquitto != "" {
		o.Mosquitto, o.MosquittoLibraries = c.Mosquitto, ""
	}
	if c.Relay != "" {
		o.Relay = c.Relay
	}
	b, err := bench.New(o)
	if err != nil {
		return err
	}
	return b.Run(ctx)
}

type tortureCmd struct {
	From     *uint64 `help:"The first seed of the range (default: one of today's date)." placeholder:"S"`
	Seeds    uint64  `help:"How many seeds to play." default:"10000" placeholder:"N"`
	Seed     *uint64 `help:"Play this seed alone." placeholder:"N"`
	Schedule string  `help:"Play the schedule of this file alone." type:"existingfile" placeholder:"FILE"`
	Verbose  bool    `short:"v" help:"Print all that happens, with --seed or --schedule."`
	Shrink   bool    `help:"Reduce what fails to a minimal schedule, and print it."`
	Known    string  `help:"A file of seeds whose violation is known: they are no failure, until they hold." type:"existingfile" placeholder:"FILE"`
	First    bool    `help:"Stop at the first violation."`
	Jobs     int     `help:"How many seeds to play at once (default: one for each core)." placeholder:"N"`
	Profile  string  `help:"Write a CPU profile to this file." hidden:""`
}

// Run plays seeds.
func (c *tortureCmd) Run(ctx context.Context) error {
	o := torture.DefaultOptions()
	o.From, o.Seeds, o.Seed, o.File = c.From, c.Seeds, c.Seed, c.Schedule
	o.Known = c.Known
	o.Trace, o.Shrink, o.First, o.Jobs, o.Profile = c.Verbose, c.Shrink, c.First, c.Jobs, c.Profile
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		o.Progress = os.Stderr
	}
	return torture.Run(ctx, o)
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var g grammar
	parser, err := kong.New(&g, kong.Name("hb-sim"), kong.Description("Run a whole hb-mesh on one machine."),
		kong.Writers(stdout, stderr), kong.BindTo(ctx, (*context.Context)(nil)))
	if err == nil {
		var line *kong.Context
		if line, err = parser.Parse(args); err == nil {
			err = bounded(ctx, func() error { return line.Run() })
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, "hb-sim:", err)
		return 1
	}
	return 0
}

// bounded is do, but not for long once ctx has ended.
func bounded(ctx context.Context, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(endWithin):
		return errors.New("some parts did not end in time, and were left")
	}
}
