//go:build linux

package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// jumper is hb-broker with a wall clock that can be set: the standard library's
// time.Now is laid over for that build, so that its own code and its libraries
// (signatures, certificates, deadlines) all see the jump. What is shipped has no
// such switch.
var jumper = sync.OnceValues(func() (string, error) {
	const name = "hb-broker-jumps"
	dir, err := binaries()
	if err != nil {
		return "", err
	}
	overlay, err := layClock(dir)
	if err != nil {
		return "", fmt.Errorf("lay a clock over time.Now: %w", err)
	}
	if out, err := exec.Command("go", "build", "-overlay", overlay, "-o", filepath.Join(dir, name), "../hb-broker").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", name, err, out)
	}
	return name, nil
})

// layClock writes what `go build -overlay` wants.
func layClock(dir string) (overlay string, err error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	std := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	plain, err := os.ReadFile(filepath.Join(std, "time.go"))
	if err != nil {
		return "", err
	}
	const reads = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(plain), reads) != 1 {
		return "", fmt.Errorf("time.Now of this Go does not begin with %q", reads)
	}
	laid := filepath.Join(dir, "time.go")
	if err := os.WriteFile(laid, []byte(strings.Replace(string(plain), reads, reads+"\tsec += jumped.Load()\n", 1)), 0o600); err != nil {
		return "", err
	}
	replace := map[string]string{filepath.Join(std, "time.go"): laid}
	for to, from := range map[string]string{
		filepath.Join(std, "jump.go"): "testdata/clock/jump.go", "../hb-broker/jump.go": "testdata/clock/main.go",
	} {
		if to, err = filepath.Abs(to); err != nil {
			return "", err
		}
		if replace[to], err = filepath.Abs(from); err != nil {
			return "", err
		}
	}
	raw, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "clock.json")
	return overlay, os.WriteFile(overlay, raw, 0o600)
}

// clock sets the wall clock of a broker.
type clock struct {
	broker *server
	input  *os.File
	off    time.Duration
}

// newClock makes the broker, before it is started, one whose clock can be set.
func newClock(t testing.TB, b *server) *clock {
	t.Helper()
	program, err := jumper()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	b.program, b.stdin = program, r
	return &clock{broker: b, input: w}
}

// jump sets it forward or back, and sees that the broker has that time.
func (c *clock) jump(t testing.TB, d time.Duration) {
	t.Helper()
	if _, err := fmt.Fprintln(c.input, d); err != nil {
		t.Fatal(err)
	}
	c.off += d
	within(t, patience, fmt.Sprintf("the clock of %s is off by %v", c.broker.name, c.off), func() bool {
		resp, err := client.Get("http://" + c.broker.http + "/v1/status")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		at, err := http.ParseTime(resp.Header.Get("Date"))
		return err == nil && (time.Until(at)-c.off).Abs() < time.Minute
	})
}

// shows says whether a broker shows a host as up.
func (s *server) shows(store, host string) bool {
	return slices.ContainsFunc(s.list("/v1/hosts?store="+store), func(r row) bool { return r.Host == host && r.State == "up" })
}

// The brokers' wall clocks jump by hours and days, and are set right again,
// while registers beat and stores are lost. Time that decides is monotonic: all
// that was lost is told and ended, and nothing else is. AWS takes no signature of
// another time, and neither do the regions from each other: they say so, and
// write letters.
func TestABrokerThatMistakesTheTimeTellsWhatIsSo(t *testing.T) {
	t.Parallel() // it mostly waits
	f := newField(t, "ahead", "behind", "days", "right", "whole")
	f.seen.misdated()
	for _, r := range regions { // letters are all that they have, and the machine may be busy
		f.reconfigure(f.brokers[r], "mail: 4s", "mail: 8s")
	}
	clocks := map[string]*clock{"east": newClock(t, f.brokers[east]), "west": newClock(t, f.brokers[west])}
	f.up()
	newCurlTill(t, f.relays["whole"], "pos1", 6*time.Second)
	newCurlTill(t, f.brokers[east], "direct-east", 6*time.Second)
	newCurlTill(t, f.brokers[west], "direct-west", 6*time.Second)
	within(t, patience, "the registers are up", func() bool {
		return f.brokers[west].shows("whole", "pos1") && f.brokers[east].shows(store, "direct-east") && f.brokers[west].shows(store, "direct-west")
	})
	for _, c := range []struct {
		store string
		jumps map[string]time.Duration
	}{
		{"ahead", map[string]time.Duration{"east": 3 * time.Hour}},
		{"behind", map[string]time.Duration{"west": -5 * time.Hour}},
		{"days", map[string]time.Duration{"east": 9 * 24 * time.Hour}},
		{"right", map[string]time.Duration{"east": -9*24*time.Hour - 3*time.Hour, "west": 5 * time.Hour}},
	} {
		out := f.lose(c.store)
		time.Sleep(time.Second) // the jump comes before grace is over
		for who, d := range c.jumps {
			clocks[who].jump(t, d)
			t.Logf("the clock of %s is off by %v", who, clocks[who].off)
		}
		f.seen.told(patienceWounded, out, "open")
		f.restore(out)
		f.healed()
		f.seen.told(patienceWounded, out, "recovered")
	}
	time.Sleep(12 * time.Second) // takeover and an ask more: nothing follows
	f.seen.judge()
	for _, r := range regions {
		b := f.brokers[r]
		if !b.alive() || strings.Count(b.log.String(), "msg=ready ") != 1 {
			t.Errorf("%s did not live through it", r)
		}
		if !strings.Contains(b.log.String(), "clock is wrong") {
			t.Errorf("%s says nowhere that a clock is wrong", r)
		}
		if n := f.traps[r].refused.Load(); n == 0 || n > 100 {
			t.Errorf("AWS refused %d signatures of %s: it asks for the time once it is told of a wrong one", n, r)
		} else {
			t.Logf("AWS refused %d signatures of %s", n, r)
		}
	}
}
