package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hb-mesh/hb-mesh/broker/credential"
	"github.com/hb-mesh/hb-mesh/broker/gate"
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/lease"
	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/broker/peer"
	"github.com/hb-mesh/hb-mesh/broker/peer/link"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Options is all that a Broker needs to know. The zero value is not valid:
// start from DefaultOptions.
type Options struct {
	// Region is this one. Regions are all that are configured, one or two, in
	// both regions the same.
	Region  beat.Region
	Regions []beat.Region
	// SettingsRegion is where operators declare stores and pin them; "" is the
	// first of Regions, in order of their names.
	SettingsRegion beat.Region
	// Node names this process among those of the region. One that starts takes
	// the lease of an older process of its own name at once; others wait until
	// it is free.
	Node string
	// NodeURL is this node's own HTTP door, for others of its region; "": the
	// address where it listens.
	NodeURL string
	// Yields says that this process lost the lease to another one (see
	// ErrSuperseded): it waits, whatever their names.
	Yields bool
	// TermAbove is the term that Broker.LostTo named then.
	TermAbove int64

	// MQTTAddr and HTTPAddr are the doors; those without TLS must be on
	// loopback, unless Insecure.
	MQTTAddr, HTTPAddr string
	MQTTTLS, HTTPTLS   gate.TLS
	Insecure           bool
	// ExemptLoopback lifts the limits per address on loopback.
	ExemptLoopback bool
	// PacketsPerSecond is what a relay's connection may send; 0 is no bound.
	PacketsPerSecond int

	// PeerURL is the other region's HTTP door; PeerSecret is in both
	// configurations, at least peer.MinSecret bytes. PeerTLS may be nil.
	PeerURL    string
	PeerSecret []byte
	PeerTLS    *tls.Config

	// Table is this region's replica; Channels are where notices go.
	Table    table.Table
	Channels []notice.Channel
	// Programs are those of them whose readers are programs: they get what
	// people are not told of.
	Programs []incident.Channel
	// Keys are the credentials of the configuration.
	Keys []credential.Static

	// Grace, Settle, SettleMax, Reask, Blind and ByeLasts are presence's times;
	// Gather, GatherLan, Takeover and AskAgain incident's; AskTimeout bounds a question to the
	// other region, TableTimeout a call of the table.
	Grace, Settle, SettleMax, Reask, Blind, ByeLasts time.Duration
	Gather, GatherLan, Takeover, AskAgain            time.Duration
	// Burst is how many notices of a minute go at once: incident's.
	Burst                    int
	AskTimeout, TableTimeout time.Duration
	// MailTimeout is how long the other region has to answer by the table, where
	// it does not answer by HTTPS. LeaseFor is how long a node's lease lasts
	// without a renewal; it is renewed every LeaseRenew.
	MailTimeout, LeaseFor, LeaseRenew time.Duration
	// BirthWithin is how long a relay may stay without its birth.
	BirthWithin time.Duration
	// HistoryFor is how long history and ended incidents are kept.
	HistoryFor time.Duration

	// Link is the address of the dashboard, for notices; "" leaves it out.
	Link string
	// Zone is the zone of times in notices; nil is UTC.
	Zone *time.Location
	// OpenReads lets requests from loopback read without a key.
	OpenReads bool
	// Backup writes a copy of the table as it is at one instant, for GET
	// /v1/backup; nil: the table gives none, and the call is answered with 404.
	Backup func(io.Writer) error
	// Extra are further handlers of the HTTP door, and Scripts the modules that
	// the page loads after its own (see dashboard.Options.Scripts).
	Extra   map[string]http.Handler
	Scripts []string

	// Listen and Dial open the sockets; nil means net's.
	Listen func(network, address string) (net.Listener, error)
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)

	// Logger is where the broker tells what it does; nil discards it.
	Logger *slog.Logger
	// Registry takes the metrics and is what /metrics shows; nil means one of
	// the broker's own.
	Registry *prometheus.Registry
	// Version is this software's.
	Version string
}

