package notice_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// channel is a destination whose behaviour a test gives.
type channel struct {
	name    incident.Channel
	publish func(ctx context.Context, m notice.Message) error
}

func (c channel) Name() incident.Channel { return c.name }

func (c channel) Publish(ctx context.Context, m notice.Message) error { return c.publish(ctx, m) }

// harness runs a sender, and keeps its results.
type harness struct {
	*notice.Sender
	stop    context.CancelFunc
	ended   chan struct{}
	metrics *notice.Metrics

	mu      sync.Mutex
	results map[uint64][]error
}

func start(t *testing.T, change func(*notice.SenderOptions), channels ...notice.Channel) *harness {
	t.Helper()
	h := &harness{ended: make(chan struct{}), metrics: notice.NewMetrics(prometheus.NewRegistry()), results: map[uint64][]error{}}
	began := time.Now()
	o := notice.DefaultSenderOptions("us-east-1")
	o.Now = func() beat.Now { return beat.Now{Mono: time.Since(began), Wall: time.Now()} }
	o.Done = func(r notice.Result) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.results[r.Op] = append(h.results[r.Op], r.Err)
	}
	if change != nil {
		change(&o)
	}
	var err error
	if h.Sender, err = notice.NewSender(o, channels, slog.New(slog.DiscardHandler), h.metrics); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	h.stop = stop
	go func() {
		defer close(h.ended)
		if err := h.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	return h
}

// result is the one result of an order.
func (h *harness) result(t *testing.T, op uint64) error {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if got := h.results[op]; len(got) != 1 {
		t.Fatalf("order %d has the results %v, want one", op, got)
	}
	return h.results[op][0]
}

func order(op uint64, c incident.Channel) notice.Order {
	n := of(item(incident.HostMissing, incident.Opened, "demo", "pos3"))
	n.ID = fmt.Sprintf("notice-%d", op)
	return notice.Order{Op: op, Channel: c, Notice: n}
}

func send(t *testing.T, h *harness, o notice.Order) {
	t.Helper()
	if err := h.Send(o); err != nil {
		t.Fatal(err)
	}
}

func hang(ctx context.Context, _ notice.Message) error {
	<-ctx.Done()
	return fmt.Errorf("%w: %w", notice.ErrUnknown, ctx.Err())
}

func TestSenderGivesEachResultOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := errors.New("the table is laid")
		h := start(t, nil,
			channel{"good", func(context.Context, notice.Message) error { return nil }},
			channel{"bad", func(context.Context, notice.Message) error { return fails }},
			channel{"slow", hang})
		send(t, h, order(1, "good"))
		send(t, h, order(2, "bad"))
		send(t, h, order(3, "slow"))
		nothing := order(4, "good")
		nothing.Notice.Items = nil
		send(t, h, nothing)
		synctest.Wait()
		if err := h.result(t, 1); err != nil {
			t.Errorf("a slow channel delays none: %v", err)
		}
		if err := h.result(t, 2); !errors.Is(err, fails) {
			t.Errorf("a failure is the channel's: %v", err)
		}
		if err := h.result(t, 4); !errors.Is(err, notice.ErrPermanent) {
			t.Errorf("what cannot be rendered is given up: %v", err)
		}
		time.Sleep(notice.DefaultDeadline)
		synctest.Wait()
		if err := h.result(t, 3); !errors.Is(err, notice.ErrUnknown) {
			t.Errorf("a publish ends with its deadline: %v", err)
		}
		if got := testutil.ToFloat64(h.metrics.Publishes.WithLabelValues("good", "sent")); got != 1 {
			t.Errorf("%v were counted as sent, want 1", got)
		}
		h.stop()
		<-h.ended
	})
}

func TestSenderSendsNothingAfterTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var published atomic.Int64
		h := start(t, func(o *notice.SenderOptions) { o.Workers = 1 }, channel{"sns", func(ctx context.Context, m notice.Message) error {
			published.Add(1)
			return hang(ctx, m)
		}})
		first, second := order(1, "sns"), order(2, "sns")
		first.NotAfter, second.NotAfter = 3*time.Second, 2*time.Second
		send(t, h, first)
		send(t, h, second)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if err := h.result(t, 1); !errors.Is(err, notice.ErrUnknown) {
			t.Errorf("what is under way when the lease ends is cut off: %v", err)
		}
		if err := h.result(t, 2); !errors.Is(err, notice.ErrTooLate) || published.Load() != 1 {
			t.Errorf("what waits until the lease ends is not sent: %v, %d published", err, published.Load())
		}
		h.stop()
		<-h.ended
	})
}

func TestSenderRefusesWhatItCannotTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, func(o *notice.SenderOptions) { o.Workers, o.Queue = 1, 1 }, channel{"sns", hang})
		send(t, h, order(1, "sns"))
		synctest.Wait()
		send(t, h, order(2, "sns"))
		if err := h.Send(order(3, "sns")); !errors.Is(err, notice.ErrBusy) {
			t.Errorf("a full queue refuses: %v", err)
		}
		if err := h.Send(order(4, "pigeon")); !errors.Is(err, notice.ErrNoChannel) {
			t.Errorf("an unknown channel is refused: %v", err)
		}
		began := time.Now()
		h.stop()
		<-h.ended
		if took := time.Since(began); took > notice.DefaultLinger {
			t.Errorf("stopping took %v", took)
		}
		if err := h.result(t, 1); !errors.Is(err, notice.ErrUnknown) {
			t.Errorf("what was under way is unknown: %v", err)
		}
		if err := h.result(t, 2); !errors.Is(err, notice.ErrStopped) {
			t.Errorf("what was queued was not sent: %v", err)
		}
		if err := h.Send(order(5, "sns")); !errors.Is(err, notice.ErrStopped) {
			t.Errorf("a stopped sender takes nothing: %v", err)
		}
		if got := testutil.ToFloat64(h.metrics.Queue.WithLabelValues("sns")); got != 0 {
			t.Errorf("%v are still counted as queued", got)
		}
	})
}

func TestSenderLetsWhatIsUnderWayFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, nil, channel{"sns", func(ctx context.Context, _ notice.Message) error {
			select {
			case <-time.After(notice.DefaultLinger / 2):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}})
		send(t, h, order(1, "sns"))
		synctest.Wait()
		h.stop()
		<-h.ended
		if err := h.result(t, 1); err != nil {
			t.Errorf("a publish that ends within the linger is known: %v", err)
		}
	})
}

func TestSenderOptionsAreChecked(t *testing.T) {
	good := channel{"sns", hang}
	for says, try := range map[string]func(*notice.SenderOptions) []notice.Channel{
		"no clock":             func(o *notice.SenderOptions) []notice.Channel { o.Now = nil; return nil },
		"nobody to tell":       func(o *notice.SenderOptions) []notice.Channel { o.Done = nil; return nil },
		"no workers":           func(o *notice.SenderOptions) []notice.Channel { o.Workers = 0; return nil },
		"one name twice":       func(*notice.SenderOptions) []notice.Channel { return []notice.Channel{good, good} },
		"a channel of no name": func(*notice.SenderOptions) []notice.Channel { return []notice.Channel{channel{}} },
	} {
		o := notice.DefaultSenderOptions("us-east-1")
		o.Now, o.Done = func() beat.Now { return beat.Now{} }, func(notice.Result) {}
		channels := try(&o)
		if _, err := notice.NewSender(o, channels, slog.New(slog.DiscardHandler), notice.NewMetrics(prometheus.NewRegistry())); err == nil {
			t.Errorf("%s is accepted", says)
		}
	}
}
