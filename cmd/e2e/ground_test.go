//go:build linux

package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// needRoot fails where the kernel would refuse what the test needs of it.
func needRoot(t testing.TB, what string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatalf("%s needs root: run the tests as root, or in a container", what)
	}
}

// A relay whose disk is full goes on from memory: what happens meanwhile is
// told, and when there is room again its journal goes on.
func TestARelayWithAFullDiskGoesOn(t *testing.T) {
	t.Parallel() // it mostly waits
	needRoot(t, "a small tmpfs")
	f := newField(t, "shop")
	disk := mkdir(t, filepath.Join(f.dir, "shop"))
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=48m"); err != nil {
		t.Fatalf("mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		f.relays["shop"].kill()
		_ = syscall.Unmount(disk, syscall.MNT_DETACH)
	})
	f.relays["shop"] = f.newRelay("shop") // its configuration is on the disk as well
	f.up()
	relay := f.relays["shop"]
	beat := func(host string, intervalMs int) {
		if status, answer := relay.post("/v1/heartbeat", "", fmt.Sprintf(`{"hostId": %q, "intervalMs": %d}`, host, intervalMs)); status != http.StatusOK {
			t.Fatalf("a beat: %d %s", status, answer)
		}
	}
	beat("pos1", 600_000)
	fill := filepath.Join(disk, "fill")
	full(t, fill)
	beat("pos1", 1000)
	out := f.seen.lost("shop/pos1")
	f.seen.told(patienceWounded, out, "open")
	beat("pos1", 600_000)
	f.seen.back(out)
	f.seen.told(patienceWounded, out, "recovered")
	if !relay.alive() {
		t.Fatal("the relay died of its full disk")
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	within(t, time.Minute, "the journal takes transitions again and empties", func() bool {
		return relay.status() == http.StatusOK && relay.metric("hbmesh_relay_journal_entries") == 0
	})
	relay.kill()
	relay.start()
	f.healed()
	f.seen.judge()
}

// full writes a file until the disk has no room.
func full(t testing.TB, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	block := make([]byte, 64<<10)
	for {
		if _, err := file.Write(block); err != nil {
			return // no space left
		}
	}
}

// A store whose cable is pulled hears and says nothing more: no FIN, no RST. A
// network of its own has a cable to pull.
func TestAPulledCableIsToldByMissedBeats(t *testing.T) {
	t.Parallel() // it mostly waits
	needRoot(t, "a network namespace")
	ip := tool(t, "ip")
	f := newField(t, "whole")
	f.up()
	net := fmt.Sprintf("hb%d", os.Getpid()%100000)
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(ip, args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	run("netns", "add", net)
	t.Cleanup(func() { _ = exec.Command(ip, "netns", "del", net).Run() })
	const here, there = "10.213.77.1", "10.213.77.2"
	run("link", "add", net+"a", "type", "veth", "peer", "name", net+"b", "netns", net)
	run("addr", "add", here+"/30", "dev", net+"a")
	run("link", "set", net+"a", "up")
	run("-n", net, "addr", "add", there+"/30", "dev", net+"b")
	run("-n", net, "link", "set", net+"b", "up")
	run("-n", net, "link", "set", "lo", "up")

	for _, r := range regions { // the ways listen on loopback: open them to the cable
		f.wan[r] = newWayOn(t, "cable to "+string(r), here+":0", f.brokers[r].mqtt)
	}
	far := f.newRelay("far")
	plain, err := os.ReadFile(far.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(far.config, append(plain, "\ninsecure: true\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	far.wrap = []string{ip, "netns", "exec", net}
	f.relays["far"] = far
	far.start()
	f.healed()

	out := f.seen.lost("far")
	run("link", "set", net+"a", "down")
	f.seen.told(patienceWounded, out, "open")
	run("link", "set", net+"a", "up")
	f.seen.back(out)
	f.seen.told(patienceWounded, out, "recovered")
	f.healed()
	f.seen.judge()
}
