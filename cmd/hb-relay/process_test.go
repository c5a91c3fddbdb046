package main_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const patience = 30 * time.Second

// binary is the program under test, built once.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "hb-relay-test")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "hb-relay")
	out, err := exec.Command("go", "build", "-ldflags", "-X main.version=9.9.9-test", "-o", name, ".").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return name, nil
})

func TestMain(m *testing.M) {
	status := m.Run()
	if name, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(name))
	}
	os.Exit(status)
}

func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	name, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(name, args...)
	c.Env = append(os.Environ(), "HB_STORE=demo")
	return c
}

// once runs the program to its end.
func once(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	c := program(t, args...)
	c.Stdout, c.Stderr = &out, &errOut
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), out.String(), errOut.String()
}

// flags are a relay's on spare ports, with a region where nobody listens.
func flags(dir string) []string {
	return []string{
		"--data", dir, "--mqtt-address", "127.0.0.1:0", "--http-address", "127.0.0.1:0",
		"--regions-0-name", "us-east-1", "--regions-0-address", "tcp://127.0.0.1:1", "--times-blip", "50ms", "--limits-exempt-loopback",
	}
}

// process is a running relay.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	mu   sync.Mutex // guards log
	log  bytes.Buffer
	http string
	mqtt string
	done chan struct{} // closed when it ended
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

var readyLine = regexp.MustCompile(`the relay is ready.* mqtt=(\S+) http=(\S+) `)

func run(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: program(t, args...), done: make(chan struct{})}
	p.cmd.Stderr = p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.done) }()
	t.Cleanup(func() { p.end(syscall.SIGKILL) })
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if m := readyLine.FindStringSubmatch(p.text()); m != nil {
			p.mqtt, p.http = m[1], m[2]
			return p
		}
		if time.Now().After(deadline) {
			t.Fatalf("not ready:\n%s", p.text())
		}
	}
}

func (p *process) end(s os.Signal) {
	_ = p.cmd.Process.Signal(s)
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Errorf("still running after %v:\n%s", s, p.text())
	}
}

func (p *process) call(method, path, body string) (int, string) {
	p.t.Helper()
	req, _ := http.NewRequest(method, "http://"+p.http+path, strings.NewReader(body))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	got, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(got)
}

// states is the host table of the page, as "host state host state".
func (p *process) states() string {
	p.t.Helper()
	_, page := p.call("GET", "/", "")
	var words []string
	_, page, _ = strings.Cut(page, "<h2>Hosts")
	for _, m := range regexp.MustCompile(`<td><b>([^<]+)</b>.*\n<td>(\w+)`).FindAllStringSubmatch(page, -1) {
		words = append(words, m[1], m[2])
	}
	return strings.Join(words, " ")
}

func (p *process) shows(want string) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); p.states() != want; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("the page shows %q, want %q\n%s", p.states(), want, p.text())
		}
	}
}

func TestTheExamplesAreValid(t *testing.T) {
	status, example, stderr := once(t, "config", "example")
	if status != 0 || !strings.Contains(example, "reportEvery: 15s") {
		t.Fatalf("example: %d %s %s", status, example, stderr)
	}
	file := filepath.Join(t.TempDir(), "relay.yaml")
	if err := os.WriteFile(file, []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{file, "../../deploy/examples/relay.yaml"} {
		if status, _, stderr := once(t, "config", "check", "--config", f); status != 0 {
			t.Errorf("%s: %d %s", f, status, stderr)
		}
	}
	_, shown, _ := once(t, "config", "show", "--config", "../../deploy/examples/relay.yaml")
	if strings.Contains(shown, "password: demo") || !strings.Contains(shown, `password: "********"`) {
		t.Errorf("a password is shown:\n%s", shown)
	}
}

func TestWrongConfigurationsSayWhatIsWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "relay.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	regions := "regions:\n- {name: a, address: tcp://127.0.0.1:1883}\n"
	for text, want := range map[string]string{
		regions + "tmies: {}\n":                                        "relay.yaml:3: tmies: unknown key: is it times?",
		regions + "times:\n  blip: 2\n":                                `relay.yaml:4: times.blip: "2" is no duration`,
		regions + "times: {reportEvery: 30s}\n":                        "call it lost after 40s",
		regions + "- {name: a, address: tcp://127.0.0.1:1884}\n":       "regions[1].name: a is there twice",
		regions + "log: {level: loud}\n":                               "log.level",
		regions + "memoryMB: -1\n":                                     "memoryMB",
		"regions: []\n":                                                "regions: want one or two",
		"regions:\n- {name: a, address: tls://h:1, caFile: /no.pem}\n": "regions[0].caFile",
	} {
		write(text)
		if status, _, stderr := once(t, "--config", file); status != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%q: status %d, %s; want …%s…", text, status, stderr, want)
		}
	}
	if status, _, stderr := once(t, "--config", "/no/such.yaml"); status != 2 || !strings.Contains(stderr, "/no/such.yaml") {
		t.Errorf("a missing file: %d %s", status, stderr)
	}
	if status, stdout, _ := once(t, "version"); status != 0 || stdout != "hb-relay 9.9.9-test\n" {
		t.Errorf("version: %d %q", status, stdout)
	}
}

