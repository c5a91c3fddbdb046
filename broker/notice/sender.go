package notice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// What Sender says by itself about an order that it did not publish.
var (
	// ErrTooLate is an order whose NotAfter had passed: nothing was sent.
	ErrTooLate = errors.New("too late to send")
	// ErrBusy is a channel whose queue is full: nothing was sent.
	ErrBusy = errors.New("the channel's queue is full")
	// ErrNoChannel is a channel that this node does not have.
	ErrNoChannel = errors.New("no such channel")
	// ErrStopped is an order that was queued when the sender stopped.
	ErrStopped = errors.New("the sender stopped")
)

// Order is one publish that incident asked for.
type Order struct {
	// Op names it in the result.
	Op      uint64
	Channel incident.Channel
	Notice  incident.Notice
	// NotAfter is the instant, on the monotonic clock of SenderOptions.Now,
	// after which it must not be sent: the end of the lease. 0 is none.
	NotAfter time.Duration
}

// Result says what came of an Order: nil, or an error of Channel.Publish or of
// Sender.
type Result struct {
	Op      uint64
	Channel incident.Channel
	Err     error
}

// Unknown says whether the order may have been sent although it failed.
func (r Result) Unknown() bool { return errors.Is(r.Err, ErrUnknown) }

// Permanent says whether a retry is in vain.
func (r Result) Permanent() bool { return errors.Is(r.Err, ErrPermanent) }

// The defaults of a Sender.
const (
	// DefaultDeadline bounds one publish: SNS answers within 1 s, a slow webhook
	// within 10 s or it is broken.
	DefaultDeadline = 10 * time.Second
	// DefaultQueue is how many orders of one channel wait: more are the
	// outbox's, which is in the table.
	DefaultQueue = 256
	// DefaultWorkers is how many publishes of one channel are under way.
	DefaultWorkers = 4
	// DefaultLinger is how long a publish that is under way when the sender
	// stops may go on: to know its end saves a duplicate.
	DefaultLinger = time.Second
)

// SenderOptions are a Sender's settings.
type SenderOptions struct {
	Deadline time.Duration
	Queue    int
	Workers  int
	Linger   time.Duration
	// Render is for all channels; its Channel is set for each.
	Render RenderOptions
	// Now is the shell's clock, the one of Order.NotAfter.
	Now func() beat.Now
	// Done gets each result exactly once, from a goroutine of the Sender's; it
	// must not block for long.
	Done func(Result)
}

// DefaultSenderOptions have everything but Now and Done.
func DefaultSenderOptions(region beat.Region) SenderOptions {
	return SenderOptions{
		Deadline: DefaultDeadline, Queue: DefaultQueue, Workers: DefaultWorkers, Linger: DefaultLinger,
		Render: DefaultRenderOptions(region),
	}
}

func (o *SenderOptions) validate() error {
	switch {
	case o.Deadline <= 0 || o.Queue <= 0 || o.Workers <= 0 || o.Linger < 0:
		return fmt.Errorf("sender: deadline %v, queue %d, workers %d and linger %v must be positive", o.Deadline, o.Queue, o.Workers, o.Linger)
	case o.Now == nil || o.Done == nil:
		return errors.New("sender: Now and Done are missing")
	}
	return nil
}

// Sender executes orders: concurrently, each channel with its own queue and
// workers, so that a slow one delays no other.
type Sender struct {
	o       SenderOptions
	lines   map[incident.Channel]*line
	log     *slog.Logger
	metrics *Metrics

	// mu guards stopped: no order is queued once it is true.
	mu      sync.Mutex
	stopped bool
}

// line is one channel and its queue.
type line struct {
	channel Channel
	queue   chan Order
}

// NewSender wires a sender; Run starts it.
func NewSender(o SenderOptions, channels []Channel, log *slog.Logger, m *Metrics) (*Sender, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	s := &Sender{o: o, lines: make(map[incident.Channel]*line, len(channels)), log: log, metrics: m}
	for _, c := range channels {
		if c.Name() == "" || s.lines[c.Name()] != nil {
			return nil, fmt.Errorf("sender: channel name %q is empty or there twice", c.Name())
		}
		s.lines[c.Name()] = &line{channel: c, queue: make(chan Order, o.Queue)}
	}
	return s, nil
}

// Send queues an order and returns at once. Each order's result goes to Done,
// except where Send returns an error (ErrBusy, ErrNoChannel, ErrStopped).
func (s *Sender) Send(o Order) error {
	l := s.lines[o.Channel]
	if l == nil {
		return fmt.Errorf("send notice %s to %q: %w", o.Notice.ID, o.Channel, ErrNoChannel)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return fmt.Errorf("send notice %s to %q: %w", o.Notice.ID, o.Channel, ErrStopped)
	}
	select {
	case l.queue <- o:
		s.metrics.Queue.WithLabelValues(string(o.Channel)).Inc()
		return nil
	default:
		s.metrics.count(o.Channel, ErrBusy)
		return fmt.Errorf("send notice %s to %q: %w", o.Notice.ID, o.Channel, ErrBusy)
	}
}

// Run works until ctx ends. What is queued then gets ErrStopped; what is under
// way may finish within Linger.
func (s *Sender) Run(ctx context.Context) error {
	publishing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var workers sync.WaitGroup
	for _, l := range s.lines {
		for range s.o.Workers {
			workers.Go(func() { s.work(ctx, publishing, l) })
		}
	}
	<-ctx.Done()
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	linger := time.AfterFunc(s.o.Linger, cancel)
	defer linger.Stop()
	workers.Wait()
	for _, l := range s.lines {
		s.discard(l)
	}
	return nil
}

func (s *Sender) work(ctx, publishing context.Context, l *line) {
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-l.queue:
			if ctx.Err() != nil {
				s.finish(o, ErrStopped)
				return
			}
			s.finish(o, s.publish(publishing, l.channel, o))
		}
	}
}

func (s *Sender) discard(l *line) {
	for {
		select {
		case o := <-l.queue:
			s.finish(o, ErrStopped)
		default:
			return
		}
	}
}

func (s *Sender) publish(ctx context.Context, c Channel, o Order) error {
	render := s.o.Render
	render.Channel = c.Name()
	m, err := Render(o.Notice, render)
	if err != nil {
		return err
	}
	start, deadline := s.o.Now().Mono, s.o.Deadline
	if o.NotAfter != 0 { // the last act before it goes; what has gone by then is cut off
		if start > o.NotAfter {
			return fmt.Errorf("%w: by %v", ErrTooLate, start-o.NotAfter)
		}
		deadline = min(deadline, o.NotAfter-start)
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	err = c.Publish(ctx, m)
	s.metrics.Seconds.WithLabelValues(string(c.Name())).Observe((s.o.Now().Mono - start).Seconds())
	return err
}

func (s *Sender) finish(o Order, err error) {
	s.metrics.Queue.WithLabelValues(string(o.Channel)).Dec()
	s.metrics.count(o.Channel, err)
	switch {
	case errors.Is(err, ErrPermanent):
		s.log.Error("a channel refuses a notice for good", "channel", string(o.Channel), "notice", o.Notice.ID, "error", err)
	case err != nil:
		s.log.Warn("a notice was not sent", "channel", string(o.Channel), "notice", o.Notice.ID, "error", err)
	}
	s.o.Done(Result{Op: o.Op, Channel: o.Channel, Err: err})
}
