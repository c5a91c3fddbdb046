package dashboard

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Defaults of Options.
const (
	// DefaultCoalesce bounds what a storm of changes costs a page: 4 views a second.
	DefaultCoalesce = 250 * time.Millisecond
	// DefaultFresh is how often a page hears the times of reports and beats.
	DefaultFresh = 2 * time.Second
	// DefaultHeartbeat is how often a silent stream shows that it lives; the
	// page calls it dead after 2.5 of them.
	DefaultHeartbeat = 5 * time.Second
	// DefaultWantEvery is how often a relay is asked for its picture while
	// somebody looks at its store.
	DefaultWantEvery = 5 * time.Second
	// DefaultWriteTimeout ends a stream whose reader does not read.
	DefaultWriteTimeout = 10 * time.Second
	// DefaultRecheck is how often the key of an open stream is looked at again:
	// a revoked one ends it.
	DefaultRecheck = time.Minute
	// DefaultMaxStreams bounds the live pages of a node.
	DefaultMaxStreams = 256
	// DefaultMaxStores is how many stores a live page lists; search finds the others.
	DefaultMaxStores = 60
	// DefaultMaxOpen is how many stores of a live page show their hosts.
	DefaultMaxOpen = 12
)

// Options configure a Server. Source, Authorize and Logger are required.
type Options struct {
	Source    Source
	Authorize Authorize
	// Those that are nil answer their calls with 501.
	Operator     Operator
	Archive      Archive
	Keys         Keys
	Declarations Declarations
	Rules        Rules
	Explainer    Explainer
	// Backup writes a copy of the table as it is at one instant; nil: the table
	// gives none, and the call is answered with 404.
	Backup func(io.Writer) error
	// Standby says whether the node is not its region's active one: then it knows
	// nothing of the stores, and every call is answered with 503. nil: it never is.
	Standby func() bool
	// Region is in the name of a backup's file.
	Region beat.Region

	// Names are the host names (without port) under which the page is served
	// to people without a key, besides localhost and IP addresses. Other names
	// are refused, since a stranger's page could rebind its own name to ours.
	Names []string
	// Scripts are paths on this server of modules that the page loads after
	// itself; they add panels (see web/src/panels.ts).
	Scripts []string
	// Title is shown on the page; "" is none.
	Title string
	// Version is the software's.
	Version string

	Coalesce     time.Duration
	Fresh        time.Duration
	Heartbeat    time.Duration
	WantEvery    time.Duration
	WriteTimeout time.Duration
	Recheck      time.Duration
	MaxStreams   int
	MaxStores    int
	MaxOpen      int

	Logger  *slog.Logger
	Metrics *Metrics // nil counts nothing
	// Now is the wall clock; nil is time.Now.
	Now func() time.Time
}

// DefaultOptions holds every default; the required ones are left to the caller.
func DefaultOptions() Options {
	return Options{
		Coalesce: DefaultCoalesce, Fresh: DefaultFresh, Heartbeat: DefaultHeartbeat, WantEvery: DefaultWantEvery,
		WriteTimeout: DefaultWriteTimeout, Recheck: DefaultRecheck, MaxStreams: DefaultMaxStreams, MaxStores: DefaultMaxStores, MaxOpen: DefaultMaxOpen,
		Now: time.Now,
	}
}

func (o *Options) validate() error {
	switch {
	case o.Source == nil:
		return errors.New("dashboard: Options.Source is nil")
	case o.Authorize == nil:
		return errors.New("dashboard: Options.Authorize is nil")
	case o.Logger == nil:
		return errors.New("dashboard: Options.Logger is nil")
	case o.Coalesce <= 0 || o.Fresh < o.Coalesce || o.Heartbeat < o.Fresh || o.WantEvery <= 0 || o.WriteTimeout <= 0 || o.Recheck <= 0:
		return errors.New("dashboard: want 0 < Coalesce ≤ Fresh ≤ Heartbeat, WantEvery, WriteTimeout and Recheck above 0")
	case o.MaxStreams < 1 || o.MaxStores < 1 || o.MaxOpen < 1:
		return errors.New("dashboard: MaxStreams, MaxStores and MaxOpen are at least 1")
	}
	for _, s := range o.Scripts {
		if !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.ContainsAny(s, "\"<>\\") {
			return fmt.Errorf("dashboard: script %q is no path on this server", s)
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return nil
}
