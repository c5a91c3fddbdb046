package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/demo/fleet"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/demo/wire"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// stopWithin is when a part that should stop is killed: with what else there is
// to do, Ctrl-C ends the demo within 3 s.
const stopWithin = time.Second

// Demo is a whole mesh. Make it with New, run it with Run.
type Demo struct {
	o      Options
	ports  ports
	screen *screen
	board  *switchboard
	ready  chan struct{}
	broken chan error
	secret []byte // of the link between the regions

	// From here on it is Run's.
	dir      string
	tables   map[beat.Region]table.Table
	channels map[beat.Region][]notice.Channel
	lines    map[beat.Region]*wire.Trunk // from the relay to a region
	links    map[beat.Region]*wire.Trunk // from a region to the other
	fuses    map[beat.Region]*fuse
	joint    joint
	backup   func(io.Writer) error // nil with --aws
	regions  []*process
	relay    *process
	tills    []*process

	fleet      *fleet.Fleet // nil without light stores
	fleetLines map[beat.Region]*wire.Trunk
	pipes      map[beat.Region]*wire.Pipes
}

// New checks the options and wires a demo. It starts nothing.
func New(o Options) (*Demo, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	d := &Demo{
		o: o, ports: ports{o.PortOffset}, screen: newScreen(o.Out), board: &switchboard{},
		ready: make(chan struct{}), broken: make(chan error, 1), secret: make([]byte, 32),
		tables: map[beat.Region]table.Table{}, channels: map[beat.Region][]notice.Channel{},
		lines: map[beat.Region]*wire.Trunk{}, links: map[beat.Region]*wire.Trunk{}, fuses: map[beat.Region]*fuse{},
		fleetLines: map[beat.Region]*wire.Trunk{}, pipes: map[beat.Region]*wire.Pipes{},
	}
	_, _ = rand.Read(d.secret) // it never fails: see crypto/rand
	if err := d.build(); err != nil {
		return nil, err
	}
	return d, nil
}

// Ready is closed when every part has started.
func (d *Demo) Ready() <-chan struct{} { return d.ready }

// Run runs the demo until ctx ends, or a part cannot go on.
func (d *Demo) Run(ctx context.Context) error {
	if err := errors.Join(d.ports.check(), d.checkMachine()); err != nil {
		return err
	}
	remove, err := d.openFolder()
	if err != nil {
		return err
	}
	defer remove()
	closeAll, err := d.openMemory(ctx)
	if err != nil {
		return err
	}
	defer closeAll()
	stopControl, err := d.serveControl()
	if err != nil {
		return err
	}
	defer stopControl()
	defer d.stop()
	if err := d.start(ctx); err != nil {
		return err
	}
	d.screen.banner(d)
	close(d.ready)
	select {
	case <-ctx.Done():
		return nil
	case err := <-d.broken:
		return err
	}
}

// start starts the parts in the order in which they depend on each other.
func (d *Demo) start(ctx context.Context) error {
	for _, wave := range [][]*process{d.regions, {d.relay}, d.tills} {
		g, ctx := errgroup.WithContext(ctx)
		for _, p := range wave {
			g.Go(func() error { return p.plug(ctx) })
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	return d.startFleet(ctx)
}

// stop ends the parts: first the relay, which says goodbye, so that nothing
// that follows looks like an outage.
func (d *Demo) stop() {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if d.fleet != nil {
			ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
			defer cancel()
			d.fleet.Close(ctx)
		}
	}()
	for _, wave := range [][]*process{{d.relay}, d.regions, d.tills} {
		var g errgroup.Group
		for _, p := range wave {
			g.Go(func() error {
				ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
				defer cancel()
				return p.stop(ctx)
			})
		}
		if err := g.Wait(); err != nil {
			d.screen.note("stop", err.Error())
		}
	}
	for _, lines := range []map[beat.Region]*wire.Trunk{d.lines, d.links, d.fleetLines} {
		for _, l := range lines {
			l.Close()
		}
	}
	<-gone
	d.board.wait()
}

// broke is told of a part that ended by itself.
func (d *Demo) broke(name string, err error) {
	if err == nil {
		err = errors.New("it ended")
	}
	select {
	case d.broken <- fmt.Errorf("%s: %w", name, err):
	default: // the first one ends the demo
	}
}

// serveControl opens the control's port.
func (d *Demo) serveControl() (stop func(), err error) {
	ln, err := net.Listen("tcp", d.ports.address(portControl))
	if err != nil {
		return nil, fmt.Errorf("open the control: %w", err)
	}
	server := &http.Server{Handler: control(d.board), ReadHeaderTimeout: time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			d.broke("control", err)
		}
	}()
	return func() {
		_ = server.Close()
		<-done
	}, nil
}
