package guard

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Refusal is an error with the HTTP answer that it deserves.
type Refusal struct {
	Status  int
	Message string
}

func (r *Refusal) Error() string { return r.Message }

// Forbidden is the answer to a missing or wrong key, in hb-api's words. From
// Beats.Authorize it counts as a failed login.
var Forbidden = &Refusal{Status: http.StatusForbidden, Message: "Forbidden"}

// errCrossSite is the answer to a page of somebody else's in a browser that can
// reach the door: an image or a form of it must not beat for a host.
var errCrossSite = &Refusal{Status: http.StatusForbidden, Message: "Not from another site"}

// Rights is what a key may beat for.
type Rights struct {
	// Store is the key's store; "" for a key of none.
	Store beat.StoreID
	// Any says that the key may name any store.
	Any bool
}

// defaultStore is the contract's, for a key of no store.
const defaultStore beat.StoreID = "default"

// store is the store that a beat counts for.
func (r Rights) store(named beat.StoreID) (beat.StoreID, error) {
	switch {
	case named != "" && (r.Any || named == r.Store):
		return named, nil
	case named != "":
		return "", Forbidden
	case r.Store != "":
		return r.Store, nil
	}
	return defaultStore, nil
}

// DefaultBodyTimeout is how long a body of at most 64 KiB may take.
const DefaultBodyTimeout = 10 * time.Second

// Beats answers the HTTP beats of the contract (docs/reference/http.md):
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
	// Metrics may be nil.
	Metrics *Metrics
}

// Mount adds the routes to mux.
func (b *Beats) Mount(mux *http.ServeMux) {
	heartbeat := b.handler(b.heartbeat, http.MethodPost)
	mux.Handle("/v1/heartbeat", heartbeat)
	mux.Handle("/v1/hearbeat", heartbeat) // hb-api's spelling
	ping := b.handler(b.ping, http.MethodGet, http.MethodHead, http.MethodPost)
	mux.Handle("/ping/{host}", ping)
	mux.Handle("/ping/{host}/{what}", ping)
}

// handler authorizes, reads the body, lets next deliver, and answers.
func (b *Beats) handler(next func(r *http.Request, rights Rights, body []byte) error, methods ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := b.serve(w, r, next, methods)
		status, message := http.StatusOK, "OK"
		var refusal *Refusal
		switch {
		case errors.As(err, &refusal):
			status, message = refusal.Status, refusal.Message
		case err != nil:
			status, message = http.StatusInternalServerError, "Internal server error"
		}
		if b.Metrics != nil {
			b.Metrics.Requests.WithLabelValues(strconv.Itoa(status)).Inc()
		}
		if status == http.StatusOK && r.PathValue("host") != "" {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, "OK") // the client is gone
			return
		}
		Answer(w, status, message)
	})
}

func (b *Beats) serve(w http.ResponseWriter, r *http.Request, next func(*http.Request, Rights, []byte) error, methods []string) error {
	if !slices.Contains(methods, r.Method) {
		w.Header().Set("Allow", strings.Join(methods, ", "))
		return &Refusal{http.StatusMethodNotAllowed, "Method not allowed"}
	}
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		return errCrossSite
	}
	rights, err := b.Authorize(r, r.Header.Get("x-api-key"))
	if errors.Is(err, Forbidden) {
		b.failedLogin(r)
	}
	if err != nil {
		return err
	}
	admitted(r.Context())
	body, err := b.body(w, r)
	if err != nil {
		return err
	}
	if err := next(r, rights, body); err != nil {
		return err
	}
	proved(r.Context())
	return nil
}

func (b *Beats) failedLogin(r *http.Request) {
	if b.Metrics != nil {
		b.Metrics.Logins.Inc()
	}
	from := remote(r).Addr()
	if b.Logins == nil || b.ExemptLoopback && from.IsLoopback() {
		return
	}
	if delay := b.Logins.Failed(from); delay > 0 {
		sleep(r.Context(), delay)
	}
}

// body reads at most 64 KiB, in bounded time, into as much memory as comes.
func (b *Beats) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	tooLarge := &Refusal{http.StatusRequestEntityTooLarge, "Body too large"}
	if r.ContentLength > beat.MaxBody {
		w.Header().Set("Connection", "close")
		return nil, tooLarge
	}
	if r.ContentLength == 0 {
		return nil, nil
	}
	timeout := b.BodyTimeout
	if timeout == 0 {
		timeout = DefaultBodyTimeout
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(timeout)) // a recorder in tests has none
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, beat.MaxBody))
	var large *http.MaxBytesError
	switch {
	case err == nil:
		_ = control.SetReadDeadline(time.Time{})
		return body, nil
	case errors.As(err, &large):
		return nil, tooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
		return nil, &Refusal{http.StatusRequestTimeout, "Body too slow"}
	}
	return nil, &Refusal{http.StatusBadRequest, "Body not readable"}
}

func (b *Beats) heartbeat(r *http.Request, rights Rights, body []byte) error {
	hb, named, err := beat.DecodeHTTP(body)
	if err != nil {
		return &Refusal{http.StatusBadRequest, err.Error()}
	}
	store, err := rights.store(named)
	if err != nil {
		return err
	}
	return b.Deliver(r.Context(), remote(r), store, hb)
}

// ping is what Healthchecks' clients call. A body, if any, is the message.
func (b *Beats) ping(r *http.Request, rights Rights, body []byte) error {
	host, err := beat.ParseHostID(r.PathValue("host"))
	if err != nil {
		return &Refusal{http.StatusBadRequest, beat.ErrInvalidHostID.Error()}
	}
	store, err := rights.store("")
	if err != nil {
		return err
	}
	hb := beat.Beat{Host: host, Message: beat.CutText(string(body), maxMessage)}
	switch what := r.PathValue("what"); what {
	case "":
	case "start":
		hb.KeepStatus = true
	case "fail":
		hb.Status = beat.Fail
	case "log":
		return nil
	default:
		code, err := strconv.ParseUint(what, 10, 8)
		if err != nil {
			return &Refusal{http.StatusNotFound, "Not found"}
		}
		if code != 0 {
			hb.Status = beat.Fail
		}
	}
	return b.Deliver(r.Context(), remote(r), store, hb)
}

// maxMessage is how much of a ping's body is kept.
const maxMessage = 256

func remote(r *http.Request) netip.AddrPort {
	ap, _ := netip.ParseAddrPort(r.RemoteAddr)
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// Status answers GET /v1/status: 200 when check returns nil, a Refusal's own
// status (a standby's 503), else 500 with the reason.
func Status(check func() error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var refusal *Refusal
		err := check()
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			Answer(w, http.StatusMethodNotAllowed, "Method not allowed")
		case err == nil:
			Answer(w, http.StatusOK, "OK")
		case errors.As(err, &refusal):
			Answer(w, refusal.Status, refusal.Message)
		default:
			Answer(w, http.StatusInternalServerError, err.Error())
		}
	})
}

// Answer writes {"message": …} as hb-api does.
func Answer(w http.ResponseWriter, status int, message string) {
	body, err := json.Marshal(struct {
		Message string `json:"message"`
	}{message})
	if err != nil { // a string cannot fail
		status, body = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone
}
