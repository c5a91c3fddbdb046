package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// The defaults, and why they are what they are.
const (
	// DefaultReportEvery keeps a steady store at about 100 bytes a quarter minute.
	DefaultReportEvery = 15 * time.Second
	// DefaultKeepalive lets a broker find a dead link after 30 s.
	DefaultKeepalive = 20 * time.Second
	// DefaultAckTimeout ends a connection whose report got no PUBACK: the
	// client's own ping finds a dead link only after 35 s.
	DefaultAckTimeout = 10 * time.Second
	// DefaultReconnectFirst and DefaultHandshake make 5 s from a lost
	// connection to the next birth.
	DefaultReconnectFirst = time.Second
	DefaultHandshake      = 4 * time.Second
	// DefaultReconnectCap bounds the full jitter of later attempts.
	DefaultReconnectCap = 30 * time.Second
	// DefaultCoalesce lets changes that come together share a report.
	DefaultCoalesce = 250 * time.Millisecond
	// DefaultGrace is the regions' grace: they call a store lost so long after
	// its silence or end was noticed.
	DefaultGrace = 10 * time.Second
	// DefaultBlip is how long a host may be without a connection before it is
	// gone: a register that restarts its client is no outage.
	DefaultBlip = 2 * time.Second
	// DefaultWarmUp is the least time that a started relay waits for its hosts.
	DefaultWarmUp = 5 * time.Minute
	// DefaultNewHostsPerHour bounds what a stranger on the LAN can add.
	DefaultNewHostsPerHour = 20
	// DefaultChangesPerHost bounds what one host's flapping may cost: 15 outages
	// in 10 minutes.
	DefaultChangesPerHost = 30
	// DefaultConnectionsPerAddress bounds the LAN's MQTT connections of one address.
	DefaultConnectionsPerAddress = 64
	// DefaultBeatsPerSecond bounds the beats of one LAN connection.
	DefaultBeatsPerSecond = 50
	// DefaultConnectTimeout is the time for a whole CONNECT from accept.
	DefaultConnectTimeout = 10 * time.Second
	// DefaultShutdown bounds how long Run takes to say bye and close.
	DefaultShutdown = 3 * time.Second
)

// Region is one region to report to.
type Region struct {
	Name beat.Region
	// Address is tcp://host:port (plain: loopback only, unless
	// Options.Insecure), or tls://host:port.
	Address string
	// User defaults to store/relay. Password belongs to it.
	User     string
	Password string
	// TLS is for tls addresses; nil means the system's roots.
	TLS *tls.Config
}

