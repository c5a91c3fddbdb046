package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hb-mesh/hb-mesh/broker"
	"github.com/hb-mesh/hb-mesh/broker/credential"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	regionEast beat.Region = "us-east-1"
	regionWest beat.Region = "us-west-2"

	anyPort = "127.0.0.1:0"
)

// server is something that takes messages, until stop, which says whether it
// really took them.
type server struct {
	address string
	stop    func() error
}

// allowAll is mochi's own hook of that name, without what that imports.
type allowAll struct{ mochi.HookBase }

// ID names the hook.
func (*allowAll) ID() string { return "allow" }

// Provides says which of the library's calls the hook answers.
func (*allowAll) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}

// OnConnectAuthenticate lets everybody in.
func (*allowAll) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }

// OnACLCheck lets everybody do anything.
func (*allowAll) OnACLCheck(*mochi.Client, string, bool) bool { return true }

// bareMochi is the library as it comes.
func (b *Bench) bareMochi(context.Context) (*server, error) {
	s := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := s.AddHook(new(allowAll), nil); err != nil {
		return nil, err
	}
	l := listeners.NewTCP(listeners.Config{ID: "bench", Address: anyPort})
	if err := s.AddListener(l); err != nil {
		return nil, err
	}
	if err := s.Serve(); err != nil {
		return nil, err
	}
	return &server{address: l.Address(), stop: s.Close}, nil
}

// wholeBroker is a node as hb-broker runs it, in a cell of one region.
func wholeBroker(ctx context.Context, t table.Table) (*server, error) {
	o := broker.DefaultOptions()
	o.Region, o.Table, o.MQTTAddr, o.HTTPAddr, o.ExemptLoopback = regionEast, t, anyPort, anyPort, true
	o.PacketsPerSecond = 0 // the generator is no relay: it has many reports on their way
	o.Keys, o.Registry = relayKeys(), prometheus.NewRegistry()
	br, err := broker.New(o)
	if err != nil {
		return nil, err
	}
	end, err := start(ctx, br)
	if err != nil {
		return nil, err
	}
	return &server{address: br.MQTTAddr().String(), stop: func() error {
		refused := sum(o.Registry, "hbmesh_broker_gate_refused_total") + sum(o.Registry, "hbmesh_broker_events_refused_total")
		if err := end(); err != nil {
			return err
		}
		if refused > 0 {
			return fmt.Errorf("the broker refused %v reports: that was no ingest", refused)
		}
		return nil
	}}, nil
}

func relayKeys() []credential.Static {
	return []credential.Static{{
		Text: generatorPassword, Request: credential.Request{Name: "relays", Roles: []credential.Role{credential.Relay}},
	}}
}

// sum is all of a metric, whatever its labels.
func sum(from prometheus.Gatherer, name string) (all float64) {
	families, _ := from.Gather() // what could not be gathered is missing
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				all += m.GetCounter().GetValue()
			}
		}
	}
	return all
}

// program is a broker, or a relay.
type program interface {
	Run(ctx context.Context) error
	Ready() <-chan struct{}
}

// start runs a program until end, which waits for it.
func start(ctx context.Context, p program) (end func() error, err error) {
	ctx, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	select {
	case <-p.Ready():
		return func() error { stop(); return <-done }, nil
	case err = <-done:
		stop()
	case <-time.After(patience):
		stop()
		err = errors.Join(errors.New("not ready in time"), <-done)
	}
	return nil, fmt.Errorf("start: %w", err)
}

// mosquittoConfig is its own defaults, but for one line more than it takes to
// let the generator in: Nagle's algorithm off, as Go has it.
const mosquittoConfig = `
allow_anonymous true
set_tcp_nodelay true
persistence false
log_type error
`

func (b *Bench) mosquittoEnv() []string {
	env := os.Environ()
	if b.o.MosquittoLibraries != "" {
		env = append(env, "LD_LIBRARY_PATH="+b.o.MosquittoLibraries)
	}
	return env
}

// mosquitto is Eclipse's server, a process of its own.
func (b *Bench) mosquitto(ctx context.Context) (*server, error) {
	dir, err := os.MkdirTemp("", "hb-bench-mosquitto-")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	host, port, _ := net.SplitHostPort(address) // it was made by the system
	config := filepath.Join(dir, "mosquitto.conf")
	if err := os.WriteFile(config, []byte("listener "+port+" "+host+mosquittoConfig), 0o600); err != nil {
		return nil, err
	}
	var log scribe
	cmd := exec.CommandContext(ctx, b.o.Mosquitto, "-c", config)
	cmd.Env, cmd.Stdout, cmd.Stderr = b.mosquittoEnv(), &log, &log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start mosquitto: %w", err)
	}
	stop := func() error {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
		return os.RemoveAll(dir)
	}
	if err := answers(ctx, address); err != nil {
		_ = stop()
		return nil, fmt.Errorf("start mosquitto: %w: %s", err, log.String())
	}
	return &server{address: address, stop: stop}, nil
}

// freeAddress is one where nobody listens now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", anyPort)
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// answers waits until somebody listens at the address.
func answers(ctx context.Context, address string) error {
	for deadline := time.Now().Add(patience); ; {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return conn.Close()
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return err
		}
		wait(ctx, 10*time.Millisecond)
	}
}
