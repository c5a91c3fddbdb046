package demo_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/demo"
	"github.com/hb-mesh/hb-mesh/cmd/hbctl/cli"
)

func controlScene(m *mesh) {
	control := "http://" + m.addr(8099)
	for name, try := range map[string]struct {
		method, url, host, header string
		want                      int
	}{
		"the switches are for all on this machine": {"GET", control + "/v1/switches", "", "", 200},
		"a page that rebinds its name":             {"GET", control + "/v1/switches", "evil.example:8099", "", 421},
		"an order of a page":                       {"POST", control + "/v1/unplug/relay", "", "", 403},
		"an order by reading":                      {"GET", control + "/v1/unplug/relay", "", "1", 405},
		"an unknown target":                        {"POST", control + "/v1/unplug/moon", "", "1", 404},
		"the panel on the dashboard":               {"GET", "http://" + m.addr(8080) + "/demo/panel.js", "", "", 200},
		"the switches on the dashboard":            {"GET", "http://" + m.addr(8081) + "/demo/v1/switches", "localhost", "", 200},
		"an order of a page to the dashboard":      {"POST", "http://" + m.addr(8080) + "/demo/v1/unplug/relay", "", "", 403},
		"a switch that is on already":              {"POST", control + "/v1/plug/register/pos1", "", "1", 200},
	} {
		req, err := http.NewRequest(try.method, try.url, nil)
		if err != nil {
			m.t.Fatal(err)
		}
		req.Host = try.host
		if try.header != "" {
			req.Header.Set("X-Hb-Request", try.header)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			m.t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != try.want {
			m.t.Errorf("%s: %d, want %d", name, res.StatusCode, try.want)
		}
	}
	if _, stderr, status := m.tryHbctl("demo", "unplug", "moon"); status != cli.ExitFailed || !strings.Contains(stderr, "wan/us-east-1") {
		m.t.Errorf("hbctl demo unplug moon: exit %d, %q; want the list of switches", status, stderr)
	}
	if page := m.get(8080, "/"); !strings.Contains(page, "/demo/panel.js") {
		m.t.Error("the dashboard does not load the panel of the demo")
	}
}

func ownPageScene(m *mesh) {
	req, err := http.NewRequest(http.MethodPost, "http://"+m.addr(8081)+"/demo/v1/unplug/region/us-west-2", nil)
	if err != nil {
		m.t.Fatal(err)
	}
	req.Header.Set("X-Hb-Request", "1")
	if res, err := http.DefaultClient.Do(req); err == nil {
		_ = res.Body.Close()
		m.t.Errorf("a dead region answers %d", res.StatusCode)
	}
	begin := time.Now()
	m.in(5*time.Second, "the switch is off", func() bool {
		return strings.Contains(m.hbctl("demo", "status"), " unplugged ")
	})
	if took := time.Since(begin); took > 3*time.Second+busy {
		m.t.Errorf("the region took %v to die: it waited for its own page", took)
	}
	m.plug("region/us-west-2")
	m.in(15*time.Second, "the region has the relay again", func() bool { return m.store("demo", "--addr", m.addr(8081)) == "up" })
}

func (m *mesh) get(port int, path string) string {
	m.t.Helper()
	res, err := http.Get("http://" + m.addr(port) + path)
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(raw)
}

func TestAUsedPortIsToldBeforeAnythingStarts(t *testing.T) {
	offset := freeOffset(t)
	used, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(8081+offset)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = used.Close() }()

	o := demo.DefaultOptions()
	o.PortOffset, o.DataDir = offset, filepath.Join(t.TempDir(), "data")
	d, err := demo.New(o)
	if err != nil {
		t.Fatal(err)
	}
	err = d.Run(t.Context())
	if err == nil {
		t.Fatal("the demo runs without its port")
	}
	for _, want := range []string{strconv.Itoa(8081 + offset), "us-west-2", "in use", "--port-offset", "make run ARGS="} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
	if _, err := os.Stat(o.DataDir); !os.IsNotExist(err) {
		t.Errorf("something was started: %v", err)
	}
}

func TestWrongOptionsAreTold(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*demo.Options)
		want   string
	}{
		"an offset beyond the ports":   {func(o *demo.Options) { o.PortOffset = 60000 }, "--port-offset"},
		"an offset below 0":            {func(o *demo.Options) { o.PortOffset = -1 }, "--port-offset"},
		"one endpoint for two regions": {func(o *demo.Options) { o.AWS = []string{"http://127.0.0.1:4566"} }, "URL,URL"},
		"an endpoint that is no URL":   {func(o *demo.Options) { o.AWS = []string{"a", "b"} }, "--aws"},
		"a webhook that is no URL":     {func(o *demo.Options) { o.Webhook = "example" }, "--webhook"},
	} {
		t.Run(name, func(t *testing.T) {
			o := demo.DefaultOptions()
			test.change(&o)
			if _, err := demo.New(o); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one about %s", err, test.want)
			}
		})
	}
}

func TestAFolderThatCannotBeMadeIsTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o := demo.DefaultOptions()
	o.PortOffset, o.DataDir = freeOffset(t), filepath.Join(file, "data")
	d, err := demo.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("error %v, want one about --data", err)
	}
}

func TestKeptDataIsNotToldAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keep := func(o *demo.Options) { o.DataDir = dir }
	first := startMesh(t, keep)
	first.in(10*time.Second, "eight hosts are up", func() bool { return len(first.list("hosts", "--state", "up")) == 8 })
	first.unplug("register/pos6")
	first.expect(8*time.Second, "demo", "pos6", "host-missing open")
	first.end()

	second := startMesh(t, keep)
	second.expect(20*time.Second, "demo", "pos6", "host-missing recovered")
	second.in(10*time.Second, "eight hosts are up", func() bool { return len(second.list("hosts", "--state", "up")) == 8 })
	time.Sleep(5 * time.Second) // settle and gather, in real time
	if n := second.hook.count(); n != 1 {
		t.Errorf("told: %v; want the return of pos6 alone", second.hook.since(0))
	}
}

func TestInterruptedStartEnds(t *testing.T) {
	o := demo.DefaultOptions()
	o.PortOffset = freeOffset(t)
	d, err := demo.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	select {
	case err := <-done:
		if err == nil {
			t.Error("a start that was interrupted says that all is well")
		}
	case <-time.After(10 * time.Second):
		t.Error("it goes on")
	}
}
