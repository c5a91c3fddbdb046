//go:build linux

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/ring"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	east = beat.Region("us-east-1")
	west = beat.Region("us-west-2")

	examples = "../../deploy/examples"

	// store and demoKey are those of the examples.
	store   = "demo"
	demoKey = "demo"
)

// The times of the demo, and what the relay's config check wants besides.
const (
	brokerTimes = "\ntimes: {grace: 2s, settle: 3s, ask: 1s, takeover: 5s, blind: 8s, mail: 4s, gatherLan: 4s}\nburst: 50\n"
	nodeTimes   = "\ntimes: {grace: 2s, settle: 3s, ask: 1s, takeover: 5s, blind: 8s, mail: 4s, gatherLan: 4s, lease: 5s, renew: 1s}\nburst: 50\n"
	relayTimes  = "\ntimes: {reportEvery: 2s, keepalive: 3s, ackTimeout: 2s, reconnectFirst: 500ms, reconnectCap: 1s, handshake: 1s, grace: 2s, blip: 1s, warmUp: 10s}\n"
)

// ringEnv are the credentials that the emulators take.
func ringEnv() []string {
	return environment("AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true")
}

// portsGiven are those that were given to a test: no other one gets them, since
// its processes may be dead, or not started yet.
var portsGiven sync.Map

