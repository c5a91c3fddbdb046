package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxAnswer bounds what one answer may hold, in bytes: 50,000 stores fit.
const maxAnswer = 64 << 20

// pageLimit is the longest page that the API gives.
const pageLimit = "1000"

// client speaks with the first of its addresses that answers.
type client struct {
	bases   []string // scheme://host:port, without a slash at the end
	key     string
	timeout time.Duration
	http    *http.Client
	// defaults says that the addresses are the demo's and nobody named them.
	defaults bool
}

func newClient(g *grammar) (*client, error) {
	c := &client{key: g.Key, timeout: g.Timeout, http: &http.Client{}}
	if g.Timeout <= 0 {
		return nil, usage("give a duration such as --timeout 5s", "a timeout of %v is not above 0", g.Timeout)
	}
	if len(g.Addr) == 0 {
		c.defaults = true
		for _, port := range []int{portEast, portWest} {
			base, err := loopback(port, g.PortOffset)
			if err != nil {
				return nil, err
			}
			c.bases = append(c.bases, base)
		}
		return c, nil
	}
	for _, a := range g.Addr {
		base, err := baseURL(a)
		if err != nil {
			return nil, err
		}
		c.bases = append(c.bases, base)
	}
	return c, nil
}

// loopback is one of the demo's fixed addresses.
func loopback(port, offset int) (string, error) {
	port += offset
	if port < 1 || port > 65535 {
		return "", usage("choose a --port-offset from 0 to 57000", "port %d does not exist", port)
	}
	return "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), nil
}

// baseURL reads host:port or a URL. A key must not travel in the clear, so a
// bare address that is not this machine means https.
func baseURL(address string) (string, error) {
	hint := "give host:port or a URL, such as --addr 127.0.0.1:8080 or --addr https://mesh.example.com"
	if !strings.Contains(address, "://") {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return "", usage(hint, "cannot read the address %q", address)
		}
		scheme := "https"
		if ip, err := netip.ParseAddr(host); host == "localhost" || err == nil && ip.IsLoopback() {
			scheme = "http"
		}
		address = scheme + "://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", usage(hint, "cannot read the address %q", address)
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// call is one request. A call that may be done twice goes to the next address
// whenever one does not answer, or cannot now; another only if nothing was sent.
type call struct {
	method string
	path   string
	query  url.Values
	body   any
	header http.Header
	once   bool
	// patience is how long an address may take, where that is more than --timeout.
	patience time.Duration
	// elsewhere is the status by which a region says that another one may have
	// to be asked: the next is.
	elsewhere int
}

// get reads path into out.
func (c *client) get(ctx context.Context, path string, query url.Values, out any) error {
	return c.do(ctx, call{method: http.MethodGet, path: path, query: query}, out)
}

// list reads every page of a list.
func (c *client) list(ctx context.Context, path string, query url.Values) ([]json.RawMessage, error) {
	all := []json.RawMessage{}
	q := url.Values{"limit": {pageLimit}}
	maps.Copy(q, query)
	for {
		var page struct {
			Items []json.RawMessage `json:"items"`
			Next  string            `json:"next"`
		}
		if err := c.get(ctx, path, q, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			return all, nil
		}
		q.Set("next", page.Next)
	}
}

// passes says whether the next address is asked after a refusal: the region
// takes no such call, or its table does not answer now.
func (k *call) passes(err error) bool {
	f := (*failure)(nil)
	return errors.As(err, &f) && (f.status == k.elsewhere || f.status == http.StatusServiceUnavailable && !k.once) && f.status != 0
}

// do sends a call to the addresses in turn, until one answers. Those that did not
// are the last to be asked from then on.
func (c *client) do(ctx context.Context, k call, out any) error {
	var silent []string
	var elsewhere error
	for i, base := range slices.Clone(c.bases) {
		err := c.ask(ctx, base, k, out)
		if k.passes(err) {
			elsewhere = cmp.Or(elsewhere, err)
			continue
		}
		var none *noAnswer
		if !errors.As(err, &none) {
			if len(silent) == i {
				c.bases = slices.Concat(c.bases[i:], c.bases[:i])
			}
			return err
		}
		silent = append(silent, err.Error())
		if ctx.Err() != nil || k.once && !none.unsent {
			break
		}
	}
	if elsewhere != nil {
		return elsewhere
	}
	f := &failure{exit: ExitNoAnswer, what: "no answer: " + strings.Join(silent, "; ")}
	f.hint = "is it running, and is that its HTTP address? Name other addresses with --addr or HB_ADDR"
	if c.defaults {
		f.hint = "start the demo with `make run`, or name the mesh's addresses with --addr or HB_ADDR"
	}
	return f
}

// noAnswer is an address that did not answer. unsent says that it cannot have
// got the request.
type noAnswer struct {
	base   string
	unsent bool
	err    error
}

func (n *noAnswer) Error() string { return n.base + ": " + n.err.Error() }
func (n *noAnswer) Unwrap() error { return n.err }

// ask sends a call to one address. Its errors are *noAnswer and *failure.
func (c *client) ask(ctx context.Context, base string, k call, out any) error {
	ctx, cancel := context.WithTimeout(ctx, max(c.timeout, k.patience))
	defer cancel()
	req, err := c.request(ctx, base, k)
	if err != nil {
		return err
	}
	res, err := c.http.Do(req)
	if err != nil {
		var op *net.OpError
		return &noAnswer{base: base, unsent: errors.As(err, &op) && op.Op == "dial", err: plain(err)}
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return &noAnswer{base: base, err: plain(err)}
	}
	if res.StatusCode/100 != 2 {
		return refusal(base, res, raw)
	}
	if out == nil || len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return &failure{
			exit: ExitFailed, what: base + " answered something that is no JSON of an hb-mesh", err: err,
			hint: "is this the HTTP address of a region, and of the same version?",
		}
	}
	return nil
}

