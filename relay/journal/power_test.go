package journal_test

import (
	"bufio"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/journal/journaltest/powerdisk"
)

const (
	// cutsEnv is how many power cuts the long form makes; it is set by make chaos.
	cutsEnv   = "HB_POWER_CUTS"
	shortCuts = 50
)

// A relay is killed under load at random moments, and everything that was not
// synced is cut off: what was acked is there, and no epoch or number comes twice.
func TestPowerIsCutAgainAndAgain(t *testing.T) {
	cuts, long := shortCuts, os.Getenv(cutsEnv) != ""
	if long {
		var err error
		if cuts, err = strconv.Atoi(os.Getenv(cutsEnv)); err != nil {
			t.Fatal(err)
		}
	}
	d, err := powerdisk.New(t)
	if err != nil {
		if long {
			t.Fatal(err)
		}
		t.Logf("this machine mounts no FUSE (%v): nothing is cut off here, TestKilledAgainAndAgain kills without", err)
		return
	}
	l := &ledger{acked: map[beat.Number]bool{}}
	lossy := 0
	for n := range cuts {
		if n > 0 && n%100 == 0 {
			t.Logf("%d power cuts so far, %d of them cut something off; %d entries acked", n, lossy, len(l.acked))
		}
		runUntilKilled(t, d.Mount, l, time.Duration(20+rand.IntN(100))*time.Millisecond)
		if d.Cut() {
			lossy++
		}
		if l.inc != "" {
			l.check(t, d.Synced)
		}
		d.Restore()
	}
	t.Logf("%d power cuts, %d of them cut something off; %d syncs, %d entries acked, freed to %d, epochs to %d, numbers to %d",
		cuts, lossy, d.Syncs(), len(l.acked), l.freed, l.epoch, l.number)
	if len(l.acked) < 2*cuts || l.freed == 0 || lossy == 0 {
		t.Fatal("the test tests nothing")
	}
}

// runUntilKilled runs a child that appends, and reads what it is promised. It is
// killed so long after its journal was open; one in five is while it opens, or
// soon after.
func runUntilKilled(t *testing.T, dir string, l *ledger, after time.Duration) {
	t.Helper()
	cmd := child(t, "append", dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	early := rand.IntN(5) == 0
	kill := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	if early {
		kill.Reset(after)
	}
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		if strings.HasPrefix(scanner.Text(), "open") && !early {
			kill.Reset(after)
		}
		l.read(t, scanner.Text())
	}
	if err := cmd.Wait(); err == nil || stderr.Len() > 0 {
		t.Fatalf("the child ended with %v: %s", err, stderr.String())
	}
}
