package gate

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/hb-mesh/hb-mesh/broker/credential"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/guard"
)

// Gate is a region's doors. Make it with New, bind its addresses with Listen,
// and open each door with its Run.
type Gate struct {
	o      Options
	core   Core
	keys   *credential.Keyring
	log    *slog.Logger
	sparse *guard.Sparse // for what a relay can cause as often as it likes
	m      *Metrics
	logins *guard.Logins
	door   *guard.Door
	mux    *http.ServeMux
	certs  map[string]*certificate // by door; a plain one has none

	mqtt, http net.Listener // from Listen on
	mqttAddr   net.Addr     // where the MQTT door listens, or did before Shut

	mu       sync.Mutex // guards sessions
	sessions map[presence.Conn]*session
}

// New wires the doors; it opens none.
func New(o Options, core Core) (*Gate, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	if o.Listen == nil {
		o.Listen = net.Listen
	}
	g := &Gate{
		o: o, core: core, keys: o.Keys, log: o.Logger, sparse: guard.NewSparse(o.Logger), m: o.Metrics,
		logins: guard.NewLogins(o.FailedLogins, o.FailureDelay), mux: http.NewServeMux(),
		certs: make(map[string]*certificate), sessions: make(map[presence.Conn]*session),
	}
	for door, files := range map[string]TLS{mqttDoor: o.MQTTTLS, httpDoor: o.HTTPTLS} {
		if !files.on() {
			continue
		}
		c, err := newCertificate(files, o.CertificateEvery, o.Logger, o.Metrics.Expires.WithLabelValues(door))
		if err != nil {
			return nil, fmt.Errorf("gate: %s: %w", door, err)
		}
		g.certs[door] = c
	}
	limits := g.limits()
	limits.PacketsPerSecond = o.PacketsPerSecond
	door, err := guard.New(limits, g.handler(), o.Logger, o.Metrics.Guard)
	if err != nil {
		return nil, err
	}
	g.door = door
	g.mountOwn()
	return g, nil
}

// limits are both doors'.
func (g *Gate) limits() guard.Options {
	o := guard.DefaultOptions()
	o.ConnectTimeout = g.o.ConnectTimeout
	o.MaxConnections = g.o.MaxConnections
	o.MaxPerAddress, o.MaxStrangersPerAddress = 0, g.o.Strangers
	o.PacketsPerSecond = 0 // a proxy in front of the HTTP door speaks for many
	o.MaxKeepalive = maxKeepalive
	o.Logins = g.logins
	o.ExemptLoopback = g.o.ExemptLoopback
	return o
}

// Listen binds both addresses, so that a used port is known before anything
// starts. Clients that come before a door's Run wait.
func (g *Gate) Listen() error {
	mqtt, err := g.bind(mqttDoor, g.o.MQTTAddr)
	if err != nil {
		return err
	}
	web, err := g.bind(httpDoor, g.o.HTTPAddr)
	if err != nil {
		return errors.Join(err, mqtt.Close())
	}
	g.mqtt, g.http, g.mqttAddr = mqtt, web, mqtt.Addr()
	return nil
}

func (g *Gate) bind(door, addr string) (net.Listener, error) {
	l, err := g.o.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s door on %s: %w", door, addr, err)
	}
	// A name such as localhost is known only now.
	if tcp, ok := l.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() && g.certs[door] == nil && !g.o.Insecure {
		return nil, errors.Join(plainError(door, addr), l.Close())
	}
	return l, nil
}

// secured puts TLS on a door that has a certificate. The handshake happens at
// the connection's first read, within its ConnectTimeout.
func (g *Gate) secured(door string, l net.Listener) net.Listener {
	c := g.certs[door]
	if c == nil {
		return l
	}
	config := c.config()
	if door == httpDoor {
		config.NextProtos = []string{"http/1.1"} // one way through the limits
	}
	return tls.NewListener(l, config)
}

// Shut closes the MQTT door until RunMQTT: who connects to a standby is
// refused, and finds another door. It comes after Listen, and before RunMQTT.
func (g *Gate) Shut() {
	if g.mqtt != nil {
		_ = g.mqtt.Close() // nobody was served
		g.mqtt = nil
	}
}

// MQTTAddr is where the MQTT door listens, once it does; nil before Listen.
func (g *Gate) MQTTAddr() net.Addr { return g.mqttAddr }

// HTTPAddr is where the HTTP door listens; nil before Listen.
func (g *Gate) HTTPAddr() net.Addr { return addrOf(g.http) }

func addrOf(l net.Listener) net.Addr {
	if l == nil {
		return nil
	}
	return l.Addr()
}
