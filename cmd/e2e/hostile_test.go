//go:build linux

package e2e_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// floodFor is how long each flood lasts.
	floodFor = 1500 * time.Millisecond
	// silent is how many connections say nothing, at each door.
	silent = 1000
	// brokerMemory and relayMemory bound the resident memory under attack, of
	// processes that take 25 and 40 MB at rest.
	brokerMemory = 256 << 20
	relayMemory  = 192 << 20
)

// prey is a broker and a relay without emulators, and normal clients of both.
type prey struct {
	t             *testing.T
	broker, relay *server
}

func newPrey(t *testing.T) *prey {
	dir := t.TempDir()
	server := func(program string) *server {
		return &server{owner: t, program: program, mqtt: loopback(freePort(t)), http: loopback(freePort(t))}
	}
	p := &prey{t: t, broker: server("hb-broker"), relay: server("hb-relay")}
	p.broker.config = write(t, dir, "broker.yaml", brokerConfig(dir, p.broker.mqtt, p.broker.http))
	// The limits of addresses hold for this machine too: strangers come from
	// other addresses of it than the normal clients.
	p.relay.config = write(t, dir, "relay.yaml", relayConfig(dir, p.relay.mqtt, p.relay.http, p.broker.mqtt))
	p.broker.up(t)
	p.relay.up(t)
	p.check()
	return p
}

// check is one round of what normal clients do; each part must be served.
func (p *prey) check() {
	p.t.Helper()
	if err := beatOnce(p.relay.mqtt, "normal", false); err != nil {
		p.t.Errorf("a normal register is not served by MQTT: %v", err)
	}
	for _, at := range []*server{p.relay, p.broker} {
		if status, answer := at.post("/v1/heartbeat", demoKey, `{"hostId": "normal", "intervalMs": 600000}`); status != 200 {
			p.t.Errorf("%s does not serve a normal register by HTTP: %d %s", at.program, status, answer)
		}
	}
	if status, answer := p.relay.get("/v1/status"); status != 200 { // its session with the broker is open
		p.t.Errorf("the relay's status: %d %s", status, answer)
	}
}

// through runs an attack beside normal clients, and then looks at what is left.
func (p *prey) through(attack func()) {
	p.t.Helper()
	done := make(chan struct{})
	go func() { attack(); close(done) }()
	rounds := 0
	for over := false; !over && !p.t.Failed(); rounds++ {
		select {
		case <-done:
			over = true
		case <-time.After(50 * time.Millisecond): // the normal clients' rhythm
		}
		p.check()
	}
	<-done
	for s, limit := range map[*server]int64{p.broker: brokerMemory, p.relay: relayMemory} {
		if !s.alive() {
			p.t.Fatalf("%s is dead:\n%s", s.program, lastLines(s.log.String(), 40))
		}
		most := s.memory("VmHWM")
		if most > limit {
			p.t.Errorf("%s took %d MB at most, want at most %d", s.program, most>>20, limit>>20)
		}
		p.t.Logf("%s: %d MB now, %d MB at most; %d rounds of normal clients", s.program, s.memory("VmRSS")>>20, most>>20, rounds)
		if strings.Contains(s.log.String(), "goroutine ") || s.metric("hbmesh_"+strings.TrimPrefix(s.program, "hb-")+"_door_panics_total") > 0 {
			p.t.Errorf("%s panicked:\n%s", s.program, lastLines(s.log.String(), 40))
		}
	}
}

// stranger connects from an address of this machine that is not 127.0.0.1.
func stranger(n int, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 2 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1+byte(n/200), 1+byte(n%200))}}
	return d.Dial("tcp", address)
}

func text(s string) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...) }

// frame is an MQTT frame with a right length.
func frame(first byte, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return append(binary.AppendUvarint([]byte{first}, uint64(len(body))), body...)
}

// hello is a CONNECT of MQTT 3.1.1 or 5, with a user and a password.
func hello(version byte, id string) []byte {
	parts := [][]byte{text("MQTT"), {version, 0xc2, 0, 60}}
	if version == 5 {
		parts = append(parts, []byte{0})
	}
	return frame(0x10, append(parts, text(id), text(id), text("demo"))...)
}

