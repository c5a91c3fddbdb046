package uplink_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/uplink"
)

// certificate is a self-signed one for 127.0.0.1, and the pool that trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "region"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// resumptions are the handshakes that a door saw.
type resumptions struct {
	mu  sync.Mutex
	all []bool
}

func (r *resumptions) seen() []bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]bool(nil), r.all...)
}

// secureDoor is the region's MQTT door on a loopback socket with TLS.
func secureDoor(t *testing.T, r *region) (address string, pool *x509.CertPool, seen *resumptions) {
	t.Helper()
	cert, pool := certificate(t)
	seen = &resumptions{}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert},
		VerifyConnection: func(s tls.ConnectionState) error {
			seen.mu.Lock()
			defer seen.mu.Unlock()
			seen.all = append(seen.all, s.DidResume)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.server.AddListener(listeners.NewNet("tls", ln)); err != nil {
		t.Fatal(err)
	}
	if err := r.server.Serve(); err != nil {
		t.Fatal(err)
	}
	return "tls://" + ln.Addr().String(), pool, seen
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s, still not: %s", what)
		}
	}
}

// On real sockets: TLS, its resumption after a reset, and bye.
func TestTLSOnRealSockets(t *testing.T) {
	m := newMesh(t, inMemory())
	address, pool, seen := secureDoor(t, m.east)
	m.options.Regions = []uplink.Region{{Region: east, Address: address, Password: "demo", TLS: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}}}
	m.options.ReconnectFirst = 10 * time.Millisecond
	var mu sync.Mutex
	var conns []net.Conn
	m.options.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		mu.Lock()
		defer mu.Unlock()
		conns = append(conns, conn)
		return conn, err
	}
	m.start()
	open := func() bool { return m.group.Status()[0].Open }
	eventually(t, "open", open)
	first := m.group.Status()[0].Epoch
	mu.Lock()
	_ = conns[0].(*net.TCPConn).SetLinger(0) // a reset
	_ = conns[0].Close()
	mu.Unlock()
	eventually(t, "open again", func() bool { return open() && m.group.Status()[0].Epoch > first })
	if got := seen.seen(); len(got) != 2 || got[0] || !got[1] {
		t.Fatalf("handshakes resumed: %v", got)
	}
	m.stop()
	<-m.stopped
	m.east.mu.Lock()
	defer m.east.mu.Unlock()
	last := m.east.arrivals[len(m.east.arrivals)-1]
	if last.Kind != beat.Goodbye || len(m.east.wills) != 1 || m.east.wills[0].Epoch != first {
		t.Fatalf("last %+v, wills %+v", last.Report, m.east.wills)
	}
}

func TestAnUntrustedCertificateIsNoConnection(t *testing.T) {
	m := newMesh(t, inMemory())
	address, _, _ := secureDoor(t, m.east)
	m.options.Regions = []uplink.Region{{Region: east, Address: address, Password: "demo"}}
	m.options.Dial = nil
	m.start()
	eventually(t, "an error that says why", func() bool {
		s := m.group.Status()[0]
		return !s.Open && s.Error != "" && s.Error != "not connected yet"
	})
	t.Log(m.group.Status()[0].Error)
}
