package peer

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// What went wrong with a call. To the core both are "no answer".
var (
	// ErrUnanswered is a region that could not be reached, did not answer in
	// time, or said that it cannot answer now.
	ErrUnanswered = errors.New("no answer")
	// ErrRefused is a region that answered, but not as a peer does.
	ErrRefused = errors.New("refused")
)

// The defaults of a Client.
const (
	// DefaultTimeout bounds one call (P3a: an answer within 5 s).
	DefaultTimeout = 5 * time.Second
	idleTimeout    = 90 * time.Second
	maxConns       = 8
)

// ClientOptions are a Client's settings.
type ClientOptions struct {
	// Region is our own; Peer is the other, "" where there is none: then only
	// nodes of our own region are called.
	Region, Peer beat.Region
	// URL is the other region's HTTP door: http(s)://host:port.
	URL string
	// Secret is shared by both, at least MinSecret bytes.
	Secret []byte
	// Timeout bounds each call, besides the caller's context.
	Timeout time.Duration
	// TLS is for https; nil is the system's.
	TLS *tls.Config
	// Dial connects; nil is net.Dialer's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Now dates the requests; nil is time.Now.
	Now func() time.Time
}

// DefaultClientOptions have everything but regions, URL and secret.
func DefaultClientOptions() ClientOptions {
	return ClientOptions{Timeout: DefaultTimeout, Now: time.Now}
}

func (o *ClientOptions) validate() error {
	if len(o.Secret) < MinSecret {
		return errSecret
	}
	if err := checkRegions(o.Region, o.Peer); err != nil {
		return err
	}
	if o.Timeout <= 0 {
		return fmt.Errorf("peer: timeout %v must be positive", o.Timeout)
	}
	if o.Peer == "" {
		return nil
	}
	u, err := url.Parse(o.URL)
	switch {
	case err != nil:
		return fmt.Errorf("peer: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return fmt.Errorf("peer: url %q is not http://host… or https://host…", o.URL)
	}
	return nil
}

func checkRegions(own, other beat.Region) error {
	for _, r := range []beat.Region{own, other} {
		if r == "" && own != "" {
			continue // a lone region
		}
		if _, err := beat.ParseRegion(string(r)); err != nil {
			return fmt.Errorf("peer: %w", err)
		}
	}
	if own == other {
		return fmt.Errorf("peer: region %s is its own peer", own)
	}
	return nil
}

// Health is what a client knows of its link, for people.
type Health struct {
	// LastAnswer is when the other region answered last; zero: never.
	LastAnswer time.Time
	// Problem is why the last call failed; "" when it did not.
	Problem string
	// State is what the other region last said of itself; Node is "" before.
	State wire.State
}

// Client calls the other region, and nodes of its own. Its calls block until
// the answer; what waits, and when to call again, is package link's.
type Client struct {
	o       ClientOptions
	base    string
	http    *http.Client
	log     *slog.Logger
	metrics *Metrics

	// mu guards health, and the result of the last call.
	mu     sync.Mutex
	health Health
	result string
}

// NewClient wires a client; nothing is sent before the first call.
func NewClient(o ClientOptions, log *slog.Logger, m *Metrics) (*Client, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: o.Timeout}).DialContext
	}
	c := &Client{
		o: o, base: strings.TrimRight(o.URL, "/"), log: log, metrics: m,
	}
	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: o.Dial, TLSClientConfig: o.TLS, TLSHandshakeTimeout: o.Timeout,
			// HTTP/1.1, on purpose: a call that hangs takes its own connection down, and no other.
			MaxConnsPerHost: maxConns, MaxIdleConnsPerHost: maxConns, IdleConnTimeout: idleTimeout, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// Close closes the connections that are kept.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Call asks the other region. Its error is an ErrUnanswered or an ErrRefused.
func (c *Client) Call(ctx context.Context, r *wire.Request) (*wire.Response, error) {
	if c.o.Peer == "" {
		return nil, fmt.Errorf("%w: there is none", ErrUnanswered)
	}
	a, err := call(ctx, c, callName(r.Kind), r.Encode, func(raw []byte) (*wire.Response, error) { return wire.DecodeResponse(r.Kind, raw) })
	if err == nil && a.State.Node != "" {
		c.mu.Lock()
		c.health.State = a.State
		c.mu.Unlock()
	}
	return a, err
}

// Explain asks the other region for all that it knows of a store or host, as
// JSON for people.
func (c *Client) Explain(ctx context.Context, store beat.StoreID, host beat.HostID) (json.RawMessage, error) {
	if c.o.Peer == "" {
		return nil, fmt.Errorf("%w: there is none", ErrUnanswered)
	}
	return call(ctx, c, callExplain, func() ([]byte, error) { return json.Marshal(subject{store, host}) },
		func(raw []byte) (json.RawMessage, error) {
			if !json.Valid(raw) {
				return nil, wire.ErrBody
			}
			return raw, nil
		})
}

