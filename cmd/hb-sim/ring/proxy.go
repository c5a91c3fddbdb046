package ring

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Kind is what a Fault does to a request.
type Kind uint8

// The kinds of faults.
const (
	// Throttle refuses it as over capacity; nothing is done.
	Throttle Kind = iota + 1
	// Fail answers 500; nothing is done, but no client can know.
	Fail
	// Slow delays it by Fault.Delay.
	Slow
	// LostAnswer does it and then breaks the connection.
	LostAnswer
	// LostRequest breaks the connection before it is done.
	LostRequest
	// Unprocessed does half of a BatchWriteItem (at least one item) and gives
	// the rest back. Other requests pass.
	Unprocessed
)

// Fault is one fault of a Proxy.
type Fault struct {
	Kind Kind
	// Ops are the operations that it strikes, such as PutItem or Publish; none
	// means all.
	Ops []string
	// Times is how many requests it strikes; 0 means until Heal.
	Times int
	// Delay is how long Slow waits.
	Delay time.Duration
}

// Proxy stands before a region's emulator and injects faults.
type Proxy struct {
	target *url.URL
	port   int

	mu     sync.Mutex // guards what follows
	faults []*Fault
	seen   map[string]int
	server *http.Server // nil: down
}

func newProxy(port int, target string) (*Proxy, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("proxy to %s: %w", target, err)
	}
	p := &Proxy{target: u, port: port, seen: map[string]int{}}
	return p, p.Up()
}

// URL is where clients go. It stays the same over Down and Up.
func (p *Proxy) URL() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return "http://127.0.0.1:" + strconv.Itoa(p.port)
}

// Up listens again after Down.
func (p *Proxy) Up() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server != nil {
		return nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(p.port))
	if err != nil {
		return fmt.Errorf("open proxy: %w", err)
	}
	p.port = l.Addr().(*net.TCPAddr).Port
	server := &http.Server{Handler: p.handler(), ReadHeaderTimeout: time.Minute}
	p.server = server
	go func() { _ = server.Serve(l) }() // it ends with Down
	return nil
}

// Down breaks all connections and refuses new ones, as a dead endpoint does.
func (p *Proxy) Down() error {
	p.mu.Lock()
	server := p.server
	p.server = nil
	p.mu.Unlock()
	if server == nil {
		return nil
	}
	return server.Close()
}

func (p *Proxy) close() error { return p.Down() }

// Inject adds a fault. Of several that match, the oldest strikes.
func (p *Proxy) Inject(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, &f)
}

// Heal removes all faults.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// Seen is how many requests of an operation came, those that were struck
// included.
func (p *Proxy) Seen(op string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[op]
}

// pick counts a request and finds its fault; the zero Fault is none.
func (p *Proxy) pick(op string) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen[op]++
	for i, f := range p.faults {
		if len(f.Ops) > 0 && !slices.Contains(f.Ops, op) {
			continue
		}
		struck := *f
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				p.faults = slices.Delete(p.faults, i, i+1)
			}
		}
		return struck
	}
	return Fault{}
}

var errLost = errors.New("answer lost on purpose")

type faultKey struct{}

func (p *Proxy) handler() http.Handler {
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(p.target) },
		ModifyResponse: func(resp *http.Response) error {
			lost, _ := resp.Request.Context().Value(faultKey{}).(bool)
			if !lost {
				return nil
			}
			_, err := io.Copy(io.Discard, resp.Body) // it is done when it has answered
			return errors.Join(errLost, err)
		},
		// What cannot be forwarded looks like a broken connection.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		p.strike(w, r, body, forward)
	})
}

// strike answers a request under its fault.
func (p *Proxy) strike(w http.ResponseWriter, r *http.Request, body []byte, forward http.Handler) {
	op := operation(r, body)
	f := p.pick(op)
	switch f.Kind {
	case Throttle:
		refuse(w, r, http.StatusBadRequest, "ProvisionedThroughputExceededException", "Throttled")
		return
	case Fail:
		refuse(w, r, http.StatusInternalServerError, "InternalServerError", "InternalError")
		return
	case LostRequest:
		panic(http.ErrAbortHandler)
	case LostAnswer:
		r = r.WithContext(context.WithValue(r.Context(), faultKey{}, true))
	case Slow:
		select {
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		case <-time.After(f.Delay):
		}
	case Unprocessed:
		if first, rest, ok := halve(op, body); ok {
			w = &halfWriter{ResponseWriter: w, rest: rest}
			body = first
			r.Header.Set("Accept-Encoding", "identity") // halfWriter reads the answer
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	forward.ServeHTTP(w, r)
	if h, ok := w.(*halfWriter); ok {
		h.finish()
	}
}

// operation is the last word of X-Amz-Target, or the Action of a form.
func operation(r *http.Request, body []byte) string {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return target[strings.LastIndexByte(target, '.')+1:]
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return ""
	}
	return form.Get("Action")
}

// refuse answers with an error of DynamoDB (JSON) or of SNS (XML).
func refuse(w http.ResponseWriter, r *http.Request, status int, jsonCode, xmlCode string) {
	var body string
	if r.Header.Get("X-Amz-Target") != "" {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		body = fmt.Sprintf(`{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":"injected by the test ring"}`, jsonCode)
	} else {
		w.Header().Set("Content-Type", "text/xml")
		body = fmt.Sprintf(`<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>injected by the test ring</Message></Error></ErrorResponse>`, xmlCode)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // a client that is gone needs no answer
}

type batchBody struct {
	RequestItems map[string][]json.RawMessage
}

// halve splits a batch of one table in two.
func halve(op string, body []byte) (first []byte, rest batchBody, ok bool) {
	var whole batchBody
	if op != "BatchWriteItem" || json.Unmarshal(body, &whole) != nil || len(whole.RequestItems) != 1 {
		return nil, batchBody{}, false
	}
	for name, reqs := range whole.RequestItems {
		n := (len(reqs) + 1) / 2
		first, err := json.Marshal(batchBody{map[string][]json.RawMessage{name: reqs[:n]}})
		if err != nil || n == len(reqs) {
			return nil, batchBody{}, false
		}
		return first, batchBody{map[string][]json.RawMessage{name: reqs[n:]}}, true
	}
	return nil, batchBody{}, false
}

// halfWriter gives back what the batch did not hold.
type halfWriter struct {
	http.ResponseWriter
	rest   batchBody
	status int
	body   bytes.Buffer
}

// WriteHeader keeps the status until finish.
func (h *halfWriter) WriteHeader(status int) { h.status = status }

// Write keeps the body until finish.
func (h *halfWriter) Write(b []byte) (int, error) { return h.body.Write(b) }

func (h *halfWriter) finish() {
	body := h.body.Bytes()
	if h.status == http.StatusOK {
		if b, err := json.Marshal(map[string]any{"UnprocessedItems": h.rest.RequestItems}); err == nil {
			body = b
			h.Header().Del("X-Amz-Crc32")
		}
	}
	h.Header().Set("Content-Length", strconv.Itoa(len(body)))
	h.ResponseWriter.WriteHeader(h.status)
	_, _ = h.ResponseWriter.Write(body) // a client that is gone needs no answer
}
