package gate

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hb-mesh/hb-mesh/broker/credential"
)

const (
	// DefaultMQTTAddr is a plain door, so on loopback.
	DefaultMQTTAddr = "127.0.0.1:1883"
	// DefaultHTTPAddr is one too.
	DefaultHTTPAddr = "127.0.0.1:8080"

	// DefaultBirthWithin is how long a relay that has authenticated may wait
	// with its birth: long enough for a person with a test client.
	DefaultBirthWithin = 60 * time.Second
	// DefaultConnectTimeout is for a whole CONNECT, TLS included, and for the
	// head of an HTTP request, from the accept on: bytes do not renew it.
	DefaultConnectTimeout = 10 * time.Second
	// DefaultBodyTimeout is for the body of an HTTP request. A till on a bad
	// line sends 100 bytes; the longest legal body takes 6.4 KB/s.
	DefaultBodyTimeout = 10 * time.Second
	// DefaultStrangers is how many connections of one address may be open that
	// have not authenticated. Those that have are not limited: stores share NATs.
	DefaultStrangers = 256
	// DefaultFailedLogins is how many logins of an address may fail in a minute
	// before every further failure waits DefaultFailureDelay.
	DefaultFailedLogins = 10
	// DefaultFailureDelay slows guessing down to a guess a second a connection.
	DefaultFailureDelay = time.Second
	// DefaultMaxConnections is a cell's 50,000 stores, and room for the others.
	DefaultMaxConnections = 65536
	// DefaultPacketsPerSecond is what a relay may send, acknowledgements of its
	// acks included. An honest one has one report on its way and coalesces
	// changes for 250 ms, so 4 reports a second at most. After an outage a full
	// journal is about 350 more, and as many acknowledgements: 35 s.
	DefaultPacketsPerSecond = 20
	// maxKeepalive is also what a relay without keepalive gets: its reports are
	// a minute apart at most, so 5 minutes of silence are the end.
	maxKeepalive = 5 * time.Minute
	// DefaultCertificateEvery is how often the certificate's files are looked at.
	DefaultCertificateEvery = 10 * time.Second
)

// TLS names the files of a door's certificate. They are read again when they
// change; a pair that cannot be read leaves the old one in use.
type TLS struct {
	CertFile string
	KeyFile  string
}

func (t TLS) on() bool { return t.CertFile != "" || t.KeyFile != "" }

// Options are what a Gate is made of.
type Options struct {
	// MQTTAddr and HTTPAddr are host:port; port 0 takes a free one. A door
	// without TLS must be on loopback, unless Insecure says otherwise.
	MQTTAddr string
	HTTPAddr string
	MQTTTLS  TLS
	HTTPTLS  TLS
	Insecure bool

	Keys *credential.Keyring

	BirthWithin    time.Duration
	ConnectTimeout time.Duration
	BodyTimeout    time.Duration
	Strangers      int
	MaxConnections int // of each door
	FailedLogins   int
	FailureDelay   time.Duration
	// PacketsPerSecond is what the connection of a relay may send: above it, it
	// is read slower, and nothing is lost. 0 is no bound.
	PacketsPerSecond int
	// ExemptLoopback lifts the limits per address on loopback, not the times.
	ExemptLoopback   bool
	CertificateEvery time.Duration

	// Gatherer is what GET /metrics shows; nil: there is no such page.
	Gatherer prometheus.Gatherer

	// Listen opens the doors; nil: net.Listen.
	Listen func(network, address string) (net.Listener, error)

	Logger  *slog.Logger
	Metrics *Metrics
}

// DefaultOptions lack Keys.
func DefaultOptions() Options {
	return Options{
		MQTTAddr: DefaultMQTTAddr, HTTPAddr: DefaultHTTPAddr,
		BirthWithin: DefaultBirthWithin, ConnectTimeout: DefaultConnectTimeout, BodyTimeout: DefaultBodyTimeout,
		Strangers: DefaultStrangers, MaxConnections: DefaultMaxConnections,
		FailedLogins: DefaultFailedLogins, FailureDelay: DefaultFailureDelay, PacketsPerSecond: DefaultPacketsPerSecond,
		CertificateEvery: DefaultCertificateEvery,
	}
}

func (o *Options) validate() error {
	if o.Keys == nil {
		return errors.New("gate: no keys")
	}
	for name, d := range map[string]time.Duration{
		"birthWithin": o.BirthWithin, "connectTimeout": o.ConnectTimeout, "bodyTimeout": o.BodyTimeout,
		"failureDelay": o.FailureDelay, "certificateEvery": o.CertificateEvery,
	} {
		if d <= 0 {
			return fmt.Errorf("gate: %s must be above 0", name)
		}
	}
	if o.Strangers <= 0 || o.FailedLogins <= 0 || o.MaxConnections <= 0 {
		return errors.New("gate: strangers, failedLogins and maxConnections must be above 0")
	}
	return errors.Join(
		CheckDoor(mqttDoor, o.MQTTAddr, o.MQTTTLS, o.Insecure),
		CheckDoor(httpDoor, o.HTTPAddr, o.HTTPTLS, o.Insecure),
	)
}

// CheckDoor says what is wrong with a door's address and certificate, before
// it is opened.
func CheckDoor(name, addr string, t TLS, insecure bool) error {
	if (t.CertFile == "") != (t.KeyFile == "") {
		return fmt.Errorf("gate: the %s door's TLS needs both a certificate and a key file", name)
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("gate: the %s door's address: %w", name, err)
	}
	ip := net.ParseIP(host)
	if open := host == "" || ip != nil && !ip.IsLoopback(); open && !t.on() && !insecure {
		return plainError(name, addr)
	}
	return nil
}

// The doors' names, in errors, logs and metrics.
const (
	mqttDoor = "MQTT"
	httpDoor = "HTTP"
)

// ErrPlain is a door without TLS that others could reach.
var ErrPlain = errors.New("a door without TLS must be on loopback, or the configuration says insecure: true")

func plainError(door, addr string) error {
	return fmt.Errorf("gate: %s door on %s: %w", door, addr, ErrPlain)
}