// Options is all that a Relay needs to know. The zero value is not valid:
// start from DefaultOptions.
type Options struct {
	// Store and Relay are who this relay is.
	Store beat.StoreID
	Relay beat.RelayID
	// DataDir is the folder of the journal. It is made if it is missing.
	DataDir string

	// MQTTAddr and HTTPAddr are where the LAN's doors listen.
	MQTTAddr string
	HTTPAddr string
	// Keyed asks registers for one of Keys: as HTTP key or MQTT password.
	Keyed bool
	Keys  []string

	// Regions are one or two; they are equal, the regions say who is home.
	Regions []Region
	// Insecure allows plain connections to regions that are not on loopback.
	Insecure bool

	// ReportEvery is the time between steady reports, Keepalive MQTT's.
	ReportEvery time.Duration
	Keepalive   time.Duration
	// AckTimeout is how long a report may wait for its PUBACK.
	AckTimeout time.Duration
	// ReconnectFirst and ReconnectCap bound the jitter of the first attempt
	// after a lost connection, and of all later ones. Handshake is how long an
	// attempt may take until its CONNACK.
	ReconnectFirst time.Duration
	ReconnectCap   time.Duration
	Handshake      time.Duration
	// Coalesce is how long a changed picture waits for more changes; 0 is none.
	Coalesce time.Duration
	// Grace is the grace of the regions. The relay does not use it, except to
	// refuse times with which it would be called lost before it could come back.
	Grace time.Duration
	// Blip is how long a host may be without connection; 0 is not at all.
	Blip time.Duration
	// WarmUp is the least time after the start in which a host that is not yet
	// back is unknown instead of missing.
	WarmUp time.Duration

	// NewHostsPerHour bounds new host ids; 0 is no limit.
	NewHostsPerHour int
	// ChangesPerHost bounds the changes of a host in 10 minutes: above it the
	// host is shown by the worse of its states until it was calm for a minute. 0
	// is no limit.
	ChangesPerHost int
	// ConnectionsPerAddress and BeatsPerSecond (of a connection) bound the
	// LAN; 0 is no limit.
	ConnectionsPerAddress int
	BeatsPerSecond        int
	// ConnectTimeout is the time for a whole CONNECT from accept.
	ConnectTimeout time.Duration
	// ExemptLoopback lifts the limits per address, connection and hour on
	// loopback, for demos and tests; not ConnectTimeout.
	ExemptLoopback bool

	// LANInterface is the network interface to the store's LAN: when it loses its
	// carrier, the LAN is dead. "" leaves that to the beats alone.
	LANInterface string
	// Restarts says that a stop of this relay is a restart, which the regions
	// await within minutes: it is never switched off on purpose. Else a stop is
	// the store's, until the next opening. See ErrRestart.
	Restarts bool

	// Shutdown bounds how long Run takes to say bye and close.
	Shutdown time.Duration

	// Listen and Dial open the sockets; nil means net's.
	Listen func(network, address string) (net.Listener, error)
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)

	// Carrier says whether an interface has a carrier; nil asks Linux's /sys.
	Carrier func(name string) (bool, error)

	// Logger is where the relay tells what it does; nil discards it.
	Logger *slog.Logger
	// Registry takes the relay's metrics and is what /metrics shows; nil means
	// one of the relay's own.
	Registry *prometheus.Registry
	// Version is this software's, for reports and pages.
	Version string
}

// DefaultOptions has every default; Store, Relay, DataDir and Regions are left
// to the caller.
func DefaultOptions() Options {
	return Options{
		MQTTAddr: ":1883", HTTPAddr: ":8080",
		ReportEvery: DefaultReportEvery, Keepalive: DefaultKeepalive, AckTimeout: DefaultAckTimeout,
		ReconnectFirst: DefaultReconnectFirst, ReconnectCap: DefaultReconnectCap, Handshake: DefaultHandshake,
		Coalesce: DefaultCoalesce, Grace: DefaultGrace, Blip: DefaultBlip, WarmUp: DefaultWarmUp,
		NewHostsPerHour: DefaultNewHostsPerHour, ChangesPerHost: DefaultChangesPerHost, ConnectionsPerAddress: DefaultConnectionsPerAddress,
		BeatsPerSecond: DefaultBeatsPerSecond, ConnectTimeout: DefaultConnectTimeout,
		Shutdown: DefaultShutdown, Version: "dev",
	}
}

// Validate says what is wrong with the options, all of it, one error per line.
func (o *Options) Validate() error {
	var errs []error
	if _, err := beat.ParseStoreID(string(o.Store)); err != nil {
		errs = append(errs, fmt.Errorf("store: %w", err))
	}
	if _, err := beat.ParseRelayID(string(o.Relay)); err != nil {
		errs = append(errs, fmt.Errorf("relay: %w", err))
	}
	if o.DataDir == "" {
		errs = append(errs, errors.New("data: name a folder for what must survive a power cut"))
	}
	if strings.ContainsAny(o.LANInterface, "/ \t\n") || strings.Contains(o.LANInterface, "..") {
		errs = append(errs, fmt.Errorf("lan.interface: %q is no name of a network interface", o.LANInterface))
	}
	errs = append(errs, o.checkLAN()...)
	errs = append(errs, o.checkRegions()...)
	errs = append(errs, o.checkTimes()...)
	return errors.Join(errs...)
}

