package uplink

import (
	"context"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// transport is a way to a region. MQTT over TCP and TLS is the one so far; the
// same over WebSocket, and HTTPS, fit behind it.
type transport interface {
	// connect opens a connection whose Last-Will is the death. It returns within
	// Options.ConnectTimeout, or soon after ctx is done.
	connect(ctx context.Context, death beat.Death) (wire, error)
}

// wire is one open connection to a region.
type wire interface {
	// send publishes a report. The channel yields once: nil is the region's
	// PUBACK, anything else means that nobody knows.
	send(payload []byte) <-chan error
	// inbox is what the region sends down.
	inbox() <-chan message
	// done is closed when the connection is over.
	done() <-chan struct{}
	// close ends the connection; with farewell it says DISCONNECT, so that the
	// region sends no will. It may be called twice, and is bounded in time.
	close(farewell bool)
}

// message is what a region sends down.
type message struct {
	topic   string
	payload []byte
}
