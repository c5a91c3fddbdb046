package dashboard

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// RequestHeader is the header that a state-changing call without an x-api-key
// must bring, with any value: a form of a stranger's page cannot send it.
const RequestHeader = "X-Hb-Request"

// Server serves the page and the API. It starts nothing by itself: each live
// page runs in its own request.
type Server struct {
	o      Options
	mux    *http.ServeMux
	page   *files
	snaps  snapshots
	wanted wanted
	origin *http.CrossOriginProtection
	names  map[string]bool
	closed chan struct{}

	mu      sync.Mutex // guards what follows
	stopped bool
	streams int
	ended   sync.WaitGroup
}

// New checks the options and wires a server.
func New(o Options) (*Server, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	page, err := newFiles(o)
	if err != nil {
		return nil, err
	}
	s := &Server{
		o: o, page: page, mux: http.NewServeMux(),
		snaps:  snapshots{source: o.Source, now: o.Now},
		wanted: wanted{at: map[beat.StoreID]time.Time{}},
		origin: http.NewCrossOriginProtection(),
		names:  map[string]bool{"localhost": true},
		closed: make(chan struct{}),
	}
	for _, n := range o.Names {
		s.names[strings.ToLower(n)] = true
	}
	s.Mount(s.mux)
	return s, nil
}

// ServeHTTP serves the page and the API by themselves.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Mount adds the page ("/" and "/assets/") and the API ("/v1/…") to a mux that
// may serve more.
func (s *Server) Mount(mux *http.ServeMux) {
	s.page.mount(mux)
	read := func(pattern string, h handler) { mux.Handle(pattern, s.wrap(pattern, false, h)) }
	change := func(pattern string, h handler) { mux.Handle(pattern, s.wrap(pattern, true, h)) }
	read("GET /v1/summary", s.getSummary)
	read("GET /v1/regions", s.getRegions)
	read("GET /v1/stores", s.getStores)
	read("GET /v1/hosts", s.getHosts)
	read("GET /v1/incidents", s.getIncidents)
	read("GET /v1/notices", s.getNotices)
	read("GET /v1/activity", s.getActivity)
	read("GET /v1/history", s.getHistory)
	read("GET /v1/events", s.events)
	change("DELETE /v1/stores/{store}/hosts/{host}", s.forgetHost)
	read("GET /v1/explain", s.explain)
	read("GET /v1/declared", s.listDeclared)
	read("GET /v1/stores/{store}", s.getDeclared)
	change("PUT /v1/stores/{store}", s.declare)
	change("PUT /v1/stores/{store}/pin", s.setPin)
	change("POST /v1/stores:apply", s.applyStores)
	read("GET /v1/silences", s.listRules(setting.Silence))
	change("POST /v1/silences", s.beginRule(setting.Silence))
	change("DELETE /v1/silences/{id}", s.endRule(setting.Silence))
	read("GET /v1/maintenance", s.listRules(setting.Maintenance))
	change("POST /v1/maintenance", s.beginRule(setting.Maintenance))
	change("DELETE /v1/maintenance/{id}", s.endRule(setting.Maintenance))
	read("GET /v1/pauses", s.listRules(setting.Pause))
	change("POST /v1/pauses", s.beginRule(setting.Pause))
	change("DELETE /v1/pauses/{id}", s.endRule(setting.Pause))
	read("GET /v1/acks", s.listRules(setting.Ack))
	change("POST /v1/incidents/{id}/ack", s.beginRule(setting.Ack))
	change("DELETE /v1/acks/{id}", s.endRule(setting.Ack))
	read("GET /v1/audit", s.getAudit)
	change("GET /v1/backup", s.getBackup)
	read("GET /v1/keys", s.listKeys)
	change("POST /v1/keys", s.createKey)
	change("DELETE /v1/keys/{id}", s.revokeKey)
}

