//go:build linux

package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// What the release of 2026-11-24 left behind when its processes were killed: a
// store folder of one region with three incidents that were told, and the
// relay's folder of store shop, whose pos3 went missing while the region was
// away. (Written by that release: one hb-broker with the embedded store, a
// relay each for shop and mall, and beats of store street without a relay.)
const (
	leftStore = "testdata/upgrade/2026-11-24/store.tar.gz"
	leftRelay = "testdata/upgrade/2026-11-24/relay.tar.gz"
)

// leftOpen are the incidents that it told, by subject.
var leftOpen = map[string]string{
	"shop/pos2":    "Q8LMHS60LO7B9TSE7DL87VDKFG",
	"street/kiosk": "7Q756EINU25G1VV795LBHC0T70",
	"mall":         "CLK8PRQOQJH3F65S65VN528VUO",
}

// A new release goes on where the one before it was killed: it tells nothing
// again, ends the open incidents under their names, and takes the relay's
// journal.
func TestTheFoldersOfTheReleaseBeforeGoOn(t *testing.T) {
	t.Parallel() // it mostly waits
	dir := t.TempDir()
	unpack(t, leftStore, dir)
	unpack(t, leftRelay, dir)
	seen := newObserver(t)
	broker := &server{owner: t, program: "hb-broker", mqtt: loopback(freePort(t)), http: loopback(freePort(t)), config: filepath.Join(dir, "broker.yaml")}
	config := fmt.Sprintf(`region: us-east-1
regions: [us-east-1]
mqtt: {address: %q}
http: {address: %q}
openReads: true
table: {backend: local, dir: %q}
channels:
  - {name: programs, type: webhook, url: %q, allowPrivate: true}
keys:
  - {name: all, text: demo, roles: [beat, admin]}
  - {name: relays, text: demo, roles: [relay]}
`, broker.mqtt, broker.http, filepath.Join(dir, "store"), seen.url) + brokerTimes
	if err := os.WriteFile(broker.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	shop := oneRegion(t, dir, "shop", broker)
	broker.up(t)
	shop.up(t)

	open := map[string]string{}
	for _, row := range broker.list("/v1/incidents?open=true") {
		subject := row.Store
		if row.Host != "" {
			subject += "/" + row.Host
		}
		open[subject] = row.ID
	}
	for subject, id := range leftOpen {
		if open[subject] != id {
			t.Errorf("%s has the open incident %q, want %s", subject, open[subject], id)
		}
	}
	within(t, patience, "the relay's journal is taken", func() bool { return shop.metric("hbmesh_relay_journal_entries") == 0 })
	if c := shop.metric("hbmesh_relay_journal_lost_total"); c != 0 {
		t.Errorf("the relay lost %v entries", c)
	}
	time.Sleep(6 * time.Second) // settle and gather: what was told is not told again
	seen.mu.Lock()
	again := slices.Clone(seen.seen)
	seen.mu.Unlock()
	for _, s := range again {
		if s.subject() != "shop/pos3" || s.Change != "open" {
			t.Errorf("told again: %v", s)
		}
	}

	mall := oneRegion(t, mkdir(t, filepath.Join(dir, "new")), "mall", broker)
	mall.up(t)
	for _, b := range []struct {
		at   *server
		body string
	}{
		{shop, `{"hostId": "pos2", "intervalMs": 600000}`}, {shop, `{"hostId": "pos3", "intervalMs": 600000}`},
		{broker, `{"hostId": "kiosk", "storeId": "street", "intervalMs": 600000}`},
	} {
		if status, answer := b.at.post("/v1/heartbeat", "demo", b.body); status != 200 {
			t.Fatalf("a beat: %d %s", status, answer)
		}
	}
	for subject, id := range leftOpen {
		within(t, patience, "the recovery of "+subject+" is told under its old name", func() bool {
			return slices.ContainsFunc(seen.about(subject, byWebhook), func(s sighting) bool { return s.Change == "recovered" && s.Incident == id && s.K == 2 })
		})
	}
}

// oneRegion is a relay of one region, with its data in dir/relay-data.
func oneRegion(t testing.TB, dir, store string, b *server) *server {
	t.Helper()
	s := &server{owner: t, program: "hb-relay", mqtt: loopback(freePort(t)), http: loopback(freePort(t)), config: filepath.Join(dir, store+".yaml")}
	config := fmt.Sprintf(`store: %s
relay: r1
data: %q
mqtt: {address: %q}
http: {address: %q}
regions:
  - {name: us-east-1, address: "tcp://%s", user: %s/r1, password: demo}
limits: {exemptLoopback: true}
`, store, filepath.Join(dir, "relay-data"), s.mqtt, s.http, b.mqtt, store) + relayTimes
	if err := os.WriteFile(s.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func unpack(t testing.TB, archive, dir string) {
	t.Helper()
	if status, _, errs := once(t, exec.Command(tool(t, "tar"), "xzf", archive, "-C", dir)); status != 0 {
		t.Fatalf("unpack %s: %s", archive, errs)
	}
}
