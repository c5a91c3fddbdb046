package broker

import "context"

// Broker is one node of a region.
type Broker struct{ o Options }

// New wires a node; it starts nothing.
func New(o Options) (*Broker, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	return &Broker{o: o}, nil
}

// Run opens the doors and works until ctx ends.
func (b *Broker) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Ready is closed when the node answers.
func (b *Broker) Ready() <-chan struct{} { return nil }
