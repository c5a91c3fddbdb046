//go:build linux

package e2e_test

import (
	"fmt"
	"io"
	"net"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// till is a register that is not ours: a process that a supervisor starts again
// when it ends, as in a store.
type till struct {
	t    testing.TB
	host string
	life func(*till, <-chan struct{}) // one life, until it ends or is unplugged

	stop chan struct{} // nil: unplugged
	work sync.WaitGroup
}

const tillInterval = 30 * time.Second

// newMQTTTill beats over MQTT with mosquitto_pub, which has a Last-Will.
func newMQTTTill(t testing.TB, address, host, version string) *till {
	t.Helper()
	pub := tool(t, "mosquitto_pub")
	h, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	beat := fmt.Sprintf("{\"intervalMs\": %d}\n", tillInterval.Milliseconds())
	return plugged(&till{t: t, host: host, life: func(r *till, stop <-chan struct{}) {
		cmd := exec.Command(pub, "-h", h, "-p", port, "-V", version, "-i", host, "-k", "10", "-q", "1", "-l",
			"-t", "hb/v1/beat/"+host, "--will-topic", "hb/v1/gone/"+host, "--will-payload", "gone", "--will-qos", "1")
		in, out := io.Pipe()
		cmd.Stdin = in
		p := run(quietly{r.t}, cmd)
		defer p.kill() // by SIGKILL: it says no DISCONNECT
		defer func() { _ = out.Close() }()
		for {
			beaten := make(chan error, 1)
			go func() { _, err := io.WriteString(out, beat); beaten <- err }()
			select {
			case <-stop:
				return
			case <-p.done:
				return
			case err := <-beaten:
				if err != nil {
					return
				}
			}
			select {
			case <-stop:
				return
			case <-p.done:
				return
			case <-time.After(time.Second): // the till's own rhythm
			}
		}
	}})
}

// newCurlTill beats with curl, as hb-api's users have it in their crontabs: to a
// relay, or to a broker.
func newCurlTill(t testing.TB, s *server, host string, interval time.Duration) *till {
	t.Helper()
	return plugged(&till{t: t, host: host, life: func(r *till, stop <-chan struct{}) {
		curl(r.t, s, "/v1/heartbeat", demoKey, fmt.Sprintf(`{"hostId": %q, "intervalMs": %d}`, host, interval.Milliseconds()))
		select {
		case <-stop:
		case <-time.After(interval / 3):
		}
	}})
}

func plugged(r *till) *till {
	r.plug()
	r.t.Cleanup(r.unplug)
	return r
}

// plug starts it, until unplug.
func (r *till) plug() {
	stop := make(chan struct{})
	r.stop = stop
	r.work.Go(func() {
		for {
			r.life(r, stop)
			select {
			case <-stop:
				return
			case <-time.After(300 * time.Millisecond): // the supervisor's pause
			}
		}
	})
}

// unplug ends it by SIGKILL.
func (r *till) unplug() {
	if r.stop != nil {
		close(r.stop)
		r.stop = nil
		r.work.Wait()
	}
}

// quietly is a test to which short lives of processes add no cleanups.
type quietly struct{ testing.TB }

func (quietly) Cleanup(func()) {}

// curl posts a body in hb-api's form, and returns curl's idea of the status,
// "000" where there was no answer.
func curl(t testing.TB, s *server, path, key, body string) (status, answer string) {
	t.Helper()
	cmd := exec.Command(tool(t, "curl"), "-s", "-m", "10", "-X", "POST", "-H", "x-api-key: "+key, "-d", body, "-w", "\n%{http_code}", "http://"+s.http+path)
	_, out, _ := once(quietly{t}, cmd)
	i := len(out) - 4
	if i < 0 {
		return "000", ""
	}
	return out[i+1:], out[:i]
}
