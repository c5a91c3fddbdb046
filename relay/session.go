package relay

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hb-mesh/hb-mesh/relay/guard"
	"github.com/hb-mesh/hb-mesh/relay/ingress"
	"github.com/hb-mesh/hb-mesh/relay/roster"
	"github.com/hb-mesh/hb-mesh/relay/uplink"
)

// session is one Run: what it opened, and how it ends. Its parts stop in the
// reverse order of their start:
//
//	open:  sockets → journal → core → uplinks and LAN doors
//	close: core takes no more events → uplinks say bye → doors → clock → journal
type session struct {
	r              *Relay
	mqttLn, httpLn net.Listener
	lan            *ingress.Ingress
	mux            *http.ServeMux

	failed  chan error
	uplinks stage
	doors   stage
	core    stage
}

// stage is goroutines that stop together.
type stage struct {
	stop context.CancelFunc
	wg   sync.WaitGroup
}

// begin gives the stage its context.
func (s *stage) begin() context.Context {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	return ctx
}

// end stops the stage and waits for it, for some time at most.
func (s *stage) end(wait time.Duration) bool {
	if s.stop == nil {
		return true
	}
	s.stop()
	return within(wait, s.wg.Wait)
}

// within runs f and says whether it ended in time.
func within(wait time.Duration, f func()) bool {
	done := make(chan struct{})
	go func() { f(); close(done) }()
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}

// open opens all that can fail. Sockets come first: a used port is the likely
// mistake, and must not touch another relay's journal.
func (s *session) open() error {
	r := s.r
	s.failed = make(chan error, 8)
	var err error
	if s.mqttLn, err = r.listen(r.o.MQTTAddr, "mqtt.address"); err != nil {
		return err
	}
	if s.httpLn, err = r.listen(r.o.HTTPAddr, "http.address"); err != nil {
		return err
	}
	r.mqttAddr, r.httpAddr = s.mqttLn.Addr().String(), s.httpLn.Addr().String()
	if err := r.openJournal(); err != nil {
		return err
	}
	r.core = &core{
		boot: r.boot, clock: r.clock, log: r.log, metrics: r.metrics, journal: r.journal,
		wake: make(chan struct{}, 1), numbers: make(chan struct{}, 1), commits: make(chan struct{}, 1),
		ticked: r.clock().Mono,
		roster: roster.New(roster.Options{
			Blip: r.o.Blip, WarmUp: r.o.WarmUp, NewHostsPerHour: r.o.NewHostsPerHour,
			NewHostsPerAddress: (r.o.NewHostsPerHour + 1) / 2,
			MaxChanges:         r.o.ChangesPerHost, ExemptLoopback: r.o.ExemptLoopback,
		}),
	}
	if r.uplinks, err = uplink.New(r.uplinkOptions(), r.core, r.journal, r.log.With("part", "uplink"), uplink.NewMetrics(r.o.Registry)); err != nil {
		return fmt.Errorf("wire the uplinks: %w", err)
	}
	if err := s.openDoors(); err != nil {
		return err
	}
	r.core.changed, r.core.written = r.uplinks.Changed, r.uplinks.Written
	if err := r.core.load(); err != nil {
		return fmt.Errorf("data folder %s: %w", r.o.DataDir, err)
	}
	return nil
}

func (s *session) openDoors() error {
	r := s.r
	m := guard.NewMetrics(r.o.Registry, "hbmesh_relay")
	o := ingress.DefaultOptions()
	o.Keyed, o.Keys, o.ExemptLoopback = r.o.Keyed, r.o.Keys, r.o.ExemptLoopback
	o.Guard.ConnectTimeout, o.Guard.MaxPerAddress, o.Guard.PacketsPerSecond = r.o.ConnectTimeout, r.o.ConnectionsPerAddress, r.o.BeatsPerSecond
	var err error
	if s.lan, err = ingress.New(o, r.core, r.log.With("part", "lan"), ingress.NewMetrics(r.o.Registry), m); err != nil {
		return fmt.Errorf("wire the LAN's doors: %w", err)
	}
	s.mux = http.NewServeMux()
	s.lan.Mount(s.mux)
	s.mux.Handle("GET /v1/status", guard.Status(r.Status))
	s.mux.Handle("GET /metrics", byItsNames(r.hostname(), r.countHosts(promhttp.HandlerFor(r.o.Registry, promhttp.HandlerOpts{}))))
	return r.mountPage(s.mux)
}

// start starts every goroutine.
func (s *session) start() {
	r := s.r
	ctx := s.core.begin()
	for _, run := range []func(context.Context){r.core.runClock, r.core.runNumbers, r.core.runCommits} {
		s.core.wg.Go(func() { run(ctx) })
	}
	if r.o.LANInterface != "" {
		s.core.wg.Go(func() { r.runCarrier(ctx) })
	}
	up := s.uplinks.begin()
	s.uplinks.wg.Go(func() { s.fail("uplinks", r.uplinks.Run(up)) })
	doors := s.doors.begin()
	s.doors.wg.Go(func() { s.fail("MQTT door", s.lan.RunMQTT(doors, s.mqttLn)) })
	s.doors.wg.Go(func() { s.fail("HTTP door", s.lan.RunHTTP(doors, s.httpLn, s.mux)) })
}

// fail ends Run where a part ended that should not.
func (s *session) fail(part string, err error) {
	if err != nil {
		s.failed <- fmt.Errorf("%s: %w", part, err)
	}
}

// close stops everything that was opened, within Options.Shutdown.
func (s *session) close() {
	r := s.r
	deadline := time.Now().Add(r.o.Shutdown)
	late := func(part string, ok bool) {
		if !ok {
			r.log.Warn("did not stop in time", "part", part)
		}
	}
	if r.core != nil {
		r.core.close() // from here on the ends of connections are our own doing
	}
	late("uplinks", s.uplinks.end(time.Until(deadline)*2/3))
	late("doors", s.doors.end(time.Until(deadline)/2))
	for _, ln := range []net.Listener{s.mqttLn, s.httpLn} {
		if ln != nil {
			_ = ln.Close() // closed already, unless open failed
		}
	}
	late("core", s.core.end(time.Until(deadline)/2))
	if r.journal != nil {
		late("journal", within(time.Until(deadline), func() {
			if err := r.journal.Close(); err != nil {
				r.log.Error("the journal was not closed well", "err", err)
			}
		}))
	}
}

// hostname is the machine's, or "".
func (r *Relay) hostname() string {
	name, err := os.Hostname()
	if err != nil {
		r.log.Warn("the machine does not say its name", "err", err)
	}
	return name
}

// countHosts sets the gauge of hosts for each look at the metrics.
func (r *Relay) countHosts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.metrics.count(r.core.counts())
		next.ServeHTTP(w, req)
	})
}
