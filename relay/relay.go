package relay

import (
	"context"
	"errors"
)

// Relay is one store's relay. Make it with New, run it with Run.
type Relay struct {
	o     Options
	ready chan struct{}
}

// New checks the options and wires a relay. It opens and starts nothing.
func New(o Options) (*Relay, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return &Relay{o: o, ready: make(chan struct{})}, nil
}

// Ready is closed when both LAN doors listen and the uplinks were started.
func (r *Relay) Ready() <-chan struct{} { return r.ready }

// Run runs the relay until ctx ends; it then says bye to the regions, closes
// everything within Options.Shutdown, and returns nil. An error says what
// could not be opened.
func (r *Relay) Run(_ context.Context) error { return errors.New("relay: not wired yet") }
