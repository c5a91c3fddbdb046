package guard

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Refusal is an error with the HTTP answer that it deserves.
type Refusal struct {
	Status  int
	Message string
}

func (r *Refusal) Error() string { return r.Message }

// Forbidden is the answer to a missing or wrong key, in hb-api's words. It
// counts as a failed login.
var Forbidden = &Refusal{Status: http.StatusForbidden, Message: "Forbidden"}

// Rights is what a key may beat for.
type Rights struct {
	// Store is the key's store; "" for a key of none.
	Store beat.StoreID
	// Any says that the key may name any store.
	Any bool
}

// Beats answers the HTTP beats of the contract (DESIGN.md §4):
//
//	POST /v1/heartbeat, POST /v1/hearbeat
//	GET, HEAD, POST /ping/{host} and /ping/{host}/{start,fail,log,N}
type Beats struct {
	// Authorize judges the key (the x-api-key header, "" if there is none)
	// before the body is read. It returns Forbidden, another Refusal, or any
	// error for a 500.
	Authorize func(r *http.Request, key string) (Rights, error)
	// Deliver counts a beat. It returns a Refusal, or any error for a 500.
	Deliver func(ctx context.Context, from netip.AddrPort, store beat.StoreID, b beat.Beat) error
	// Logins delays the answers to too many wrong keys; nil delays none.
	Logins *Logins
	// ExemptLoopback lifts that delay on loopback.
	ExemptLoopback bool
	// BodyTimeout is how long a body may take; 0 is DefaultBodyTimeout.
	BodyTimeout time.Duration
	Metrics     *Metrics
}

// DefaultBodyTimeout is how long a body of at most 64 KiB may take.
const DefaultBodyTimeout = 10 * time.Second

// Mount adds the routes to mux.
func (b *Beats) Mount(mux *http.ServeMux) {}

// Status answers GET /v1/status: 200 when check returns nil, a Refusal's own
// status (a standby's 503), else 500 with the reason.
func Status(check func() error) http.Handler { return http.NotFoundHandler() }

// Answer writes {"message": …} as hb-api does.
func Answer(w http.ResponseWriter, status int, message string) {}

// HTTPServer is an http.Server whose limits hold against slow and large
// requests; PacketsPerSecond of o bounds the requests of a connection.
func HTTPServer(o Options, h http.Handler, m *Metrics) *http.Server { return &http.Server{Handler: h} }

// Listen wraps ln with the door's connection limits and an accept loop that
// survives errors, for an HTTPServer.
func Listen(ln net.Listener, o Options, m *Metrics) net.Listener { return ln }
