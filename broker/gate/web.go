package gate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hb-mesh/hb-mesh/broker/credential"
	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/guard"
)

// Mount adds a handler to the HTTP door (a pattern of http.ServeMux). It has no
// deadline for its answer: a stream may last. Mount comes before RunHTTP.
func (g *Gate) Mount(pattern string, h http.Handler) { g.mux.Handle(pattern, h) }

func (g *Gate) mountOwn() {
	beats := &guard.Beats{
		Authorize: g.beatRights, Deliver: g.deliver, Logins: g.logins,
		ExemptLoopback: g.o.ExemptLoopback, BodyTimeout: g.o.BodyTimeout, Metrics: g.m.Guard,
	}
	beats.Mount(g.mux)
	g.mux.Handle("/v1/status", guard.Status(g.status))
	if g.o.Gatherer != nil {
		g.mux.Handle("GET /metrics", promhttp.HandlerFor(g.o.Gatherer, promhttp.HandlerOpts{}))
	}
}

// beatRights is guard.Beats' question: which stores may this key beat for.
func (g *Gate) beatRights(r *http.Request, key string) (guard.Rights, error) {
	grant, err := g.keys.Grant(r.Context(), key)
	switch {
	case err == nil && grant.Beat:
		return guard.Rights{Store: grant.BeatStore, Any: grant.BeatStore == ""}, nil
	case err == nil || errors.Is(err, credential.ErrForbidden):
		g.m.Direct.WithLabelValues("forbidden").Inc()
		return guard.Rights{}, guard.Forbidden
	default:
		g.m.Direct.WithLabelValues("failed").Inc()
		return guard.Rights{}, err
	}
}

func (g *Gate) deliver(_ context.Context, _ netip.AddrPort, store beat.StoreID, b beat.Beat) error {
	if err := g.core.Direct(store, b); err != nil {
		g.m.Direct.WithLabelValues("failed").Inc()
		return refusal(err)
	}
	g.m.Direct.WithLabelValues("counted").Inc()
	return nil
}

func (g *Gate) status() error {
	return refusal(g.core.Status())
}

// refusal gives a standby's error the answer by which a load balancer knows it.
func refusal(err error) error {
	if errors.Is(err, ErrStandby) {
		return &guard.Refusal{Status: http.StatusServiceUnavailable, Message: ErrStandby.Error()}
	}
	return err
}

// Grant says what a request's x-api-key opens, for handlers that are mounted.
// Its errors are the keyring's; the answer to too many wrong keys of an address
// is late. A request without a key is credential.ErrForbidden at once.
func (g *Gate) Grant(r *http.Request) (credential.Grant, error) {
	key := r.Header.Get("X-Api-Key")
	if key == "" {
		return credential.Grant{}, credential.ErrForbidden
	}
	grant, err := g.keys.Grant(r.Context(), key)
	switch {
	case err == nil:
		guard.Admitted(r)
	case errors.Is(err, credential.ErrForbidden):
		g.m.Guard.Logins.Inc()
		g.slow(r)
	}
	return grant, err
}

// slow makes a wrong key wait, where the address had too many of them.
func (g *Gate) slow(r *http.Request) {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	addr := from.Addr().Unmap()
	if err != nil || g.o.ExemptLoopback && addr.IsLoopback() {
		return
	}
	wait := g.logins.Failed(addr)
	if wait == 0 {
		return
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	}
}

// stopTimeout is how long requests may end by themselves when the door closes.
const stopTimeout = 2 * time.Second

// RunHTTP serves HTTP until ctx ends. Listen and every Mount come before.
// Streams end with ctx: it is their requests' context.
func (g *Gate) RunHTTP(ctx context.Context) error {
	if g.http == nil {
		return errors.New("gate: RunHTTP before Listen")
	}
	o := g.limits()
	srv := guard.HTTPServer(o, g.mux, g.log, g.m.Guard)
	srv.BaseContext = func(net.Listener) context.Context { return ctx }
	ln := g.secured(httpDoor, guard.Listen(g.http, o, g.log, g.m.Guard))

	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("%s door: %w", httpDoor, err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if srv.Shutdown(stop) != nil {
		_ = srv.Close() // who is left had its time
	}
	<-served //nolint:errcheck // it says that it was shut down
	return nil
}
