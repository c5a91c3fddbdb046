package incident_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Many stores lost at once, and back at once, make few messages, and each store
// is in exactly one of its loss and one of its return (I6).
func TestAStormIsFewMessages(t *testing.T) {
	for _, k := range []int{1, 3, 20, 500} {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			m := newMesh()
			for i := range k {
				m.startRelay(beat.StoreID(fmt.Sprintf("store-%03d", i)), []string{"pos1"})
			}
			m.run(90 * time.Second)
			for i := range k {
				m.stopRelay(beat.StoreID(fmt.Sprintf("store-%03d", i)), true)
			}
			m.run(390 * time.Second)
			m.listed(t, k, incident.StoreDown, incident.Opened)
			if m.messages > 8 {
				t.Errorf("%d messages in five minutes", m.messages)
			}
			m.messages = 0
			for i := range k {
				m.startRelay(beat.StoreID(fmt.Sprintf("store-%03d", i)), []string{"pos1"})
			}
			m.run(690 * time.Second)
			m.listed(t, k, incident.StoreDown, incident.Recovered)
			if m.messages > 8 {
				t.Errorf("%d messages about the recoveries in five minutes", m.messages)
			}
		})
	}
}

// listed fails unless each of k stores was told exactly once.
func (m *mesh) listed(t *testing.T, k int, kind incident.Kind, change incident.Change) {
	t.Helper()
	times := map[string]int{}
	for _, line := range m.told {
		times[line]++
	}
	for i := range k {
		line := fmt.Sprintf("%s %s store-%03d", kind, change, i)
		if times[line] != 1 {
			t.Errorf("%q was told %d times", line, times[line])
		}
	}
	if len(times) != k {
		t.Errorf("%d lines, want %d", len(times), k)
	}
	m.told = nil
}
