package demo_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/demo"
)

const (
	// manyStores are some more than have sockets: the rest come through pipes.
	manyStores  = 2_010
	manySockets = 2_000
	// firstWithin is the demo's grace and gather, and 3 s, on a quiet machine; a
	// busy one may take firstLate. What it took is in the log; the bound itself is
	// held by TestAStormIsToldSoonAndInFewMessages in broker/node, in virtual time.
	firstWithin = 7 * time.Second
	firstLate   = 15 * time.Second
	// maxMessages is how many messages one fault of any size makes, at most.
	maxMessages = 8
)

// A storm on real sockets, and of some stores that come through pipes, which the
// banner says: every store is named in exactly one message, and few of them are
// sent.
func TestManyStoresGoAtOnce(t *testing.T) {
	m := startStores(t, manyStores)
	if says := fmt.Sprintf("%d of them are on real sockets; the other %d enter the same doors through pipes in this process (net.Pipe).", manySockets, manyStores-1-manySockets); !strings.Contains(m.screen.String(), says) {
		t.Errorf("the banner does not say %q", says)
	}
	storms := []*storm{m.storm(manyStores, "open"), m.storm(manyStores, "recovered")}
	t.Parallel()                 // what follows only waits
	time.Sleep(65 * time.Second) // longer than the digests wait, in real time: nothing else follows
	for _, s := range storms {
		m.judge(s, maxMessages)
	}
}

func TestTwentyStoresGoAtOnce(t *testing.T) {
	t.Parallel()
	m := startStores(t, 100)
	for _, change := range []string{"open", "recovered"} {
		s := m.storm(20, change)
		time.Sleep(5 * time.Second) // in real time: nothing else follows
		m.judge(s, maxMessages)
	}
}

// A region that reaches neither stores nor the other region tells of no store.
func TestARegionWithoutAnyUplink(t *testing.T) {
	t.Parallel()
	const stores = 300
	m := startStores(t, stores)
	time.Sleep(17 * time.Second) // in real time: each relay has said that it has both sessions
	before := m.hook.messages()
	m.unplug("uplink/us-east-1")
	m.in(90*time.Second, "the region knows that it is blind", func() bool {
		// Letters through the table may still tell it what the other one sees.
		return slices.ContainsFunc(m.list("incidents", "--addr", m.addr(8080)), func(r row) bool {
			return r.Open && (r.Kind == "region-blind" || r.Kind == "region-path")
		})
	})
	time.Sleep(15 * time.Second) // those lost last, and then gather, in real time
	if up := m.upIn(8081); up != stores {
		t.Errorf("%d stores are up in the region that reaches them, want %d", up, stores)
	}
	m.plug("uplink/us-east-1")
	m.allUp(stores)
	for _, change := range []string{"open", "recovered"} {
		if told, more := m.hook.stores(before, change); len(told)+more > 0 {
			t.Errorf("%d stores were told as %s, want none", len(told)+more, change)
		}
	}
	if n := m.hook.messages() - before; n > 2 {
		t.Errorf("%d messages, want at most one of the region and its end", n)
	}
}

// startStores starts a demo of n stores, which are up in both regions.
func startStores(t *testing.T, n int) *mesh {
	t.Helper()
	m := startMesh(t, func(o *demo.Options) { o.Stores, o.Registers, o.Verbose = n, 3, false })
	m.allUp(n)
	return m
}

func (m *mesh) allUp(n int) {
	m.t.Helper()
	m.in(time.Minute, "all stores are up in both regions", func() bool { return m.upIn(8080) == n && m.upIn(8081) == n })
}

func (m *mesh) on(t *testing.T) *mesh {
	on := *m
	on.t = t
	return &on
}

func (m *mesh) upIn(port int) int {
	up := 0
	for _, r := range m.list("stores", "--addr", m.addr(port)) {
		if r.State == "up" {
			up++
		}
	}
	return up
}

// storm is k stores that were lost, or came back, and the messages before.
type storm struct {
	k      int
	change string
	before int
}

// storm loses k stores at once, or gives them back, until all of them are told.
func (m *mesh) storm(k int, change string) *storm {
	m.t.Helper()
	s, began := &storm{k, change, m.hook.messages()}, time.Now()
	turn := m.unplug
	if change == "recovered" {
		turn = m.plug
	}
	turn(fmt.Sprint("stores/", k))
	within := time.Minute
	if change == "open" {
		within = firstLate
	}
	m.in(within, "a first message", func() bool { return m.hook.messages() > s.before })
	first := time.Since(began)
	m.in(90*time.Second, fmt.Sprintf("%d stores are told as %s", k, change), func() bool {
		told, more := m.hook.stores(s.before, change)
		return len(told)+more >= k
	})
	m.t.Logf("%d stores, %s: the first message after %.1f s (goal %v), all %d messages after %.1f s",
		k, change, first.Seconds(), firstWithin, m.hook.messages()-s.before, time.Since(began).Seconds())
	return s
}

// judge fails unless each store of a storm is named in exactly one message, and
// those are few.
func (m *mesh) judge(s *storm, most int) {
	m.t.Helper()
	told, more := m.hook.stores(s.before, s.change)
	if len(told) != s.k || more > 0 {
		m.t.Errorf("%s: %d stores are named and %d more are counted, want %d named", s.change, len(told), more, s.k)
	}
	for _, store := range slices.Sorted(maps.Keys(told)) {
		if told[store] != 1 {
			m.t.Errorf("%s: store %s is in %d messages, want 1", s.change, store, told[store])
		}
	}
	if n := m.hook.of(s.before, s.change); n > most {
		m.t.Errorf("%s: %d messages, want at most %d", s.change, n, most)
	}
}
