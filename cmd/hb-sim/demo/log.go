package demo

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// logger makes the log of one life: all of it with -v, and else nothing but
// the adoption of hosts, and what an operator would have to act on. A killed process logs no more.
func (d *Demo) logger(quiet context.Context, part string) *slog.Logger {
	h := &partHandler{part: part, quiet: quiet, screen: d.screen, light: d.isLight}
	if d.o.Verbose {
		h.all = slog.NewTextHandler(d.o.Log, &slog.HandlerOptions{Level: slog.LevelDebug}).WithAttrs([]slog.Attr{slog.String("part", part)})
	}
	return slog.New(h)
}

// adoptedMessage is how a region logs a host that it never saw before.
const adoptedMessage = "host adopted"

// partHandler is the log of one life of a part.
type partHandler struct {
	part   string
	quiet  context.Context
	screen *screen
	all    slog.Handler // nil without -v
	light  func(beat.StoreID) bool
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
	switch {
	case r.Message == adoptedMessage:
		h.adopted(r)
	case r.Level >= slog.LevelError:
		h.screen.note("error", h.part+": "+r.Message+attrText(r))
	}
	return nil
}

// adopted prints a new host, unless it is one of the demo's own.
func (h *partHandler) adopted(r slog.Record) {
	values := map[string]string{}
	r.Attrs(func(a slog.Attr) bool {
		values[a.Key] = a.Value.String()
		return true
	})
	if values["store"] == "" {
		return // the relay says it too: a region's word is enough
	}
	if h.light != nil && h.light(beat.StoreID(values["store"])) {
		return
	}
	for i := range registers {
		if values["store"] == string(store) && values["host"] == string(tillName(i)) {
			return
		}
	}
	h.screen.note("new host", values["store"]+"/"+values["host"]+" beats for the first time")
}

func attrText(r slog.Record) string {
	var out strings.Builder
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&out, ", %s: %v", a.Key, a.Value)
		return true
	})
	return out.String()
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
