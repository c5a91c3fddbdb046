//go:build linux

package e2e_test

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// stage is the mesh with its tills, as the scenes find and leave it.
type stage struct {
	*mesh
	box   *mailbox
	tills map[string]*till
}

// The scenes run in turn on one mesh of processes; each leaves it healed.
func TestOperatorsSeeOneMessageForOneFault(t *testing.T) {
	m := newMesh(t, relayTimes)
	m.up()
	s := &stage{mesh: m, box: newMailbox(m), tills: map[string]*till{}}
	for i, version := range []string{"mqttv311", "mqttv5", "mqttv311", "mqttv5"} {
		host := fmt.Sprintf("pos%d", i+1)
		s.tills[host] = newMQTTTill(t, m.relay.mqtt, host, version)
	}
	s.tills["pos5"] = newCurlTill(t, m.relay, "pos5", 5*time.Second)
	for _, scene := range []struct {
		name string
		play func(*stage)
	}{
		{"both regions see the store and its five registers", upScene},
		{"a register killed by SIGKILL is missed, and its return told", registerScene},
		{"a goodbye wakes nobody", byeScene},
		{"hb-api's crontab goes on at the relay and at the regions", curlScene},
		{"a relay killed by SIGKILL is one message, and its hosts are covered", relayScene},
		{"a path that is a black hole wakes nobody", pathScene},
		{"a region killed by SIGKILL wakes nobody, and a register is told all the same", regionScene},
		{"both regions drained and started again wake nobody", restartScene},
		{"the table has the contract's keys", tableScene},
	} {
		if !t.Run(scene.name, func(t *testing.T) {
			here := *s.mesh
			here.t = t
			scene.play(&stage{&here, s.box, s.tills})
		}) {
			break // the others would find a broken mesh
		}
	}
	s.box.once(t)
}

// quiet fails if more than n items are told within d.
func (s *stage) quiet(d time.Duration, n int) {
	s.t.Helper()
	time.Sleep(d) // nothing must happen, in real time
	if told := s.box.all(); len(told) != n {
		s.t.Fatalf("want %d items told, have %d: %v", n, len(told), told[min(n, len(told)):])
	}
}

func (s *stage) east() *server { return s.brokers[east] }
func (s *stage) west() *server { return s.brokers[west] }

func upScene(s *stage) {
	for _, b := range s.brokers {
		within(s.t, patience, "five registers are up", func() bool {
			up := 0
			for _, h := range b.list("/v1/hosts?store=" + store) {
				if h.State == "up" && h.Via == "relay" {
					up++
				}
			}
			return up == 5
		})
	}
	if out := s.hbctl("stores", "--addr", s.west().http, "--json"); !strings.Contains(out, `"up"`) || !strings.Contains(out, testVersion) {
		s.t.Errorf("hbctl stores says %s", out)
	}
	s.quiet(4*time.Second, 0) // adoption is no notice; longer than settle
}

func registerScene(s *stage) {
	// Two at once by different ways are two incidents, in one notice or two.
	for _, hosts := range [][]string{{"pos3"}, {"pos4", "pos5"}} {
		for _, h := range hosts {
			s.tills[h].unplug()
		}
		for _, h := range hosts {
			s.box.expect(s.t, patience, h, "host-missing open")
		}
		for _, h := range hosts {
			s.tills[h].plug()
		}
		for _, h := range hosts {
			told := s.box.expect(s.t, patience, h, "host-missing open", "host-missing recovered")
			if told[1].DurationMs <= 0 || told[0].Incident != told[1].Incident || told[1].K != 2 {
				s.t.Errorf("the recovery of %s has no duration, or is of another incident: %v", h, told)
			}
		}
	}
}

// byeScene is a register that makes a connection for each message.
func byeScene(s *stage) {
	told := len(s.box.all())
	host, port, _ := net.SplitHostPort(s.relay.mqtt)
	for _, args := range [][]string{
		{"-t", "hb/v1/beat/polite", "-m", `{"intervalMs": 1000}`},
		{"-t", "hb/v1/bye/polite", "-n"},
	} {
		args = append([]string{"-h", host, "-p", port, "-q", "1", "-i", "polite"}, args...)
		if status, _, errs := once(s.t, exec.Command(tool(s.t, "mosquitto_pub"), args...)); status != 0 {
			s.t.Fatalf("mosquitto_pub %v: %d %s", args, status, errs)
		}
	}
	within(s.t, patience, "polite has stopped", func() bool { return s.east().host("polite").State == "stopped" })
	s.quiet(6*time.Second, told) // its interval, the grace, blip and gather
}