func (o *Options) checkLAN() []error {
	var errs []error
	for _, a := range []struct{ name, addr string }{{"mqtt.address", o.MQTTAddr}, {"http.address", o.HTTPAddr}} {
		if _, _, err := net.SplitHostPort(a.addr); err != nil {
			errs = append(errs, fmt.Errorf("%s: want address:port: %w", a.name, err))
		}
	}
	if o.Keyed && len(o.Keys) == 0 {
		errs = append(errs, errors.New("keyed: a keyed door needs keys"))
	}
	for i, k := range o.Keys {
		if k == "" {
			errs = append(errs, fmt.Errorf("keys[%d]: an empty key would open the door to all", i))
		}
	}
	if o.NewHostsPerHour < 0 || o.ChangesPerHost < 0 || o.ConnectionsPerAddress < 0 || o.BeatsPerSecond < 0 {
		errs = append(errs, errors.New("limits: a limit is 0 (none) or more"))
	}
	return errs
}

// maxRegions is two: the design knows a region and the other one.
const maxRegions = 2

func (o *Options) checkRegions() []error {
	var errs []error
	if len(o.Regions) == 0 || len(o.Regions) > maxRegions {
		errs = append(errs, fmt.Errorf("regions: want one or two, have %d", len(o.Regions)))
	}
	seen := map[beat.Region]bool{}
	for i := range o.Regions {
		r := &o.Regions[i]
		if _, err := beat.ParseRegion(string(r.Name)); err != nil {
			errs = append(errs, fmt.Errorf("regions[%d].name: %w", i, err))
		}
		if seen[r.Name] {
			errs = append(errs, fmt.Errorf("regions[%d].name: %s is there twice", i, r.Name))
		}
		seen[r.Name] = true
		if err := checkAddress(r.Address, o.Insecure); err != nil {
			errs = append(errs, fmt.Errorf("regions[%d].address: %w", i, err))
		}
	}
	return errs
}

func checkAddress(address string, insecure bool) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("read %q: %w", address, err)
	}
	if u.Hostname() == "" || u.Port() == "" || strings.Trim(u.Path, "/") != "" {
		return fmt.Errorf("want tls://host:port or tcp://host:port, have %q", address)
	}
	switch u.Scheme {
	case "tls":
		return nil
	case "tcp":
		if !insecure && !loopback(u.Hostname()) {
			return fmt.Errorf("%s is plain and not on loopback: use tls://, or say insecure: true", address)
		}
		return nil
	default:
		return fmt.Errorf("want tls://host:port or tcp://host:port, have %q", address)
	}
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

func (o *Options) checkTimes() []error {
	var errs []error
	positive := []struct {
		name string
		d    time.Duration
	}{
		{"reportEvery", o.ReportEvery}, {"keepalive", o.Keepalive}, {"ackTimeout", o.AckTimeout},
		{"reconnectFirst", o.ReconnectFirst}, {"reconnectCap", o.ReconnectCap}, {"handshake", o.Handshake},
		{"connectTimeout", o.ConnectTimeout}, {"shutdown", o.Shutdown},
	}
	for _, p := range positive {
		if p.d <= 0 {
			errs = append(errs, fmt.Errorf("times.%s: %v is not above 0", p.name, p.d))
		}
	}
	for _, p := range []struct {
		name string
		d    time.Duration
	}{{"coalesce", o.Coalesce}, {"blip", o.Blip}, {"warmUp", o.WarmUp}, {"grace", o.Grace}} {
		if p.d < 0 {
			errs = append(errs, fmt.Errorf("times.%s: %v is below 0", p.name, p.d))
		}
	}
	if o.Keepalive > 0 && o.Keepalive < time.Second {
		errs = append(errs, fmt.Errorf("times.keepalive: %v: MQTT counts whole seconds", o.Keepalive))
	}
	// A relay whose link dies must be back before a region calls it lost.
	back := o.ReportEvery + o.AckTimeout + o.ReconnectFirst + o.Handshake
	lost := min(o.Keepalive*3/2, 3*o.ReportEvery) + o.Grace
	if back >= lost {
		errs = append(errs, fmt.Errorf("times: after a dead link this relay is back in %v (reportEvery %v + ackTimeout %v + reconnectFirst %v + handshake %v), "+
			"but the regions call it lost after %v (the lesser of 1.5 x keepalive %v and 3 x reportEvery, + grace %v): shorten the former or lengthen the latter",
			back, o.ReportEvery, o.AckTimeout, o.ReconnectFirst, o.Handshake, lost, o.Keepalive, o.Grace))
	}
	return errs
}
