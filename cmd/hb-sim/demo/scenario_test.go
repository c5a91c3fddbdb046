package demo_test

import (
	"context"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/hb-mesh/hb-mesh/relay"
)

// scene is what a visitor does; it leaves the demo healed.
type scene struct {
	name string
	play func(*mesh)
}

// The subtests of a visit run in turn on one demo, as a visitor plays with it;
// the visits are at once.
func TestAVisitorBreaksTheMesh(t *testing.T) {
	t.Parallel()
	for name, scenes := range map[string][]scene{
		"registers": {
			{"the demo is up: one store, eight hosts, three answers", upScene},
			{"a register that is unplugged is missed once, and its return is told", registerScene},
			{"what is silenced is told to programs alone", silenceScene},
			{"hb-api's crontab goes on at the relay and at a region", curlScene},
			{"the control takes no orders of strangers", controlScene},
		},
		"hosts of others": {
			{"a foreign register killed by SIGKILL is missed within 6 s", foreignScene},
			{"a relay of another store joins, and its goodbye wakes nobody", strangerScene},
		},
		"the relay": {
			{"a dead relay is one message, and its hosts are covered", relayScene},
			{"a cut path to one region wakes nobody", pathScene},
		},
		"regions": {
			{"a dead region wakes nobody, and a register is told all the same", regionScene},
			{"a region is unplugged on its own page", ownPageScene},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := startMesh(t, nil)
			m.in(10*time.Second, "eight hosts are up", func() bool { return len(m.list("hosts", "--state", "up")) == 8 })
			for _, scene := range scenes {
				t.Run(scene.name, func(t *testing.T) { scene.play(m.on(t)) })
			}
			if took := m.end(); took > 3*time.Second+busy {
				t.Errorf("Ctrl-C took %v, want at most 3 s on a quiet machine", took)
			}
		})
	}
}

func upScene(m *mesh) {
	for _, port := range []int{8080, 8081, 8090} {
		m.in(5*time.Second, "status 200", func() bool { return m.status(port) == 200 })
	}
	m.in(10*time.Second, "eight hosts are up", func() bool {
		rows := m.list("hosts", "--state", "up")
		return len(rows) == 8 && rows[0].Store == "demo" && rows[0].Host == "pos1" && rows[0].Via == "relay" && rows[0].IntervalMs == 5000
	})
	if rows := m.list("stores"); len(rows) != 1 || rows[0].State != "up" {
		m.t.Errorf("stores: %v; want demo, up", rows)
	}
	if lines := m.hbctl("demo", "status"); strings.Count(lines, " plugged ") != 21 {
		m.t.Errorf("want 21 switches, all plugged:\n%s", lines)
	}
	m.quiet(4*time.Second, 0) // longer than settle: nothing false at the start
}

func registerScene(m *mesh) {
	for host, within := range map[string]time.Duration{"pos3": 6 * time.Second, "pos7": 12 * time.Second} {
		m.unplug("register/" + host)
		m.expect(within, "demo", host, "host-missing open")
		m.plug("register/" + host)
		told := m.expect(8*time.Second, "demo", host, "host-missing open", "host-missing recovered")
		if told[1].DurationMs <= 0 || told[0].Incident != told[1].Incident {
			m.t.Errorf("the recovery names no duration, or another incident: %+v", told)
		}
	}
	if screen := m.screen.String(); !strings.Contains(screen, "Hosts missing") || !strings.Contains(screen, "pos3") {
		m.t.Errorf("the screen does not say so:\n%s", screen)
	}
}

// silenceScene: the webhook is for programs, and hears of what people are not told.
func silenceScene(m *mesh) {
	said := strings.Fields(m.hbctl("silence", "demo/pos8", "--for", "1h"))
	m.unplug("register/pos8")
	m.expect(12*time.Second, "demo", "pos8", "host-missing open")
	if screen := m.screen.String(); !m.hook.suppressed() || strings.Contains(screen, "pos8]") {
		m.t.Errorf("people were told, suppressed %t:\n%s", m.hook.suppressed(), screen)
	}
	m.plug("register/pos8")
	m.expect(8*time.Second, "demo", "pos8", "host-missing open", "host-missing recovered")
	m.hbctl("silence", "end", said[len(said)-1])
}

