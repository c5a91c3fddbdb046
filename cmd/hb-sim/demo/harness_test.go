package demo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/demo"
	"github.com/hb-mesh/hb-mesh/cmd/hbctl/cli"
)

// atOnce is how many demos play at a time: what they do, mostly, is wait.
const atOnce = "10"

// registerEnv makes this test's program a foreign register: host@address.
const registerEnv = "HB_TEST_REGISTER"

func TestMain(m *testing.M) {
	if as := os.Getenv(registerEnv); as != "" {
		beatUntilKilled(as)
	}
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// beatUntilKilled is the register: a stock client with a will.
func beatUntilKilled(as string) {
	host, address, _ := strings.Cut(as, "@")
	o := mqtt.NewClientOptions().AddBroker("tcp://"+address).SetClientID(host).SetProtocolVersion(4).
		SetKeepAlive(10*time.Second).SetAutoReconnect(false).SetWill("hb/v1/gone/"+host, "", 1, false)
	c := mqtt.NewClient(o)
	if t := c.Connect(); !t.WaitTimeout(10*time.Second) || t.Error() != nil {
		fmt.Println("connect:", t.Error())
		os.Exit(1)
	}
	for {
		if t := c.Publish("hb/v1/beat/"+host, 1, false, `{"intervalMs": 30000}`); !t.WaitTimeout(10*time.Second) || t.Error() != nil {
			fmt.Println("publish:", t.Error())
			os.Exit(1)
		}
		fmt.Println("beat")
		time.Sleep(time.Second) // it is a program of its own, and no test
	}
}

// mesh is a running demo and the visitor's tools.
type mesh struct {
	t      *testing.T
	offset int
	hook   *receiver
	screen *buffer
	end    func() time.Duration // ends the demo and says how long that took
}

func startMesh(t *testing.T, change func(*demo.Options)) *mesh {
	t.Helper()
	m := &mesh{t: t, offset: freeOffset(t), hook: newReceiver(t), screen: &buffer{}}
	o := demo.DefaultOptions()
	o.PortOffset, o.Webhook, o.Out = m.offset, m.hook.URL, m.screen
	log := &buffer{}
	o.Log, o.Verbose = log, testing.Verbose()
	if change != nil {
		change(&o)
	}
	d, err := demo.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	var once sync.Once
	var took time.Duration
	m.end = func() time.Duration {
		once.Do(func() {
			begin := time.Now()
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("the demo ended with: %v", err)
				}
			case <-time.After(20 * time.Second):
				t.Error("the demo does not end")
			}
			took = time.Since(begin)
		})
		return took
	}
	t.Cleanup(func() {
		m.end()
		if t.Failed() {
			t.Logf("the screen:\n%s\nthe log (with -v):\n%s", m.screen.String(), log.String())
		}
	})
	select {
	case <-d.Ready():
	case err := <-done:
		done <- err
		t.Fatalf("the demo did not start: %v", err)
	case <-time.After(30 * time.Second):
		t.Fatal("the demo is not ready")
	}
	return m
}

// offsets counts the demos of this process, which run at once.
var offsets atomic.Int64

// freeOffset finds room for all of the demo's ports, below those that the
// kernel gives to clients: a dead part's port must stay free.
func freeOffset(t *testing.T) int {
	t.Helper()
next:
	for range 100 {
		offset := 10000 + (os.Getpid()*7+int(offsets.Add(1))*211)%14000
		for _, port := range []int{1883, 1884, 2883, 8080, 8081, 8090, 8099} {
			ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+offset)))
			if err != nil {
				continue next
			}
			_ = ln.Close()
		}
		return offset
	}
	t.Fatal("no room for the demo's ports")
	return 0
}

func (m *mesh) addr(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port+m.offset))
}

// hbctl runs a command line, which must succeed, and returns what it printed.
func (m *mesh) hbctl(args ...string) string {
	m.t.Helper()
	out, errs, status := m.tryHbctl(args...)
	if status != cli.ExitOK {
		m.t.Fatalf("hbctl %s: exit %d: %s", strings.Join(args, " "), status, errs)
	}
	return out
}

func (m *mesh) tryHbctl(args ...string) (stdout, stderr string, status int) {
	var out, errs bytes.Buffer
	o := cli.DefaultOptions()
	o.Args = append(args, "--port-offset", strconv.Itoa(m.offset))
	o.Stdout, o.Stderr = &out, &errs
	status = cli.Run(context.Background(), o)
	return out.String(), errs.String(), status
}

func (m *mesh) unplug(target string) { m.t.Helper(); m.hbctl("demo", "unplug", target) }
func (m *mesh) plug(target string)   { m.t.Helper(); m.hbctl("demo", "plug", target) }

