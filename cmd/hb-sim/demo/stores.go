package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/demo/fleet"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/demo/wire"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	// maxStores is a cell's.
	maxStores = 50_000
	// maxSockets is how many light stores have real sockets; the rest come
	// through pipes into the same doors.
	maxSockets = 2_000
	// socketFiles is what one store on sockets needs: both ends of two connections.
	socketFiles = 4
	// ownFiles is what the demo needs for everything else.
	ownFiles = 500
	// fleetWithin bounds the start: a fixed time, and a share of each store.
	fleetWithin      = 30 * time.Second
	fleetWithinStore = 10 * time.Millisecond
)

// light is how many stores are light: all but the whole one.
func (d *Demo) light() int { return d.o.Stores - 1 }

// isLight says whether a store is one of the light ones.
func (d *Demo) isLight(s beat.StoreID) bool {
	return len(s) == len(fleet.Name(0)) && s > fleet.Name(-1) && s <= fleet.Name(d.light()-1)
}

// blindFor is how long a region waits for the other one's word before it tells
// of a store by its own eyes: longer than a cable that is cut takes to lose all
// of them, so that it suspects itself first.
func (d *Demo) blindFor() time.Duration {
	if d.light() == 0 {
		return blind
	}
	return blind + fleet.DefaultOptions(d.light(), d.o.Registers).Keepalive*3/2
}

// buildFleet makes the light stores, and their way to the regions.
func (d *Demo) buildFleet() error {
	if d.light() == 0 {
		return nil
	}
	o := fleet.DefaultOptions(d.light(), d.o.Registers)
	o.Password, o.Version = demoKey, d.o.Version
	for _, r := range allRegions() {
		d.pipes[r] = &wire.Pipes{}
		d.fleetLines[r] = wire.NewTrunk(nil)
		o.Regions = append(o.Regions, fleet.Region{Name: r, Dial: d.lightDial(r)})
	}
	f, err := fleet.New(o)
	d.fleet = f
	return err
}

// lightDial opens the connections of light stores to a region.
func (d *Demo) lightDial(r beat.Region) func(context.Context, int) (net.Conn, error) {
	door := d.ports.mqtt(r)
	return func(ctx context.Context, i int) (net.Conn, error) {
		return d.fleetLines[r].DialBy(ctx, door, func(ctx context.Context, network, address string) (net.Conn, error) {
			from := sourceOf(i)
			if i >= maxSockets {
				return d.pipes[r].Dial(ctx, netip.AddrPortFrom(from, uint16(1024+i%60_000)))
			}
			dialer := &net.Dialer{}
			if runtime.GOOS == "linux" { // elsewhere 127.0.0.1 is all there is
				dialer.LocalAddr = &net.TCPAddr{IP: from.AsSlice()}
			}
			return dialer.DialContext(ctx, network, address)
		})
	}
}

// sourceOf is a loopback address for each 250 stores: the ports of one would
// not do for all.
func sourceOf(i int) netip.Addr {
	n := i / 250
	return netip.AddrFrom4([4]byte{127, 1, byte(n / 250), byte(1 + n%250)})
}

// checkMachine says what the machine must allow for the light stores.
func (d *Demo) checkMachine() error {
	n := min(d.light(), maxSockets)
	if n == 0 {
		return nil
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	if need := uint64(n*socketFiles + ownFiles); uint64(limit.Max) < need {
		return fmt.Errorf("--stores %d needs %d open files, and this shell allows %d: raise it with `ulimit -Hn %d` as root (or in /etc/security/limits.conf), or take at most %d stores",
			d.o.Stores, need, limit.Max, need, max(1, (int(limit.Max)-ownFiles)/socketFiles))
	} else if uint64(limit.Cur) < need {
		limit.Cur = limit.Max
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return fmt.Errorf("raise the limit of open files to %d for --stores %d: %w", limit.Max, d.o.Stores, err)
		}
	}
	if runtime.GOOS != "linux" {
		return nil
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(sourceOf(n-1).String(), "0"))
	if err != nil {
		return fmt.Errorf("--stores %d takes source addresses from 127.0.0.0/8, and %v cannot be used: %w", d.o.Stores, sourceOf(n-1), err)
	}
	return ln.Close()
}

// startFleet starts the light stores and says how far it is.
func (d *Demo) startFleet(ctx context.Context) error {
	if d.fleet == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, fleetWithin+time.Duration(d.light())*fleetWithinStore)
	defer cancel()
	began := time.Now()
	err := d.fleet.Start(ctx, func(open, of int) {
		d.screen.say("stores", fmt.Sprintf("%d of %d sessions are open", open, of))
	})
	if err != nil {
		return err
	}
	d.screen.say("stores", fmt.Sprintf("%d light stores report to both regions after %.1f s", d.light(), time.Since(began).Seconds()))
	return nil
}

// storesPrefix is how the switches of many stores begin: stores/K.
const storesPrefix = "stores/"

// crowd is the switch of the first k stores; the whole one is the last of all.
type crowd struct {
	demo *Demo
	k    int
}

func (c crowd) unplug(ctx context.Context) error {
	var g errgroup.Group
	if c.k == c.demo.o.Stores {
		g.Go(func() error { return c.demo.relay.unplug(ctx) })
	}
	if c.demo.fleet != nil {
		c.demo.fleet.Kill(c.k)
	}
	return g.Wait()
}

func (c crowd) plug(ctx context.Context) error {
	if c.demo.fleet != nil {
		c.demo.fleet.Revive(c.k)
	}
	if c.k == c.demo.o.Stores {
		return c.demo.relay.plug(ctx)
	}
	return nil
}

// plugged says whether all of them have power, whoever cut it.
func (c crowd) plugged() bool {
	if c.k == c.demo.o.Stores && !c.demo.relay.plugged() {
		return false
	}
	return c.demo.fleet == nil || c.demo.fleet.Alive(c.k)
}

var errCrowd = errors.New("no number of stores of this demo")

// crowdOf makes the switch that a target names, if it names one.
func (d *Demo) crowdOf(target string) (pluggable, string, error) {
	text, ok := strings.CutPrefix(target, storesPrefix)
	if !ok {
		return nil, "", nil
	}
	k, err := strconv.Atoi(text)
	if err != nil || k < 1 || k > d.o.Stores || strconv.Itoa(k) != text {
		return nil, "", fmt.Errorf("%q: %w: there are %d (hb-sim demo --stores N starts more)", target, errCrowd, d.o.Stores)
	}
	return crowd{d, k}, crowdText(k, d.o.Stores), nil
}

func crowdText(k, of int) string {
	if k == of {
		return fmt.Sprintf("all %d stores have lost power, the whole one too", of)
	}
	return fmt.Sprintf("the first %d of %d stores have lost power", k, of)
}
