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

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// What went wrong with a call. To the core both are "no answer".
var (
	// ErrUnanswered is a region that could not be reached, did not answer in
	// time, or said that it cannot answer now.
	ErrUnanswered = errors.New("the other region does not answer")
	// ErrRefused is a region that answered, but not as a peer does.
	ErrRefused = errors.New("the other region refuses")
)

// The defaults of a Client.
const (
	// DefaultTimeout bounds one call (P3a: an answer within 5 s).
	DefaultTimeout = 5 * time.Second
	// DefaultQueue is how many verdicts wait while the link is cut: those of a
	// fleet whose relays lost the other region, with room to spare.
	DefaultQueue = 100_000
	// DefaultBackoff and DefaultBackoffCap bound the pause between two tries of
	// a forward: it is to arrive soon after the link heals.
	DefaultBackoff    = 250 * time.Millisecond
	DefaultBackoffCap = 5 * time.Second

	// DefaultProbeEvery is as often as a node shows by its lease that it lives.
	DefaultProbeEvery = 3 * time.Second

	// firstProbe lets both regions of one start open their doors.
	firstProbe  = 500 * time.Millisecond
	idleTimeout = 90 * time.Second
	maxConns    = 8
)

// ClientOptions are a Client's settings.
type ClientOptions struct {
	// Region is our own; Peer is the other.
	Region, Peer beat.Region
	// URL is the other region's HTTP door: http(s)://host:port.
	URL string
	// Secret is shared by both, at least MinSecret bytes.
	Secret []byte
	// Timeout bounds each call, besides the caller's context.
	Timeout time.Duration
	// Queue bounds the verdicts, and the news, that wait.
	Queue               int
	Backoff, BackoffCap time.Duration
	// ProbeEvery is how often the other region hears that there are no news, so
	// that Health is never older.
	ProbeEvery time.Duration
	// TLS is for https; nil is the system's.
	TLS *tls.Config
	// Dial connects; nil is net.Dialer's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Now dates the requests; nil is time.Now.
	Now func() time.Time
}

// DefaultClientOptions have everything but regions, URL and secret.
func DefaultClientOptions() ClientOptions {
	return ClientOptions{Timeout: DefaultTimeout, Queue: DefaultQueue, Backoff: DefaultBackoff, BackoffCap: DefaultBackoffCap, ProbeEvery: DefaultProbeEvery, Now: time.Now}
}

func (o *ClientOptions) validate() error {
	if len(o.Secret) < MinSecret {
		return errSecret
	}
	if err := checkRegions(o.Region, o.Peer); err != nil {
		return err
	}
	u, err := url.Parse(o.URL)
	switch {
	case err != nil:
		return fmt.Errorf("peer: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return fmt.Errorf("peer: url %q is not http://host… or https://host…", o.URL)
	case o.ProbeEvery <= 0:
		return fmt.Errorf("peer: probe every %v is not above 0", o.ProbeEvery)
	case o.Timeout <= 0 || o.Queue <= 0 || o.Backoff <= 0 || o.BackoffCap < o.Backoff:
		return fmt.Errorf("peer: timeout %v, queue %d and backoff %v to %v must be positive", o.Timeout, o.Queue, o.Backoff, o.BackoffCap)
	}
	return nil
}

func checkRegions(own, other beat.Region) error {
	for _, r := range []beat.Region{own, other} {
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
	State State
}

// Client calls the other region. Ask and Told block until the answer; Tell and
// Forward queue, and Run sends.
type Client struct {
	o       ClientOptions
	base    string
	http    *http.Client
	log     *slog.Logger
	metrics *Metrics
	news    *queue[presence.News]
	out     *queue[presence.Verdict]

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
		news: newQueue[presence.News](o.Queue, m, callHeard), out: newQueue[presence.Verdict](o.Queue, m, callForward),
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

// Ask asks the other region for its views. Its error is an ErrUnanswered or an
// ErrRefused.
func (c *Client) Ask(ctx context.Context, q presence.Question) (presence.Answer, error) {
	return call(ctx, c, callAsk, q, DecodeAnswer)
}

// Told asks the other region what it told. Errors are as Ask's.
func (c *Client) Told(ctx context.Context, q incident.ToldQuestion) (incident.ToldAnswer, error) {
	return call(ctx, c, callTold, q, DecodeToldAnswer)
}

// learn takes what the other region says of itself.
func (c *Client) learn(s State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.health.State = s
}

// Health is how the link is.
func (c *Client) Health() Health {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.health
}

// call does one call: encode, post, decode, count.
func call[Q, A any](ctx context.Context, c *Client, name callName, q Q, read func([]byte) (A, error)) (A, error) {
	var answer A
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	start := time.Now()
	body, err := json.Marshal(q)
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
	answer, reused, err := c.try(ctx, path, body)
	if err != nil && reused && errors.Is(err, ErrUnanswered) && ctx.Err() == nil {
		c.http.CloseIdleConnections()
		answer, _, err = c.try(ctx, path, body)
	}
	return answer, err
}

func (c *Client) try(ctx context.Context, path string, body []byte) (answer []byte, reused bool, err error) {
	var kept atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) { kept.Store(i.Reused) },
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrUnanswered, err)
	}
	nonce := newNonce()
	req.Header.Set("Content-Type", "application/json")
	signRequest(req.Header, c.o.Secret, c.o.Region, c.o.Peer, path, nonce, c.o.Now(), body)
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
