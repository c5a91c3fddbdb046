package guard

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// idleTimeout keeps a till's connection from one beat to the next where it
	// beats each minute.
	idleTimeout = 75 * time.Second
	// maxHeaders is plenty for a key and a line of curl.
	maxHeaders = 16 << 10
)

// HTTPServer is an http.Server whose limits hold against slow and large
// requests. Options.ConnectTimeout bounds a request's header, and then its
// body, where the handler sets no other deadline; PacketsPerSecond the requests
// of one connection: above it they wait. Serve it on a listener of Listen, for
// the limits of connections and for WriteTimeout, which holds for each write.
func HTTPServer(o Options, h http.Handler, log *slog.Logger, m *Metrics) *http.Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &http.Server{
		Handler:           throttle(hurry(h, o.ConnectTimeout), m),
		ReadHeaderTimeout: o.ConnectTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaders,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if t, ok := c.(*tls.Conn); ok {
				c = t.NetConn()
			}
			v := &visitor{bucket: newBucket(o.PacketsPerSecond)}
			if w, ok := c.(*placed); ok {
				v.slot = w.slot
			}
			return context.WithValue(ctx, visitorKey{}, v)
		},
	}
}

type visitorKey struct{}

// visitor is what the requests of one connection share.
type visitor struct {
	slot *slot // nil on a listener that is not ours

	mu     sync.Mutex // guards bucket: HTTP/2 has requests at the same time
	bucket bucket
}

func visitorOf(ctx context.Context) *visitor {
	v, _ := ctx.Value(visitorKey{}).(*visitor)
	return v
}

// admitted says that the request's connection is no stranger's.
func admitted(ctx context.Context) {
	if v := visitorOf(ctx); v != nil && v.slot != nil {
		v.slot.admit()
	}
}

// proved says that the request's connection did what it is there for.
func proved(ctx context.Context) {
	if v := visitorOf(ctx); v != nil && v.slot != nil {
		v.slot.prove()
	}
}

// Admitted is admitted for handlers beside Beats: call it when a request was
// authenticated, so that its connection does not count as a stranger's.
func Admitted(r *http.Request) { admitted(r.Context()) }

func throttle(h http.Handler, m *Metrics) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if v := visitorOf(r.Context()); v != nil {
			v.mu.Lock()
			debt := v.bucket.take(1)
			v.mu.Unlock()
			if debt > 0 {
				if m != nil {
					m.Throttled.Inc()
				}
				sleep(r.Context(), debt)
			}
		}
		h.ServeHTTP(w, r)
	})
}

// hurry gives a request's body a deadline, whether its handler reads it or not:
// after the answer the server waits for what is left of it. A handler that
// reads the body may set another, and one that goes on for long after it must.
func hurry(h http.Handler, within time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(within)) // a dead connection shows in Read
		}
		h.ServeHTTP(w, r)
	})
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Listen wraps ln with the limits of connections that o has, and an accept
// loop that survives errors. log and m may be nil.
func Listen(ln net.Listener, o Options, log *slog.Logger, m *Metrics) net.Listener {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if m == nil {
		m = NewMetrics(nil, "hbmesh")
	}
	l := newLobby(o, m)
	return &limited{Listener: ln, lobby: l, patience: o.WriteTimeout, acceptor: acceptor{ln: ln, log: log, metrics: m, evict: l.evict}}
}

// limited is a listener whose connections have places.
type limited struct {
	net.Listener
	lobby    *lobby
	acceptor acceptor
	patience time.Duration // of a write
}

func (l *limited) Accept() (net.Conn, error) {
	for {
		raw, err := l.acceptor.accept(context.Background())
		if err != nil {
			return nil, err
		}
		slot, why := l.lobby.enter(remoteOf(raw.RemoteAddr()).Addr(), func() { _ = raw.Close() })
		if why != "" {
			_ = raw.Close()
			continue
		}
		return &placed{Conn: raw, slot: slot, patience: l.patience}, nil
	}
}

// placed gives its place back when it is closed, and ends when its peer does
// not read: each write has its own deadline, so that a stream may last.
type placed struct {
	net.Conn
	slot     *slot
	once     sync.Once
	patience time.Duration
}

func (p *placed) Write(b []byte) (int, error) {
	if p.patience > 0 {
		if err := p.SetWriteDeadline(time.Now().Add(p.patience)); err != nil {
			return 0, err //nolint:wrapcheck // the connection's own words
		}
	}
	return p.Conn.Write(b)
}

func (p *placed) Close() error {
	p.once.Do(p.slot.leave)
	return p.Conn.Close()
}
