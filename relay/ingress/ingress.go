package ingress

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net"
	"sync"

	"github.com/hb-mesh/hb-mesh/relay/guard"
	"github.com/hb-mesh/hb-mesh/relay/roster"
	"github.com/prometheus/client_golang/prometheus"
)

// Sink takes the events, from many goroutines at once.
type Sink interface {
	// Deliver returns when what the event changed is durable; a steady beat
	// returns at once. A *guard.Refusal is a beat that will not be counted: by
	// MQTT it is acknowledged all the same, since to send it again would not
	// help (503 excepted: the relay closes). Any other error means that the
	// event was not taken: the register is not acknowledged.
	Deliver(ctx context.Context, e roster.Event) error
}

// Ingress is the LAN door.
type Ingress struct {
	opt     Options
	sink    Sink
	log     *slog.Logger
	sparse  *guard.Sparse
	metrics *Metrics
	door    *guard.Door
	doors   *guard.Metrics
	logins  *guard.Logins
	keys    [][sha256.Size]byte

	viaMQTT, viaHTTP prometheus.Counter

	// base is done when the door closes: a client that hangs up does not take
	// back the beat that is being written.
	base   context.Context //nolint:containedctx // see above
	cancel context.CancelFunc

	mu   sync.Mutex // guards what follows
	live map[uint64]*heir
}

// New wires the door; it starts nothing. log and the metrics may be nil.
func New(o Options, sink Sink, log *slog.Logger, m *Metrics, doors *guard.Metrics) (*Ingress, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if m == nil {
		m = NewMetrics(nil)
	}
	if doors == nil {
		doors = guard.NewMetrics(nil, "hbmesh_relay")
	}
	o.Guard.ExemptLoopback = o.ExemptLoopback
	if o.Guard.Logins == nil {
		o.Guard.Logins = guard.NewLogins(guard.DefaultLoginsPerMinute, guard.DefaultLoginDelay)
	}
	i := &Ingress{
		opt: o, sink: sink, log: log, sparse: guard.NewSparse(log), metrics: m, doors: doors, logins: o.Guard.Logins,
		viaMQTT: m.Beats.WithLabelValues("mqtt"), viaHTTP: m.Beats.WithLabelValues("http"),
		live: make(map[uint64]*heir),
	}
	i.base, i.cancel = context.WithCancel(context.Background())
	for _, k := range o.Keys {
		i.keys = append(i.keys, sha256.Sum256([]byte(k)))
	}
	var err error
	i.door, err = guard.New(o.Guard, (*mqttDoor)(i), log, doors)
	return i, err
}

// RunMQTT serves MQTT on ln until ctx is done. The ends of its connections
// then are no evidence, and are not delivered.
func (i *Ingress) RunMQTT(ctx context.Context, ln net.Listener) error {
	defer context.AfterFunc(ctx, i.cancel)()
	return i.door.Serve(ctx, ln)
}

// keyed says whether key opens the door.
func (i *Ingress) keyed(key []byte) bool {
	if !i.opt.Keyed {
		return true
	}
	sum := sha256.Sum256(key)
	ok := 0
	for _, k := range i.keys {
		ok |= subtle.ConstantTimeCompare(sum[:], k[:])
	}
	return ok == 1
}

func (i *Ingress) ignore(reason string) { i.metrics.Ignored.WithLabelValues(reason).Inc() }
