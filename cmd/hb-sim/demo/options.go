package demo

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// The times of the demo are short, so that a visitor waits for seconds. They
// are a contract: scripts of others rely on them.
const (
	reportEvery    = 2 * time.Second
	keepalive      = 3 * time.Second
	ackTimeout     = 2 * time.Second
	reconnectFirst = 500 * time.Millisecond
	reconnectCap   = time.Second
	grace          = 2 * time.Second
	blip           = time.Second
	settle         = 3 * time.Second
	askTimeout     = time.Second
	reask          = 2 * time.Second
	takeover       = 5 * time.Second
	blind          = 8 * time.Second
	gatherLan      = 4 * time.Second
)

// visitorBurst is how many notices of a minute go at once in a demo of few
// stores: a visitor breaks one thing after the other.
const visitorBurst = 20

// The times that follow from those.
const (
	// handshake lets a relay be back before a region calls it lost: the config
	// check of the relay holds it.
	handshake = time.Second
	// warmUp is the least time in which a restarted relay waits for its hosts.
	warmUp = 10 * time.Second
	// shutdown is a part's share of the 3 s in which Ctrl-C ends the demo.
	shutdown = 800 * time.Millisecond
)

// lightRegisters is how many hosts a light store has unless told else.
const lightRegisters = 4

// Options are a demo's settings; start from DefaultOptions.
type Options struct {
	// DataDir keeps the data; "" is a temporary folder, removed at the end.
	DataDir string
	// PortOffset moves all ports.
	PortOffset int
	// Webhook also gets every notice by POST; "" is none.
	Webhook string
	// AWS are the endpoints of DynamoDB and SNS of the two regions; empty: the
	// embedded table, and no topics.
	AWS []string
	// Stores is how many stores there are, with the whole one: the others are
	// light, without a LAN. Registers is how many hosts each of those has.
	Stores, Registers int
	// Verbose writes the log of every part to Log.
	Verbose bool
	// Out gets the banner and the notices, Log the log.
	Out, Log io.Writer
	// Version is this software's.
	Version string
}

// DefaultOptions are a quiet demo on the fixed ports, in a temporary folder.
func DefaultOptions() Options {
	return Options{Stores: 1, Registers: lightRegisters, Out: io.Discard, Log: io.Discard, Version: "dev"}
}

func (o *Options) validate() error {
	if o.PortOffset < 0 || o.PortOffset > maxOffset {
		return fmt.Errorf("--port-offset is %d: choose one from 0 to %d", o.PortOffset, maxOffset)
	}
	if o.Stores < 1 || o.Stores > maxStores {
		return fmt.Errorf("--stores is %d: choose from 1 to %d, which is a cell", o.Stores, maxStores)
	}
	if o.Registers < 0 || o.Registers > beat.MaxHosts {
		return fmt.Errorf("--registers is %d: a relay has at most %d", o.Registers, beat.MaxHosts)
	}
	if n := len(o.AWS); n != 0 && n != len(allRegions()) {
		return fmt.Errorf("--aws names %d endpoints: give one for %s and one for %s, as URL,URL", n, east, west)
	}
	for _, e := range o.AWS {
		if u, err := url.Parse(e); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("--aws: %q is no URL such as http://127.0.0.1:4566", e)
		}
	}
	if o.Out == nil || o.Log == nil {
		return errors.New("demo: Out and Log are missing")
	}
	if o.Webhook != "" {
		if _, err := o.webhook(); err != nil {
			return fmt.Errorf("--webhook: %w", err)
		}
	}
	return nil
}

// webhookName is the channel's in both regions.
const webhookName incident.Channel = "webhook"

// webhook is a channel that may be on this machine: the demo's visitor named it.
func (o *Options) webhook() (*notice.Webhook, error) {
	w := notice.DefaultWebhookOptions()
	w.Name, w.URL, w.AllowPrivate = webhookName, o.Webhook, true
	return notice.NewWebhook(w)
}
