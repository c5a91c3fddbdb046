package guard

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"syscall"
	"time"
)

const (
	firstPause = 5 * time.Millisecond
	maxPause   = time.Second
)

// acceptor accepts for ever: an error such as EMFILE passes.
type acceptor struct {
	ln      net.Listener
	log     *slog.Logger
	metrics *Metrics
	evict   func() // frees a file descriptor that a stranger holds
	pause   time.Duration
}

// accept returns an error only when the listener is closed or ctx is done.
func (a *acceptor) accept(ctx context.Context) (net.Conn, error) {
	for {
		raw, err := a.ln.Accept()
		if err == nil {
			a.pause = 0
			return raw, nil
		}
		if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		a.metrics.AcceptErrors.Inc()
		if a.pause == 0 {
			a.log.Warn("cannot accept; the door tries again", "addr", a.ln.Addr().String(), "error", err.Error())
		}
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			a.evict()
		}
		a.pause = min(max(firstPause, 2*a.pause), maxPause)
		select {
		case <-time.After(a.pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
