package uplink

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/wan"
)

// never is the age of a PUBACK that never came: no region takes it for fresh.
const never = math.MaxUint32

// link keeps the connection to one region: it supervises one session after
// another.
type link struct {
	group     *Group
	region    Region
	index     int // among the group's links
	transport transport
	log       *slog.Logger

	woken chan struct{}
	// dirty says that the picture changed since a session last looked.
	dirty atomic.Bool
	// known says that the region acked this incarnation in this boot.
	known atomic.Bool

	// What follows belongs to run's goroutine.
	exceed     beat.Epoch // the next epoch must exceed it
	limit      wan.Limiter
	complaints complaints

	mu      sync.Mutex // guards what follows
	open    bool
	epoch   beat.Epoch
	since   time.Time
	lastAck time.Time // of a report: a PUBACK
	err     string
}

func newLink(g *Group, r Region) (*link, error) {
	d, err := newDialer(g.options, r)
	if err != nil {
		return nil, err
	}
	l := &link{
		group: g, region: r, log: g.log.With("region", string(r.Region)),
		transport: &mqttTransport{options: g.options, region: r, dialer: d},
		woken:     make(chan struct{}, 1),
		since:     time.Now(), err: "not connected yet",
	}
	g.metrics.open.WithLabelValues(string(r.Region)).Set(0)
	return l, nil
}

// wake lets the session look at what changed. It does not block.
func (l *link) wake() {
	select {
	case l.woken <- struct{}{}:
	default:
	}
}

// run keeps a session until ctx is done.
func (l *link) run(ctx context.Context) {
	o := l.group.options
	var retry wan.Retry
	for {
		settled, end := l.attempt(ctx)
		if ctx.Err() != nil {
			return
		}
		if settled {
			l.complaints.settle()
		}
		wait := retry.Wait(settled, end == reborn, o.ReconnectFirst, o.ReconnectCap, o.Jitter())
		if wait == 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// attempt is one connection from its epoch to its end. settled says that the
// region acked its birth.
func (l *link) attempt(ctx context.Context) (settled bool, end ending) {
	s, err := l.connect(ctx)
	result := "ok"
	if err != nil {
		result = "failed"
	}
	l.group.metrics.connects.WithLabelValues(string(l.region.Region), result).Inc()
	if err != nil {
		if ctx.Err() == nil {
			l.down(err.Error())
			l.complaints.tell(l.log, time.Now(), err)
		}
		return false, failed
	}
	end = s.serve(ctx)
	l.group.courier.closed(l)
	l.group.metrics.ends.WithLabelValues(string(l.region.Region), end.String()).Inc()
	l.down(end.String())
	l.log.Info("the connection to the region ended", "cause", end.String(), "epoch", uint64(s.Epoch))
	return s.Acked(), end
}

// connect opens a connection under an epoch of its own.
func (l *link) connect(ctx context.Context) (*session, error) {
	g := l.group
	epoch, err := g.nextEpoch(l.exceed)
	if err != nil {
		return nil, fmt.Errorf("epoch: %w", err)
	}
	inc := g.journal.Incarnation()
	death := beat.Death{V: beat.Wire, Incarnation: inc, Boot: g.options.Boot, Epoch: epoch}
	w, err := l.transport.connect(ctx, death)
	if err != nil {
		return nil, err
	}
	return &session{Session: wan.NewSession(g.times(), inc, epoch), link: l, group: g, wire: w}, nil
}

func (l *link) up(epoch beat.Epoch) {
	l.mu.Lock()
	l.open, l.epoch, l.since, l.err = true, epoch, time.Now(), ""
	l.mu.Unlock()
	l.group.metrics.open.WithLabelValues(string(l.region.Region)).Set(1)
	l.log.Info("the region has opened a session", "epoch", uint64(epoch), "address", l.region.Address)
}

func (l *link) down(why string) {
	l.mu.Lock()
	if l.open {
		l.since = time.Now()
	}
	l.open, l.err = false, why
	l.mu.Unlock()
	l.group.metrics.open.WithLabelValues(string(l.region.Region)).Set(0)
}

// pubacked says that the region received a report that was sent at the given time.
func (l *link) pubacked(sent time.Time) {
	now := time.Now()
	l.mu.Lock()
	l.lastAck = now
	l.mu.Unlock()
	l.group.metrics.pubacks.WithLabelValues(string(l.region.Region)).Observe(now.Sub(sent).Seconds())
}

func (l *link) status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Status{
		Region: l.region.Region, Address: l.region.Address, Open: l.open, Epoch: l.epoch,
		Since: l.since, LastAck: l.lastAck, Error: l.err,
	}
}

// witness is what the relay tells the other regions of this one.
func (l *link) witness() beat.Witness {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := beat.Witness{Region: l.region.Region, Session: l.open, AckAgeMs: never}
	if !l.lastAck.IsZero() {
		w.AckAgeMs = uint64(max(0, time.Since(l.lastAck).Milliseconds()))
	}
	return w
}