// Drain tells a node of this region, by its address, that another one took
// over with that term.
func (c *Client) Drain(ctx context.Context, address string, term int64) error {
	body, err := json.Marshal(drain{term})
	if err == nil {
		_, _, err = c.try(ctx, strings.TrimRight(address, "/"), c.o.Region, PathDrain, body)
	}
	c.metrics.Calls.WithLabelValues(string(callDrain), callResult(err)).Inc()
	if err != nil {
		return fmt.Errorf("drain node at %s: %w", address, err)
	}
	return nil
}

// Health is how the link is.
func (c *Client) Health() Health {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.health
}

// call does one call: encode, post, decode, count.
func call[A any](ctx context.Context, c *Client, name callName, write func() ([]byte, error), read func([]byte) (A, error)) (A, error) {
	var answer A
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	start := time.Now()
	body, err := write()
	switch {
	case err != nil:
		err = fmt.Errorf("%w: encode: %w", ErrRefused, err)
	case len(body) > MaxBody:
		err = fmt.Errorf("%w: %d bytes to send, at most %d", ErrRefused, len(body), MaxBody)
	default:
		body, err = c.post(ctx, Prefix+string(name), body)
	}
	if err == nil {
		if answer, err = read(body); err != nil {
			err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	if ctx.Err() == nil || !errors.Is(ctx.Err(), context.Canceled) { // a caller that stops says nothing of the link
		c.note(name, time.Since(start), err)
	}
	if err != nil {
		return answer, fmt.Errorf("%s region %s: %w", name, c.o.Peer, err)
	}
	return answer, nil
}

// note counts a call, and logs where the link's health changed.
func (c *Client) note(name callName, took time.Duration, err error) {
	result := callResult(err)
	c.metrics.Calls.WithLabelValues(string(name), result).Inc()
	c.mu.Lock()
	before := c.result
	c.result, c.health.Problem = result, ""
	if err != nil {
		c.health.Problem = err.Error()
	} else {
		c.metrics.Seconds.WithLabelValues(string(name)).Observe(took.Seconds())
		c.health.LastAnswer = c.o.Now()
	}
	c.mu.Unlock()
	switch {
	case result == before:
	case result == resultRefused: // it lives: a secret, a clock or a version is wrong
		c.log.Error("the other region refuses our calls", "region", string(c.o.Peer), "error", err)
	case err != nil:
		c.log.Warn("the other region does not answer", "region", string(c.o.Peer), "error", err)
	default:
		c.log.Info("the other region answers", "region", string(c.o.Peer))
	}
}

// post sends one signed request and returns the body of its signed answer. A
// kept connection that the other side has closed meanwhile is no answer of the
// region's: then it tries once more.
func (c *Client) post(ctx context.Context, path string, body []byte) ([]byte, error) {
	answer, reused, err := c.try(ctx, c.base, c.o.Peer, path, body)
	if err != nil && reused && errors.Is(err, ErrUnanswered) && ctx.Err() == nil {
		c.http.CloseIdleConnections()
		answer, _, err = c.try(ctx, c.base, c.o.Peer, path, body)
	}
	return answer, err
}

// try sends one signed request to a region's door.
func (c *Client) try(ctx context.Context, base string, to beat.Region, path string, body []byte) (answer []byte, reused bool, err error) {
	var kept atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) { kept.Store(i.Reused) },
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+path, bytes.NewReader(body))
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrUnanswered, err)
	}
	nonce := newNonce()
	req.Header.Set("Content-Type", "application/json")
	signRequest(req.Header, c.o.Secret, c.o.Region, to, path, nonce, c.o.Now(), body)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, kept.Load(), fmt.Errorf("%w: %w", ErrUnanswered, err)
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	switch {
	case err != nil:
		return nil, kept.Load(), fmt.Errorf("%w: %w", ErrUnanswered, err)
	case len(answer) > MaxBody:
		return nil, false, fmt.Errorf("%w: an answer of more than %d bytes", ErrRefused, MaxBody)
	}
	if err := verifyAnswer(resp.Header, c.o.Secret, nonce, resp.StatusCode, answer); err != nil {
		return nil, false, fmt.Errorf("%w: status %d, %w: do both regions have the same secret?", ErrRefused, resp.StatusCode, err)
	}
	if resp.StatusCode == http.StatusServiceUnavailable { // it starts, or is busy
		return nil, false, fmt.Errorf("%w: %s", ErrUnanswered, beat.CutText(string(answer), maxWord))
	}
	if resp.StatusCode != http.StatusOK {
		return nil, false, fmt.Errorf("%w: %s", ErrRefused, beat.CutText(string(answer), maxWord))
	}
	return answer, false, nil
}

func newNonce() string {
	var raw [nonceBytes]byte
	_, _ = rand.Read(raw[:]) // it never fails: crypto/rand ends the process instead
	return hex.EncodeToString(raw[:])
}
