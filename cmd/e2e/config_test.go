//go:build linux

package e2e_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// brokerConfig is a broker that needs no emulator.
func brokerConfig(dir, mqtt, http string) string {
	return strings.Join([]string{
		"region: us-east-1",
		"mqtt: {address: '" + mqtt + "'}",
		"http: {address: '" + http + "'}",
		"openReads: true",
		"table: {backend: local, dir: " + filepath.Join(dir, "table") + "}",
		"channels: [{name: log, type: log}]",
		"keys:",
		"- {name: the API, text: demo, roles: [beat, admin], store: demo}",
		"- {name: relays, text: demo, roles: [relay]}",
		brokerTimes,
	}, "\n")
}

func relayConfig(dir, mqtt, http, region string) string {
	return strings.Join([]string{
		"store: demo",
		"data: " + filepath.Join(dir, "relay-data"),
		"mqtt: {address: '" + mqtt + "'}",
		"http: {address: '" + http + "'}",
		"regions: [{name: us-east-1, address: 'tcp://" + region + "', password: demo}]",
		relayTimes,
	}, "\n")
}

// anyPort lets the kernel choose.
const anyPort = "127.0.0.1:0"

// nobody is where nobody listens.
const nobody = "127.0.0.1:1"

func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAWrongConfigurationIsRefusedWithItsPlace(t *testing.T) {
	dir := t.TempDir()
	broker := brokerConfig(dir, anyPort, anyPort)
	relay := relayConfig(dir, anyPort, anyPort, nobody)
	for _, c := range []struct{ program, says, text, want string }{
		{"hb-broker", "an unknown key", broker + "peeer: {}\n", "conf.yaml:13: peeer: unknown key: is it peer?"},
		{"hb-broker", "an unknown key within", strings.Replace(broker, "backend: local", "backned: local", 1), "conf.yaml:5: table.backned: unknown key: is it backend?"},
		{"hb-broker", "a duration without a unit", strings.Replace(broker, "grace: 2s", "grace: 2", 1), `conf.yaml:11: times.grace: "2" is no duration`},
		{"hb-broker", "two regions of one name", broker + "regions: [us-east-1, us-east-1]\n", "regions[1]: us-east-1 is there twice"},
		{"hb-broker", "two regions without a secret", broker + "regions: [us-east-1, us-west-2]\n", "peer.secret"},
		{"hb-broker", "no YAML", "region: [", "conf.yaml:1:"},
		{"hb-broker", "an unknown channel", strings.Replace(broker, "type: log", "type: pager", 1), `channels[0].type: "pager" is not sns, webhook or log`},
		{"hb-broker", "an open door without TLS", strings.Replace(broker, anyPort, ":0", 1), "mqtt.address"},
		{"hb-relay", "an unknown key", relay + "kyed: true\n", "conf.yaml:8: kyed: unknown key: is it keyed?"},
		{"hb-relay", "a duration that is none", strings.Replace(relay, "blip: 1s", "blip: soon", 1), `conf.yaml:7: times.blip: "soon" is no duration`},
		{"hb-relay", "two regions of one name", strings.Replace(relay, "}]", "}, {name: us-east-1, address: 'tcp://127.0.0.1:2'}]", 1), "regions[1].name: us-east-1 is there twice"},
		{"hb-relay", "times that call it lost before it can be back", strings.Replace(relay, "grace: 2s", "grace: 100ms", 1), "but the regions call it lost"},
		{"hb-relay", "a plain way out of this machine", strings.Replace(relay, nobody, "192.0.2.1:1883", 1), "regions[0].address"},
	} {
		t.Run(c.program+": "+c.says, func(t *testing.T) {
			file := write(t, dir, "conf.yaml", c.text)
			for _, args := range [][]string{{"--config", file}, {"config", "check", "--config", file}} {
				status, stdout, stderr := once(t, exec.Command(built(t, c.program), args...))
				if status != 2 || !strings.Contains(stderr, c.want) || !strings.HasPrefix(stderr, c.program+": ") || stdout != "" {
					t.Errorf("%v: status %d, %q; want 2 and …%s…", args, status, stderr, c.want)
				}
			}
		})
	}
	for _, program := range []string{"hb-broker", "hb-relay"} {
		if status, _, stderr := once(t, exec.Command(built(t, program), "--config", "/no/such.yaml")); status != 2 || !strings.Contains(stderr, "/no/such.yaml") {
			t.Errorf("%s without its file: %d %s", program, status, stderr)
		}
		if status, stdout, _ := once(t, exec.Command(built(t, program), "version")); status != 0 || stdout != program+" "+testVersion+"\n" {
			t.Errorf("%s version: %d %s", program, status, stdout)
		}
	}
	for _, example := range []string{"broker-us-east-1.yaml", "broker-us-west-2.yaml", "relay.yaml"} {
		program := "hb-" + strings.Split(strings.TrimSuffix(example, ".yaml"), "-")[0]
		if status, _, stderr := once(t, exec.Command(built(t, program), "config", "check", "--config", filepath.Join(examples, example))); status != 0 {
			t.Errorf("%s: %d %s", example, status, stderr)
		}
	}
}

