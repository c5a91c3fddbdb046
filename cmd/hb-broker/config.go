package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker"
	"github.com/hb-mesh/hb-mesh/broker/credential"
	"github.com/hb-mesh/hb-mesh/broker/gate"
	"github.com/hb-mesh/hb-mesh/broker/peer"
	"github.com/hb-mesh/hb-mesh/cmd/internal/settings"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

type config struct {
	Region  string   `yaml:"region" help:"this region, for example us-east-1"`
	Regions []string `yaml:"regions" help:"all regions, one or two, the same in both configurations"`
	// The first region sorts first.
	SettingsRegion string `yaml:"settingsRegion" help:"the region through which stores are declared and pinned; default: the one that sorts first"`
	Node           string `yaml:"node" help:"this process among those of the region; default: the region"`
	NodeURL        string `yaml:"nodeUrl" help:"this node's HTTP door, http(s)://host:port, for the other nodes of its region; default: where it listens"`
	MQTT           door   `yaml:"mqtt"`
	HTTP           door   `yaml:"http"`
	Insecure       bool   `yaml:"insecure" help:"allow doors without TLS that are not on loopback"`
	// Reads without a key are for a laptop: the page asks for a key else.
	OpenReads bool             `yaml:"openReads" help:"let requests from loopback read without a key; not behind a proxy on the same machine, whose requests all are"`
	Link      string           `yaml:"link" help:"address of the dashboard, for notices"`
	Zone      string           `yaml:"zone" help:"time zone of the times in notices, for example America/Chicago; default UTC"`
	Peer      other            `yaml:"peer"`
	Table     memory           `yaml:"table"`
	Channels  []channel        `yaml:"channels"`
	Burst     int              `yaml:"burst" help:"how many notices of a minute go at once; what follows goes into a digest"`
	Keys      []key            `yaml:"keys"`
	Times     times            `yaml:"times"`
	Log       settings.Logging `yaml:"log"`
}

type door struct {
	Address  string `yaml:"address" help:"host:port of the door; without TLS it must be on loopback"`
	CertFile string `yaml:"certFile" help:"PEM certificate chain; it is read again when it changes"`
	KeyFile  string `yaml:"keyFile" help:"PEM key of the certificate"`
}

type other struct {
	URL    string          `yaml:"url" help:"the other region's HTTP door, http(s)://host:port"`
	Secret settings.Secret `yaml:"secret" help:"shared by both regions, at least 16 bytes"`
	CAFile string          `yaml:"caFile" help:"PEM roots for https; default: the system's"`
}

type memory struct {
	Backend  string `yaml:"backend" help:"dynamodb, or local for one region in one process"`
	Name     string `yaml:"name" help:"the DynamoDB table"`
	Endpoint string `yaml:"endpoint" help:"endpoint of DynamoDB; default: the region's (or AWS_ENDPOINT_URL_DYNAMODB)"`
	Dir      string `yaml:"dir" help:"folder of the local backend"`
}

type channel struct {
	Name         string            `yaml:"name" help:"the channel's name, the same in both regions"`
	Type         string            `yaml:"type" help:"sns, webhook or log"`
	TopicARN     string            `yaml:"topicArn" help:"sns: the topic of this region"`
	Endpoint     string            `yaml:"endpoint" help:"sns: endpoint; default: the region's (or AWS_ENDPOINT_URL_SNS)"`
	URL          settings.Secret   `yaml:"url" help:"webhook: where to POST; it may hold a token"`
	Secrets      []settings.Secret `yaml:"secrets" help:"webhook: whsec_… signing secrets (Standard Webhooks); two are a rotation"`
	Audience     string            `yaml:"audience" help:"people, or programs, which get what people are not told of while it is silenced or closed; default: programs for webhook, people else"`
	AllowPrivate bool              `yaml:"allowPrivate" help:"webhook: allow private and loopback targets"`
}

type key struct {
	Name  string          `yaml:"name" help:"for people: who has the key"`
	Text  settings.Secret `yaml:"text" help:"the key, or the password of relays"`
	Roles []string        `yaml:"roles" help:"beat, read, admin, or relay alone"`
	Store string          `yaml:"store" help:"the one store that the key is for; default: all"`
	Relay string          `yaml:"relay" help:"the one relay that the password is for; default: all of the store"`
}