// nasty are frames of strangers, and what a client sends that is let in.
func nasty() (before, after [][]byte) {
	before = [][]byte{
		[]byte("GET / HTTP/1.1\r\n\r\n"),
		{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3},
		{0x10, 0xff, 0xff, 0xff, 0x7f}, // 256 MB announced
		{0x10, 0xff, 0xff, 0xff, 0xff, 0x7f},
		bytes.Repeat([]byte{0x80}, 4000),
		{0x10, 0},
		{0x10, 2, 0xff, 0xff},
		{0xe0, 0}, {0xc0, 0}, {0xf0, 0}, {0, 0},
		frame(0x30, text("hb/v1/beat/evil")),
		{0x82, 5, 0, 1, 0, 0, 0},
		frame(0x10, text("MQTT"), []byte{4, 3, 0, 60}, text("x")),
		frame(0x10, text("MQTT"), []byte{4, 0x1e, 0, 60}, text("x"), text("a"), text("b")), // a will of QoS 3
		frame(0x10, text("MQTT"), []byte{5, 2, 0, 60, 1, 99}, text("x")),
		frame(0x10, text("MQTT"), []byte{99, 2, 0, 60}, text("x")),
		frame(0x10, text("MQIsdp"), []byte{3, 2, 0, 60}, text("x")),
		frame(0x10, text("MQTT"), []byte{4, 2, 0, 60}, text(strings.Repeat("x", 60000))),
	}
	after = [][]byte{
		hello(4, "again"),
		{0x82, 5, 0, 1, 0, 0, 0}, // mochi's issue 501
		frame(0x82, []byte{0, 1, 0}, text("abc")),
		frame(0x82, []byte{0, 1, 0}, text("#"), []byte{0}),
		frame(0x82, []byte{0, 1}, text("a#/b"), []byte{0}),
		frame(0x30, text("a/#"), []byte{0}),
		frame(0x30, text("hb/v1/beat/evil"), bytes.Repeat([]byte{0xff}, 65000), bytes.Repeat([]byte{0xff}, 1000)),
		frame(0x36, text("a"), []byte{0, 1}),
		frame(0x32, text("a"), []byte{0, 0}),
		{0x30, 0xff, 0xff, 0xff, 0x7f}, // 256 MB announced
		{0x40, 1, 0}, {0x50, 2, 0, 1}, {0x62, 2, 0, 1}, {0x20, 2, 0, 0}, {0xd0, 0}, {0xf0, 0}, {0, 0},
		frame(0xa2, []byte{0, 1}),
		frame(0x30, text("hb/v1/beat/"+strings.Repeat("x", 200)), []byte{0}, []byte("{")),
		frame(0x30, text("hb/v1/beat/x"), []byte{3, 35, 0, 1}),
		frame(0x31, text("hb/v1/beat/retained"), []byte("{}")),
		frame(0x30, text("hb/v1/up/demo/r1/report"), []byte("not CBOR")),
	}
	return before, after
}

// say sends, and reads until the door closes or a moment is over.
func say(n int, address string, parts ...[]byte) {
	c, err := stranger(n, address)
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(300 * time.Millisecond))
	for _, b := range parts {
		if _, err := c.Write(b); err != nil {
			return
		}
	}
	_, _ = io.Copy(io.Discard, c)
}

func TestHostileFramesHurtNobody(t *testing.T) {
	p := newPrey(t)
	p.through(func() {
		before, after := nasty()
		for _, address := range []string{p.broker.mqtt, p.relay.mqtt} {
			var all sync.WaitGroup
			slots := make(chan struct{}, 16)
			try := func(n int, parts ...[]byte) {
				slots <- struct{}{}
				all.Go(func() { say(n, address, parts...); <-slots })
			}
			for n, b := range before {
				try(n, b)
			}
			for n, b := range after {
				for _, version := range []byte{4, 5} {
					try(n, hello(version, fmt.Sprintf("evil/e%d", n)), b)
				}
			}
			all.Wait()
		}
	})
	for _, s := range []*server{p.broker, p.relay} {
		if n := s.metric("hbmesh_" + strings.TrimPrefix(s.program, "hb-") + "_door_refused_frames_total"); n < 15 {
			t.Errorf("%s counts %v refused frames", s.program, n)
		}
	}
}

// flood sends the same again and again, from one address, until ctx ends.
func flood(ctx context.Context, n int, address string, first, again []byte) {
	for ctx.Err() == nil {
		c, err := stranger(n, address)
		if err != nil {
			pause(ctx, time.Millisecond)
			continue
		}
		_ = c.SetDeadline(time.Now().Add(time.Second))
		_, err = c.Write(first)
		for err == nil && ctx.Err() == nil {
			_, err = c.Write(again)
		}
		_ = c.Close()
	}
}