func TestAUsedPortIsNamedWithItsSetting(t *testing.T) {
	ln, err := net.Listen("tcp", anyPort)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	used, dir := ln.Addr().String(), t.TempDir()
	for _, c := range []struct{ program, text, setting string }{
		{"hb-broker", brokerConfig(dir, used, anyPort), "MQTT"},
		{"hb-broker", brokerConfig(dir, anyPort, used), "HTTP"},
		{"hb-relay", relayConfig(dir, used, anyPort, nobody), "mqtt.address"},
		{"hb-relay", relayConfig(dir, anyPort, used, nobody), "http.address"},
	} {
		status, _, stderr := once(t, exec.Command(built(t, c.program), "--config", write(t, dir, "conf.yaml", c.text)))
		if status != 1 || !strings.Contains(stderr, used) || !strings.Contains(stderr, c.setting) {
			t.Errorf("%s with %s in use: status %d, %q; want 1, and %s named", c.program, used, status, stderr, c.setting)
		}
	}
}

// mount makes a small file system, where the test may.
func mount(t *testing.T, flags uintptr, options string) (dir string, ok bool) {
	t.Helper()
	dir = t.TempDir()
	if os.Geteuid() != 0 {
		t.Log("not root: no small file system can be mounted, so a full and a read-only disk were not tried")
		return dir, false
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		t.Logf("no small file system can be mounted (%v), so a full and a read-only disk were not tried", err)
		return dir, false
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir, true
}

func TestAReadOnlyFolderEndsTheStartClearly(t *testing.T) {
	dir, ok := mount(t, syscall.MS_RDONLY, "size=1m")
	if !ok {
		dir = "/proc" // nobody writes there
	}
	for program, text := range map[string]string{
		"hb-broker": brokerConfig(dir, anyPort, anyPort), "hb-relay": relayConfig(dir, anyPort, anyPort, nobody),
	} {
		status, _, stderr := once(t, exec.Command(built(t, program), "--config", write(t, t.TempDir(), "conf.yaml", text)))
		if status != 1 || !strings.Contains(stderr, dir) || strings.Contains(stderr, "goroutine") {
			t.Errorf("%s on a read-only folder: status %d, %q; want 1, and the folder named", program, status, stderr)
		}
	}
}

// fill leaves so many bytes free in dir.
func fill(t testing.TB, dir string, leave uint64) {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "ballast"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	block := make([]byte, 1<<20)
	for free := st.Bavail * uint64(st.Bsize); free > leave+uint64(len(block)); free -= uint64(len(block)) {
		if _, err := f.Write(block); err != nil {
			t.Fatal(err)
		}
	}
}

// A relay on a full disk goes on from memory, and keeps again when there is
// room.
func TestAFullDiskStopsNoRelay(t *testing.T) {
	dir, ok := mount(t, 0, "size=200m")
	if !ok {
		return
	}
	s := &server{owner: t, program: "hb-relay", mqtt: loopback(freePort(t)), http: loopback(freePort(t))}
	s.config = write(t, t.TempDir(), "relay.yaml", relayConfig(dir, s.mqtt, s.http, nobody)+"limits: {exemptLoopback: true}\n")
	beats := func(host string) {
		t.Helper()
		if status, body := s.post("/v1/heartbeat", "", `{"hostId": "`+host+`"}`); status != 200 {
			t.Fatalf("a beat of %s: %d %s\n%s", host, status, body, s.log.String())
		}
	}
	serves := func() { // no region listens, so its status is never good
		t.Helper()
		within(t, patience, "the relay answers", func() bool { return s.status() == 500 })
	}
	s.start()
	serves()
	beats("before")

	fill(t, dir, 20<<20)
	beats("full")
	if err := beatOnce(s.mqtt, "full-mqtt", false); err != nil {
		t.Errorf("a beat by MQTT on a full disk: %v", err)
	}
	if n := s.metric("hbmesh_relay_journal_refused_total"); n < 2 {
		t.Errorf("%v transitions were counted as not kept", n)
	}
	if _, page := s.get("/"); !strings.Contains(page, "disk is full") || !strings.Contains(page, "full-mqtt") {
		t.Error("the page does not say that the disk is full, or lacks a host")
	}
	s.kill()

	s.start() // on the full disk
	serves()
	beats("second")
	if _, page := s.get("/"); !strings.Contains(page, "disk is full") {
		t.Error("the page of a relay that was started on a full disk does not say so")
	}
	s.kill()

	if err := os.Remove(filepath.Join(dir, "ballast")); err != nil {
		t.Fatal(err)
	}
	s.start()
	serves()
	beats("room")
	within(t, patience, "what was kept is there", func() bool {
		_, page := s.get("/")
		return strings.Contains(page, "before") && strings.Contains(page, "room") && !strings.Contains(page, "disk is full")
	})
	start := time.Now()
	if status := s.stop(); status != 0 || time.Since(start) > patience/2 {
		t.Errorf("SIGTERM: status %d after %v", status, time.Since(start))
	}
}