// row is what a test reads of a list of hbctl.
type row struct {
	Store, Host, State, Via, Kind, Title string
	Region, Target                       string
	IntervalMs                           int64
	Open                                 bool
	Told                                 []string
}

// list reads a list, from the region that answers first; nil while none does.
func (m *mesh) list(args ...string) []row {
	m.t.Helper()
	out, _, status := m.tryHbctl(append(args, "--json")...)
	if status != cli.ExitOK {
		return nil
	}
	var rows []row
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		m.t.Fatalf("hbctl %v: %v\n%s", args, err, out)
	}
	return rows
}

// host is one host's row; its state is "" while nobody knows it.
func (m *mesh) host(store, host string, args ...string) row {
	m.t.Helper()
	for _, r := range m.list(append([]string{"hosts", "--store", store}, args...)...) {
		if r.Host == host {
			return r
		}
	}
	return row{}
}

// store is one store's state, "" while it is not known.
func (m *mesh) store(store string, args ...string) string {
	m.t.Helper()
	for _, r := range m.list(append([]string{"stores"}, args...)...) {
		if r.Store == store {
			return r.State
		}
	}
	return ""
}

// busy is how much later than on a quiet machine anything may come: other tests
// run beside these. What took longer than on a quiet one is in the log.
const busy = 10 * time.Second

// in waits for ok, and fails the test after within, and what a busy machine adds.
func (m *mesh) in(within time.Duration, what string, ok func() bool) {
	m.t.Helper()
	for begin := time.Now(); ; {
		if ok() {
			if took := time.Since(begin); took > within {
				m.t.Logf("%s: after %v, on a quiet machine within %v", what, took, within)
			}
			return
		}
		if time.Since(begin) > within+busy {
			m.t.Fatalf("not within %v and %v more: %s", within, busy, what)
		}
		time.Sleep(50 * time.Millisecond) // polls real sockets
	}
}

// kill runs a foreign register as a process until the returned function kills
// it with SIGKILL.
func (m *mesh) process(host string) (kill func()) {
	m.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), registerEnv+"="+host+"@"+m.addr(2883))
	out := &buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	var once sync.Once
	kill = func() {
		once.Do(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
	m.t.Cleanup(kill)
	m.in(10*time.Second, "the first beat of "+host, func() bool { return strings.Contains(out.String(), "beat") })
	return kill
}

// client is a foreign register in this process.
func (m *mesh) client(host string) mqtt.Client {
	m.t.Helper()
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://"+m.addr(2883)).SetClientID(host).
		SetProtocolVersion(4).SetAutoReconnect(false).SetWill("hb/v1/gone/"+host, "", 1, false))
	if t := c.Connect(); !t.WaitTimeout(5*time.Second) || t.Error() != nil {
		m.t.Fatalf("connect %s: %v", host, t.Error())
	}
	m.publish(c, "hb/v1/beat/"+host, `{"intervalMs": 30000}`)
	return c
}

func (m *mesh) publish(c mqtt.Client, topic, payload string) {
	m.t.Helper()
	if t := c.Publish(topic, 1, false, payload); !t.WaitTimeout(5*time.Second) || t.Error() != nil {
		m.t.Fatalf("publish %s: %v", topic, t.Error())
	}
}

// post sends a body as curl does in a crontab, and returns status and answer.
func (m *mesh) post(port int, path, key, body string) (int, string) {
	m.t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://"+m.addr(port)+path, strings.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if key != "" {
		req.Header.Set("x-api-key", key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(raw))
}

// status is the answer to GET /v1/status, 0 where none comes.
func (m *mesh) status(port int) int {
	res, err := http.Get("http://" + m.addr(port) + "/v1/status")
	if err != nil {
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// expect waits until the items of a subject are exactly the changes, oldest first.
func (m *mesh) expect(within time.Duration, store, host string, changes ...string) []item {
	m.t.Helper()
	var got []item
	m.in(within, fmt.Sprintf("%s/%s is told as %v", store, host, changes), func() bool {
		got = m.hook.about(store, host)
		return len(got) >= len(changes)
	})
	for i, it := range got {
		if i >= len(changes) || it.Kind+" "+it.Change != changes[i] {
			m.t.Fatalf("%s/%s was told as %v, want %v", store, host, got, changes)
		}
	}
	return got
}

// quiet fails if anything is told within d.
func (m *mesh) quiet(d time.Duration, after int) {
	m.t.Helper()
	time.Sleep(d) // nothing must happen, in real time
	if told := m.hook.since(after); len(told) > 0 {
		m.t.Fatalf("nobody was to be woken; told: %v", told)
	}
}

// buffer may be written and read at once.
type buffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
