package ingress_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/hb-mesh/hb-mesh/relay/ingress"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

// patience is how long anything may take that takes a moment: the machine may
// be busy with other tests.
const patience = 30 * time.Second

// sink remembers what came, one line an event.
type sink struct {
	mu    sync.Mutex // guards what follows
	lines []string
	conns []uint64
	beats []roster.Beat
	fail  error
}

func (s *sink) Deliver(_ context.Context, e roster.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	var line string
	switch e := e.(type) {
	case *roster.Beat:
		s.beats = append(s.beats, *e)
		line = fmt.Sprintf("beat %s from %s", e.Beat.Host, s.name(e.From))
	case *roster.Gone:
		line = fmt.Sprintf("gone %s from %s", e.Host, s.name(e.From))
	case *roster.Bye:
		line = fmt.Sprintf("bye %s from %s", e.Host, s.name(e.From))
	case *roster.Connected:
		line = fmt.Sprintf("connected %s by %s", e.Host, s.name(e.From))
	case *roster.Closed:
		line = fmt.Sprintf("closed %s, clean %v", s.name(e.From), e.Clean)
	default:
		line = fmt.Sprintf("%T", e)
	}
	s.lines = append(s.lines, line)
	return nil
}

// name is A, B, C for connections in their order, http for none; s.mu is held.
func (s *sink) name(from roster.Source) string {
	if !from.Addr.IsLoopback() {
		return "nowhere"
	}
	if from.Conn == 0 {
		return "http"
	}
	for n, c := range s.conns {
		if c == from.Conn {
			return string(rune('A' + n))
		}
	}
	s.conns = append(s.conns, from.Conn)
	return string(rune('A' + len(s.conns) - 1))
}

func (s *sink) breakWith(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

func (s *sink) last() roster.Beat {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.beats) == 0 {
		return roster.Beat{}
	}
	return s.beats[len(s.beats)-1]
}

// expect waits for exactly these lines, in order, and forgets them.
func (s *sink) expect(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		if got = s.lines; len(got) >= len(want) {
			s.lines = nil
			s.mu.Unlock()
			break
		}
		s.mu.Unlock()
		if time.Now().After(deadline) {
			break
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Fatalf("events are\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// lan is an open LAN door.
type lan struct {
	*ingress.Ingress
	t          *testing.T
	sink       *sink
	mqtt, http string
	stop       func()
}

func openLAN(t *testing.T, change func(*ingress.Options), m ...*ingress.Metrics) *lan {
	t.Helper()
	opt := ingress.DefaultOptions()
	opt.ExemptLoopback = true
	if change != nil {
		change(&opt)
	}
	s := new(sink)
	in, err := ingress.New(opt, s, nil, append(m, nil)[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	l := &lan{Ingress: in, t: t, sink: s}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	run := func(f func(context.Context, net.Listener) error) string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			if err := f(ctx, ln); err != nil {
				t.Errorf("run: %v", err)
			}
		})
		return ln.Addr().String()
	}
	mux := http.NewServeMux()
	in.Mount(mux)
	l.mqtt = run(in.RunMQTT)
	l.http = run(func(ctx context.Context, ln net.Listener) error { return in.RunHTTP(ctx, ln, mux) })
	l.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(l.stop)
	return l
}

// register is a paho client, as a till would use it.
func (l *lan) register(id, will, password string) (mqtt.Client, error) {
	l.t.Helper()
	o := mqtt.NewClientOptions().AddBroker("tcp://" + l.mqtt).SetClientID(id).SetProtocolVersion(4).
		SetAutoReconnect(false).SetConnectRetry(false).SetConnectTimeout(patience)
	if will != "" {
		o.SetWill(will, "", 1, false)
	}
	if password != "" {
		o.SetUsername("till").SetPassword(password)
	}
	c := mqtt.NewClient(o)
	t := c.Connect()
	if !t.WaitTimeout(patience) {
		return nil, errors.New("no CONNACK")
	}
	if t.Error() == nil {
		l.t.Cleanup(func() { c.Disconnect(0) })
	}
	return c, t.Error()
}

func (l *lan) join(id, will string) mqtt.Client {
	l.t.Helper()
	c, err := l.register(id, will, "")
	if err != nil {
		l.t.Fatal(err)
	}
	return c
}

func (l *lan) say(c mqtt.Client, topic, payload string) {
	l.t.Helper()
	t := c.Publish(topic, 1, false, payload)
	if !t.WaitTimeout(patience) || t.Error() != nil {
		l.t.Fatalf("publish to %s: %v", topic, t.Error())
	}
}

// call is one HTTP request and its answer.
func (l *lan) call(method, path, key, body string) (int, string) {
	l.t.Helper()
	req, err := http.NewRequestWithContext(l.t.Context(), method, "http://"+l.http+path, strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("X-Api-Key", key)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl -d has it
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}
