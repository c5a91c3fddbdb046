package uplink

import (
	"context"
	"crypto/tls"
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
	// PictureEvery is how often a whole picture leaves without a change.
	PictureEvery time.Duration
	// BatchTimeout is how long a journal batch may lack its ack before the
	// other region gets it.
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
