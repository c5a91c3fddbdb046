package relay_test

import (
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/hb-mesh/hb-mesh/relay"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

func TestAPulledPlugIsReportedToBothRegions(t *testing.T) {
	east, west := startRegion(t, "us-east-1", "127.0.0.1:0"), startRegion(t, "us-west-2", "127.0.0.1:0")
	u := start(t, options(t, east, west))
	till := u.register("pos1")
	till.beat(`{"intervalMs": 60000}`)
	east.shows("pos1:up")
	west.shows("pos1:up")
	waitFor(t, "a good status", func() bool { // it is, once the ack is back
		status, body := u.get("/v1/status")
		return status == 200 && strings.Contains(body, `"OK"`)
	})
	till.pull()
	east.shows("pos1:missing")
	west.shows("pos1:missing")
	u.register("pos1").beat("")
	east.shows("pos1:up")
	east.wait("three transitions in the history of both", func(_ []beat.Report, h []beat.Transition) bool {
		h = joined(h, west)
		return len(h) == 3 && h[0].Reason == beat.Adopted && h[1].State == beat.Missing && h[2].Reason == beat.Beating &&
			h[0].Number < h[1].Number && h[1].Number < h[2].Number && !h[0].Boot.IsZero()
	})
}

// joined is what this region and another took, each once, in order.
func joined(h []beat.Transition, other *region) []beat.Transition {
	other.mu.Lock()
	all := append(slices.Clone(h), other.history...)
	other.mu.Unlock()
	slices.SortFunc(all, func(a, b beat.Transition) int { return int(a.Number) - int(b.Number) }) //nolint:gosec // small
	return slices.CompactFunc(all, func(a, b beat.Transition) bool { return a.Number == b.Number })
}

func TestByeAndADisconnectAreNoEvidence(t *testing.T) {
	east := startRegion(t, "us-east-1", "127.0.0.1:0")
	u := start(t, options(t, east))
	a, b := u.register("pos1"), u.register("pos2")
	a.beat("")
	b.beat("")
	a.publish(beat.TopicBye+"pos1", "")
	a.client.Disconnect(10)
	b.client.Disconnect(10)
	u.register("pos3").beat("")
	east.shows("pos1:stopped pos2:up pos3:up")
}

func TestHTTPBeatsAndTheirErrors(t *testing.T) {
	east := startRegion(t, "us-east-1", "127.0.0.1:0")
	u := start(t, options(t, east))
	for _, tc := range []struct {
		path, body string
		status     int
		want       string
	}{
		{"/v1/heartbeat", `{"hostId":"web1","intervalMs":1000}`, 200, `{"message":"OK"}`},
		{"/v1/hearbeat", `{"hostId":"web2"}`, 200, `{"message":"OK"}`},
		{"/v1/heartbeat", ``, 400, `{"message":"Empty input"}`},
		{"/v1/heartbeat", `{`, 400, `{"message":"Invalid json"}`},
		{"/v1/heartbeat", `{"hostId":"-"}`, 400, `{"message":"Invalid hostId"}`},
		{"/v1/heartbeat", `{"hostId":"a","intervalMs":1}`, 400, `{"message":"Invalid intervalMs"}`},
		{"/ping/web3", ``, 200, `OK`},
		{"/ping/web3/fail", ``, 200, `OK`},
	} {
		if status, got := u.post(tc.path, "any", tc.body); status != tc.status || got != tc.want {
			t.Errorf("POST %s %s: got %d %s, want %d %s", tc.path, tc.body, status, got, tc.status, tc.want)
		}
	}
	east.shows("web1:up web2:up web3:failing")
	east.shows("web1:missing web2:up web3:failing") // 1 s, and 2 s of grace
}

func TestAKeyedDoorAsksForAKey(t *testing.T) {
	east := startRegion(t, "us-east-1", "127.0.0.1:0")
	o := options(t, east)
	o.Keyed, o.Keys = true, []string{"open-sesame"}
	u := start(t, o)
	if status, got := u.post("/v1/heartbeat", "wrong", `{"hostId":"web1"}`); status != 403 || got != `{"message":"Forbidden"}` {
		t.Errorf("a wrong key: %d %s", status, got)
	}
	if status, _ := u.post("/v1/heartbeat", "open-sesame", `{"hostId":"web1"}`); status != 200 {
		t.Errorf("the right key: %d", status)
	}
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + u.mqtt).SetProtocolVersion(4).SetConnectRetry(false))
	if tok := c.Connect(); !tok.WaitTimeout(patience) || tok.Error() == nil {
		t.Error("MQTT without password was let in")
	}
}

