package bench

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hb-mesh/hb-mesh/broker"
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/cloud/local"
	"github.com/hb-mesh/hb-mesh/relay"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	meshStore beat.StoreID = "bench"
	meshRelay beat.RelayID = "r1"
)

// told is a notice that a channel was handed.
type told struct {
	at     time.Time
	change incident.Change
	host   beat.HostID
}

// ear is the channel that notices end in.
type ear chan told

var _ notice.Channel = ear(nil)

// Name is the channel's.
func (ear) Name() incident.Channel { return "bench" }

// Publish takes down when the message came.
func (e ear) Publish(ctx context.Context, m notice.Message) error {
	at := time.Now()
	var event struct {
		Data struct {
			Items []struct {
				Change incident.Change `json:"change"`
				Host   beat.HostID     `json:"host"`
			} `json:"items"`
		} `json:"data"`
	}
	if err := json.Unmarshal(m.Event, &event); err != nil {
		return errors.Join(notice.ErrPermanent, err)
	}
	for _, i := range event.Data.Items {
		select {
		case e <- told{at: at, change: i.Change, host: i.Host}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// mesh is a relay and the brokers of two regions, on loopback sockets.
type mesh struct {
	ear   ear
	table *local.Store
	lan   string // the address of the relay's MQTT door
	ends  []func() error
	dir   string
}

func (m *mesh) close() error {
	var errs []error
	for _, end := range slices.Backward(m.ends) {
		errs = append(errs, end())
	}
	return errors.Join(append(errs, m.table.Close(), os.RemoveAll(m.dir))...)
}

// openMesh starts two brokers, whose tables are in memory or on this disk.
func openMesh(ctx context.Context, onDisk bool) (m *mesh, regions []relay.Region, err error) {
	m = &mesh{ear: make(ear, 64)}
	if m.dir, err = os.MkdirTemp("", "hb-bench-mesh-"); err != nil {
		return nil, nil, err
	}
	tables := inMemory()
	if onDisk {
		tables = local.DefaultOptions(filepath.Join(m.dir, "table"), regionEast, regionWest)
	}
	if m.table, err = local.Open(tables); err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(m.dir))
	}
	east, eastErr := freeAddress()
	west, westErr := freeAddress()
	if err := errors.Join(eastErr, westErr); err != nil {
		return nil, nil, errors.Join(err, m.close())
	}
	secret := []byte(rand.Text() + rand.Text())
	for _, r := range []struct {
		region     beat.Region
		http, peer string
	}{{regionEast, east, west}, {regionWest, west, east}} {
		o := broker.DefaultOptions()
		o.Region, o.Regions, o.Table = r.region, []beat.Region{regionEast, regionWest}, m.table.Region(r.region)
		o.MQTTAddr, o.HTTPAddr, o.ExemptLoopback = anyPort, r.http, true
		o.PeerURL, o.PeerSecret = "http://"+r.peer, secret
		o.Keys, o.Registry = relayKeys(), prometheus.NewRegistry()
		o.Channels, o.Settle, o.Gather, o.GatherLan, o.Burst = []notice.Channel{m.ear}, 0, 0, 0, math.MaxInt
		b, err := broker.New(o)
		if err != nil {
			return nil, nil, errors.Join(err, m.close())
		}
		end, err := start(ctx, b)
		if err != nil {
			return nil, nil, errors.Join(err, m.close())
		}
		m.ends = append(m.ends, end)
		regions = append(regions, relay.Region{Name: r.region, Address: "tcp://" + b.MQTTAddr().String(), Password: generatorPassword})
	}
	return m, regions, nil
}

// addRelay starts a relay that waits for nothing.
func (m *mesh) addRelay(ctx context.Context, regions []relay.Region) error {
	var err error
	if m.lan, err = freeAddress(); err != nil {
		return err
	}
	o := relay.DefaultOptions()
	o.Store, o.Relay, o.DataDir = meshStore, meshRelay, filepath.Join(m.dir, "relay")
	o.MQTTAddr, o.HTTPAddr, o.ExemptLoopback, o.Regions = m.lan, anyPort, true, regions
	o.NewHostsPerHour, o.ConnectionsPerAddress, o.BeatsPerSecond = 0, 0, 0
	o.Blip, o.Coalesce = 0, 0
	r, err := relay.New(o)
	if err != nil {
		return err
	}
	end, err := start(ctx, r)
	if err == nil {
		m.ends = append(m.ends, end)
	}
	return err
}

// notice is how long it takes from a register's death to the call of a channel.
// The row is the mesh's own part. A notice is written to the table before it is
// sent, so with the embedded table on a disk that disk's sync comes on top: it
// is said, and no row, for it says more of the disk than of the mesh.
func (b *Bench) notice(ctx context.Context) ([]Row, error) {
	b.say("notice: %d rounds of a register whose socket ends without DISCONNECT; a relay and two brokers in one process on loopback sockets, blip, gather, coalescing 0; the relay's journal on this disk, synced", b.plan.rounds)
	ms, err := b.losses(ctx, false)
	if err != nil {
		return nil, err
	}
	p50, p99 := quantile(ms, 0.5), quantile(ms, 0.99)
	row := Row{Name: fmt.Sprintf("register killed to notice, table in memory, p99 (p50 %.2f ms)", p50), Value: p99, Unit: "ms", Goal: 10, AtMost: true}
	_, err = b.losses(ctx, true)
	return []Row{row}, err
}

// losses is how long each of many registers' deaths took to be told, in ms.
func (b *Bench) losses(ctx context.Context, onDisk bool) (ms []float64, err error) {
	m, regions, err := openMesh(ctx, onDisk)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	if err := m.addRelay(ctx, regions); err != nil {
		return nil, err
	}
	const registers = 8
	for round := range registers + b.plan.rounds {
		host := beat.HostID(fmt.Sprintf("pos%d", round%registers))
		took, err := m.lose(ctx, host)
		if err != nil {
			return nil, fmt.Errorf("round %d: %w", round, err)
		}
		if round >= registers { // the first of each host is its adoption, too
			ms = append(ms, float64(took.Microseconds())/1000)
		}
	}
	where := "in memory"
	if onDisk {
		where = "on this disk, synced"
	}
	b.say("notice: table %s: p50 %.2f ms, p90 %.2f ms, p99 %.2f ms, worst %.2f ms",
		where, quantile(ms, 0.5), quantile(ms, 0.9), quantile(ms, 0.99), quantile(ms, 1))
	return ms, nil
}

// lose kills a register and waits for the word of it, then for that of its
// return.
func (m *mesh) lose(ctx context.Context, host beat.HostID) (time.Duration, error) {
	c, err := m.register(host)
	if err != nil {
		return 0, err
	}
	wait(ctx, 20*time.Millisecond) // the relay reports the host before it is lost
	died := time.Now()
	c.close()
	open, err := m.hear(ctx, host, incident.Opened)
	if err != nil {
		return 0, err
	}
	if c, err = m.register(host); err != nil {
		return 0, err
	}
	defer func() { _, _ = c.conn.Write([]byte{0xe0, 0}); c.close() }() // DISCONNECT: within its promise
	_, err = m.hear(ctx, host, incident.Recovered)
	return open.at.Sub(died), err
}

// register connects a register, and beats once.
func (m *mesh) register(host beat.HostID) (*client, error) {
	c, err := connect(m.lan, login{id: string(host), willTopic: beat.TopicGone + string(host), keepalive: 60})
	if err != nil {
		return nil, err
	}
	_ = c.conn.SetDeadline(time.Now().Add(patience))
	if err := c.publish(beat.TopicBeat+string(host), beat.Beat{Interval: time.Minute}.EncodeMQTT()); err != nil {
		c.close()
		return nil, fmt.Errorf("beat of %s: %w", host, err)
	}
	return c, nil
}

var errUntold = errors.New("no notice in time")

// hear waits for a notice about a host.
func (m *mesh) hear(ctx context.Context, host beat.HostID, change incident.Change) (told, error) {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case t := <-m.ear:
			if t.host == host && t.change == change {
				return t, nil
			}
		case <-late.C:
			return told{}, fmt.Errorf("%w: %s %s", errUntold, host, change)
		case <-ctx.Done():
			return told{}, ctx.Err()
		}
	}
}
