package relay

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/hb-mesh/hb-mesh/relay/guard"
)

// lan is the store's side: MQTT and HTTP.
type lan interface {
	// Serve serves MQTT until ctx is done.
	Serve(ctx context.Context, ln net.Listener) error
	// Mount adds the HTTP beats and the status.
	Mount(mux *http.ServeMux)
}

func (r *Relay) newLAN(guard.Options, *guard.Metrics) (lan, error) {
	return nil, errors.ErrUnsupported
}