type times struct {
	Grace     time.Duration `yaml:"grace" help:"how long a lost session may take to come back"`
	Settle    time.Duration `yaml:"settle" help:"how long a node that starts opens nothing from silence"`
	SettleMax time.Duration `yaml:"settleMax" help:"after how long a node that starts has settled at the latest, while stores still come back"`
	Reask     time.Duration `yaml:"reask" help:"how often a question without a final answer is repeated"`
	Ask       time.Duration `yaml:"ask" help:"how long the other region has to answer"`
	Mail      time.Duration `yaml:"mail" help:"how long the other region has to answer through the table, where it does not answer by HTTPS; letters are looked for every fifth of it, and every 3 s at least"`
	Blind     time.Duration `yaml:"blind" help:"how long after a loss home tells without the other region's answer"`
	Gather    time.Duration `yaml:"gather" help:"how long what happens in a store waits for more, to be one message"`
	GatherLan time.Duration `yaml:"gatherLan" help:"the same once two hosts of a store have vanished: then its LAN may be dead"`
	Takeover  time.Duration `yaml:"takeover" help:"how long an incident may stay untold by the other region"`
	AskAgain  time.Duration `yaml:"askAgain" help:"how often the other region is asked while it says that it will tell"`
	ByeLasts  time.Duration `yaml:"byeLasts" help:"how long a goodbye excuses silence"`
	History   time.Duration `yaml:"history" help:"how long history is kept"`
	Lease     time.Duration `yaml:"lease" help:"how long a node stays its region's active one without a word; then a standby takes over"`
	Renew     time.Duration `yaml:"renew" help:"how often the active node renews its lease, and a standby looks at it"`
}

// The audiences of a channel.
const (
	people   = "people"
	programs = "programs"
)

func (c *channel) forPrograms() bool {
	return c.Audience == programs || c.Audience == "" && c.Type == "webhook"
}

func defaults() *config {
	o := broker.DefaultOptions()
	return &config{
		MQTT: door{Address: o.MQTTAddr}, HTTP: door{Address: o.HTTPAddr},
		Table:    memory{Backend: "dynamodb", Name: "hb-mesh"},
		Channels: nil, Burst: o.Burst,
		Times: times{
			Grace: o.Grace, Settle: o.Settle, SettleMax: o.SettleMax, Reask: o.Reask, Ask: o.AskTimeout, Blind: o.Blind,
			Gather: o.Gather, GatherLan: o.GatherLan,
			Takeover: o.Takeover, AskAgain: o.AskAgain, ByeLasts: o.ByeLasts, History: o.HistoryFor,
			Mail: o.MailTimeout, Lease: o.LeaseFor, Renew: o.LeaseRenew,
		},
		Log: settings.DefaultLogging(),
	}
}

func example() *config {
	c := defaults()
	c.Region, c.Regions = "us-east-1", []string{"us-east-1", "us-west-2"}
	c.Peer = other{URL: "http://127.0.0.1:8081", Secret: "change-me-in-both-regions"}
	c.Channels = []channel{
		{Name: "alerts", Type: "sns", TopicARN: "arn:aws:sns:us-east-1:000000000000:hb-mesh-alerts"},
		{Name: "log", Type: "log"},
	}
	c.Keys = []key{{Name: "relays", Text: "change-me", Roles: []string{"relay"}}}
	return c
}