func foreignScene(m *mesh) {
	before := m.hook.count()
	kill := m.process("till-a")
	m.in(5*time.Second, "till-a is adopted", func() bool { return m.host("demo", "till-a").State == "up" })
	if told := m.hook.since(before); len(told) > 0 {
		m.t.Errorf("adoption is no notice, told: %v", told)
	}
	kill()
	m.expect(6*time.Second, "demo", "till-a", "host-missing open")

	back := m.process("till-a")
	told := m.expect(6*time.Second, "demo", "till-a", "host-missing open", "host-missing recovered")
	if told[1].DurationMs <= 0 {
		m.t.Errorf("the recovery has no durationMs: %+v", told[1])
	}
	back()
	m.expect(6*time.Second, "demo", "till-a", "host-missing open", "host-missing recovered", "host-missing open")
	m.hbctl("hosts", "forget", "demo/till-a") // what was told ends, too
	m.expect(6*time.Second, "demo", "till-a", "host-missing open", "host-missing recovered", "host-missing open", "host-missing recovered")

	polite := m.client("till-b")
	m.in(5*time.Second, "till-b is up", func() bool { return m.host("demo", "till-b").State == "up" })
	m.publish(polite, "hb/v1/bye/till-b", "")
	polite.Disconnect(250)
	m.in(5*time.Second, "till-b has stopped", func() bool { return m.host("demo", "till-b").State == "stopped" })
	time.Sleep(4 * time.Second) // blip and gather, in real time
	if told := m.hook.about("demo", "till-b"); len(told) > 0 {
		m.t.Errorf("a goodbye woke somebody: %v", told)
	}
}

func curlScene(m *mesh) {
	for _, try := range []struct {
		port      int
		path, key string
		body      string
		status    int
		answer    string
	}{
		{8090, "/v1/heartbeat", "any", `{"hostId": "cron-a", "intervalMs": 1000}`, 200, `{"message":"OK"}`},
		{8080, "/v1/hearbeat", "demo", `{"hostId": "cron-b", "intervalMs": 1000}`, 200, `{"message":"OK"}`},
	} {
		if status, answer := m.post(try.port, try.path, try.key, try.body); status != try.status || answer != try.answer {
			m.t.Errorf("%d%s: %d %s, want %d %s", try.port, try.path, status, answer, try.status, try.answer)
		}
	}
	begin := time.Now()
	for _, host := range []string{"cron-a", "cron-b"} {
		m.expect(12*time.Second, "demo", host, "host-missing open")
	}
	if early := time.Since(begin); early < 3*time.Second {
		m.t.Errorf("missing after %v: its interval and grace are 3 s", early)
	}
	for _, host := range []string{"cron-a", "cron-b"} {
		m.hbctl("hosts", "forget", "demo/"+host)
		m.expect(6*time.Second, "demo", host, "host-missing open", "host-missing recovered")
	}

	for _, port := range []int{8080, 8081, 8090} {
		for body, answer := range map[string]string{
			"":                                    "Empty input",
			"{":                                   "Invalid json",
			`{"hostId": {}}`:                      "Invalid hostId",
			`{"hostId": "x", "intervalMs": 1}`:    "Invalid intervalMs",
			`{"hostId": "x", "intervalMs": true}`: "Invalid intervalMs",
		} {
			if status, got := m.post(port, "/v1/heartbeat", "demo", body); status != 400 || got != `{"message":"`+answer+`"}` {
				m.t.Errorf("%d with %q: %d %s, want 400 %s", port, body, status, got, answer)
			}
		}
	}
	for _, port := range []int{8080, 8081} {
		for _, key := range []string{"", "wrong"} {
			if status, got := m.post(port, "/v1/heartbeat", key, `{"hostId": "x"}`); status != 403 || got != `{"message":"Forbidden"}` {
				m.t.Errorf("%d with key %q: %d %s, want 403", port, key, status, got)
			}
		}
	}
}

func strangerScene(m *mesh) {
	before := m.hook.count()
	o := relay.DefaultOptions()
	o.Store, o.Relay, o.DataDir = "berlin-1", "r1", m.t.TempDir()
	o.MQTTAddr, o.HTTPAddr = "127.0.0.1:0", "127.0.0.1:0"
	o.Regions = []relay.Region{
		{Name: "us-east-1", Address: "tcp://" + m.addr(1883), Password: "demo"},
		{Name: "us-west-2", Address: "tcp://" + m.addr(1884), Password: "demo"},
	}
	r, err := relay.New(o)
	if err != nil {
		m.t.Fatal(err)
	}
	ctx, leave := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	for _, port := range []int{8080, 8081} {
		m.in(10*time.Second, "its store is up", func() bool { return m.store("berlin-1", "--addr", m.addr(port)) == "up" })
	}
	leave()
	if err := <-done; err != nil {
		m.t.Error(err)
	}
	m.in(5*time.Second, "its store has stopped", func() bool { return m.store("berlin-1") == "stopped" })

	silent := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + m.addr(1883)).SetClientID("berlin-2/r1").
		SetUsername("berlin-2/r1").SetPassword("demo").SetProtocolVersion(4).SetAutoReconnect(false))
	if t := silent.Connect(); !t.WaitTimeout(5*time.Second) || t.Error() != nil {
		m.t.Fatalf("a session without a birth: %v", t.Error())
	}
	defer silent.Disconnect(0)
	m.quiet(6*time.Second, before)
	if !silent.IsConnectionOpen() {
		m.t.Error("a session that has not sent its birth was ended within 6 s")
	}
}