func TestAUsedPortAndABadFolderAreClear(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	used := ln.Addr().String()
	for want, more := range map[string][]string{
		used + " (setting mqtt.address)":                  {"--mqtt-address", used},
		"the data folder /proc/nothing cannot be written": {"--data", "/proc/nothing"},
		"or name another one with --data":                 {"--data", "/proc/nothing"},
	} {
		status, _, stderr := once(t, append(flags(t.TempDir()), more...)...)
		if status != 1 || !strings.Contains(stderr, want) {
			t.Errorf("status %d, %s; want …%s…", status, stderr, want)
		}
	}
}

func TestACommandLineThatIsNotEnoughSaysWhatIsMissing(t *testing.T) {
	for want, args := range map[string][]string{
		"--config FILE":                         nil,
		"known: --http.address":                 {"--http.address", "127.0.0.1:1"},
		"--http.address; see hb-relay --help\n": {"--http.address", "127.0.0.1:1"},
	} {
		c := program(t, args...)
		c.Env = append(os.Environ(), "HB_STORE=", "HB_CONFIG=")
		out, _ := c.CombinedOutput() // its status says it too
		if c.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), want) {
			t.Errorf("%v: status %d, %s; want …%s…", args, c.ProcessState.ExitCode(), out, want)
		}
	}
	file := filepath.Join(t.TempDir(), "relay.yaml")
	if err := os.WriteFile(file, []byte("relay: r1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := once(t, "--config", file); status != 2 || strings.Contains(stderr, "no configuration file") {
		t.Errorf("with a file: status %d, %s; want no word on a missing file", status, stderr)
	}
}

// What was answered is on disk: kill -9 right after it, and start again.
func TestKilledAndStartedAgainItKnowsItsHosts(t *testing.T) {
	dir := t.TempDir()
	p := run(t, flags(dir)...)
	if status, body := p.call("POST", "/v1/heartbeat", `{"hostId":"short","intervalMs":1000}`); status != 200 {
		t.Fatalf("a beat: %d %s", status, body)
	}
	p.shows("short missing")
	p.call("POST", "/v1/heartbeat", `{"hostId":"long"}`)
	p.end(syscall.SIGKILL)

	p = run(t, flags(dir)...)
	p.shows("long unknown short missing")
	p.call("POST", "/v1/heartbeat", `{"hostId":"long"}`)
	p.shows("long up short missing")
	if strings.Contains(p.text(), "level=ERROR") {
		t.Errorf("an error after kill -9:\n%s", p.text())
	}
	start := time.Now()
	p.end(syscall.SIGTERM)
	if s := p.cmd.ProcessState.ExitCode(); s != 0 || time.Since(start) > patience/2 { // it waits 3 s at most for regions
		t.Errorf("SIGTERM: status %d after %v\n%s", s, time.Since(start), p.text())
	}
}

// SIGHUP ends it in order as SIGTERM does, and promises to be back.
func TestAHangupIsARestart(t *testing.T) {
	for s, want := range map[syscall.Signal]string{syscall.SIGHUP: "restart=true", syscall.SIGTERM: "restart=false"} {
		p := run(t, flags(t.TempDir())...)
		p.end(s)
		if p.cmd.ProcessState.ExitCode() != 0 || !strings.Contains(p.text(), want) {
			t.Errorf("%v: status %d; want %s\n%s", s, p.cmd.ProcessState.ExitCode(), want, p.text())
		}
	}
}

func TestTheReadyLineNamesEveryAddress(t *testing.T) {
	p := run(t, flags(t.TempDir())...)
	for _, want := range []string{p.mqtt, p.http, "us-east-1 tcp://127.0.0.1:1", "store=demo", "relay=r1", "version=9.9.9-test"} {
		if !strings.Contains(p.text(), want) {
			t.Errorf("the ready line lacks %s:\n%s", want, p.text())
		}
	}
	if status, body := p.call("GET", "/v1/status", ""); status != 500 || !strings.Contains(body, "no region is reachable") {
		t.Errorf("status without a region: %d %s", status, body)
	}
}
