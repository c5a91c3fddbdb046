package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/internal/settings"
	"github.com/hb-mesh/hb-mesh/relay"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

type config struct {
	Store    string            `yaml:"store" help:"the store's id: a-z, 0-9 and -, at most 63"`
	Relay    string            `yaml:"relay" help:"this relay's id within the store"`
	Data     string            `yaml:"data" help:"folder for what must survive a power cut; it is made if it is missing"`
	MQTT     door              `yaml:"mqtt" help:"the door for MQTT"`
	HTTP     door              `yaml:"http" help:"the door for HTTP, with this relay's page"`
	Keyed    bool              `yaml:"keyed" help:"ask registers for one of the keys (HTTP: x-api-key; MQTT: password)"`
	Keys     []settings.Secret `yaml:"keys" help:"the keys of a keyed door"`
	Regions  []region          `yaml:"regions" help:"one or two regions to report to"`
	Insecure bool              `yaml:"insecure" help:"allow tcp:// to regions that are not on loopback"`
	LAN      lan               `yaml:"lan" help:"the store's network"`
	Restarts bool              `yaml:"restarts" help:"a stop (SIGTERM) is a restart: the regions await the relay within minutes, not at the next opening. SIGHUP always is one"`
	Times    times             `yaml:"times" help:"after a dead link a relay must be back before the regions call it lost: config check holds that"`
	Limits   limits            `yaml:"limits" help:"what the LAN may do"`
	// MemoryMB is soft: Go collects more often near it. GOMEMLIMIT wins.
	MemoryMB int              `yaml:"memoryMB" help:"soft limit of memory, in MB (GOMEMLIMIT is stronger); 0 is none"`
	Log      settings.Logging `yaml:"log" help:"the log, on standard error"`
}

type door struct {
	Address string `yaml:"address" help:"host:port where the store's computers come in"`
}

type lan struct {
	Interface string `yaml:"interface" help:"network interface to the store's LAN: when it has no carrier, the LAN is dead; default: only the computers' silence tells"`
}

type region struct {
	Name     string          `yaml:"name" help:"the region's name, for example us-east-1"`
	Address  string          `yaml:"address" help:"tls://host:port; tcp://host:port is plain, for loopback"`
	User     string          `yaml:"user" help:"MQTT user; default: store/relay"`
	Password settings.Secret `yaml:"password" help:"its password"`
	CAFile   string          `yaml:"caFile" help:"PEM roots for tls://; default: the system's"`
}

type times struct {
	ReportEvery    time.Duration `yaml:"reportEvery" help:"time between reports of a steady store (60s on a metered link)"`
	Keepalive      time.Duration `yaml:"keepalive" help:"MQTT keepalive to the regions (60s on a metered link)"`
	AckTimeout     time.Duration `yaml:"ackTimeout" help:"a report without receipt for so long ends its connection"`
	ReconnectFirst time.Duration `yaml:"reconnectFirst" help:"the first attempt after a lost connection comes within it"`
	ReconnectCap   time.Duration `yaml:"reconnectCap" help:"later attempts come within at most it"`
	Handshake      time.Duration `yaml:"handshake" help:"how long an attempt may take"`
	Coalesce       time.Duration `yaml:"coalesce" help:"changes within it share a report; 0s is none"`
	Grace          time.Duration `yaml:"grace" help:"the regions' grace, to check that these times fit it"`
	Blip           time.Duration `yaml:"blip" help:"how long a computer may be without connection"`
	WarmUp         time.Duration `yaml:"warmUp" help:"after a start, the least time for computers to come back"`
	ConnectTimeout time.Duration `yaml:"connectTimeout" help:"the time for a whole MQTT CONNECT from accept"`
	Shutdown       time.Duration `yaml:"shutdown" help:"the time to say bye and close"`
}

type limits struct {
	NewHostsPerHour       int  `yaml:"newHostsPerHour" help:"new computers an hour, half of them from one address at most (loopback: all); 0 is no limit"`
	ConnectionsPerAddress int  `yaml:"connectionsPerAddress" help:"MQTT connections of one address; 0 is no limit"`
	BeatsPerSecond        int  `yaml:"beatsPerSecond" help:"beats a second of one connection; 0 is no limit"`
	ExemptLoopback        bool `yaml:"exemptLoopback" help:"no such limits for this machine itself"`
}

