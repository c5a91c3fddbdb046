package demo

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker"
	"github.com/hb-mesh/hb-mesh/broker/credential"
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/demo/wire"
	"github.com/hb-mesh/hb-mesh/relay"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	store   beat.StoreID = "demo"
	relayID beat.RelayID = "relay1"

	// demoKey opens everything: the demo is on loopback.
	demoKey = "demo"

	registers     = 8
	mqttRegisters = 6
)

func allRegions() []beat.Region { return []beat.Region{east, west} }

// build makes every part and its switch. It starts nothing.
func (d *Demo) build() error {
	network := (&net.Dialer{}).DialContext
	for _, r := range allRegions() {
		d.lines[r] = wire.NewTrunk(network)
		d.links[r] = wire.NewTrunk(network)
		d.fuses[r] = &fuse{}
		d.regions = append(d.regions, d.process("region/"+string(r), d.between(r), func(l *life) (program, error) { return d.newRegion(r, l) }))
	}
	d.relay = d.process("relay", d.wan, d.newRelay)
	for i := range registers {
		host := tillName(i)
		overHTTP := i >= mqttRegisters
		address := d.ports.address(portRelayMQTT)
		if overHTTP {
			address = d.ports.address(portRelayHTTP)
		}
		d.tills = append(d.tills, d.process("register/"+string(host), network, func(l *life) (program, error) {
			return newRegister(host, address, overHTTP, l.power.Dial), nil
		}))
	}
	if err := d.buildFleet(); err != nil {
		return err
	}
	d.mount()
	return nil
}

// mount makes the switches.
func (d *Demo) mount() {
	for _, t := range d.tills {
		d.board.add(t.name, "the register is dead", t)
	}
	d.board.add(d.relay.name, "the relay is dead, as by kill -9", d.relay)
	for _, r := range allRegions() {
		d.board.add("wan/"+string(r), "the relay's path to the region is a black hole", d.cable("wan", d.lines[r]))
	}
	for _, p := range d.regions {
		d.board.add(p.name, "the region's broker is dead, as by kill -9", p)
	}
	d.board.add("link", "the regions' link is a black hole", d.cable("link", d.links[east], d.links[west]))
	for _, r := range allRegions() {
		all := []*wire.Trunk{d.lines[r], d.links[east], d.links[west]}
		if l := d.fleetLines[r]; l != nil {
			all = append(all, l)
		}
		d.board.add("uplink/"+string(r), "the region reaches neither stores nor the other region", d.cable("uplink/"+string(r), all...))
	}
	for _, r := range allRegions() {
		d.board.add("table/"+string(r), "the region's table refuses every call", d.fuses[r])
	}
	if len(d.o.AWS) == 0 {
		d.board.add("replication", "nothing that one region writes reaches the other's table",
			jointSwitch{&d.joint, func(j *joint, off bool) { j.cut = off }})
		d.board.add("replication/lag", "what one region writes reaches the other's table late, and out of order",
			jointSwitch{&d.joint, func(j *joint, off bool) { j.late = off }})
	}
	if d.o.Stores > fewStores {
		d.board.add(storesPrefix+strconv.Itoa(fewStores), crowdText(fewStores, d.o.Stores), crowd{d, fewStores})
	}
	d.board.add(storesPrefix+strconv.Itoa(d.o.Stores), crowdText(d.o.Stores, d.o.Stores), crowd{d, d.o.Stores})
	d.board.more = d.crowdOf
}

// fewStores is a handful that the page offers to unplug.
const fewStores = 20

func (d *Demo) cable(why string, lines ...*wire.Trunk) cable { return cable{why, lines} }

func tillName(i int) beat.HostID { return beat.HostID(fmt.Sprintf("pos%d", i+1)) }

func (d *Demo) process(name string, dial wire.Dialer, boot func(*life) (program, error)) *process {
	return &process{name: name, dial: dial, boot: boot, broke: d.broke}
}

