package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/hb-mesh/hb-mesh/broker"
	"github.com/hb-mesh/hb-mesh/broker/credential"
	"github.com/hb-mesh/hb-mesh/broker/gate"
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cloud/dynamo"
	"github.com/hb-mesh/hb-mesh/cloud/local"
	"github.com/hb-mesh/hb-mesh/cloud/sns"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// serve runs the broker until ctx ends.
func serve(ctx context.Context, c *config) error {
	log, err := c.Log.Logger(os.Stderr)
	if err != nil {
		return err
	}
	// A node whose region has another active one begins anew, as its standby.
	for lost := int64(0); ; {
		var err error
		if lost, err = c.live(ctx, log, lost); !errors.Is(err, broker.ErrSuperseded) {
			return err
		}
		log.Warn("starting anew, as a standby")
	}
}

// live is one life of the node, which lost the life before to a term, or to
// none; it returns the term to which it lost this one.
func (c *config) live(ctx context.Context, log *slog.Logger, lost int64) (int64, error) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	o, err := c.options(log, reg)
	if err != nil {
		return 0, err
	}
	o.Yields, o.TermAbove = lost > 0, lost
	closeTable, err := c.openTable(ctx, &o)
	if err != nil {
		return 0, err
	}
	defer closeTable()
	if o.Channels, err = c.openChannels(ctx, log); err != nil {
		return 0, err
	}
	b, err := broker.New(o)
	if err != nil {
		return 0, err
	}
	err = b.Run(ctx)
	return b.LostTo(), err
}

func (c *config) options(log *slog.Logger, reg *prometheus.Registry) (broker.Options, error) {
	o := broker.DefaultOptions()
	o.Region, o.Node = beat.Region(c.Region), c.Node
	o.SettingsRegion = beat.Region(c.SettingsRegion)
	for _, r := range c.Regions {
		o.Regions = append(o.Regions, beat.Region(r))
	}
	o.MQTTAddr, o.HTTPAddr, o.Insecure, o.OpenReads = c.MQTT.Address, c.HTTP.Address, c.Insecure, c.OpenReads
	o.MQTTTLS, o.HTTPTLS = gate.TLS{CertFile: c.MQTT.CertFile, KeyFile: c.MQTT.KeyFile}, gate.TLS{CertFile: c.HTTP.CertFile, KeyFile: c.HTTP.KeyFile}
	o.PeerURL, o.PeerSecret, o.Link = c.Peer.URL, []byte(string(c.Peer.Secret)), c.Link
	o.Grace, o.Settle, o.Reask, o.Blind, o.ByeLasts = c.Times.Grace, c.Times.Settle, c.Times.Reask, c.Times.Blind, c.Times.ByeLasts
	o.SettleMax, o.GatherLan, o.Burst = c.Times.SettleMax, c.Times.GatherLan, c.Burst
	o.Gather, o.Takeover, o.AskAgain, o.AskTimeout = c.Times.Gather, c.Times.Takeover, c.Times.AskAgain, c.Times.Ask
	o.MailTimeout, o.LeaseFor, o.LeaseRenew, o.NodeURL = c.Times.Mail, c.Times.Lease, c.Times.Renew, c.NodeURL
	o.HistoryFor, o.Logger, o.Registry, o.Version = c.Times.History, log, reg, version
	for i := range c.Channels {
		if c.Channels[i].forPrograms() {
			o.Programs = append(o.Programs, incident.Channel(c.Channels[i].Name))
		}
	}
	for i := range c.Keys {
		k := &c.Keys[i]
		o.Keys = append(o.Keys, credential.Static{Request: k.request(), Text: string(k.Text)})
	}
	var err error
	if o.Zone, err = time.LoadLocation(c.Zone); err != nil {
		return o, fmt.Errorf("zone: %w", err)
	}
	if c.Peer.CAFile != "" {
		if o.PeerTLS, err = roots(c.Peer.CAFile); err != nil {
			return o, fmt.Errorf("peer.caFile: %w", err)
		}
	}
	return o, nil
}

func roots(file string) (*tls.Config, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in it")
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// openTable opens the backend; the function that it returns closes it.
func (c *config) openTable(ctx context.Context, o *broker.Options) (func(), error) {
	if c.Table.Backend == "local" {
		lo := local.DefaultOptions(c.Table.Dir, o.Region)
		lo.Logger = o.Logger
		s, err := local.Open(lo)
		if err != nil {
			return nil, err
		}
		o.Table, o.Backup = s.Region(o.Region), s.Backup
		return func() {
			if err := s.Close(); err != nil {
				o.Logger.Error("the table was not closed", "err", err)
			}
		}, nil
	}
	cfg, err := c.aws(ctx, c.Table.Endpoint)
	if err != nil {
		return nil, err
	}
	do := dynamo.DefaultOptions()
	do.Name, do.Logger, do.Metrics = c.Table.Name, o.Logger, dynamo.NewMetrics(o.Registry)
	var t table.Table
	if t, err = dynamo.New(cfg, do); err != nil {
		return nil, err
	}
	o.Table = t
	return func() {}, nil
}

// aws is the SDK's configuration for this region.
func (c *config) aws(ctx context.Context, endpoint string) (aws.Config, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(c.Region))
	if err != nil {
		return cfg, fmt.Errorf("aws: %w", err)
	}
	if endpoint != "" {
		// The sources hold AWS_ENDPOINT_URL_…, which the SDK prefers to
		// BaseEndpoint: what the configuration names must win.
		cfg.BaseEndpoint, cfg.ConfigSources = aws.String(endpoint), nil
	}
	return cfg, nil
}

func (c *config) openChannels(ctx context.Context, log *slog.Logger) ([]notice.Channel, error) {
	var all []notice.Channel
	for i := range c.Channels {
		ch, err := c.openChannel(ctx, &c.Channels[i], log)
		if err != nil {
			return nil, fmt.Errorf("channels[%d]: %w", i, err)
		}
		all = append(all, ch)
	}
	return all, nil
}

func (c *config) openChannel(ctx context.Context, ch *channel, log *slog.Logger) (notice.Channel, error) {
	name := incident.Channel(ch.Name)
	switch ch.Type {
	case "sns":
		cfg, err := c.aws(ctx, ch.Endpoint)
		if err != nil {
			return nil, err
		}
		o := sns.DefaultOptions()
		o.Name, o.TopicARN = name, ch.TopicARN
		return sns.New(o, cfg)
	case "webhook":
		o := notice.DefaultWebhookOptions()
		o.Name, o.URL, o.AllowPrivate = name, string(ch.URL), ch.AllowPrivate
		for _, s := range ch.Secrets {
			o.Secrets = append(o.Secrets, string(s))
		}
		return notice.NewWebhook(o)
	default:
		return notice.NewLog(name, log), nil
	}
}
