package peer

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Core is what the other region asks and tells. Its methods are called
// concurrently, and return soon.
type Core interface {
	// Received answers a request from memory; an error means that this node
	// answers nothing now (it is not ready, or a standby). Some may come twice.
	Received(ctx context.Context, r *wire.Request) (*wire.Response, error)
	// Explain is all that this region knows of a store or host, for people; an
	// error is as Received's.
	Explain(ctx context.Context, store beat.StoreID, host beat.HostID) (json.RawMessage, error)
	// Superseded says that another node of this region took over with a term.
	Superseded(term int64)
}

// The defaults of a Server.
const (
	// DefaultBodyTimeout bounds the time that a body may take, and the answer.
	DefaultBodyTimeout = 5 * time.Second
	// DefaultServing is how many calls are served at a time.
	DefaultServing = 16

	complainEvery = time.Minute
)

// ServerOptions are a Server's settings.
type ServerOptions struct {
	// Region is our own, whose nodes may call to drain; Peer is the only other
	// one that may call, "" where there is none.
	Region, Peer beat.Region
	// Secret is shared by both, at least MinSecret bytes.
	Secret      []byte
	BodyTimeout time.Duration
	Serving     int
	// Now judges the requests' times; nil is time.Now.
	Now func() time.Time
}

// DefaultServerOptions have everything but regions and secret.
func DefaultServerOptions() ServerOptions {
	return ServerOptions{BodyTimeout: DefaultBodyTimeout, Serving: DefaultServing, Now: time.Now}
}

func (o *ServerOptions) validate() error {
	if len(o.Secret) < MinSecret {
		return errSecret
	}
	if o.BodyTimeout <= 0 || o.Serving <= 0 {
		return fmt.Errorf("peer: body timeout %v and serving %d must be positive", o.BodyTimeout, o.Serving)
	}
	return checkRegions(o.Region, o.Peer)
}

// Server answers the other region. It is mounted at Prefix.
type Server struct {
	o       ServerOptions
	core    Core
	log     *slog.Logger
	metrics *Metrics
	serving chan struct{}
	nonces  nonces
	// started is when this process began to remember nonces.
	started time.Time

	// mu guards complained: when a refusal was last logged.
	mu         sync.Mutex
	complained time.Time
}

var _ http.Handler = (*Server)(nil)

// NewServer wires a server.
func NewServer(o ServerOptions, core Core, log *slog.Logger, m *Metrics) (*Server, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Server{o: o, core: core, log: log, metrics: m, serving: make(chan struct{}, o.Serving), started: o.Now()}, nil
}

// reply is an answer before it is signed.
type reply struct {
	status int
	result string // of Metrics.Served
	body   []byte
}

// ServeHTTP answers one call. Whoever does not know the secret gets a 403 that
// says nothing.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ok := s.callOf(r)
	if !ok {
		http.NotFound(w, r)
		return
	}
	from := s.o.Peer
	if name == callDrain {
		from = s.o.Region
	}
	nonce, sum, err := verifyRequest(r.Header, s.o.Secret, from, s.o.Region, r.URL.Path, s.o.Now())
	if err != nil && !errors.Is(err, errClock) {
		s.metrics.Served.WithLabelValues(string(name), "forbidden").Inc()
		if s.complain() {
			s.log.Warn("calls are refused that should be the other region's", "call", string(name), "remote", r.RemoteAddr, "error", err)
		}
		http.Error(w, "forbidden", http.StatusForbidden)
		return
	}
	var a reply
	switch {
	case err != nil: // signed, so that it may know why
		a = reply{http.StatusForbidden, "forbidden", []byte(err.Error())}
		if s.complain() {
			s.log.Error("the other region's clock is wrong, or ours", "call", string(name), "error", err)
		}
	case s.earlier(r.Header):
		a = reply{http.StatusForbidden, "forbidden", []byte(errEarlier.Error())}
	case !s.nonces.take(nonce, s.o.Now()):
		a = reply{http.StatusForbidden, "forbidden", []byte(errReplayed.Error())}
	default:
		a = s.serve(w, r, name, sum)
	}
	s.metrics.Served.WithLabelValues(string(name), a.result).Inc()
	signAnswer(w.Header(), s.o.Secret, nonce, a.status, a.body)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a caller that has gone will ask again
}

// earlier says whether a request, which is signed, was made before this process
// began to remember nonces. None that old is good any more 2 × Window later: then
// a wall clock that was set back since harms nothing.
func (s *Server) earlier(h http.Header) bool {
	if s.o.Now().Sub(s.started) > 2*Window {
		return false
	}
	ms, err := strconv.ParseInt(h.Get(headerTime), 10, 64)
	return err != nil || ms < s.started.UnixMilli()
}

// complain says whether to log a refusal: a stranger who calls a thousand times
// a second fills no disk. The metric counts them all.
func (s *Server) complain() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now()
	if since := now.Sub(s.complained); since >= 0 && since < complainEvery {
		return false
	}
	s.complained = now
	return true
}

func (s *Server) callOf(r *http.Request) (callName, bool) {
	name, below := strings.CutPrefix(r.URL.Path, Prefix)
	return callName(name), below && r.Method == http.MethodPost && slices.Contains(Calls(), name)
}

// serve reads the body and hands it to the core.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, name callName, sum string) reply {
	select {
	case s.serving <- struct{}{}:
		defer func() { <-s.serving }()
	default:
		return reply{http.StatusServiceUnavailable, "busy", []byte("busy")}
	}
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.o.BodyTimeout)); err != nil {
		s.log.Debug("a body has no deadline", "error", err)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		return reply{http.StatusBadRequest, "bad", []byte("read the body: " + err.Error())}
	}
	if !hmac.Equal([]byte(digest(body)), []byte(sum)) {
		return reply{http.StatusBadRequest, "bad", []byte(errDigest.Error())}
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.o.BodyTimeout)
	defer cancel()
	answer, err := s.handle(ctx, name, body)
	switch {
	case errors.Is(err, wire.ErrBody):
		s.log.Warn("the other region sent what cannot be read", "call", string(name), "error", err)
		return reply{http.StatusBadRequest, "bad", []byte(err.Error())}
	case err != nil:
		return reply{http.StatusServiceUnavailable, "failed", []byte(err.Error())}
	}
	return reply{http.StatusOK, "ok", answer}
}

func (s *Server) handle(ctx context.Context, name callName, body []byte) ([]byte, error) {
	switch name {
	case callDrain:
		d, err := readDrain(body)
		if err == nil {
			s.core.Superseded(d.Term)
		}
		return []byte("{}"), err
	case callExplain:
		q, err := readSubject(body)
		if err != nil {
			return nil, err
		}
		return s.core.Explain(ctx, q.Store, q.Host)
	}
	r, err := wire.DecodeRequest(wire.Kind(name), body)
	if err != nil {
		return nil, err
	}
	a, err := s.core.Received(ctx, r)
	if err != nil {
		return nil, err
	}
	return a.Encode(r.Kind)
}