func TestFloodsDrownNobody(t *testing.T) {
	p := newPrey(t)
	for _, f := range []struct {
		says         string
		first, again []byte
	}{
		{"connections without a word", nil, []byte{}},
		{"nonsense", nil, bytes.Repeat([]byte{0x10, 0xff}, 500)},
		{"beats of one connection", hello(4, "evil/a"), bytes.Repeat(frame(0x32, text("hb/v1/beat/evil"), []byte{0, 1}), 99)},
		{"pings", hello(5, "evil/b"), bytes.Repeat([]byte{0xc0, 0}, 999)},
		{"subscriptions", hello(4, "evil/c"), bytes.Repeat(frame(0x82, []byte{0, 1}, text("hb/v1/down/#"), []byte{0}), 99)},
		{"the largest packets", hello(4, "evil/d"), frame(0x30, text("hb/v1/beat/evil"), make([]byte, 60000))},
		{"new hosts", hello(4, "evil/e"), newHosts()},
	} {
		t.Run("MQTT: "+f.says, func(t *testing.T) {
			on := *p
			on.t = t
			on.through(func() {
				ctx, cancel := context.WithTimeout(t.Context(), floodFor)
				defer cancel()
				var all sync.WaitGroup
				for i, address := range []string{p.broker.mqtt, p.relay.mqtt, p.broker.mqtt, p.relay.mqtt} {
					all.Go(func() { flood(ctx, i, address, f.first, f.again) })
				}
				all.Wait()
			})
		})
	}
	for _, f := range []struct{ says, request string }{
		{"good beats", "POST /v1/heartbeat HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\n{\"hostId\":\"evil\"}"},
		{"wrong keys", "POST /v1/heartbeat HTTP/1.1\r\nHost: x\r\nx-api-key: guess\r\nContent-Length: 2\r\n\r\n{}"},
		{"a huge Content-Length", "POST /v1/heartbeat HTTP/1.1\r\nHost: x\r\nx-api-key: demo\r\nContent-Length: 99999999999\r\n\r\n{"},
		{"bodies over 64 KiB", "POST /v1/heartbeat HTTP/1.1\r\nHost: x\r\nx-api-key: demo\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1000\r\n"+strings.Repeat(" ", 4096)+"\r\n", 20) + "0\r\n\r\n"},
		{"headers without end", "GET /v1/status HTTP/1.1\r\n" + strings.Repeat("X-A: "+strings.Repeat("a", 1000)+"\r\n", 50)},
		{"pages", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"no HTTP", strings.Repeat("\x00\xff", 1000)},
	} {
		t.Run("HTTP: "+f.says, func(t *testing.T) {
			on := *p
			on.t = t
			on.through(func() {
				ctx, cancel := context.WithTimeout(t.Context(), floodFor)
				defer cancel()
				var all sync.WaitGroup
				for i, address := range []string{p.broker.http, p.relay.http, p.broker.http, p.relay.http} {
					all.Go(func() { flood(ctx, i, address, nil, []byte(f.request)) })
				}
				all.Wait()
			})
		})
	}
	if hosts := len(p.broker.list("/v1/hosts?store=demo")); hosts > 256 {
		t.Errorf("strangers added %d hosts", hosts)
	}
}

// newHosts are beats of 200 hosts that nobody knows.
func newHosts() []byte {
	var b bytes.Buffer
	for n := range 200 {
		b.Write(frame(0x30, text(fmt.Sprintf("hb/v1/beat/evil%d", n))))
	}
	return b.Bytes()
}

func TestSilentConnectionsAreClosed(t *testing.T) {
	t.Parallel() // it mostly waits
	p := newPrey(t)
	p.through(func() {
		var conns []net.Conn
		for _, address := range []string{p.broker.mqtt, p.relay.mqtt, p.relay.http, p.broker.http} {
			for n := range silent {
				c, err := stranger(n, address)
				if err != nil {
					t.Errorf("connection %d: %v", n, err)
					return
				}
				conns = append(conns, c)
				switch n % 4 { // and says no more
				case 1:
					_, _ = c.Write([]byte{0x10, 30, 0})
				case 2:
					_, _ = c.Write([]byte("POST /v1/heartbeat HTTP/1.1\r\n"))
				case 3:
					_, _ = c.Write([]byte("POST /v1/heartbeat HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\n{"))
				}
			}
		}
		deadline := time.Now().Add(patience) // the doors' own is 10 s
		for i, c := range conns {
			_ = c.SetReadDeadline(deadline)
			if _, err := io.Copy(io.Discard, c); isTimeout(err) {
				t.Errorf("connection %d of %d is still open", i, len(conns))
				break
			}
		}
		for _, c := range conns {
			_ = c.Close()
		}
	})
}