func relayScene(m *mesh) {
	before := m.hook.count()
	m.unplug("relay")
	if m.status(8090) != 0 {
		m.t.Error("a dead relay answers")
	}
	m.expect(15*time.Second, "demo", "", "store-down open")
	incident := m.hook.about("demo", "")[0].Incident

	if status, _ := m.post(8080, "/v1/heartbeat", "demo", `{"hostId": "pos1", "intervalMs": 60000}`); status != 200 {
		m.t.Fatalf("a direct beat got %d", status)
	}
	m.in(5*time.Second, "the incident says that the relay is dead", func() bool { return m.store("demo") == "relay-dead" })
	m.in(5*time.Second, "pos1 is judged by its direct beat", func() bool {
		h := m.host("demo", "pos1")
		return h.State == "up" && h.Via == "direct"
	})
	if h := m.host("demo", "pos2"); h.State != "covered" {
		m.t.Errorf("pos2 is %q, want covered", h.State)
	}
	kinds := map[string]bool{}
	for _, r := range m.list("incidents") {
		if r.Store == "demo" {
			kinds[r.Kind] = true
		}
	}
	if !kinds["relay-dead"] || len(kinds) != 1 {
		m.t.Errorf("open incidents of the store: %v, want relay-dead alone", kinds)
	}

	m.plug("relay")
	m.in(15*time.Second, "the store is up", func() bool { return m.store("demo") == "up" })
	m.in(15*time.Second, "a recovery", func() bool { return len(m.hook.about("demo", "")) >= 2 })
	m.in(15*time.Second, "all hosts are up", func() bool { return len(m.list("hosts", "--store", "demo", "--state", "up")) >= 8 })
	time.Sleep(3 * time.Second) // whatever else would be told
	told := m.hook.since(before)
	if len(told) != 2 || told[0].Change != "open" || told[1].Change != "recovered" || told[1].Incident != incident || told[1].DurationMs <= 0 {
		m.t.Errorf("told: %v; want one fault of the store and its recovery", told)
	}
}

func pathScene(m *mesh) {
	before := m.hook.count()
	m.unplug("wan/us-east-1")
	m.in(20*time.Second, "the store is degraded", func() bool { return m.store("demo") == "degraded" })
	m.unplug("register/pos2")
	m.expect(20*time.Second, "demo", "pos2", "host-missing open")
	m.plug("register/pos2")
	m.expect(20*time.Second, "demo", "pos2", "host-missing open", "host-missing recovered")
	m.plug("wan/us-east-1")
	m.in(15*time.Second, "the store is up", func() bool { return m.store("demo") == "up" })
	time.Sleep(3 * time.Second)
	if told := m.hook.since(before); len(told) != 2 {
		m.t.Errorf("told: %v; want pos2 and its return alone", told)
	}
}

func regionScene(m *mesh) {
	before := m.hook.count()
	for _, region := range []struct {
		name, till string
		port, left int
	}{{"us-west-2", "pos4", 8081, 8080}, {"us-east-1", "pos5", 8080, 8081}} {
		m.unplug("region/" + region.name)
		if m.status(region.port) != 0 {
			m.t.Errorf("%s is dead, and answers", region.name)
		}
		m.unplug("register/" + region.till)
		m.expect(20*time.Second, "demo", region.till, "host-missing open")
		m.plug("register/" + region.till)
		m.expect(20*time.Second, "demo", region.till, "host-missing open", "host-missing recovered")
		if state := m.store("demo"); state != "up" {
			m.t.Errorf("the store is %q in the region that lives, want up", state)
		}
		m.plug("region/" + region.name)
		m.in(15*time.Second, region.name+" has the relay again", func() bool {
			return m.status(region.port) == 200 && m.store("demo", "--addr", m.addr(region.port)) == "up"
		})
	}
	time.Sleep(6 * time.Second) // settle and takeover, in real time
	if told := m.hook.since(before); len(told) != 4 {
		m.t.Errorf("told: %v; want two registers, each with its return", told)
	}
}
