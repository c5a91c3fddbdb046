package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/demo/wire"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	// promise is the interval that a register declares; with the grace of a
	// host it is missing 7 s after its last beat, if only silence tells.
	promise = 5 * time.Second
	// beatEvery leaves room for a beat that is lost.
	beatEvery = 2 * time.Second
	// retryWithin bounds the wait for the relay's return.
	retryWithin = time.Second
	// registerTimeout bounds each step of a register on the LAN.
	registerTimeout = 2 * time.Second
	// registerKeepalive is MQTT's, for a register whose power is cut.
	registerKeepalive = 5 * time.Second

	registerVersion = "till 4.2 (simulated)"
)

// register is a cash register that beats over MQTT or HTTP. It knows its relay
// and nothing else: it does not fall back to a region.
type register struct {
	host beat.HostID
	dial wire.Dialer
	// relay is the relay's address: MQTT, or HTTP where http is true.
	relay string
	http  bool
	ready chan struct{}
}

var _ program = (*register)(nil)

func newRegister(host beat.HostID, relay string, http bool, dial wire.Dialer) *register {
	r := &register{host: host, relay: relay, http: http, dial: dial, ready: make(chan struct{})}
	close(r.ready) // a till works whether it reaches its relay or not
	return r
}

// Ready is closed from the start.
func (r *register) Ready() <-chan struct{} { return r.ready }

// Run beats until ctx ends, and comes back within a second after each loss.
func (r *register) Run(ctx context.Context) error {
	session := r.session
	if r.http {
		session = r.posts
	}
	for ctx.Err() == nil {
		_ = session(ctx) // whatever ended it, a till just tries again
		pause(ctx, retryWithin/4+rand.N(retryWithin*3/4))
	}
	return nil
}

func (r *register) beat() beat.Beat {
	return beat.Beat{Host: r.host, Interval: promise, Version: registerVersion}
}

// session is one MQTT connection, until it is lost.
func (r *register) session(ctx context.Context) error {
	lost := make(chan error, 1)
	o := mqtt.NewClientOptions().AddBroker("tcp://"+r.relay).
		SetClientID(string(r.host)).SetProtocolVersion(4).SetCleanSession(true).
		SetAutoReconnect(false).SetConnectRetry(false).SetConnectTimeout(registerTimeout).
		SetKeepAlive(registerKeepalive).SetPingTimeout(registerTimeout).SetWriteTimeout(registerTimeout).
		SetWill(beat.TopicGone+string(r.host), "", 1, false).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { lost <- err }).
		SetCustomOpenConnectionFn(func(u *url.URL, _ mqtt.ClientOptions) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, registerTimeout)
			defer cancel()
			return r.dial(ctx, "tcp", u.Host)
		})
	client := mqtt.NewClient(o)
	if err := await(ctx, client.Connect()); err != nil {
		client.Disconnect(0)
		return err
	}
	defer client.Disconnect(0)
	for {
		if err := await(ctx, client.Publish(beat.TopicBeat+string(r.host), 1, false, r.beat().EncodeMQTT())); err != nil {
			return err
		}
		select {
		case err := <-lost:
			return err
		case <-time.After(beatEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// posts are beats by HTTP, until one fails.
func (r *register) posts(ctx context.Context) error {
	transport := &http.Transport{DialContext: r.dial}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: registerTimeout}
	for {
		if err := r.post(ctx, client); err != nil {
			return err
		}
		if !pause(ctx, beatEvery) {
			return ctx.Err()
		}
	}
}

func (r *register) post(ctx context.Context, client *http.Client) error {
	body, err := json.Marshal(map[string]any{"hostId": r.host, "intervalMs": promise.Milliseconds(), "version": registerVersion})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.relay+"/v1/heartbeat", bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, res.Body) // so that the connection is used again
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("beat: %s", res.Status)
	}
	return nil
}

var errLate = errors.New("no answer in time")

// await waits for what MQTT promised.
func await(ctx context.Context, t mqtt.Token) error {
	late := time.NewTimer(registerTimeout)
	defer late.Stop()
	select {
	case <-t.Done():
		return t.Error()
	case <-ctx.Done():
		return ctx.Err()
	case <-late.C:
		return errLate
	}
}

// pause waits for d; false: ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