func (c *client) request(ctx context.Context, base string, k call) (*http.Request, error) {
	target := base + k.path
	if len(k.query) > 0 {
		target += "?" + k.query.Encode()
	}
	var body io.Reader
	if k.body != nil {
		raw, err := json.Marshal(k.body)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, k.method, target, body)
	if err != nil {
		return nil, usage("check --addr", "make a request to %s: %v", target, err)
	}
	maps.Copy(req.Header, k.header)
	req.Header.Set("Accept", "application/json")
	if k.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		req.Header.Set("X-Api-Key", c.key)
	}
	return req, nil
}

// plain takes the URL out of an error of http.Client: the address is told already.
func plain(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer in time")
	}
	return err
}

// refusal is an answer that says no: a problem (RFC 9457), or hb-api's message.
func refusal(base string, res *http.Response, raw []byte) error {
	var p struct {
		Title   string `json:"title"`
		Detail  string `json:"detail"`
		Message string `json:"message"`
	}
	words := http.StatusText(res.StatusCode)
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); strings.HasSuffix(kind, "json") && json.Unmarshal(raw, &p) == nil {
		for _, w := range []string{p.Title, p.Message, p.Detail} {
			if w != "" {
				words = w
			}
		}
	}
	f := &failure{exit: ExitFailed, status: res.StatusCode, what: fmt.Sprintf("%s answered %d: %s", base, res.StatusCode, words)}
	switch res.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		f.hint = "give a key that may do this with --key or HB_KEY; hbctl keys list shows what each may"
	case http.StatusNotFound:
		f.hint = "check the name: hbctl stores, hbctl hosts and hbctl incidents list what is known"
	case http.StatusConflict:
		f.hint = "name that region's address with --addr; hbctl status shows what answers"
	case http.StatusTooManyRequests:
		f.hint = "wait a minute, then try again"
	case http.StatusServiceUnavailable:
		f.hint = "try again in a few seconds, or name the other region with --addr"
	case http.StatusInternalServerError:
		f.hint = "the region's log says why"
	}
	return f
}
