package uplink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Region is where one uplink goes, and as whom.
type Region struct {
	Region beat.Region
	// Address is tcp://host:port or tls://host:port.
	Address string
	// User is the MQTT user name; "" is the identity, store/relay.
	User     string
	Password string
	// TLS is used for tls:// addresses; nil means the system's roots.
	TLS *tls.Config
}

const (
	// The contract's times on a link that costs nothing.
	defaultReportEvery    = 15 * time.Second
	defaultKeepalive      = 20 * time.Second
	defaultAckTimeout     = 10 * time.Second
	defaultConnectTimeout = 5 * time.Second
	defaultReconnectFirst = time.Second
	defaultReconnectCap   = 30 * time.Second
	defaultCoalesce       = 250 * time.Millisecond
	defaultPictureEvery   = 10 * time.Minute
	defaultBatchTimeout   = 10 * time.Second
	// defaultByeTimeout leaves a service manager's usual 10 s to the rest.
	defaultByeTimeout = 3 * time.Second

	maxRegions  = 8
	maxSoftware = 64
)

// DefaultOptions are the contract's times, with no identity and no regions.
func DefaultOptions() Options {
	return Options{
		ReportEvery: defaultReportEvery, Keepalive: defaultKeepalive, AckTimeout: defaultAckTimeout,
		ConnectTimeout: defaultConnectTimeout, ReconnectFirst: defaultReconnectFirst, ReconnectCap: defaultReconnectCap,
		Coalesce: defaultCoalesce, PictureEvery: defaultPictureEvery, BatchTimeout: defaultBatchTimeout,
		ByeTimeout: defaultByeTimeout,
	}
}

// Options configure a Group. All durations are above 0 unless they say else.
type Options struct {
	Identity beat.Identity
	Boot     beat.Boot
	// Software is the relay's version, at most 64 bytes.
	Software string
	// Regions are one to eight, each named once.
	Regions []Region

	// ReportEvery is the promise to the regions: no report is later than that.
	ReportEvery time.Duration
	// Keepalive is MQTT's, in whole seconds.
	Keepalive time.Duration
	// AckTimeout is how long a report may lack its PUBACK before its connection is closed.
	AckTimeout time.Duration
	// ConnectTimeout bounds dial, TLS handshake and CONNECT together.
	ConnectTimeout time.Duration
	// ReconnectFirst and ReconnectCap bound the wait before an attempt: a
	// random part of First, doubled at each failure, of at most Cap.
	ReconnectFirst time.Duration
	ReconnectCap   time.Duration
	// Coalesce is how long a change waits for others to share its report; may be 0.
	Coalesce time.Duration
	// PictureEvery is how often a whole picture leaves without a change; 0 is
	// the default.
	PictureEvery time.Duration
	// BatchTimeout is how long a journal batch may lack its ack before the
	// other region gets it; 0 is the default.
	BatchTimeout time.Duration
	// ByeTimeout bounds the farewell when Run ends.
	ByeTimeout time.Duration

	// Dial opens a connection; nil is net.Dialer's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Now is the relay's clock: the same that dates its transitions.
	Now func() beat.Now
	// Jitter returns a number of [0, 1); nil is math/rand's.
	Jitter func() float64
}

func (o Options) withDefaults() Options {
	if o.PictureEvery == 0 {
		o.PictureEvery = defaultPictureEvery
	}
	if o.BatchTimeout == 0 {
		o.BatchTimeout = defaultBatchTimeout
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	return o
}

func (o Options) validate() error {
	for name, d := range map[string]time.Duration{
		"ReportEvery": o.ReportEvery, "AckTimeout": o.AckTimeout, "ConnectTimeout": o.ConnectTimeout,
		"ReconnectFirst": o.ReconnectFirst, "ReconnectCap": o.ReconnectCap, "PictureEvery": o.PictureEvery,
		"BatchTimeout": o.BatchTimeout, "ByeTimeout": o.ByeTimeout,
	} {
		if d <= 0 || d > 24*time.Hour {
			return fmt.Errorf("uplink: %s is %v, want more than 0 and at most a day", name, d)
		}
	}
	switch {
	case o.Identity.Store == "" || o.Identity.Relay == "" || o.Boot.IsZero():
		return errors.New("uplink: no identity or no boot")
	case o.Keepalive < time.Second || o.Keepalive%time.Second != 0 || o.Keepalive > 12*time.Hour:
		return fmt.Errorf("uplink: keepalive %v, want whole seconds from 1 to 43200", o.Keepalive)
	case o.Coalesce < 0 || o.Coalesce >= o.ReportEvery:
		return fmt.Errorf("uplink: coalesce %v, want less than reportEvery %v", o.Coalesce, o.ReportEvery)
	case o.Now == nil:
		return errors.New("uplink: no clock")
	case len(o.Software) > maxSoftware:
		return fmt.Errorf("uplink: version of %d bytes, at most %d", len(o.Software), maxSoftware)
	case len(o.Regions) == 0 || len(o.Regions) > maxRegions:
		return fmt.Errorf("uplink: %d regions, want 1 to %d", len(o.Regions), maxRegions)
	}
	seen := map[beat.Region]bool{}
	for _, r := range o.Regions {
		if seen[r.Region] {
			return fmt.Errorf("uplink: region %s is there twice", r.Region)
		}
		seen[r.Region] = true
	}
	return nil
}
