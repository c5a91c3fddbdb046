//go:build linux

package e2e_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/journal/journaltest/powerdisk"
)

// drainEvery is how many power cuts pass until the relay may hand over what it
// holds: it lives too shortly in between, and its journal has an end.
const drainEvery = 50

// shortPowerCuts is how often the short form cuts the relay's power;
// HB_E2E_ROUNDS changes it.
const shortPowerCuts = 15

// The power of a whole hb-relay goes at random moments under load, with all that
// it did not sync: what a register was promised by a 200 is in the journal that
// is left, no number or epoch is used twice, and in the end both regions' history
// has each entry that was ever found.
func TestThePowerOfAWholeRelayIsCutUnderLoad(t *testing.T) {
	t.Parallel() // it mostly waits
	disk, err := powerdisk.New(t)
	if err != nil {
		if *chaos {
			t.Fatal(err)
		}
		t.Logf("this machine mounts no FUSE (%v): nothing is cut off here, TestARelayKilledUnderLoadLosesNothing kills without", err)
		return
	}
	cuts := shortPowerCuts
	if os.Getenv("HB_E2E_ROUNDS") != "" {
		cuts = rounds(t)
	}
	m := newMesh(t, strings.Replace(relayTimes, "blip: 1s", "blip: 0s", 1))
	m.onto(filepath.Join(disk.Mount, "relay-data"))
	m.up()
	l := &ledger{t: t, entries: map[beat.Number]beat.Transition{}}
	load := newLoad(m.relay)
	begin, lossy := time.Now(), 0
	for n := range cuts {
		if n > 0 && n%drainEvery == 0 {
			m.drain(l)
			t.Logf("%d power cuts in %v, %d of them cut something off; %d entries found", n, time.Since(begin).Round(time.Second), lossy, len(l.entries))
		}
		if n > 0 {
			m.relay.start()
		}
		load.start(t)
		if n%hastyEvery == hastyEvery-1 {
			time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond) // while it opens
		} else {
			m.relay.ready(t)
			time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond)
		}
		m.relay.kill()
		load.stop()
		if disk.Cut() {
			lossy++
		}
		l.read(filepath.Join(disk.Synced, "relay-data"), load)
		disk.Restore()
	}
	t.Logf("%d power cuts in %v, %d of them cut something off; %d syncs, %d entries found after a cut",
		cuts, time.Since(begin).Round(time.Second), lossy, disk.Syncs(), len(l.entries))
	if len(l.entries) < cuts || lossy == 0 {
		t.Fatal("the test tests nothing")
	}
	m.drain(l)
	m.history(l, begin)
	m.epochs(l, cuts)
}

// onto moves the relay's data folder, before its first start.
func (m *mesh) onto(data string) {
	m.t.Helper()
	raw, err := os.ReadFile(m.relay.config)
	if err == nil {
		err = os.WriteFile(m.relay.config, []byte(strings.Replace(string(raw), m.data, data, 1)), 0o600)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	m.data = data
}
