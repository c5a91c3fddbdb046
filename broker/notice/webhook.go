package notice

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
)

const (
	// DefaultWebhookTimeout bounds one POST with its answer.
	DefaultWebhookTimeout = 10 * time.Second

	connectTimeout = 5 * time.Second
	idleTimeout    = 30 * time.Second
	// maxAnswer is how much of an answer is read: enough to use the connection
	// again, and no more, since the body means nothing.
	maxAnswer = 16 << 10
	// maxAnswerHeader bounds an answer's header, in bytes.
	maxAnswerHeader = 64 << 10

	eventContentType = "application/cloudevents+json; charset=utf-8"
)

// The headers of Standard Webhooks.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

// WebhookOptions are a Webhook's settings.
type WebhookOptions struct {
	Name incident.Channel
	// URL is http or https. It may hold a token: no error or log shows it.
	URL string
	// Secrets sign each event, as Standard Webhooks has it: whsec_ and base64 of
	// 24 to 64 bytes. Two of them are a rotation. None: events are not signed,
	// and nobody can tell who sent them.
	Secrets []string
	Timeout time.Duration
	// AllowPrivate admits targets that are private, loopback or link-local.
	// Without it a webhook cannot be turned against our own network.
	AllowPrivate bool
	// TLS is for https; nil is the system's.
	TLS *tls.Config
	// Now is for the timestamps; nil is time.Now.
	Now func() time.Time
}

// DefaultWebhookOptions have everything but a URL and a secret.
func DefaultWebhookOptions() WebhookOptions {
	return WebhookOptions{Name: "webhook", Timeout: DefaultWebhookTimeout, Now: time.Now}
}

func (o *WebhookOptions) validate() (*url.URL, error) {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil: // its text holds the URL
		return nil, errors.New("webhook: the url cannot be parsed")
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, errors.New("webhook: the url is not http://host… or https://host…")
	case o.Name == "":
		return nil, errors.New("webhook: a channel needs a name")
	case o.Timeout <= 0:
		return nil, fmt.Errorf("webhook: timeout %v is not positive", o.Timeout)
	}
	return u, nil
}

// Webhook is the channel that posts the event to one address.
type Webhook struct {
	o      WebhookOptions
	keys   [][]byte
	host   string
	client *http.Client
}

var _ Channel = (*Webhook)(nil)

// NewWebhook checks the options; nothing is sent.
func NewWebhook(o WebhookOptions) (*Webhook, error) {
	u, err := o.validate()
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	w := &Webhook{o: o, host: u.Host}
	for _, secret := range o.Secrets {
		key, err := parseSecret(secret)
		if err != nil {
			return nil, err
		}
		w.keys = append(w.keys, key)
	}
	dialer := &net.Dialer{Timeout: connectTimeout}
	if !o.AllowPrivate {
		dialer.ControlContext = refusePrivate
	}
	w.client = &http.Client{
		Transport: &http.Transport{
			Proxy:       nil, // a proxy would connect where we may not
			DialContext: dialer.DialContext, TLSClientConfig: o.TLS, TLSHandshakeTimeout: connectTimeout,
			MaxIdleConnsPerHost: 1, IdleConnTimeout: idleTimeout, MaxResponseHeaderBytes: maxAnswerHeader,
			DisableCompression: true, // no answer that grows as it is read
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return w, nil
}

// Name is the channel's.
func (w *Webhook) Name() incident.Channel { return w.o.Name }

// Publish posts the event. Any 2xx answer takes it; 410 and 413 refuse it for
// good; 502 and 504 come from a proxy that lost the answer. A redirect is a
// failure: the address is to be corrected by who configured it.
func (w *Webhook) Publish(ctx context.Context, m Message) error {
	ctx, cancel := context.WithTimeout(ctx, w.o.Timeout)
	defer cancel()
	var connected atomic.Bool // from here on something may have arrived
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.o.URL, bytes.NewReader(m.Event))
	if err != nil {
		return fmt.Errorf("post to %s: %w: %w", w.host, ErrPermanent, bare(err))
	}
	w.head(req.Header, m)
	resp, err := w.client.Do(req)
	if err != nil && connected.Load() {
		return fmt.Errorf("post to %s: %w: %w", w.host, ErrUnknown, bare(err))
	}
	if err != nil {
		return fmt.Errorf("post to %s: %w", w.host, bare(err))
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer) // the status has said all
	return w.answered(resp.StatusCode)
}

func (w *Webhook) head(h http.Header, m Message) {
	at := w.o.Now()
	h.Set("Content-Type", eventContentType)
	h.Set("User-Agent", "hb-mesh")
	h.Set(HeaderID, m.ID)
	h.Set(HeaderTimestamp, unix(at))
	if len(w.keys) > 0 {
		h.Set(HeaderSignature, sign(w.keys, m.ID, at, m.Event))
	}
}

func (w *Webhook) answered(status int) error {
	switch {
	case status >= 200 && status < 300:
		return nil
	case status == http.StatusGone || status == http.StatusRequestEntityTooLarge:
		return fmt.Errorf("post to %s: %w: answered %d", w.host, ErrPermanent, status)
	case status == http.StatusBadGateway || status == http.StatusGatewayTimeout:
		return fmt.Errorf("post to %s: %w: answered %d", w.host, ErrUnknown, status)
	default:
		return fmt.Errorf("post to %s: answered %d", w.host, status)
	}
}

// bare strips the URL from an error of net/http: it may hold a token.
func bare(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
