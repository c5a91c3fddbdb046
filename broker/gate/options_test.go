package gate_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/gate"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// unread is a table that does not answer.
type unread struct{ table.Table }

func (unread) Query(context.Context, string, string, string, int) (table.Page, error) {
	return table.Page{}, table.ErrUnavailable
}

func TestPlainDoorsStayOnLoopback(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*gate.Options)
		plain  bool
	}{
		"loopback":                        {func(*gate.Options) {}, false},
		"IPv6's loopback":                 {func(o *gate.Options) { o.MQTTAddr = "[::1]:0" }, false},
		"MQTT on every address":           {func(o *gate.Options) { o.MQTTAddr = ":0" }, true},
		"HTTP on every address":           {func(o *gate.Options) { o.HTTPAddr = "0.0.0.0:0" }, true},
		"HTTP on every IPv6 address":      {func(o *gate.Options) { o.HTTPAddr = "[::]:0" }, true},
		"HTTP on every address, insecure": {func(o *gate.Options) { o.HTTPAddr = "0.0.0.0:0"; o.Insecure = true }, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(memory(t))
			c.change(&o)
			if _, err := gate.New(o, &core{}); errors.Is(err, gate.ErrPlain) != c.plain || err != nil && !c.plain {
				t.Fatalf("got %v", err)
			}
		})
	}
}

// A name is known only once it is bound.
func TestPlainDoorOnANameThatIsNotLoopback(t *testing.T) {
	o := options(memory(t))
	o.HTTPAddr = "till.example:0"
	o.Listen = func(network, addr string) (net.Listener, error) {
		if addr == o.HTTPAddr {
			addr = "0.0.0.0:0"
		}
		return net.Listen(network, addr)
	}
	g, err := gate.New(o, &core{})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Listen(); !errors.Is(err, gate.ErrPlain) {
		t.Fatalf("got %v", err)
	}
}

func TestUsedPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := options(memory(t))
	o.HTTPAddr = l.Addr().String()
	g, err := gate.New(o, &core{})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Listen(); err == nil {
		t.Fatal("a used port was bound")
	}
}

func TestBadOptions(t *testing.T) {
	for name, change := range map[string]func(*gate.Options){
		"no keys":                 func(o *gate.Options) { o.Keys = nil },
		"no time for a birth":     func(o *gate.Options) { o.BirthWithin = 0 },
		"no strangers":            func(o *gate.Options) { o.Strangers = 0 },
		"an address without port": func(o *gate.Options) { o.MQTTAddr = "127.0.0.1" },
		"a certificate, no key":   func(o *gate.Options) { o.HTTPTLS.CertFile = "x.pem" },
		"a certificate not there": func(o *gate.Options) { o.HTTPTLS = gate.TLS{CertFile: "/nowhere/x.pem", KeyFile: "/nowhere/y.pem"} },
	} {
		t.Run(name, func(t *testing.T) {
			o := options(memory(t))
			change(&o)
			if _, err := gate.New(o, &core{}); err == nil {
				t.Fatal("it was taken")
			}
		})
	}
}

// certificate writes a self-signed pair for 127.0.0.1.
func certificate(t *testing.T, files gate.TLS, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		files.CertFile: {Type: "CERTIFICATE", Bytes: der}, files.KeyFile: {Type: "PRIVATE KEY", Bytes: raw},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func servedName(t *testing.T, addr string) string {
	t.Helper()
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func TestTLSOnBothDoors(t *testing.T) {
	dir := t.TempDir()
	files := gate.TLS{CertFile: filepath.Join(dir, "door.pem"), KeyFile: filepath.Join(dir, "door.key")}
	certificate(t, files, "first")
	d := open(t, func(o *gate.Options) {
		o.MQTTTLS, o.HTTPTLS, o.CertificateEvery = files, files, time.Millisecond
		o.MQTTAddr = "0.0.0.0:0" // allowed: it is not plain
	})
	_, port, err := net.SplitHostPort(d.MQTTAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	o := d.withWill(demo, 7).SetTLSConfig(&tls.Config{InsecureSkipVerify: true})
	o.Servers = nil
	c := dial(t, o.AddBroker("ssl://127.0.0.1:"+port))
	if err := wait(t, c.Publish(demo.ReportTopic(), 1, false, report(demo, beat.Birth, 7, 1).Encode())); err != nil {
		t.Fatal(err)
	}
	secure := "https://" + d.HTTPAddr().String()
	if res := get(t, http.MethodGet, secure+"/ping/pos1", "demo-key"); res.StatusCode != http.StatusOK {
		t.Fatalf("HTTPS: %d", res.StatusCode)
	}
	if res := get(t, http.MethodGet, d.url("/v1/status"), ""); res.StatusCode == http.StatusOK {
		t.Fatal("the door answers plain HTTP too")
	}

	certificate(t, files, "second")
	eventually(t, "the new certificate on both doors", func() bool {
		return servedName(t, d.HTTPAddr().String()) == "second" && servedName(t, "127.0.0.1:"+port) == "second"
	})
	if err := os.WriteFile(files.CertFile, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		time.Sleep(2 * time.Millisecond) // past CertificateEvery
		if name := servedName(t, d.HTTPAddr().String()); name != "second" {
			t.Fatalf("a spoilt file changed the door: %s", name)
		}
	}
	if !c.IsConnectionOpen() {
		t.Fatal("a new certificate ended a session")
	}
}