// Close ends the live pages, and returns when they have ended. It is safe to
// call it more than once; http.Server.RegisterOnShutdown is a good place.
func (s *Server) Close() {
	s.mu.Lock()
	if !s.stopped {
		s.stopped = true
		close(s.closed)
	}
	s.mu.Unlock()
	s.ended.Wait()
}

func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.streams >= s.o.MaxStreams {
		return false
	}
	s.streams++
	s.ended.Add(1)
	if s.o.Metrics != nil {
		s.o.Metrics.Streams.Inc()
	}
	return true
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams--
	s.ended.Done()
	if s.o.Metrics != nil {
		s.o.Metrics.Streams.Dec()
	}
}

// handler answers one call, or returns a Problem or one of the package's errors.
type handler func(w http.ResponseWriter, r *http.Request, a Access) error

// wrap puts the door in front of h: the name, the origin and the key.
func (s *Server) wrap(route string, change bool, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		armour(w)
		w.Header().Set("Cache-Control", "no-store")
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		defer func() { // an answer that is broken off counts too
			if s.o.Metrics != nil {
				s.o.Metrics.Requests.WithLabelValues(route, strconv.Itoa(rec.status)).Inc()
			}
		}()
		err := s.active()
		var a Access
		if err == nil {
			a, err = s.admit(r, change)
		}
		if err == nil {
			err = h(rec, r, a)
		}
		if err != nil {
			p, known := problemOf(err)
			if !known {
				s.o.Logger.Warn("API call failed", "route", route, "err", err)
			}
			p.write(rec)
		}
	})
}

// active is an error on a standby: it has read nothing, and a change that it took
// would cross those of the active node.
func (s *Server) active() error {
	if s.o.Standby != nil && s.o.Standby() {
		return problem(http.StatusServiceUnavailable, "standby: this node waits for its turn; another node of the region is the active one, ask that")
	}
	return nil
}

// admit says what a request may do, or why it may not be looked at.
func (s *Server) admit(r *http.Request, change bool) (Access, error) {
	keyed := r.Header.Get("X-Api-Key") != ""
	if !keyed && !s.named(r.Host) {
		s.refused("host")
		return Access{}, problem(http.StatusMisdirectedRequest,
			"this name is not served to people without a key: use localhost or an IP address, or add the name to the configuration")
	}
	if change {
		if err := s.origin.Check(r); err != nil {
			s.refused("origin")
			return Access{}, problem(http.StatusForbidden, "the call comes from another site's page")
		}
		if !keyed && r.Header.Get(RequestHeader) == "" {
			s.refused("header")
			return Access{}, problem(http.StatusForbidden, "send the header x-api-key, or "+RequestHeader+": 1")
		}
	}
	a := s.o.Authorize(r)
	if a.Admin {
		a.Read = true
	}
	if change && a.Admin || !change && a.Read {
		return a, nil
	}
	s.refused("key")
	switch {
	case !keyed:
		return Access{}, problem(http.StatusUnauthorized, "send an API key in the header x-api-key")
	case a.Read:
		return Access{}, problem(http.StatusForbidden, "this needs a key with the role admin")
	}
	return Access{}, problem(http.StatusForbidden, "the key is not valid for this")
}

func (s *Server) refused(reason string) {
	if s.o.Metrics != nil {
		s.o.Metrics.Refused.WithLabelValues(reason).Inc()
	}
}

// named says whether a Host header names this server: an IP address cannot be
// rebound, a name can.
func (s *Server) named(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return s.names[name]
}

// armour sets the headers that keep a browser from being used against us.
func armour(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// recorder keeps the status for the metrics.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// missing is a call that this node was not given the means for.
func missing(what string) error {
	return problem(http.StatusNotImplemented, "this node has no "+what)
}

var errNoSuchStore = errors.New("no such store")

func notFound(store beat.StoreID) error {
	return fmt.Errorf("store %s: %w: %w", store, errNoSuchStore, ErrNotFound)
}
