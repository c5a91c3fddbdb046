package gate

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// certificate is a door's key pair, read again when its files change.
type certificate struct {
	files   TLS
	every   time.Duration
	log     *slog.Logger
	expires prometheus.Gauge

	mu      sync.Mutex // guards what follows
	pair    *tls.Certificate
	stamp   [2]fileStamp
	checked time.Time
}

type fileStamp struct {
	modified time.Time
	size     int64
}

func newCertificate(files TLS, every time.Duration, log *slog.Logger, expires prometheus.Gauge) (*certificate, error) {
	c := &certificate{files: files, every: every, log: log, expires: expires}
	stamp, err := c.stamps()
	if err != nil {
		return nil, err
	}
	if err := c.load(stamp, time.Now()); err != nil {
		return nil, err
	}
	return c, nil
}

// config is TLS 1.2 at least: old tills' HTTP clients have no 1.3.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}

// get is asked at every handshake. It looks at the files at most once in every
// c.every, so a flood of handshakes costs no file reads.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.checked) < c.every {
		return c.pair, nil
	}
	c.checked = now
	stamp, err := c.stamps()
	if err == nil && stamp != c.stamp {
		err = c.load(stamp, now)
	}
	if err != nil {
		c.log.Error("the door's certificate cannot be read again, the old one stays in use", "err", err)
	}
	return c.pair, nil
}

func (c *certificate) stamps() (s [2]fileStamp, err error) {
	for i, name := range []string{c.files.CertFile, c.files.KeyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return s, fmt.Errorf("door's certificate: %w", err)
		}
		s[i] = fileStamp{info.ModTime(), info.Size()}
	}
	return s, nil
}

// load reads the pair. A pair that is half written does not match: the stamp
// stays old, and the next look tries again.
func (c *certificate) load(stamp [2]fileStamp, now time.Time) error {
	pair, err := tls.LoadX509KeyPair(c.files.CertFile, c.files.KeyFile)
	if err != nil {
		return fmt.Errorf("door's certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return fmt.Errorf("door's certificate: %w", err)
	}
	c.pair, c.stamp, c.checked = &pair, stamp, now
	c.expires.Set(float64(leaf.NotAfter.Unix()))
	if now.After(leaf.NotAfter) {
		c.log.Error("the door's certificate has expired", "file", c.files.CertFile, "notAfter", leaf.NotAfter)
	}
	return nil
}