// wan is the relay's network: one line to each region.
func (d *Demo) wan(ctx context.Context, network, address string) (net.Conn, error) {
	for _, r := range allRegions() {
		if address == d.ports.mqtt(r) {
			return d.lines[r].Dial(ctx, network, address)
		}
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// between is a region's network: one line to the other region.
func (d *Demo) between(from beat.Region) wire.Dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == d.ports.http(otherThan(from)) {
			return d.links[from].Dial(ctx, network, address)
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
}

func otherThan(r beat.Region) beat.Region {
	if r == east {
		return west
	}
	return east
}

// newRegion is one life of a region's broker.
func (d *Demo) newRegion(r beat.Region, l *life) (program, error) {
	other := otherThan(r)
	o := broker.DefaultOptions()
	o.Region, o.Regions, o.Node = r, allRegions(), string(r)+"-demo"
	o.MQTTAddr, o.HTTPAddr, o.ExemptLoopback = d.ports.mqtt(r), d.ports.http(r), true
	o.PeerURL, o.PeerSecret = "http://"+d.ports.http(other), d.secret
	o.Table = &tappedTable{to: &fusedTable{d.tables[r], d.fuses[r]}, tap: l.tap}
	for _, c := range d.channels[r] {
		o.Channels = append(o.Channels, &tappedChannel{Channel: c, tap: l.tap})
	}
	if d.o.Webhook != "" { // for programs, as in a broker's configuration
		o.Programs = []incident.Channel{webhookName}
	}
	o.Keys = staticKeys()
	o.Grace, o.Settle, o.Blind, o.Takeover, o.AskTimeout = grace, settle, d.blindFor(), takeover, askTimeout
	o.GatherLan = gatherLan
	if d.o.Stores <= fewStores {
		o.Burst = visitorBurst
	}
	o.Reask, o.AskAgain, o.MailTimeout = reask, reask, takeover
	o.Backup = d.backup
	o.Link, o.Zone, o.OpenReads = "http://"+d.ports.http(r)+"/", time.Local, true
	o.Extra = map[string]http.Handler{panelPath: http.StripPrefix(strings.TrimSuffix(panelPath, "/"), control(d.board))}
	o.Scripts = []string{panelPath + "panel.js"}
	o.Listen, o.Dial = d.regionListen(r, l), l.power.Dial
	o.Logger, o.Version = d.logger(l.quiet, "region/"+string(r)), d.o.Version
	return broker.New(o)
}

// regionListen is how a region opens its ports: light stores may come into its
// MQTT door through pipes.
func (d *Demo) regionListen(r beat.Region, l *life) func(network, address string) (net.Listener, error) {
	return func(network, address string) (net.Listener, error) {
		ln, err := l.power.Listen(network, address)
		if err != nil || d.pipes[r] == nil || address != d.ports.mqtt(r) {
			return ln, err
		}
		return d.pipes[r].Join(ln, l.power), nil
	}
}

// staticKeys are the demo's credentials: one word for everything.
func staticKeys() []credential.Static {
	return []credential.Static{
		{Text: demoKey, Request: credential.Request{Name: "beats of store demo", Roles: []credential.Role{credential.Beat}, Store: store}},
		{Text: demoKey, Request: credential.Request{Name: "the API", Roles: []credential.Role{credential.Admin}}},
		{Text: demoKey, Request: credential.Request{Name: "relays of any store", Roles: []credential.Role{credential.Relay}}},
	}
}

// newRelay is one life of the store's relay.
func (d *Demo) newRelay(l *life) (program, error) {
	o := relay.DefaultOptions()
	o.Store, o.Relay, o.DataDir = store, relayID, filepath.Join(d.dir, "relay")
	o.MQTTAddr, o.HTTPAddr = d.ports.address(portRelayMQTT), d.ports.address(portRelayHTTP)
	for _, r := range allRegions() {
		o.Regions = append(o.Regions, relay.Region{Name: r, Address: "tcp://" + d.ports.mqtt(r), Password: demoKey})
	}
	o.ReportEvery, o.Keepalive, o.AckTimeout = reportEvery, keepalive, ackTimeout
	o.ReconnectFirst, o.ReconnectCap, o.Handshake = reconnectFirst, reconnectCap, handshake
	o.Grace, o.Blip, o.WarmUp, o.ExemptLoopback = grace, blip, warmUp, true
	o.Shutdown = shutdown
	o.Listen, o.Dial = l.power.Listen, l.power.Dial
	o.Logger, o.Version = d.logger(l.quiet, "relay"), d.o.Version
	return relay.New(o)
}

// commonChannels are a region's channels: the screen and the webhook are the same
// for both, as one destination of people is.
func (d *Demo) commonChannels() ([]notice.Channel, error) {
	all := []notice.Channel{d.screen}
	if d.o.Webhook != "" {
		w, err := d.o.webhook()
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}
