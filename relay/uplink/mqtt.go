package uplink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	// quiesce is how long a farewell may take, in ms.
	quiesce = 500
	// settling is how long a client may take to end its goroutines.
	settling = 5 * time.Second
	// inboxSize is how many messages may wait for their session; what is beyond
	// waits in the socket.
	inboxSize = 16

	subscribeFailed = 0x80 // MQTT 3.1.1, 3.9.3
)

var errConnectionOver = errors.New("the connection is over")

// mqttTransport makes a new paho client for each attempt: paho's own
// reconnection completes the tokens of unacked messages as if they had arrived,
// and keeps one will for all connections.
type mqttTransport struct {
	options Options
	region  Region
	dialer  *dialer
}

func (t *mqttTransport) connect(ctx context.Context, death beat.Death) (wire, error) {
	ctx, cancel := context.WithTimeout(ctx, t.options.ConnectTimeout)
	defer cancel()
	w := &mqttWire{
		topic: t.options.Identity.ReportTopic(), messages: make(chan message, inboxSize),
		over: make(chan struct{}), settled: make(chan struct{}),
	}
	w.client = mqtt.NewClient(t.clientOptions(ctx, w, death))
	if err := await(ctx, w.client.Connect()); err != nil {
		w.close(false)
		twin := errors.Is(err, packets.ErrorRefusedNotAuthorised)
		if twin || errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword) {
			return nil, &refusedError{user: t.user(), twin: twin}
		}
		return nil, fmt.Errorf("connect: %w", err)
	}
	w.connected = true
	filter := t.options.Identity.DownFilter()
	token := w.client.Subscribe(filter, 1, nil)
	if err := await(ctx, token); err != nil {
		w.close(false)
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	if s, ok := token.(*mqtt.SubscribeToken); ok && s.Result()[filter] == subscribeFailed {
		w.close(true)
		return nil, errors.New("subscribe: the region refuses it")
	}
	return w, nil
}

// user is the MQTT user name.
func (t *mqttTransport) user() string {
	if t.region.User == "" {
		return t.options.Identity.String()
	}
	return t.region.User
}

// clientOptions is the recipe that was found by measuring: see the package's
// comment on mqttTransport, and each line.
func (t *mqttTransport) clientOptions(ctx context.Context, w *mqttWire, death beat.Death) *mqtt.ClientOptions {
	id := t.options.Identity.String()
	return mqtt.NewClientOptions().
		AddBroker("tcp://"+t.dialer.address). // only names it: the dialer below opens
		SetClientID(id).
		SetUsername(t.user()).
		SetPassword(t.region.Password).
		SetProtocolVersion(4). // else one failed CONNECT downgrades to 3.1 for good
		SetCleanSession(true).
		SetAutoReconnect(false).
		SetConnectRetry(false).
		SetOrderMatters(false). // else a handler that waits blocks its PUBACKs
		SetStore(noStore{}).
		SetKeepAlive(t.options.Keepalive).
		SetPingTimeout(t.options.AckTimeout).
		SetWriteTimeout(t.options.AckTimeout). // with 0 a half-open link is never noticed
		SetConnectTimeout(t.options.ConnectTimeout).
		SetBinaryWill(t.options.Identity.DeathTopic(), death.Encode(), 1, false).
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
			conn, err := t.dialer.dial(ctx)
			if err != nil {
				return nil, err
			}
			return w.take(conn), nil
		}).
		SetDefaultPublishHandler(w.receive).
		SetConnectionLostHandler(func(mqtt.Client, error) { close(w.settled) })
}

// await waits for a token, or for ctx.
func await(ctx context.Context, token mqtt.Token) error {
	select {
	case <-token.Done():
		return token.Error()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// mqttWire is one connection by one client.
type mqttWire struct {
	client   mqtt.Client
	topic    string
	messages chan message

	connected bool          // CONNACK came: set before the wire is shared
	over      chan struct{} // closed with the socket
	settled   chan struct{} // closed when paho gave the lost connection up
	ended     sync.Once
	parted    sync.Once

	mu     sync.Mutex // guards what follows
	conn   net.Conn   // nil until it is open
	closed bool
}

// take watches the socket: its end is known here before paho has settled.
func (w *mqttWire) take(conn net.Conn) net.Conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn = conn
	if w.closed { // too late
		_ = conn.Close()
	}
	return &watchedConn{Conn: conn, end: w.end}
}

func (w *mqttWire) end() { w.ended.Do(func() { close(w.over) }) }

func (w *mqttWire) receive(_ mqtt.Client, m mqtt.Message) {
	out := message{topic: m.Topic(), payload: m.Payload()}
	if m.Retained() {
		out.topic = "" // a retained word is nobody's answer
	}
	select {
	case w.messages <- out:
	case <-w.over:
	}
}

func (w *mqttWire) send(payload []byte) <-chan error {
	out := make(chan error, 1)
	go func() { // paho's Publish waits for its writer
		token := w.client.Publish(w.topic, 1, false, payload)
		select {
		case <-token.Done():
			out <- token.Error()
		case <-w.over: // a token may never complete then
			out <- errConnectionOver
		}
	}()
	return out
}

func (w *mqttWire) inbox() <-chan message { return w.messages }

func (w *mqttWire) done() <-chan struct{} { return w.over }

func (w *mqttWire) close(farewell bool) {
	w.parted.Do(func() {
		if w.connected && farewell {
			w.client.Disconnect(quiesce)
		}
		w.mu.Lock()
		conn := w.conn
		w.closed = true
		w.mu.Unlock()
		if conn != nil {
			_ = conn.Close()
		}
		w.end()
		if !w.connected || farewell {
			return
		}
		select { // whoever starts paho's goroutines waits for them
		case <-w.settled:
		case <-time.After(settling):
		}
	})
}

// noStore keeps nothing: what is not acknowledged when a connection ends is sent
// anew by the next one, under its own epoch.
type noStore struct{}

func (noStore) Open()                             {}
func (noStore) Put(string, packets.ControlPacket) {}
func (noStore) Get(string) packets.ControlPacket  { return nil }
func (noStore) All() []string                     { return nil }
func (noStore) Del(string)                        {}
func (noStore) Close()                            {}
func (noStore) Reset()                            {}