func isTimeout(err error) bool {
	t, ok := err.(net.Error) //nolint:errorlint // io.Copy returns the connection's own
	return ok && t.Timeout()
}

// A slow body, and what else a client of HTTP gets told.
func TestBadRequestsAreRefused(t *testing.T) {
	t.Parallel() // it mostly waits
	p := newPrey(t)
	big := write(t, t.TempDir(), "big", strings.Repeat("x", 70000))
	var both sync.WaitGroup
	for _, s := range []*server{p.broker, p.relay} {
		if status, _ := curl(t, s, "/v1/heartbeat", demoKey, "@"+big); status != "413" {
			t.Errorf("%s takes a body of 70 kB: %s", s.program, status)
		}
		both.Go(func() {
			c, err := net.Dial("tcp", s.http)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = c.Close() }()
			begin := time.Now()
			_, _ = io.WriteString(c, "POST /v1/heartbeat HTTP/1.1\r\nHost: x\r\nx-api-key: demo\r\nContent-Length: 50\r\n\r\n{")
			_ = c.SetReadDeadline(time.Now().Add(patience))
			answer, err := io.ReadAll(c)
			if took := time.Since(begin); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") || took < 5*time.Second {
				t.Errorf("%s answers a slow body with %q (%v) after %v", s.program, lastLines(string(answer), 1), err, took)
			}
		})
	}
	both.Wait()
	p.check()
}

// Relays that are not who they say they are, with a foreign client.
func TestAForeignIdentityIsRefused(t *testing.T) {
	t.Parallel() // it mostly waits
	p := newPrey(t)
	host, port, _ := net.SplitHostPort(p.broker.mqtt)
	sub := tool(t, "mosquitto_sub")
	base := []string{"-h", host, "-p", port, "-V", "mqttv311", "-W", "2", "-k", "5"}
	for _, c := range []struct {
		says string
		args []string
		ok   bool
	}{
		{"a relay with its own names", []string{"-u", "other/r1", "-i", "other/r1", "-P", "demo", "-t", "hb/v1/down/other/r1/#"}, true},
		{"its will on its own death", []string{"-u", "other/r1", "-i", "other/r1", "-P", "demo", "-t", "hb/v1/down/other/r1/#", "--will-topic", "hb/v1/up/other/r1/death", "--will-payload", "x", "--will-qos", "1"}, false}, // it is no envelope
		{"a wrong password", []string{"-u", "other/r1", "-i", "other/r1", "-P", "guess", "-t", "hb/v1/down/other/r1/#"}, false},
		{"no user", []string{"-i", "other/r1", "-t", "hb/v1/down/other/r1/#"}, false},
		{"another's client id", []string{"-u", "other/r1", "-i", "demo/r1", "-P", "demo", "-t", "hb/v1/down/other/r1/#"}, false},
		{"a will on another's topic", []string{"-u", "other/r1", "-i", "other/r1", "-P", "demo", "-t", "hb/v1/down/other/r1/#", "--will-topic", "hb/v1/up/demo/r1/death", "--will-payload", "x"}, false},
		{"another's messages", []string{"-u", "other/r1", "-i", "other/r1", "-P", "demo", "-t", "hb/v1/down/demo/r1/#"}, false},
		{"everybody's messages", []string{"-u", "other/r1", "-i", "other/r1", "-P", "demo", "-t", "#"}, false},
	} {
		status, _, errs := once(t, exec.Command(sub, append(base, c.args...)...))
		// It leaves by itself with 27 when nothing came in time: it was let in.
		if in := status == 27; in != c.ok || !in && errs == "" {
			t.Errorf("%s: mosquitto_sub ended with %d, %q", c.says, status, strings.TrimSpace(errs))
		}
	}
	if n := p.broker.metric("hbmesh_broker_gate_logins_total"); n < 4 {
		t.Errorf("%v logins were counted", n)
	}
	p.check()
}
