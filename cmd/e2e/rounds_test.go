//go:build linux

package e2e_test

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/journal"
)

const (
	// defaultRounds is how often the relay is killed; HB_E2E_ROUNDS changes it.
	defaultRounds = 100
	// brokerEvery is how many rounds pass between two kills of a broker.
	brokerEvery = 20
	// hastyEvery is how many rounds pass between two kills of a relay that has
	// not even started.
	hastyEvery = 7
)

func rounds(t testing.TB) int {
	t.Helper()
	text, ok := os.LookupEnv("HB_E2E_ROUNDS")
	if !ok {
		return defaultRounds
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("HB_E2E_ROUNDS is %q, want a number above 0", text)
	}
	return n
}

// ledger is what the journal's folder was found to hold after all kills.
type ledger struct {
	t       testing.TB
	last    journal.Content
	entries map[beat.Number]beat.Transition
}

// read reads the folder between a kill and the restart.
func (l *ledger) read(dir string, load *load) {
	l.t.Helper()
	c, err := journal.Dump(dir)
	if err != nil {
		l.t.Fatal(err)
	}
	if !l.last.Incarnation.IsZero() && c.Incarnation != l.last.Incarnation {
		l.t.Fatalf("a new incarnation %s after %s", c.Incarnation, l.last.Incarnation)
	}
	if c.EpochTop < l.last.EpochTop || c.NumberTop < l.last.NumberTop || c.Lost != 0 {
		l.t.Fatalf("epochs to %d, numbers to %d, %d lost; before, %d and %d", c.EpochTop, c.NumberTop, c.Lost, l.last.EpochTop, l.last.NumberTop)
	}
	for _, e := range c.Entries {
		if before, again := l.entries[e.Number]; again {
			if before != e {
				l.t.Fatalf("number %d was used twice: %+v and %+v", e.Number, before, e)
			}
			continue
		}
		if e.Number <= l.last.NumberTop {
			l.t.Fatalf("number %d is new, but numbers to %d were reserved before the kill", e.Number, l.last.NumberTop)
		}
		l.entries[e.Number] = e
	}
	l.last = c
	l.promises(load)
}

// promises holds the folder to what registers were promised by a 200.
func (l *ledger) promises(load *load) {
	l.t.Helper()
	for _, f := range load.flappers {
		var held beat.HostState
		for _, r := range l.last.Hosts {
			if r.Host == f.host {
				held = r.State
			}
		}
		if !f.may(held) {
			l.t.Fatalf("%s: the journal holds %v, a 200 promised %v (and without answer: %v)", f.host, held, f.acked, f.tried)
		}
		f.resume(held)
	}
}

func TestARelayKilledUnderLoadLosesNothing(t *testing.T) {
	m := newMesh(t, strings.Replace(relayTimes, "blip: 1s", "blip: 0s", 1))
	m.up()
	l := &ledger{t: t, entries: map[beat.Number]beat.Transition{}}
	load := newLoad(m.relay)
	begin := time.Now()
	for n := range rounds(t) {
		if n > 0 {
			m.relay.start()
		}
		load.start(t)
		if n%hastyEvery == hastyEvery-1 {
			time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond) // it dies while it opens
		} else {
			m.relay.ready(t)
			time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond) // it dies at any moment
		}
		if n%brokerEvery == brokerEvery-1 {
			b := m.brokers[m.ring.Regions()[n/brokerEvery%2]]
			b.kill() // while the relay reports
			b.start()
			time.Sleep(time.Duration(rand.IntN(1000)) * time.Millisecond)
		}
		m.relay.kill()
		load.stop()
		l.read(m.data, load)
	}
	changes := 0
	for _, f := range load.flappers {
		changes += f.changes
	}
	t.Logf("%d rounds in %v: %d changes, %d of them found in the journal after a kill", rounds(t), time.Since(begin).Round(time.Second), changes, len(l.entries))
	if len(l.entries) < rounds(t) {
		t.Fatalf("only %d entries were ever found: the test tests nothing", len(l.entries))
	}
	m.drain(l)
	m.history(l, begin)
	m.epochs(l, rounds(t))
	if aside, err := filepath.Glob(filepath.Join(m.data, "journal.aside-*")); err != nil || len(aside) > 0 {
		t.Errorf("a folder was moved aside: %v %v", aside, err)
	}
}

// drain lets the relay hand over what it holds, and stops it.
func (m *mesh) drain(l *ledger) {
	m.t.Helper()
	for _, b := range m.brokers {
		b.ready(m.t)
	}
	m.relay.up(m.t)
	within(m.t, 90*time.Second, "the journal is drained", func() bool {
		_, metrics := m.relay.get("/metrics")
		return strings.Contains(metrics, "\nhbmesh_relay_journal_entries 0\n")
	})
	m.relay.stop()
	if c, err := journal.Dump(m.data); err != nil || len(c.Entries) > 0 || c.Incarnation != l.last.Incarnation || c.Lost != 0 {
		m.t.Errorf("after the drain: %v, %d entries, %d lost", err, len(c.Entries), c.Lost)
	}
}

// history looks for each entry in the history that each region shows.
func (m *mesh) history(l *ledger, begin time.Time) {
	m.t.Helper()
	for _, r := range m.ring.Regions() {
		var missing int
		within(m.t, patience, string(r)+" shows each entry", func() bool {
			found := map[beat.Number]int{}
			for day := range days(begin) {
				for _, e := range m.brokers[r].list("/v1/history?store=" + store + "&day=" + day) {
					n := beat.Number(e.Number)
					found[n]++
					if want, ours := l.entries[n]; ours && (e.Host != string(want.Host) || e.State != want.State.String()) {
						m.t.Fatalf("%s: entry %d is %s %s, the journal had %+v", r, n, e.Host, e.State, want)
					}
					if found[n] > 1 || e.Incarnation != l.last.Incarnation.String() {
						m.t.Fatalf("%s: entry %d is there %d times, or of another incarnation: %+v", r, n, found[n], e)
					}
				}
			}
			missing = 0
			for n := range l.entries {
				if found[n] == 0 {
					missing++
				}
			}
			return missing == 0
		})
	}
}

// days are the UTC days since begin.
func days(begin time.Time) map[string]bool {
	all := map[string]bool{}
	for at := begin.UTC(); !at.After(time.Now().UTC().Add(24 * time.Hour)); at = at.Add(24 * time.Hour) {
		all[at.Format(time.DateOnly)] = true
	}
	return all
}

// epochs holds all sessions that the relay ever began, as its wills name them,
// to the rule that no epoch is used twice.
func (m *mesh) epochs(l *ledger, rounds int) {
	m.t.Helper()
	used, boots := map[beat.Epoch]beat.Region{}, map[beat.Boot]bool{}
	for region, c := range m.cables {
		last := beat.Epoch(0)
		for _, d := range c.sessions() {
			if before, twice := used[d.Epoch]; twice {
				m.t.Errorf("epoch %d was used at %s and at %s", d.Epoch, before, region)
			}
			if d.Epoch <= last || d.Incarnation != l.last.Incarnation {
				m.t.Errorf("%s: epoch %d of %s comes after %d of %s", region, d.Epoch, d.Incarnation, last, l.last.Incarnation)
			}
			used[d.Epoch], boots[d.Boot], last = region, true, d.Epoch
		}
	}
	if len(boots) < rounds/2 {
		m.t.Errorf("only %d boots connected", len(boots))
	}
	m.t.Logf("%d sessions of %d boots, epochs up to %d", len(used), len(boots), slices.Max(slices.Collect(maps.Keys(used))))
}