func curlScene(s *stage) {
	crons := []struct {
		at         *server
		path, host string
	}{
		{s.relay, "/v1/heartbeat", "cron-a"},
		{s.relay, "/v1/hearbeat", "cron-b"},
		{s.east(), "/v1/hearbeat", "cron-c"},
		{s.west(), "/v1/heartbeat", "cron-d"},
	}
	begin := time.Now()
	for _, c := range crons {
		if status, answer := curl(s.t, c.at, c.path, demoKey, fmt.Sprintf(`{"hostId": %q, "intervalMs": 1000}`, c.host)); status != "200" || answer != `{"message":"OK"}` {
			s.t.Fatalf("%s%s: %s %s", c.at.http, c.path, status, answer)
		}
	}
	for _, c := range crons {
		s.box.expect(s.t, patience, c.host, "host-missing open")
		if took := time.Since(begin); took < 3*time.Second {
			s.t.Errorf("%s was missed after %v: its interval and grace are 3 s", c.host, took)
		}
	}
	for _, c := range crons {
		s.hbctl("hosts", "forget", store+"/"+c.host, "--addr", s.east().http, "--addr", s.west().http)
	}
	s.badBodies()
	s.wrongKeys()
	for _, c := range crons {
		s.box.expect(s.t, patience, c.host, "host-missing open", "host-missing recovered")
	}
}

func (s *stage) badBodies() {
	for _, at := range []*server{s.relay, s.east(), s.west()} {
		for body, answer := range map[string]string{
			"": "Empty input", "{": "Invalid json", `{"hostId": []}`: "Invalid hostId",
			`{"hostId": "x", "intervalMs": 999.9}`: "Invalid intervalMs", `{"hostId": "x", "intervalMs": true}`: "Invalid intervalMs",
		} {
			if status, got := curl(s.t, at, "/v1/heartbeat", demoKey, body); status != "400" || got != `{"message":"`+answer+`"}` {
				s.t.Errorf("%s with %q: %s %s, want 400 %s", at.http, body, status, got, answer)
			}
		}
		if n := at.metric("hbmesh_" + strings.TrimPrefix(at.program, "hb-") + "_http_beats_total"); n < 5 {
			s.t.Errorf("%s counts %v beats by HTTP", at.name, n)
		}
	}
}

func (s *stage) wrongKeys() {
	keyed := newRelay(s.t, s.t.TempDir(), map[string]string{
		"127.0.0.1:1883": s.cables[east].address(), "127.0.0.1:1884": s.cables[west].address(),
		"store: demo": "store: keyed", "user: demo/r1": "user: keyed/r1", "keyed: false": "keyed: true\nkeys: [right]",
	}, relayTimes)
	keyed.up(s.t)
	for _, at := range []*server{keyed, s.east(), s.west()} {
		for _, key := range []string{"", "wrong"} {
			if status, got := curl(s.t, at, "/v1/heartbeat", key, `{"hostId": "x"}`); status != "403" || got != `{"message":"Forbidden"}` {
				s.t.Errorf("%s with key %q: %s %s, want 403", at.name, key, status, got)
			}
		}
	}
	if status, got := curl(s.t, keyed, "/v1/heartbeat", "right", `{"hostId": "x"}`); status != "200" {
		s.t.Errorf("the right key at a keyed relay: %s %s", status, got)
	}
	host, port, _ := net.SplitHostPort(keyed.mqtt)
	for password, ok := range map[string]bool{"wrong": false, "right": true} {
		status, _, errs := once(s.t, exec.Command(tool(s.t, "mosquitto_pub"), "-h", host, "-p", port, "-u", "till", "-P", password, "-q", "1", "-t", "hb/v1/beat/x", "-n"))
		if (status == 0) != ok {
			s.t.Errorf("a keyed relay with MQTT password %q: %d %s", password, status, errs)
		}
	}
	if status := keyed.stop(); status != 0 {
		s.t.Errorf("SIGTERM: status %d:\n%s", status, keyed.log.String())
	}
	within(s.t, patience, "a relay that said bye is stopped", func() bool {
		for _, r := range s.east().list("/v1/stores") {
			if r.Store == "keyed" {
				return r.State == "stopped"
			}
		}
		return false
	})
}

