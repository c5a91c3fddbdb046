package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// The generator's shape: so many relays, each with so many reports not yet
// acknowledged, of so many hosts each.
const (
	lanes     = 16
	window    = 64
	laneHosts = 20
	half      = window / 2

	generatorPassword = "bench"
)

// The first values of what counts in a report. Any later value is as long.
const (
	firstSeq  = 1 << 16
	firstMono = 1 << 24
)

// lane is one connection of the generator, and the packets that it sends: half
// a window each.
type lane struct {
	client *client
	halves [2][]byte
	// Where sequence numbers and clocks stand in a half; no places, no numbers.
	seqs, monos []int
	packet      int // bytes

	seq   uint32
	start time.Time
	acked atomic.Int64
	err   error // why it ended; read after its goroutine has
}

// opener opens the n-th lane of a run at a server.
type opener func(address string, n, run int) (*lane, error)

// reporting makes a lane of steady reports: a birth is sent, the rest is its
// hash. Every server of a run gets the same bytes; in the next run the relay
// has started again, for a broker remembers the epoch.
func reporting(address string, n, run int) (*lane, error) {
	id := beat.Identity{Store: beat.StoreID(fmt.Sprintf("store-%02d", n)), Relay: "r1"}
	r := laneReport(id, run)
	d := beat.Death{V: r.V, Incarnation: r.Incarnation, Boot: r.Boot, Epoch: r.Epoch}
	l := &lane{seq: firstSeq, start: time.Now()}
	var err error
	l.client, err = connect(address, login{
		id: id.String(), user: id.String(), password: generatorPassword, keepalive: 60,
		willTopic: id.DeathTopic(), will: d.Encode(),
	})
	if err != nil {
		return nil, err
	}
	r.Kind, r.Picture = beat.Birth, lanePicture()
	r.Hash = r.Picture.Hash()
	if err := l.client.publish(id.ReportTopic(), r.Encode()); err != nil {
		l.client.close()
		return nil, fmt.Errorf("birth of %v: %w", id, err)
	}
	r.Kind, r.Picture, r.Seq = beat.Steady, nil, firstSeq
	l.fill(id.ReportTopic(), r.Encode())
	l.mark(binary.BigEndian.AppendUint32([]byte{0x1a}, firstSeq), binary.BigEndian.AppendUint32([]byte{0x1a}, firstMono))
	return l, nil
}

// beating makes a lane of what registers send to a broker without a relay: one
// message a beat, as short as it can be.
func beating(address string, n, _ int) (*lane, error) {
	c, err := connect(address, login{id: fmt.Sprintf("store-%02d", n), keepalive: 60})
	if err != nil {
		return nil, err
	}
	l := &lane{client: c, start: time.Now()}
	l.fill(beat.TopicBeat+fmt.Sprintf("store-%02d", n), nil)
	return l, nil
}

func (l *lane) fill(topic string, payload []byte) {
	for i := range window {
		h := &l.halves[i/half]
		before := len(*h)
		*h = appendPublish(*h, topic, uint16(i+1), payload)
		l.packet = len(*h) - before
	}
}

// mark finds the numbers, which are in CBOR as 5 bytes each, in the packets.
func (l *lane) mark(seq, mono []byte) {
	for at := 0; at < len(l.halves[0]); at += l.packet {
		p := l.halves[0][at : at+l.packet]
		l.seqs = append(l.seqs, at+bytes.Index(p, seq)+1)
		l.monos = append(l.monos, at+bytes.Index(p, mono)+1)
	}
}

func laneReport(id beat.Identity, run int) *beat.Report {
	return &beat.Report{
		V: beat.Wire, Kind: beat.Steady, Store: id.Store, Relay: id.Relay,
		Incarnation: beat.Incarnation{1}, Boot: beat.Boot{byte(run)}, Epoch: beat.Epoch(run), Seq: 1, //nolint:gosec // from 1, few
		MonoMs: firstMono, ReportEveryMs: 15000, KeepaliveMs: 20000,
		Others: []beat.Witness{{Region: "us-west-2", Session: true, AckAgeMs: 900}},
	}
}

func lanePicture() *beat.Picture {
	p := new(beat.Picture)
	for i := range laneHosts {
		p.Hosts = append(p.Hosts, beat.HostReport{Host: beat.HostID(fmt.Sprintf("pos%02d", i)), State: beat.Up, Number: 1, IntervalMs: 60000})
	}
	return p
}

// run sends until ctx ends: half a window whenever as many PUBACKs came.
func (l *lane) run(ctx context.Context) error {
	sent := 0
	for turn := 0; ctx.Err() == nil; turn++ {
		if sent == window {
			if err := l.client.acks(half); err != nil {
				return err
			}
			sent -= half
			l.acked.Add(half)
		}
		batch := l.halves[turn%2]
		l.number(batch)
		if _, err := l.client.conn.Write(batch); err != nil {
			return err
		}
		sent += half
	}
	return l.client.acks(sent)
}

// number gives each report of the batch the next sequence number, and the time.
func (l *lane) number(batch []byte) {
	mono := firstMono + uint32(time.Since(l.start).Milliseconds()) //nolint:gosec // a minute
	for i, at := range l.seqs {
		l.seq++
		binary.BigEndian.PutUint32(batch[at:], l.seq)
		binary.BigEndian.PutUint32(batch[l.monos[i]:], mono)
	}
}

// generate opens all lanes at a server, and counts acknowledged messages a
// second after a while of warming up.
func generate(ctx context.Context, address string, open opener, run int, p plan) (perSecond float64, bytes int, err error) {
	all := make([]*lane, 0, lanes)
	defer func() {
		for _, l := range all {
			l.client.close()
		}
	}()
	for n := range lanes {
		l, err := open(address, n, run)
		if err != nil {
			return 0, 0, err
		}
		all = append(all, l)
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	for _, l := range all {
		_ = l.client.conn.SetDeadline(time.Now().Add(p.warm + p.measure + patience))
		wg.Go(func() {
			if l.err = l.run(running); l.err != nil {
				stop()
			}
		})
	}
	wait(running, p.warm)
	before, start := acked(all), time.Now()
	wait(running, p.measure)
	count, took := acked(all)-before, time.Since(start)
	stop()
	wg.Wait()
	for _, l := range all {
		if l.err != nil {
			return 0, 0, fmt.Errorf("a connection of the generator: %w", l.err)
		}
	}
	if count == 0 {
		return 0, 0, errors.New("nothing was acknowledged")
	}
	return float64(count) / took.Seconds(), all[0].packet, ctx.Err()
}

func acked(all []*lane) (n int64) {
	for _, l := range all {
		n += l.acked.Load()
	}
	return n
}

// wait is over after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