// freePort is a port that nobody listens on, below those that the kernel gives
// to outgoing connections, and those of the demos that other packages' tests
// run: it stays free while its process is dead.
func freePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := 3000 + rand.IntN(7000)
		if _, taken := portsGiven.LoadOrStore(port, true); taken {
			continue
		}
		ln, err := net.Listen("tcp", loopback(port))
		if err == nil {
			_ = ln.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// edit writes an example with other words in it, and lines at its end.
func edit(t testing.TB, example, to string, words map[string]string, more string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(examples, example))
	if err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for old, now := range words {
		if !strings.Contains(string(raw), old) {
			t.Fatalf("%s does not say %q any more", example, old)
		}
		pairs = append(pairs, old, now)
	}
	if err := os.WriteFile(to, []byte(strings.NewReplacer(pairs...).Replace(string(raw))+more), 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

// server is a broker or a relay: what it is started with, and its present life.
type server struct {
	*process
	owner   testing.TB // with whom each of its lives ends
	program string
	from    string // the folder of its program, where that is not this build's
	config  string
	http    string // host:port
	mqtt    string
	wrap    []string // what runs it, such as a program that enters a namespace
	stdin   io.Reader
}

// start starts it, and does not wait until it is ready.
func (s *server) start() {
	path := built(s.owner, s.program)
	if s.from != "" {
		path = filepath.Join(s.from, s.program)
	}
	line := append(slices.Clone(s.wrap), path, "--config", s.config)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env, cmd.Stdin = ringEnv(), s.stdin
	s.process = run(s.owner, cmd)
	s.name = s.program + " " + filepath.Base(s.config)
}

// up starts it, and waits until it can do its job.
func (s *server) up(t testing.TB) {
	t.Helper()
	s.start()
	s.ready(t)
}

func (s *server) ready(t testing.TB) {
	t.Helper()
	within(t, patience, s.name+" is ready", func() bool {
		if !s.alive() {
			t.Fatalf("%s ended with status %d:\n%s", s.name, s.cmd.ProcessState.ExitCode(), s.log.String())
		}
		return s.status() == http.StatusOK
	})
}

// status is the answer to GET /v1/status, 0 where none comes.
func (s *server) status() int {
	status, _ := s.get("/v1/status")
	return status
}

var client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// get asks its HTTP door; the status is 0 where no answer comes.
func (s *server) get(path string) (int, string) {
	resp, err := client.Get("http://" + s.http + path)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(raw)
}

// post sends a body to its HTTP door as hb-api's crontab line does.
func (s *server) post(path, key, body string) (int, string) {
	req, err := http.NewRequest(http.MethodPost, "http://"+s.http+path, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if key != "" {
		req.Header.Set("x-api-key", key)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	raw, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, strings.TrimSpace(string(raw))
}

// metric is the sum of a metric over its labels; 0 where there is none.
func (s *server) metric(name string) float64 {
	_, text := s.get("/metrics")
	sum := 0.0
	for line := range strings.Lines(text) {
		head, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if base, _, _ := strings.Cut(head, "{"); !ok || base != name {
			continue
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			sum += v
		}
	}
	return sum
}

// row is what a test reads of the API's lists.
type row struct {
	ID                                  string
	Store, Host, State, Via, Kind, Home string
	Incarnation                         string
	Number                              uint64
	Until                               uint64
	Regions                             []string
	Open, Self                          bool
	IntervalMs                          int64
}

// list is a whole list of a broker's API; nil where it does not answer.
func (s *server) list(path string) []row {
	var all []row
	query := url.Values{"limit": {"1000"}}
	for {
		join := "?"
		if strings.Contains(path, "?") {
			join = "&"
		}
		status, body := s.get(path + join + query.Encode())
		var page struct {
			Items []row
			Next  string
		}
		if status != http.StatusOK || json.Unmarshal([]byte(body), &page) != nil {
			return nil
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			return all
		}
		query.Set("next", page.Next)
	}
}

// host is one host of the store; its state is "" while nobody knows it.
func (s *server) host(name string) row {
	for _, r := range s.list("/v1/hosts?store=" + store) {
		if r.Host == name {
			return r
		}
	}
	return row{}
}

// store is the store's state, "" while it is not known.
func (s *server) store() string {
	for _, r := range s.list("/v1/stores") {
		if r.Store == store {
			return r.State
		}
	}
	return ""
}

// mesh is two brokers and a relay as processes, on the test ring.
type mesh struct {
	t       testing.TB
	ring    *ring.Ring
	dir     string
	brokers map[beat.Region]*server
	relay   *server
	cables  map[beat.Region]*cable
	data    string // the relay's folder
}

// newMesh starts the ring and makes the configurations; relayMore is added to
// the relay's. No process is started.
func newMesh(t testing.TB, relayMore string) *mesh {
	t.Helper()
	m := &mesh{t: t, dir: t.TempDir(), brokers: map[beat.Region]*server{}, cables: map[beat.Region]*cable{}}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var err error
	if m.ring, err = ring.Start(ctx, ring.TestOptions()); err != nil {
		t.Fatal(err) // says how to install what is missing
	}
	t.Cleanup(m.ring.Stop)

	type ports struct{ mqtt, http string }
	at := map[beat.Region]ports{}
	for _, r := range m.ring.Regions() {
		at[r] = ports{loopback(freePort(t)), loopback(freePort(t))}
		m.cables[r] = newCable(t, at[r].mqtt)
	}
	for _, r := range m.ring.Regions() {
		example := "broker-" + string(r) + ".yaml"
		was := map[beat.Region][3]string{east: {"127.0.0.1:1883", "127.0.0.1:8080", "127.0.0.1:4566"}, west: {"127.0.0.1:1884", "127.0.0.1:8081", "127.0.0.1:4567"}}
		words := map[string]string{was[r][0]: at[r].mqtt, was[east][1]: at[east].http, was[west][1]: at[west].http}
		words["http://"+was[r][2]] = m.ring.Endpoint(r)
		words[fmt.Sprintf("arn:aws:sns:%s:000000000000:hb-mesh-alerts", r)] = m.ring.Topic(r)
		m.brokers[r] = &server{
			owner: t, program: "hb-broker", mqtt: at[r].mqtt, http: at[r].http,
			config: edit(t, example, filepath.Join(m.dir, example), words, brokerTimes),
		}
	}
	m.relay = newRelay(t, m.dir, map[string]string{"127.0.0.1:1883": m.cables[east].address(), "127.0.0.1:1884": m.cables[west].address()}, relayMore)
	m.data = filepath.Join(m.dir, "relay-data")
	return m
}

// newRelay makes the configuration of the example's relay, with its data in
// dir/relay-data.
func newRelay(t testing.TB, dir string, words map[string]string, more string) *server {
	t.Helper()
	s := &server{owner: t, program: "hb-relay", mqtt: loopback(freePort(t)), http: loopback(freePort(t))}
	words["127.0.0.1:2883"], words["127.0.0.1:8090"] = s.mqtt, s.http
	words["data: hb-relay-data"] = "data: " + filepath.Join(dir, "relay-data")
	s.config = edit(t, "relay.yaml", filepath.Join(dir, "relay.yaml"), words, more)
	return s
}

// up starts all of it.
func (m *mesh) up() {
	m.t.Helper()
	for _, b := range m.brokers {
		b.start()
	}
	for _, b := range m.brokers {
		b.ready(m.t)
	}
	m.relay.up(m.t)
}

// hbctl runs a command line, which must succeed, and returns what it printed.
func (m *mesh) hbctl(args ...string) string {
	m.t.Helper()
	cmd := exec.Command(built(m.t, "hbctl"), args...)
	cmd.Env = ringEnv()
	status, out, errs := once(m.t, cmd)
	if status != 0 {
		m.t.Fatalf("hbctl %s: exit %d: %s", strings.Join(args, " "), status, errs)
	}
	return out
}
