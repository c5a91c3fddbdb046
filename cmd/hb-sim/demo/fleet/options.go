package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Region is where the stores report to.
type Region struct {
	Name beat.Region
	// Dial opens a connection of store i to the region's MQTT door.
	Dial func(ctx context.Context, i int) (net.Conn, error)
}

// Options are the settings of a Fleet; start from DefaultOptions.
type Options struct {
	// Stores is how many there are, Hosts how many each of them has.
	Stores, Hosts int
	Regions       []Region
	// Password is the relays'; their user names are {store}/{relay}.
	Password string
	// ReportEvery and Keepalive are what the relays promise.
	ReportEvery, Keepalive time.Duration
	// ReconnectFirst and ReconnectCap bound the waits between attempts.
	ReconnectFirst, ReconnectCap time.Duration
	// Version is what the relays say of their software.
	Version string
}

const (
	reportEvery = 15 * time.Second
	keepalive   = 20 * time.Second
	// Above many stores the relays are as on a metered link.
	many            = 10_000
	reportEveryMany = 60 * time.Second
	keepaliveMany   = 60 * time.Second
	reconnectFirst  = 500 * time.Millisecond
	reconnectCap    = 2 * time.Second
	reconnectMany   = 15 * time.Second

	// ackTimeout ends a connection on which a report is not acknowledged.
	ackTimeout = 10 * time.Second
	// pictureEvery is when a relay sends its whole picture unasked.
	pictureEvery = 10 * time.Minute
	// hostInterval is what the made-up hosts promise.
	hostInterval = time.Minute
	// relayID is the relay's of every store.
	relayID beat.RelayID = "relay1"
)

// DefaultOptions are those of a fleet of n stores with hosts each.
func DefaultOptions(n, hosts int) Options {
	o := Options{
		Stores: n, Hosts: hosts, ReportEvery: reportEvery, Keepalive: keepalive,
		ReconnectFirst: reconnectFirst, ReconnectCap: reconnectCap, Version: "light",
	}
	if n > many {
		o.ReportEvery, o.Keepalive, o.ReconnectCap = reportEveryMany, keepaliveMany, reconnectMany
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.Stores < 0 || o.Hosts < 0 || o.Hosts > beat.MaxHosts:
		return fmt.Errorf("fleet: %d stores with %d hosts each: a relay has at most %d", o.Stores, o.Hosts, beat.MaxHosts)
	case len(o.Regions) == 0:
		return errors.New("fleet: no region")
	case o.ReportEvery <= 0 || o.Keepalive < time.Second || o.ReconnectFirst <= 0 || o.ReconnectCap < o.ReconnectFirst:
		return errors.New("fleet: its times must be positive")
	}
	return nil
}