// defaultMemoryMB leaves room below 64 MB for what Go does not count: the
// mapped files of the journal, and the stacks.
const defaultMemoryMB = 48

func defaults() *config {
	o := relay.DefaultOptions()
	return &config{
		Data: "hb-relay-data", Relay: "r1", MQTT: door{o.MQTTAddr}, HTTP: door{o.HTTPAddr},
		Times: times{
			ReportEvery: o.ReportEvery, Keepalive: o.Keepalive, AckTimeout: o.AckTimeout,
			ReconnectFirst: o.ReconnectFirst, ReconnectCap: o.ReconnectCap, Handshake: o.Handshake,
			Coalesce: o.Coalesce, Grace: o.Grace, Blip: o.Blip, WarmUp: o.WarmUp,
			ConnectTimeout: o.ConnectTimeout, Shutdown: o.Shutdown,
		},
		Limits: limits{
			NewHostsPerHour: o.NewHostsPerHour, ConnectionsPerAddress: o.ConnectionsPerAddress, BeatsPerSecond: o.BeatsPerSecond,
		},
		MemoryMB: defaultMemoryMB, Log: settings.DefaultLogging(),
	}
}

func example() *config {
	c := defaults()
	c.Store = "store-0042"
	c.Regions = []region{
		{Name: "us-east-1", Address: "tls://mqtt.us-east-1.example.com:8883", Password: "change-me"},
		{Name: "us-west-2", Address: "tls://mqtt.us-west-2.example.com:8883", Password: "change-me"},
	}
	return c
}

// check says all that is wrong with the configuration.
func (c *config) check() error {
	o, err := c.options()
	_, logErr := c.Log.Logger(io.Discard)
	if c.MemoryMB < 0 {
		err = errors.Join(err, fmt.Errorf("memoryMB: %d is below 0", c.MemoryMB))
	}
	return errors.Join(err, o.Validate(), logErr)
}

// options are the relay's, without logger and registry.
func (c *config) options() (relay.Options, error) {
	t, l := &c.Times, &c.Limits
	o := relay.DefaultOptions()
	o.Store, o.Relay, o.DataDir = beat.StoreID(c.Store), beat.RelayID(c.Relay), c.Data
	o.MQTTAddr, o.HTTPAddr, o.Keyed, o.Insecure = c.MQTT.Address, c.HTTP.Address, c.Keyed, c.Insecure
	for _, k := range c.Keys {
		o.Keys = append(o.Keys, string(k))
	}
	o.ReportEvery, o.Keepalive, o.AckTimeout = t.ReportEvery, t.Keepalive, t.AckTimeout
	o.ReconnectFirst, o.ReconnectCap, o.Handshake = t.ReconnectFirst, t.ReconnectCap, t.Handshake
	o.Coalesce, o.Grace, o.Blip, o.WarmUp = t.Coalesce, t.Grace, t.Blip, t.WarmUp
	o.LANInterface, o.Restarts = c.LAN.Interface, c.Restarts
	o.ConnectTimeout, o.Shutdown = t.ConnectTimeout, t.Shutdown
	o.NewHostsPerHour, o.ConnectionsPerAddress = l.NewHostsPerHour, l.ConnectionsPerAddress
	o.BeatsPerSecond, o.ExemptLoopback, o.Version = l.BeatsPerSecond, l.ExemptLoopback, version
	var errs []error
	for i := range c.Regions {
		r := &c.Regions[i]
		to := relay.Region{Name: beat.Region(r.Name), Address: r.Address, User: r.User, Password: string(r.Password)}
		if r.CAFile != "" {
			var err error
			if to.TLS, err = roots(r.CAFile); err != nil {
				errs = append(errs, fmt.Errorf("regions[%d].caFile: %w", i, err))
			}
		}
		o.Regions = append(o.Regions, to)
	}
	return o, errors.Join(errs...)
}

func roots(file string) (*tls.Config, error) {
	pem, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read the roots: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}