func TestARestartedRelayRemembersItsHosts(t *testing.T) {
	east := startRegion(t, "us-east-1", "127.0.0.1:0")
	o := options(t, east)
	o.WarmUp = 3 * time.Second
	u := start(t, o)
	gone, stays, away := u.register("gone"), u.register("stays"), u.register("away")
	for _, g := range []*register{gone, stays, away} {
		g.beat(`{"intervalMs": 1000}`)
	}
	gone.pull()
	east.wait("gone missing", func(all []beat.Report, _ []beat.Transition) bool {
		return strings.Contains(picture(all), "gone:missing")
	})
	east.wait("its entry", func(_ []beat.Report, h []beat.Transition) bool { return len(h) == 4 })
	waitFor(t, "the journal to be freed", func() bool {
		_, body := u.get("/metrics")
		return strings.Contains(body, "hbmesh_relay_journal_entries 0\n")
	})
	if err := u.stop(); err != nil {
		t.Fatal(err)
	}
	east.wait("a bye", func(all []beat.Report, _ []beat.Transition) bool {
		return all[len(all)-1].Kind == beat.Goodbye
	})
	east.clear()

	u = start(t, o)
	east.shows("away:unknown gone:missing stays:unknown")
	till := u.register("stays")
	till.beat(`{"intervalMs": 60000}`)
	east.shows("away:unknown gone:missing stays:up")
	east.wait("the same number", func(all []beat.Report, h []beat.Transition) bool {
		p := all[len(all)-1].Picture
		return p == nil || p.Hosts[2].Number < 1000 && len(h) == 0
	})
	east.shows("away:missing gone:missing stays:up")
	east.wait("one entry, with its reason", func(_ []beat.Report, h []beat.Transition) bool {
		return len(h) == 1 && h[0].Reason == beat.DidNotReturn && h[0].Host == "away"
	})
	if strings.Contains(u.log.String(), "level=ERROR") {
		t.Errorf("an error was logged:\n%s", u.log)
	}
}

func TestCommandsOfARegion(t *testing.T) {
	east := startRegion(t, "us-east-1", "127.0.0.1:0")
	u := start(t, options(t, east))
	u.post("/v1/heartbeat", "", `{"hostId":"typo"}`)
	east.shows("typo:up")
	east.command(beat.Command{Order: beat.Forget, Host: "typo"})
	east.shows("")
	east.command(beat.Command{Order: beat.Forget, Host: "typo"}) // again: nothing
	east.clear()
	east.command(beat.Command{Order: beat.Rebirth, Exceed: 5000})
	east.wait("a birth above 5000", func(all []beat.Report, _ []beat.Transition) bool {
		return len(all) > 0 && all[len(all)-1].Kind == beat.Birth && all[len(all)-1].Epoch > 5000
	})
	east.clear()
	east.command(beat.Command{Order: beat.SendPicture})
	east.shows("")
}

func TestARegionThatIsAwayHoldsNothingUp(t *testing.T) {
	east, west := startRegion(t, "us-east-1", "127.0.0.1:0"), startRegion(t, "us-west-2", "127.0.0.1:0")
	u := start(t, options(t, east, west))
	u.post("/v1/heartbeat", "", `{"hostId":"web1"}`)
	east.shows("web1:up")
	west.shows("web1:up")
	east.stop()
	u.post("/v1/heartbeat", "", `{"hostId":"web2"}`)
	west.wait("the history from the other way", func(_ []beat.Report, h []beat.Transition) bool {
		for _, tr := range h {
			if tr.Host == "web2" {
				return true
			}
		}
		return false
	})
	if status, _ := u.get("/v1/status"); status != 200 {
		t.Errorf("status with one region: %d", status)
	}
	west.stop()
	waitFor(t, "a status that says so", func() bool {
		status, body := u.get("/v1/status")
		return status == 500 && strings.Contains(body, "no region is reachable")
	})
	if status, _ := u.post("/v1/heartbeat", "", `{"hostId":"web3"}`); status != 200 {
		t.Errorf("a beat without regions: %d", status)
	}
	east.clear()
	east.open(east.addr)
	east.shows("web1:up web2:up web3:up")
}

