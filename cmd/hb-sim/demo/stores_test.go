package demo_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/demo"
)

const (
	manyStores = 2_000
	// firstWithin is the demo's grace and gather, and 3 s.
	firstWithin = 7 * time.Second
	// maxMessages is how many messages one fault of any size makes, at most.
	maxMessages = 8
)

// A storm on real sockets: every store is told in exactly one message, and few
// of them are sent.
func TestManyStoresGoAtOnce(t *testing.T) {
	m := startMesh(t, func(o *demo.Options) { o.Stores, o.Registers, o.Verbose = manyStores, 3, false })
	m.in(30*time.Second, "all stores are up in both regions", func() bool {
		return m.upIn(8080) == manyStores && m.upIn(8081) == manyStores
	})
	t.Run("all are lost, and come back", func(t *testing.T) { m.on(t).storm(manyStores, maxMessages) })
	t.Run("twenty are lost, and come back", func(t *testing.T) { m.on(t).storm(20, maxMessages) })
	t.Run("a region without any uplink tells of no store", func(t *testing.T) { m.on(t).alone() })
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

// storm loses k stores at once, and gives them back.
func (m *mesh) storm(k, most int) {
	for _, change := range []string{"open", "recovered"} {
		before, began := m.hook.messages(), time.Now()
		if change == "open" {
			m.unplug(fmt.Sprint("stores/", k))
			m.in(firstWithin, "a first message", func() bool { return m.hook.messages() > before })
		} else {
			m.plug(fmt.Sprint("stores/", k))
		}
		all := func() bool {
			told, more := m.hook.stores(before, change)
			return len(told)+more >= k
		}
		for end := began.Add(90 * time.Second); !all() && time.Now().Before(end); {
			time.Sleep(100 * time.Millisecond) // polls real sockets
		}
		m.t.Logf("%d stores, %s: %d messages in %.1f s", k, change, m.hook.messages()-before, time.Since(began).Seconds())
		time.Sleep(12 * time.Second) // longer than the digests wait: nothing else follows
		if n := m.hook.messages() - before; n > most {
			m.t.Errorf("%s: %d messages, want at most %d", change, n, most)
		}
		told, more := m.hook.stores(before, change)
		if len(told)+more != k {
			m.t.Errorf("%s: %d stores are named and %d more are counted, want %d in all", change, len(told), more, k)
		}
		for _, s := range slices.Sorted(maps.Keys(told)) {
			if told[s] != 1 {
				m.t.Errorf("%s: store %s is in %d messages, want 1", change, s, told[s])
			}
		}
	}
}

// alone cuts a region off from relays and from the other region.
func (m *mesh) alone() {
	before := m.hook.messages()
	m.unplug("uplink/us-east-1")
	time.Sleep(40 * time.Second) // keepalive, grace, blind and gather, in real time
	m.plug("uplink/us-east-1")
	m.in(60*time.Second, "all stores are up in both regions again", func() bool {
		return m.upIn(8080) == manyStores && m.upIn(8081) == manyStores
	})
	for _, change := range []string{"open", "recovered"} {
		if told, more := m.hook.stores(before, change); len(told)+more > 0 {
			m.t.Errorf("%d stores were told as %s, want none", len(told)+more, change)
		}
	}
	if n := m.hook.messages() - before; n > 2 {
		m.t.Errorf("%d messages, want at most one of the region and its end", n)
	}
}
