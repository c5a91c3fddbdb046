package demo

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/notice"
)

// screenName is the channel of notices that is the terminal.
const screenName incident.Channel = "terminal"

// maxSeen bounds how many notices the screen knows again.
const maxSeen = 4096

// screen is what a visitor reads: the banner, then one line per notice, and per
// new host.
type screen struct {
	// mu guards w and seen.
	mu   sync.Mutex
	w    io.Writer
	seen map[string]bool
}

var _ notice.Channel = (*screen)(nil)

func newScreen(w io.Writer) *screen { return &screen{w: w, seen: map[string]bool{}} }

// Name is the channel's.
func (s *screen) Name() incident.Channel { return screenName }

// Publish prints one line, once for each notice: both regions share the screen.
func (s *screen) Publish(_ context.Context, m notice.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[m.ID] {
		return nil
	}
	if len(s.seen) >= maxSeen {
		clear(s.seen)
	}
	s.seen[m.ID] = true
	return s.print(string(m.Severity), m.SMS)
}

// note prints a line that is no notice.
func (s *screen) note(word, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.print(word, text) // a terminal that is gone is no reason to stop
}

func (s *screen) print(word, text string) error {
	_, err := fmt.Fprintf(s.w, "%s  %-8s  %s\n", time.Now().Format(time.TimeOnly), word, strings.ReplaceAll(text, "\n", " "))
	return err
}

// banner says where everything is, and three things to try.
func (s *screen) banner(d *Demo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := d.ports
	fmt.Fprintf(s.w, "hb-mesh demo: store %s with %d registers and a relay, and two regions that watch it.\n\n", store, registers)
	table := func(rows [][]string) {
		tw := tabwriter.NewWriter(s.w, 0, 0, 3, ' ', 0)
		for _, row := range rows {
			fmt.Fprintln(tw, "  "+strings.Join(row, "\t"))
		}
		_ = tw.Flush()
	}
	table([][]string{
		{"dashboard", p.url(portEastHTTP), "region " + string(east) + ", MQTT " + p.address(portEastMQTT)},
		{"", p.url(portWestHTTP), "region " + string(west) + ", MQTT " + p.address(portWestMQTT)},
		{"relay", p.url(portRelayHTTP), "its local page; registers beat here, or by MQTT at " + p.address(portRelayMQTT)},
		{"control", p.url(portControl), "the switches: hbctl demo status"},
		{"data", d.dir, d.kept()},
	})
	hbctl := "bin/hbctl" + p.flag() + " demo unplug "
	fmt.Fprint(s.w, "\nTry (and plug it in again with `demo plug`):\n")
	table([][]string{
		{hbctl + "register/pos3", "a register dies: one message"},
		{hbctl + "relay", "the store goes dark: one message, none for its registers"},
		{hbctl + "wan/" + string(east), "one path is cut: nobody is woken"},
	})
	fmt.Fprint(s.w, "\nNotices appear here, on the dashboard, and with --webhook URL. Ctrl-C ends the demo.\n\n")
}

// logger makes the log of one life: all of it with -v, and else nothing but
// the adoption of hosts. A killed process logs no more.
func (d *Demo) logger(part string, quiet context.Context) *slog.Logger {
	h := &partHandler{part: part, quiet: quiet, screen: d.screen}
	if d.o.Verbose {
		h.all = slog.NewTextHandler(d.o.Log, &slog.HandlerOptions{Level: slog.LevelDebug}).WithAttrs([]slog.Attr{slog.String("part", part)})
	}
	return slog.New(h)
}

// partHandler is the log of one life of a part.
type partHandler struct {
	part   string
	quiet  context.Context
	screen *screen
	all    slog.Handler // nil without -v
}

func (h *partHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.quiet.Err() == nil && (h.all == nil || h.all.Enabled(ctx, level))
}

func (h *partHandler) Handle(ctx context.Context, r slog.Record) error {
	if h.quiet.Err() != nil {
		return nil
	}
	if h.all != nil {
		return h.all.Handle(ctx, r)
	}
	return nil
}

func (h *partHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	if h.all != nil {
		with.all = h.all.WithAttrs(attrs)
	}
	return &with
}

func (h *partHandler) WithGroup(name string) slog.Handler {
	with := *h
	if h.all != nil {
		with.all = h.all.WithGroup(name)
	}
	return &with
}
