package guard

import (
	"context"
	"log/slog"
	"net"
)

// Door is an MQTT server for one Handler.
type Door struct {
	opt     Options
	handler Handler
	log     *slog.Logger
	metrics *Metrics
}

// New wires a door; it starts nothing. log and m may be nil.
func New(o Options, h Handler, log *slog.Logger, m *Metrics) (*Door, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if m == nil {
		m = NewMetrics(nil, "hbmesh")
	}
	return &Door{opt: o, handler: h, log: log, metrics: m}, nil
}

// Serve accepts connections from ln until ctx is done, then closes ln, ends
// the connections that it accepted (Cause DoorClosed) and waits for their
// Ended. It returns nil then, and an error only if ln is closed by another. An
// error of Accept is logged, counted and tried again. Several listeners may be
// served at once.
func (d *Door) Serve(ctx context.Context, ln net.Listener) error { return nil }

// ServeConn serves one connection, as from Accept, until it ends.
func (d *Door) ServeConn(conn net.Conn) {}

// Close ends all connections (Cause DoorClosed) and waits for their Ended.
// The door lets nobody in any more. It is idempotent.
func (d *Door) Close() {}

// Send queues a message for the client and never blocks. qos is 0 or 1; the
// subscription may lower it. Errors are ErrNoClient, ErrNotSubscribed,
// ErrSlowClient and ErrTooLarge.
func (d *Door) Send(client uint64, topic string, payload []byte, qos byte) error { return nil }

// Disconnect ends the client's connection (Cause Dismissed); a client that is
// gone already is no error. It does not wait for Ended.
func (d *Door) Disconnect(client uint64, why string) {}