func relayScene(s *stage) {
	before := len(s.box.all())
	s.relay.kill()
	fault := s.box.expect(s.t, patience, "", "store-down open")[0]

	if status, answer := curl(s.t, s.east(), "/v1/heartbeat", demoKey, `{"hostId": "pos1", "intervalMs": 60000}`); status != "200" {
		s.t.Fatalf("a direct beat got %s %s", status, answer)
	}
	within(s.t, patience, "the incident says that the relay is dead", func() bool { return s.east().store() == "relay-dead" })
	within(s.t, patience, "pos1 is judged by its direct beat", func() bool {
		h := s.east().host("pos1")
		return h.State == "up" && h.Via == "direct"
	})
	if h := s.east().host("pos2"); h.State != "covered" {
		s.t.Errorf("pos2 is %q, want covered", h.State)
	}
	for _, r := range s.east().list("/v1/incidents?open=true") {
		if r.Store == store && r.Kind != "relay-dead" {
			s.t.Errorf("an open incident of the store is %v, want relay-dead alone", r)
		}
	}

	s.relay.up(s.t)
	told := s.box.expect(s.t, patience, "", "store-down open", "store-down recovered")
	if told[1].Incident != fault.Incident || told[1].DurationMs <= 0 || told[1].K != 3 {
		s.t.Errorf("the recovery has no duration, or is of another incident: %v", told)
	}
	s.healed()
	s.quiet(4*time.Second, before+2)
}

// healed waits until both regions see the store and its tills.
func (s *stage) healed() {
	s.t.Helper()
	for _, b := range s.brokers {
		within(s.t, patience, "the store and its hosts are up in both regions", func() bool {
			up := 0
			for _, h := range b.list("/v1/hosts?store=" + store) {
				if strings.HasPrefix(h.Host, "pos") && h.State == "up" {
					up++
				}
			}
			return up == 5 && b.store() == "up"
		})
	}
}

func pathScene(s *stage) {
	before := len(s.box.all())
	s.cables[east].cut()
	within(s.t, patience, "the store is degraded", func() bool { return s.east().store() == "degraded" })
	s.missed("pos2")
	s.cables[east].heal()
	s.healed()
	s.quiet(6*time.Second, before+2)
}

// missed kills a till, which must be told once, and so its return.
func (s *stage) missed(host string) {
	s.t.Helper()
	var before []string
	for _, i := range s.box.about(host) {
		before = append(before, i.Kind+" "+i.Change)
	}
	s.tills[host].unplug()
	before = append(before, "host-missing open")
	s.box.expect(s.t, patience, host, before...)
	s.tills[host].plug()
	s.box.expect(s.t, patience, host, append(before, "host-missing recovered")...)
}

func regionScene(s *stage) {
	before := len(s.box.all())
	for dead, till := range map[beat.Region]string{west: "pos3", east: "pos4"} {
		lives := s.brokers[s.other(dead)]
		s.brokers[dead].kill()
		s.missed(till)
		if state := lives.store(); state != "up" {
			s.t.Errorf("without %s the store is %q, want up", dead, state)
		}
		s.brokers[dead].up(s.t)
		s.healed()
	}
	s.quiet(8*time.Second, before+4) // settle and takeover
}

func (s *stage) other(r beat.Region) beat.Region {
	if r == east {
		return west
	}
	return east
}

func restartScene(s *stage) {
	before := len(s.box.all())
	for _, r := range s.ring.Regions() {
		if status := s.brokers[r].stop(); status != 0 {
			s.t.Errorf("SIGTERM: status %d", status)
		}
		s.brokers[r].up(s.t)
		s.healed()
	}
	if status := s.relay.stop(); status != 0 {
		s.t.Errorf("SIGTERM: status %d", status)
	}
	s.relay.up(s.t)
	s.healed()
	s.quiet(6*time.Second, before)
	if aside, err := filepath.Glob(filepath.Join(s.data, "journal.aside-*")); err != nil || len(aside) > 0 {
		s.t.Errorf("a folder was moved aside: %v %v", aside, err)
	}
}
