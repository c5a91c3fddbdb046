//go:build linux

package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/ring"
)

// unavailable waits until a broker says that it is not ready, and why.
func unavailable(t testing.TB, s *server) {
	t.Helper()
	var body string
	within(t, patience, s.name+" says 500", func() bool {
		var status int
		status, body = s.get("/v1/status")
		return status == http.StatusInternalServerError
	})
	if !strings.Contains(body, `{"message":"not ready`) {
		t.Errorf("the status of a broker without its table says %s", body)
	}
	if status, answer := s.post("/v1/heartbeat", demoKey, `{"hostId": "x"}`); status != http.StatusInternalServerError {
		t.Errorf("a beat that cannot be counted: %d %s", status, answer)
	}
}

// DynamoDB is down, throttles, fails or is slow when a broker starts.
func TestABrokerWaitsForItsTable(t *testing.T) {
	t.Parallel() // it mostly waits
	m := newMesh(t, relayTimes)
	proxy, b := m.ring.Proxy(east), m.brokers[east]
	for _, c := range []struct {
		says       string
		hurt, heal func()
	}{
		{"down", func() { down(t, proxy) }, func() { up(t, proxy) }},
		{"throttling", func() { proxy.Inject(ring.Fault{Kind: ring.Throttle}) }, proxy.Heal},
		{"failing", func() { proxy.Inject(ring.Fault{Kind: ring.Fail}) }, proxy.Heal},
		{"silent", func() { proxy.Inject(ring.Fault{Kind: ring.Slow, Delay: time.Minute}) }, proxy.Heal},
		{"losing its answers", func() { proxy.Inject(ring.Fault{Kind: ring.LostAnswer}) }, proxy.Heal},
	} {
		t.Run(c.says, func(t *testing.T) {
			c.hurt()
			b.start()
			unavailable(t, b)
			c.heal()
			b.ready(t) // by itself
			if status, answer := b.post("/v1/heartbeat", demoKey, `{"hostId": "x"}`); status != http.StatusOK {
				t.Errorf("a beat: %d %s", status, answer)
			}
			if status := b.stop(); status != 0 {
				t.Errorf("SIGTERM: status %d", status)
			}
		})
	}
	proxy.Inject(ring.Fault{Kind: ring.Slow, Delay: 100 * time.Millisecond})
	b.up(t) // slow is not down
	proxy.Heal()
}

func down(t testing.TB, p *ring.Proxy) {
	t.Helper()
	if err := p.Down(); err != nil {
		t.Fatal(err)
	}
}

func up(t testing.TB, p *ring.Proxy) {
	t.Helper()
	if err := p.Up(); err != nil {
		t.Fatal(err)
	}
}

// outage is a fault of DynamoDB or SNS while the brokers work.
type outage struct {
	says       string
	hurt, heal func()
	// inTime says that people are told while it lasts, by the other region.
	inTime bool
}

func TestNothingIsLostWhileTheTableOrSNSFails(t *testing.T) {
	t.Parallel() // it mostly waits
	m := newMesh(t, relayTimes)
	m.up()
	box := newMailbox(m)
	both := func(f func(*ring.Proxy)) func() {
		return func() {
			for _, r := range m.ring.Regions() {
				f(m.ring.Proxy(r))
			}
		}
	}
	inject := func(fault ring.Fault) func() { return both(func(p *ring.Proxy) { p.Inject(fault) }) }
	heal := both((*ring.Proxy).Heal)
	publish := []string{"Publish"}
	tables := []string{"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems", "Query", "GetItem"}
	for i, o := range []outage{
		{"SNS throttles", inject(ring.Fault{Kind: ring.Throttle, Ops: publish}), heal, false},
		{"SNS is not reached", inject(ring.Fault{Kind: ring.LostRequest, Ops: publish}), heal, false},
		{"DynamoDB throttles", inject(ring.Fault{Kind: ring.Throttle, Ops: tables}), heal, false},
		{"DynamoDB and SNS are down in both regions", both(func(p *ring.Proxy) { down(t, p) }), both(func(p *ring.Proxy) { up(t, p) }), false},
		{"DynamoDB is slow", inject(ring.Fault{Kind: ring.Slow, Delay: 500 * time.Millisecond, Ops: tables}), heal, true},
	} {
		if !t.Run(o.says, func(t *testing.T) { playOutage(t, m, box, o, fmt.Sprintf("pos%d", i+1)) }) {
			break
		}
	}
	box.once(t)
}

// playOutage lets a register beat once over HTTP while all is well, and go
// silent while the fault lasts.
func playOutage(t *testing.T, m *mesh, box *mailbox, o outage, host string) {
	if status, answer := m.relay.post("/v1/heartbeat", "", fmt.Sprintf(`{"hostId": %q, "intervalMs": 1000}`, host)); status != 200 {
		t.Fatalf("a beat: %d %s", status, answer)
	}
	o.hurt()
	within(t, patience, "both regions see that it is missing", func() bool {
		return m.brokers[east].host(host).State == "missing" && m.brokers[west].host(host).State == "missing"
	})
	if !o.inTime {
		time.Sleep(6 * time.Second) // gather, takeover, and a try or two
		if told := box.about(host); len(told) > 0 {
			t.Errorf("told through a fault: %v", told)
		}
	}
	for _, b := range m.brokers {
		// A table that is down is no reason for a 500: presence is in memory.
		if status, answer := b.post("/v1/heartbeat", demoKey, `{"hostId": "direct", "intervalMs": 600000}`); status != http.StatusOK {
			t.Errorf("a direct beat: %d %s", status, answer)
		}
		if status, answer := b.get("/v1/status"); status != http.StatusOK {
			t.Errorf("the status of a broker that works from memory: %d %s", status, answer)
		}
	}
	o.heal()
	box.expect(t, time.Minute, host, "host-missing open")
	if status, answer := m.relay.post("/v1/heartbeat", "", fmt.Sprintf(`{"hostId": %q, "intervalMs": 600000}`, host)); status != 200 {
		t.Fatalf("a beat: %d %s", status, answer)
	}
	box.expect(t, time.Minute, host, "host-missing open", "host-missing recovered")
	within(t, time.Minute, "the relay's journal is taken", func() bool { return m.relay.metric("hbmesh_relay_journal_entries") == 0 })
}