// check says all that is wrong with the configuration.
func (c *config) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if _, err := beat.ParseRegion(c.Region); err != nil {
		bad("region: %w", err)
	}
	seen := map[string]bool{}
	for i, r := range c.Regions {
		if _, err := beat.ParseRegion(r); err != nil {
			bad("regions[%d]: %w", i, err)
		}
		if seen[r] {
			bad("regions[%d]: %s is there twice", i, r)
		}
		seen[r] = true
	}
	if len(c.Regions) > 2 {
		bad("regions: %d of them; a cell has one or two", len(c.Regions))
	}
	if len(c.Regions) > 0 && c.Region != "" && !seen[c.Region] {
		bad("region: %s is not among regions", c.Region)
	}
	if c.SettingsRegion != "" && !seen[c.SettingsRegion] && c.SettingsRegion != c.Region {
		bad("settingsRegion: %s is not among regions", c.SettingsRegion)
	}
	if len(seen) == 2 {
		c.checkPeer(bad)
	}
	if u, err := url.Parse(c.NodeURL); c.NodeURL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		bad("nodeUrl: is not http(s)://host:port")
	}
	if _, err := time.LoadLocation(c.Zone); err != nil {
		bad("zone: %w", err)
	}
	for _, d := range []struct {
		setting string
		door
	}{{"mqtt", c.MQTT}, {"http", c.HTTP}} {
		if err := gate.CheckDoor(d.setting, d.Address, gate.TLS{CertFile: d.CertFile, KeyFile: d.KeyFile}, c.Insecure); err != nil {
			bad("%s.address: %w", d.setting, err)
		}
	}
	c.checkTable(bad)
	c.checkChannels(bad)
	for i := range c.Keys {
		if err := c.Keys[i].request().Validate(); err != nil {
			bad("keys[%d]: %w", i, err)
		}
		if c.Keys[i].Text == "" {
			bad("keys[%d].text: is empty", i)
		}
	}
	c.checkTimes(bad)
	if _, err := c.Log.Logger(io.Discard); err != nil {
		bad("%w", err)
	}
	return errors.Join(errs...)
}

func (c *config) checkPeer(bad func(string, ...any)) {
	if u, err := url.Parse(c.Peer.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		bad("peer.url: two regions need the other one's address, http(s)://host:port")
	}
	if len(c.Peer.Secret) < peer.MinSecret {
		bad("peer.secret: two regions share a secret of at least %d bytes", peer.MinSecret)
	}
}

func (c *config) checkTable(bad func(string, ...any)) {
	switch c.Table.Backend {
	case "dynamodb":
		if c.Table.Name == "" {
			bad("table.name: is empty")
		}
	case "local":
		if c.Table.Dir == "" {
			bad("table.dir: the local backend needs a folder")
		}
		if len(c.Regions) > 1 {
			bad("table.backend: local is one process's; two regions in processes of their own need dynamodb")
		}
	default:
		bad("table.backend: %q is not dynamodb or local", c.Table.Backend)
	}
}

func (c *config) checkChannels(bad func(string, ...any)) {
	names := map[string]bool{}
	for i := range c.Channels {
		ch := &c.Channels[i]
		switch {
		case ch.Name == "":
			bad("channels[%d].name: is empty", i)
		case names[ch.Name]:
			bad("channels[%d].name: %s is there twice", i, ch.Name)
		}
		names[ch.Name] = true
		if !slices.Contains([]string{"", people, programs}, ch.Audience) {
			bad("channels[%d].audience: %q is not people or programs", i, ch.Audience)
		}
		switch ch.Type {
		case "sns":
			if !strings.HasPrefix(ch.TopicARN, "arn:") {
				bad("channels[%d].topicArn: sns needs the ARN of a topic", i)
			}
		case "webhook":
			if ch.URL == "" {
				bad("channels[%d].url: webhook needs an address", i)
			}
		case "log":
		default:
			bad("channels[%d].type: %q is not sns, webhook or log", i, ch.Type)
		}
	}
}

func (c *config) checkTimes(bad func(string, ...any)) {
	t := &c.Times
	for name, d := range map[string]time.Duration{"reask": t.Reask, "ask": t.Ask, "takeover": t.Takeover, "askAgain": t.AskAgain, "byeLasts": t.ByeLasts, "history": t.History, "mail": t.Mail, "renew": t.Renew} {
		if d <= 0 {
			bad("times.%s: must be above 0", name)
		}
	}
	if t.Lease < 2*t.Renew {
		bad("times.lease: must be two times.renew or more")
	}
	for name, d := range map[string]time.Duration{"grace": t.Grace, "settle": t.Settle, "settleMax": t.SettleMax, "gatherLan": t.GatherLan, "blind": t.Blind, "gather": t.Gather} {
		if d < 0 {
			bad("times.%s: must not be negative", name)
		}
	}
}

func (k *key) request() credential.Request {
	r := credential.Request{Name: k.Name, Store: beat.StoreID(k.Store), Relay: beat.RelayID(k.Relay)}
	for _, role := range k.Roles {
		r.Roles = append(r.Roles, credential.Role(role))
	}
	return r
}
