package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/oklog/ulid/v2"
)

// The exit statuses.
const (
	ExitOK = 0
	// ExitFailed is a request that was refused or failed.
	ExitFailed = 1
	// ExitUsage is a command line that is wrong: nothing was sent.
	ExitUsage = 2
	// ExitNoAnswer is no answer from any address.
	ExitNoAnswer = 3
)

// The ports that the demo fixes, on loopback: hbctl's defaults.
const (
	portEast    = 8080
	portWest    = 8081
	portControl = 8099
)

// Options are what a run gets from its process.
type Options struct {
	Args           []string
	Stdout, Stderr io.Writer
	// Now dates "3m ago".
	Now func() time.Time
	// NewID names a rule that is made.
	NewID func() string
}

// DefaultOptions has the wall clock and drawn ids; Args, Stdout and Stderr are left
// to the caller.
func DefaultOptions() Options {
	return Options{
		Stdout: io.Discard, Stderr: io.Discard, Now: time.Now,
		NewID: func() string { return strings.ToLower(ulid.Make().String()) },
	}
}

// grammar is the whole command line.
type grammar struct {
	Addr       []string      `help:"Where the API is, as host:port or URL; one address per region, tried in order (default: the demo's, 127.0.0.1:8080 and 8081)." env:"HB_ADDR" placeholder:"ADDR"`
	Key        string        `help:"The key of the API." env:"HB_KEY" default:"demo"`
	PortOffset int           `help:"Follow a demo that was started with the same flag." placeholder:"K"`
	JSON       bool          `name:"json" help:"Print exactly one JSON array or object."`
	Timeout    time.Duration `help:"How long one address may take to answer." default:"5s"`

	Status      statusCmd      `cmd:"" help:"Show whether the regions can do their job."`
	Stores      storesCmd      `cmd:"" help:"List the stores and their states, declare them, show what is declared."`
	Hosts       hostsCmd       `cmd:"" help:"List hosts, or retire one."`
	Incidents   incidentsCmd   `cmd:"" help:"List the open incidents."`
	Notices     noticesCmd     `cmd:"" help:"List the last notices, and which channels took them."`
	History     historyCmd     `cmd:"" help:"List what happened to a store's hosts on one day."`
	Explain     explainCmd     `cmd:"" help:"Say why a store or host is in its state, and what comes next."`
	Silence     silenceCmd     `cmd:"" help:"Hold back what people are told of stores or hosts for a while."`
	Maintenance maintenanceCmd `cmd:"" help:"Let stores be off for a while."`
	Pause       pauseCmd       `cmd:"" help:"Tell people nothing for a while."`
	Ack         ackCmd         `cmd:"" help:"Say that somebody deals with an incident."`
	Pin         pinCmd         `cmd:"" help:"Choose the region that tells a store's incidents."`
	Audit       auditCmd       `cmd:"" help:"List what operators did on one day."`
	Keys        keysCmd        `cmd:"" help:"Make, list and revoke the keys of beats and of the API."`
	Subscribe   subscribeCmd   `cmd:"" help:"Subscribe to the notices at an SNS topic."`
	Beat        beatCmd        `cmd:"" help:"Send one beat, as a register would."`
	Backup      backupCmd      `cmd:"" help:"Copy a node's embedded table into a file, while it runs."`
	Restore     restoreCmd     `cmd:"" help:"Make a data folder from a backup, offline."`
	Demo        demoCmd        `cmd:"" help:"Pull a plug of the demo, or put it back."`
}

const description = `Ask and tell the regions of an hb-mesh.

Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 no address answers.`

// session is what a command works with.
type session struct {
	ctx    context.Context
	out    *printer
	api    *client
	offset int
	// timeout is how long one address may take.
	timeout time.Duration
	key     string
	now     func() time.Time
	newID   func() string
}

// Run does one command line and returns the exit status.
func Run(ctx context.Context, o Options) int {
	var g grammar
	left := exitSignal{status: -1}
	parser, err := kong.New(&g, kong.Name("hbctl"), kong.Description(description),
		kong.Writers(o.Stdout, o.Stderr), kong.Exit(left.set), kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		return tell(o.Stderr, err)
	}
	line, err := parser.Parse(o.Args)
	if left.status >= 0 {
		return left.status // --help was printed
	}
	if err != nil {
		return tell(o.Stderr, &failure{exit: ExitUsage, what: err.Error(), hint: helpOf(err)})
	}
	api, err := newClient(&g)
	if err != nil {
		return tell(o.Stderr, err)
	}
	s := &session{
		ctx: ctx, api: api, offset: g.PortOffset, timeout: g.Timeout, key: g.Key, now: o.Now, newID: o.NewID,
		out: &printer{w: o.Stdout, json: g.JSON, now: o.Now()},
	}
	return tell(o.Stderr, line.Run(s))
}

// helpOf names the help of the command that was meant, as far as it was understood.
func helpOf(err error) string {
	if p := (*kong.ParseError)(nil); errors.As(err, &p) {
		for n := p.Context.Selected(); n != nil && n.Type == kong.CommandNode; n = n.Parent {
			if n.Parent == nil || n.Parent.DefaultCmd != n { // nobody types the default's name
				return "hbctl " + n.Path() + " --help shows how it is written"
			}
		}
	}
	return "hbctl --help lists the commands and flags"
}

// exitSignal remembers that kong wanted to exit: it does so after --help.
type exitSignal struct{ status int }

func (e *exitSignal) set(status int) { e.status = status }

// failure is an error for a person: what happened, and what to do next.
type failure struct {
	exit int
	what string
	hint string
	err  error
	// status is that of an answer; 0: there was none.
	status int
}

func (f *failure) Error() string {
	if f.err == nil {
		return f.what
	}
	return f.what + ": " + f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// usage is a failure of the command line.
func usage(hint, format string, args ...any) error {
	return &failure{exit: ExitUsage, what: fmt.Sprintf(format, args...), hint: hint}
}

// tell prints err, if any, and returns the exit status that it means.
func tell(w io.Writer, err error) int {
	if err == nil {
		return ExitOK
	}
	f := &failure{exit: ExitFailed}
	_ = errors.As(err, &f)
	fmt.Fprintf(w, "hbctl: %s\n", clean(err.Error()))
	if f.hint != "" {
		fmt.Fprintf(w, "  %s\n", f.hint)
	}
	return f.exit
}
