package uplink

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Relay is what the uplinks ask of the relay. They call it from several
// goroutines, and never while it waits for them.
type Relay interface {
	// Picture is the whole picture of this instant; the caller owns it.
	Picture() *beat.Picture
	// Exceed says that a region knows numbers up to top: the next ones must be
	// above. It is called before any journal of the boot leaves.
	Exceed(top beat.Number) error
	// Forget retires a host: a region ordered it. An unknown host is no error.
	Forget(host beat.HostID)
}

// Journal is what the uplinks ask of the relay's journal; *journal.Journal is one.
type Journal interface {
	Incarnations
	Entries
}

// Incarnations are who the relay is, and its counters.
type Incarnations interface {
	Incarnation() beat.Incarnation
	// Acked says whether any region ever acked this incarnation.
	Acked() bool
	NoteAcked() error
	// Renew makes a new incarnation.
	Renew() (beat.Incarnation, error)
	// NextEpoch returns an epoch never returned before, above the given one.
	NextEpoch(above beat.Epoch) (beat.Epoch, error)
	// EpochTop and NumberTop are the highest that are reserved on disk.
	EpochTop() beat.Epoch
	NumberTop() beat.Number
}

// Entries are the transitions that no region has taken yet.
type Entries interface {
	// Batch returns the oldest entries above after.
	Batch(after beat.Number, maxBytes, limit int) ([]beat.Transition, error)
	// Free deletes the entries up to through.
	Free(through beat.Number) error
	// Backlog is how many entries there are, and how many were ever lost.
	Backlog() (depth, lost uint64)
}

// Status is one uplink as people see it.
type Status struct {
	Region  beat.Region `json:"region"`
	Address string      `json:"address"`
	// Open says that the region acknowledged the birth of this connection.
	Open  bool       `json:"open"`
	Home  bool       `json:"home"`
	Epoch beat.Epoch `json:"epoch,omitempty"`
	// Since is when it opened or closed; LastAck is the last acknowledged report.
	Since   time.Time `json:"since"`
	LastAck time.Time `json:"lastAck"`
	// Error is why it is not open.
	Error string `json:"error,omitempty"`
}

// Group is a relay's uplinks, one per region.
type Group struct{}

// New wires the uplinks and starts nothing.
func New(o Options, r Relay, j Journal, log *slog.Logger, m *Metrics) (*Group, error) {
	return nil, errors.ErrUnsupported
}

// Run keeps a connection to each region until ctx is done. Then it says bye to
// each, within Options.ByeTimeout, and returns nil.
func (g *Group) Run(ctx context.Context) error { return errors.ErrUnsupported }

// Changed says that the picture or the journal changed: a report leaves on each
// open link within Options.Coalesce. It does not block.
func (g *Group) Changed() {}

// Status is each uplink, in the order of Options.Regions.
func (g *Group) Status() []Status { return nil }