func TestThePageAndTheMetrics(t *testing.T) {
	east := startRegion(t, "us-east-1", "127.0.0.1:0")
	o := options(t, east)
	o.Version = "1.2.3-test"
	u := start(t, o)
	u.post("/v1/heartbeat", "", `{"hostId":"web1","status":"fail","message":"<script>alert(1)</script>"}`)
	east.shows("web1:failing")
	waitFor(t, "the verdict", func() bool {
		_, body := u.get("/")
		return strings.Contains(body, "1 host needs a look.")
	})
	status, body := u.get("/")
	for _, want := range []string{"web1", "failing", "0 of 1 up", "us-east-1", "connected", "1.2.3-test", "&lt;script&gt;", u.mqtt} {
		if status != 200 || !strings.Contains(body, want) {
			t.Errorf("the page (%d) lacks %q:\n%s", status, want, body)
		}
	}
	if status, _ := u.get("/nothing"); status != 404 {
		t.Errorf("an unknown page: %d", status)
	}
	_, body = u.get("/metrics")
	for _, want := range []string{
		`hbmesh_relay_hosts{state="failing"} 1`, `hbmesh_relay_transitions_total{state="failing"} 1`, "hbmesh_relay_journal_commits_total",
		`hbmesh_relay_info{relay="r1",store="demo",version="1.2.3-test"} 1`, "hbmesh_relay_uplink",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

func TestAWrongPasswordIsOnThePageAndInTheStatus(t *testing.T) {
	o := options(t, startRegion(t, "us-east-1", "127.0.0.1:0"))
	o.Regions[0].Password = "wrong"
	u := start(t, o)
	const want = "the region refuses user demo/r1: check regions[].user and password"
	waitFor(t, "the page to say so", func() bool {
		_, body := u.get("/")
		return strings.Contains(body, want)
	})
	if status, body := u.get("/v1/status"); status != 500 || !strings.Contains(body, want) {
		t.Errorf("status %d %s, want 500 and …%s…", status, body, want)
	}
}

func TestSteadyBeatsWriteNothing(t *testing.T) {
	east := startRegion(t, "us-east-1", "127.0.0.1:0")
	u := start(t, options(t, east))
	till := u.register("pos1")
	till.beat("")
	u.post("/v1/heartbeat", "", `{"hostId":"web1"}`)
	east.wait("the history", func(_ []beat.Report, h []beat.Transition) bool { return len(h) == 2 })
	commits := func() string {
		_, body := u.get("/metrics")
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, "hbmesh_relay_journal_commits_total") {
				return line
			}
		}
		return "none"
	}
	waitFor(t, "the journal to be freed", func() bool {
		_, body := u.get("/metrics")
		return strings.Contains(body, "hbmesh_relay_journal_entries 0\n")
	})
	before := commits()
	for range 200 {
		till.beat("")
		u.post("/v1/heartbeat", "", `{"hostId":"web1"}`)
	}
	if after := commits(); after != before || after == "none" {
		t.Errorf("commits before %s after %s", before, after)
	}
}

func TestAUsedPortIsAClearError(t *testing.T) {
	east := startRegion(t, "us-east-1", "127.0.0.1:0")
	o := options(t, east)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	o.HTTPAddr = ln.Addr().String()
	r, err := relay.New(o)
	if err != nil {
		t.Fatal(err)
	}
	err = r.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), o.HTTPAddr) || !strings.Contains(err.Error(), "http.address") {
		t.Errorf("got %v, want the address and the setting", err)
	}
}

func TestAFolderThatCannotBeUsedIsAClearError(t *testing.T) {
	east := startRegion(t, "us-east-1", "127.0.0.1:0")
	o := options(t, east)
	u := start(t, o) // has the folder
	r, err := relay.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), o.DataDir) {
		t.Errorf("a folder in use: got %v", err)
	}
	o.DataDir = "/proc/nothing"
	if r, err = relay.New(o); err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), o.DataDir) {
		t.Errorf("a folder that cannot be written: got %v", err)
	}
	_ = u
}

// One new host too many is no secret: the register's HTTP call fails, MQTT goes
// on, and the technician sees who was refused.
func TestNewHostsBeyondTheLimitAreRefusedAndNamed(t *testing.T) {
	east := startRegion(t, "us-east-1", "127.0.0.1:0")
	o := options(t, east)
	o.ExemptLoopback, o.NewHostsPerHour = false, 2
	u := start(t, o)
	for host, want := range map[string]int{"web1": 200, "web2": 200} {
		if status, got := u.post("/v1/heartbeat", "", `{"hostId":"`+host+`"}`); status != want {
			t.Fatalf("%s: %d %s", host, status, got)
		}
	}
	if status, got := u.post("/v1/heartbeat", "", `{"hostId":"web3"}`); status != 500 || got != `{"message":"too many new hosts in an hour"}` {
		t.Errorf("one too many: %d %s", status, got)
	}
	till := u.register("pos9")
	till.beat("") // it is acknowledged: to send it again would not help
	till.publish(beat.TopicBeat+"web1", "")
	_, page := u.get("/")
	for _, want := range []string{"web3", "pos9", "127.0.0.1", "too many new hosts in an hour"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if _, m := u.get("/metrics"); !strings.Contains(m, `hbmesh_relay_ignored_total{reason="too many new hosts in an hour"} 2`) {
		t.Error("they were not counted")
	}
}

// A name that somebody else lets point to the relay shows nothing to his page.
func TestThePageAnswersToNamesOfItsOwn(t *testing.T) {
	u := start(t, options(t, startRegion(t, "us-east-1", "127.0.0.1:0")))
	own, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{
		"10.0.0.7:8080": 200, "[fe80::1]:8080": 200, "[::1]": 200, "localhost:8080": 200, "relay": 200, own: 200, own + ".local": 200, strings.ToUpper(own) + ":8080": 200,
		"evil.example": 421, "evil.example:8080": 421, "10.0.0.7.evil.example": 421, "relay.evil.example.": 421,
	} {
		for _, path := range []string{"/", "/metrics"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+u.http+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = host
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%s as %s: %d, want %d", path, host, resp.StatusCode, want)
			}
		}
	}
}
