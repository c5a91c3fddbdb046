package relay

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/journal"
	"github.com/hb-mesh/hb-mesh/relay/uplink"
)

// Relay is one store's relay. Make it with New, run it with Run, once.
type Relay struct {
	o       Options
	log     *slog.Logger
	boot    beat.Boot
	start   time.Time // of the monotonic clock
	ready   chan struct{}
	metrics *Metrics

	// What Run opens; it is not changed once ready is closed.
	mqttAddr, httpAddr string
	journal            *journal.Journal
	inMemory           error // why the journal is in memory only, or nil
	core               *core
	uplinks            *uplink.Group
}

// ErrRestart is the cause by which a context ends that is to end Run with a bye
// that promises to be back at once.
var ErrRestart = errors.New("the relay restarts")

// errPlatform is a machine on which Badger loses data.
var errPlatform = errors.New("hb-mesh needs a 64-bit machine: on this one the journal would lose data")

// New checks the options and wires a relay. It opens and starts nothing.
func New(o Options) (*Relay, error) {
	if strconv.IntSize < 64 {
		return nil, errPlatform
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Listen == nil {
		o.Listen = net.Listen
	}
	if o.Carrier == nil {
		o.Carrier = readCarrier
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	r := &Relay{o: o, log: o.Logger, start: time.Now(), ready: make(chan struct{}), metrics: NewMetrics(o.Registry)}
	_, _ = rand.Read(r.boot[:]) // crypto/rand does not fail
	r.metrics.info.WithLabelValues(string(o.Store), string(o.Relay), o.Version).Set(1)
	return r, nil
}

// Ready is closed when both LAN doors listen and the uplinks were started.
func (r *Relay) Ready() <-chan struct{} { return r.ready }

// clock is the relay's time: monotonic since New, and the wall's for people.
func (r *Relay) clock() beat.Now {
	now := time.Now()
	return beat.Now{Mono: now.Sub(r.start), Wall: now.UTC().Round(0)}
}

// Run runs the relay until ctx ends; it then says bye to the regions, closes
// everything within Options.Shutdown, and returns nil. An error says what
// could not be opened, or what failed.
func (r *Relay) Run(ctx context.Context) error {
	s := &session{r: r}
	defer s.close()
	if err := s.open(); err != nil {
		return err
	}
	s.start()
	close(r.ready)
	r.log.Info("the relay is ready", "store", string(r.o.Store), "relay", string(r.o.Relay), "mqtt", r.mqttAddr, "http", r.httpAddr,
		"regions", r.regionList(), "data", r.o.DataDir, "version", r.o.Version, "boot", r.boot.String(),
		"incarnation", r.journal.Incarnation().String())
	select {
	case <-ctx.Done():
		restart := r.o.Restarts || errors.Is(context.Cause(ctx), ErrRestart)
		r.log.Info("the relay stops", "restart", restart)
		r.uplinks.Stopping(restart)
		return nil
	case err := <-s.failed:
		return err
	}
}

func (r *Relay) regionList() []string {
	var all []string
	for _, g := range r.o.Regions {
		all = append(all, fmt.Sprintf("%s %s", g.Name, g.Address))
	}
	return all
}

// openJournal opens the journal. A full disk must not end the relay, and a
// supervisor would only start it into the same: then it remembers nothing
// across a restart, and says so.
func (r *Relay) openJournal() error {
	o := journal.DefaultOptions()
	o.Dir = r.o.DataDir
	log, m := r.log.With("part", "journal"), journal.NewMetrics(r.o.Registry)
	var err error
	r.journal, err = journal.Open(o, log, m)
	if errors.Is(err, journal.ErrNoSpace) {
		r.inMemory = err
		r.log.Error("the disk is full: nothing is kept across a restart; make room and start again", "err", err)
		o.InMemory = true
		r.journal, err = journal.Open(o, log, m)
	}
	if err != nil {
		return fmt.Errorf("data folder %s: %w", r.o.DataDir, err)
	}
	return nil
}

// listen opens a door's socket; the error says which setting to change.
func (r *Relay) listen(address, setting string) (net.Listener, error) {
	ln, err := r.o.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("open the door %s (setting %s): %w", address, setting, err)
	}
	return ln, nil
}

func (r *Relay) uplinkOptions() uplink.Options {
	o := uplink.DefaultOptions()
	o.Identity = beat.Identity{Store: r.o.Store, Relay: r.o.Relay}
	o.Boot, o.Software = r.boot, beat.CutText(r.o.Version, maxSoftware)
	for _, g := range r.o.Regions {
		o.Regions = append(o.Regions, uplink.Region{
			Region: g.Name, Address: g.Address, User: g.User, Password: g.Password, TLS: g.TLS,
		})
	}
	o.ReportEvery, o.Keepalive, o.AckTimeout = r.o.ReportEvery, r.o.Keepalive, r.o.AckTimeout
	o.ReconnectFirst, o.ReconnectCap, o.ConnectTimeout = r.o.ReconnectFirst, r.o.ReconnectCap, r.o.Handshake
	o.Coalesce, o.ByeTimeout = r.o.Coalesce, r.o.Shutdown/2
	o.Dial, o.Now = r.o.Dial, r.clock
	return o
}

// maxSoftware is how long a report's version may be.
const maxSoftware = 64
