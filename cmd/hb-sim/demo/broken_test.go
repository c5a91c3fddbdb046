package demo_test

import (
	"strings"
	"testing"
	"time"
)

// The subtests cut what a visitor cannot see: the link, a table, replication.
func TestAVisitorBreaksTheCloud(t *testing.T) {
	t.Parallel()
	type cut struct{ name, target, till string }
	for name, cuts := range map[string][]cut{
		"between the regions": {
			{"the regions' link is cut, and a register is told once", "link", "pos1"},
			{"a region is cut off from everything, and a register is told once", "uplink/us-east-1", "pos6"},
		},
		"tables": {
			{"a region's table refuses, and a register is told once", "table/us-east-1", "pos2"},
			{"the other's table refuses, and a register is told once", "table/us-west-2", "pos3"},
		},
		"replication": {
			{"replication is cut, and a register is told once", "replication", "pos4"},
			{"replication is late and out of order, and a register is told once", "replication/lag", "pos5"},
		},
		"one after the other": {
			{"the regions' link is cut", "link", "pos1"},
			{"a region's table refuses", "table/us-east-1", "pos2"},
			{"the other's table refuses", "table/us-west-2", "pos3"},
			{"replication is cut", "replication", "pos4"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := startMesh(t, nil)
			m.in(10*time.Second, "eight hosts are up", func() bool { return len(m.list("hosts", "--state", "up")) == 8 })
			for _, cut := range cuts {
				t.Run(cut.name, func(t *testing.T) { m.on(t).cloudScene(cut.target, cut.till) })
			}
		})
	}
}

// cloudScene loses a register before, and one return of it after, a cut is healed.
func (m *mesh) cloudScene(target, till string) {
	m.unplug(target)
	m.unplug("register/" + till)
	m.expect(30*time.Second, "demo", till, "host-missing open")
	m.plug("register/" + till)
	m.expect(30*time.Second, "demo", till, "host-missing open", "host-missing recovered")
	m.plug(target)
	m.in(20*time.Second, "both regions see the store up", func() bool {
		return m.store("demo", "--addr", m.addr(8080)) == "up" && m.store("demo", "--addr", m.addr(8081)) == "up"
	})
	time.Sleep(8 * time.Second) // takeover and mail, in real time: nobody tells it again
	m.expect(time.Second, "demo", till, "host-missing open", "host-missing recovered")
	if told := m.hook.about("demo", ""); len(told) > 0 {
		m.t.Errorf("the store was never down; told: %v", told)
	}
}

func TestTheControlKnowsItsStores(t *testing.T) {
	t.Parallel()
	m := startMesh(t, nil)
	m.in(10*time.Second, "eight hosts are up", func() bool { return len(m.list("hosts", "--state", "up")) == 8 })
	if _, errs, _ := m.tryHbctl("demo", "unplug", "stores/2"); !strings.Contains(errs, "there are 1") {
		t.Errorf("stores/2 of one store: %q", errs)
	}
	m.unplug("stores/1") // it is the whole one
	if lines := m.hbctl("demo", "status"); !strings.Contains(lines, "relay             unplugged") {
		t.Errorf("the relay is not shown as unplugged:\n%s", lines)
	}
	m.expect(15*time.Second, "demo", "", "store-down open")
	m.plug("relay")
	m.expect(15*time.Second, "demo", "", "store-down open", "store-down recovered")
	if lines := m.hbctl("demo", "status"); strings.Contains(lines, "unplugged") {
		t.Errorf("something is still unplugged:\n%s", lines)
	}
}
