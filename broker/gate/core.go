package gate

import (
	"errors"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Core is what stands behind the doors. Its methods are called from many
// goroutines at once, and must not wait for a table or a network: a relay's
// PUBACK waits for them.
type Core interface {
	// Admit says whether a relay may open a session: it only reads. It is
	// called at CONNECT, with what the will says, or before the first report of
	// a connection that has no will. An error refuses the connection.
	Admit(id beat.Identity, d beat.Death) error
	// Report takes an envelope whose names and session are the connection's
	// own, in the order in which they came. r is valid during the call only.
	Report(conn presence.Conn, r *beat.Report)
	// Ended tells the end of a connection that Admit let in, once, after its
	// last Report and before the first one of the connection that took it over.
	// The gate's own stop is not told: it is no evidence (P7).
	Ended(conn presence.Conn, id beat.Identity, d beat.Death)
	// Direct takes a beat without a relay. An error is one that cannot be
	// counted: the answer is 500.
	Direct(store beat.StoreID, b beat.Beat) error
	// Status says why the node cannot do its job; nil: it can. ErrStandby, or an
	// error that wraps it, is answered with 503, others with 500.
	Status() error
}

// ErrStandby is a node that is healthy and not the active one.
var ErrStandby = errors.New("standby")