// The defaults that are this package's own, with their reasons.
const (
	// DefaultTableTimeout bounds one call: DynamoDB answers in 10 ms, or
	// something is wrong.
	DefaultTableTimeout = 5 * time.Second
	// DefaultHistoryFor is how long people look back.
	DefaultHistoryFor = 90 * 24 * time.Hour
)

// DefaultOptions has every default; Region, Regions, Table, and, for two
// regions, PeerURL and PeerSecret are left to the caller.
func DefaultOptions() Options {
	p, b := presence.DefaultOptions(), incident.DefaultOptions()
	return Options{
		MQTTAddr: gate.DefaultMQTTAddr, HTTPAddr: gate.DefaultHTTPAddr,
		Grace: p.Grace, Settle: p.Settle, SettleMax: p.SettleMax, Reask: p.Reask, Blind: p.Blind, ByeLasts: p.ByeLasts,
		Gather: b.Gather, GatherLan: b.GatherLan, Burst: b.Burst, Takeover: b.Takeover, AskAgain: b.AskAgain,
		AskTimeout: peer.DefaultTimeout, TableTimeout: DefaultTableTimeout, MailTimeout: link.DefaultMail,
		LeaseFor: lease.DefaultFor, LeaseRenew: lease.DefaultRenew,
		PacketsPerSecond: gate.DefaultPacketsPerSecond,
		BirthWithin:      gate.DefaultBirthWithin, HistoryFor: DefaultHistoryFor,
	}
}

func (o *Options) validate() error {
	if _, err := beat.ParseRegion(string(o.Region)); err != nil {
		return err
	}
	if len(o.Regions) == 0 {
		o.Regions = []beat.Region{o.Region}
	}
	o.Regions = slices.Clone(o.Regions)
	slices.Sort(o.Regions)
	switch {
	case !slices.Contains(o.Regions, o.Region):
		return fmt.Errorf("region %s is not among the regions %v", o.Region, o.Regions)
	case len(o.Regions) > 2:
		return fmt.Errorf("%d regions: a cell has one or two", len(o.Regions))
	case len(o.Regions) == 2 && o.Regions[0] == o.Regions[1]:
		return fmt.Errorf("region %s is there twice", o.Regions[0])
	case len(o.Regions) == 2 && o.PeerURL == "":
		return errors.New("two regions: the other one's address is missing")
	case len(o.Regions) == 2 && len(o.PeerSecret) < peer.MinSecret:
		return fmt.Errorf("two regions: their shared secret has at least %d bytes", peer.MinSecret)
	case o.Table == nil:
		return errors.New("no table")
	case o.Burst < 1:
		return errors.New("burst: at least one notice of a minute goes at once")
	case o.Grace < 0 || o.Settle < 0 || o.SettleMax < 0 || o.Blind < 0 || o.Gather < 0 || o.GatherLan < 0:
		return errors.New("a time is negative")
	case o.LeaseRenew <= 0 || o.LeaseFor < 2*o.LeaseRenew:
		return fmt.Errorf("a lease of %v that is renewed every %v: it lasts two renewals or more", o.LeaseFor, o.LeaseRenew)
	case o.MailTimeout <= 0:
		return errors.New("mailTimeout is above 0")
	case o.Reask <= 0 || o.Takeover <= 0 || o.AskAgain <= 0 || o.AskTimeout <= 0 || o.TableTimeout <= 0 || o.ByeLasts <= 0:
		return errors.New("reask, takeover, askAgain, askTimeout, tableTimeout and byeLasts are above 0")
	}
	if o.SettingsRegion == "" {
		o.SettingsRegion = o.Regions[0]
	}
	if !slices.Contains(o.Regions, o.SettingsRegion) {
		return fmt.Errorf("the settings' region %s is not among the regions %v", o.SettingsRegion, o.Regions)
	}
	if o.Node == "" {
		o.Node = string(o.Region)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	return nil
}

// other is the other region, "" where there is none.
func (o *Options) other() beat.Region {
	for _, r := range o.Regions {
		if r != o.Region {
			return r
		}
	}
	return ""
}
