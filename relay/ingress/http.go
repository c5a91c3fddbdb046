package ingress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/guard"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

// goodbye is how long the requests that are being answered may take when the
// door closes.
const goodbye = 2 * time.Second

// Mount adds the HTTP beats to mux.
func (i *Ingress) Mount(mux *http.ServeMux) {
	beats := &guard.Beats{
		Authorize:      i.authorize,
		Deliver:        i.deliver,
		Logins:         i.logins,
		ExemptLoopback: i.opt.ExemptLoopback,
		Metrics:        i.doors,
	}
	beats.Mount(mux)
}

// RunHTTP serves h, which holds what Mount added, on ln within the door's
// limits until ctx is done.
func (i *Ingress) RunHTTP(ctx context.Context, ln net.Listener, h http.Handler) error {
	server := guard.HTTPServer(i.opt.Guard, h, i.log, i.doors)
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
		defer cancel()
		if server.Shutdown(bye) != nil {
			_ = server.Close() // who is still there has had its time
		}
	})
	err := server.Serve(guard.Listen(ln, i.opt.Guard, i.log, i.doors))
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("ingress: serve HTTP: %w", err)
}

func (i *Ingress) authorize(_ *http.Request, key string) (guard.Rights, error) {
	if !i.keyed([]byte(key)) {
		return guard.Rights{}, guard.Forbidden
	}
	return guard.Rights{Any: true}, nil
}

// deliver counts a beat; the relay has one store, whatever the beat names.
func (i *Ingress) deliver(_ context.Context, from netip.AddrPort, _ beat.StoreID, b beat.Beat) error {
	err := i.sink.Deliver(i.base, &roster.Beat{From: roster.Source{Addr: from.Addr()}, Beat: b})
	if err == nil {
		i.viaHTTP.Inc()
	}
	return err //nolint:wrapcheck // the sink's own refusals are the answer
}
