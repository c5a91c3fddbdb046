package demo_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/demo"
)

// Both regions go on with a table that hbctl restore made of an older backup:
// the fault that the backup holds, and that ended since, gets one recovery, under
// its name; what began and ended since, and what never was, is not told.
func TestARestoredMeshOfTwoRegionsTellsNothingFalse(t *testing.T) {
	t.Parallel() // it mostly waits
	dir := t.TempDir()
	data, file := filepath.Join(dir, "data"), filepath.Join(dir, "mesh.backup")
	keep := func(o *demo.Options) { o.DataDir = data }
	const wait = 40 * time.Second

	m := startMesh(t, keep)
	m.in(wait, "eight hosts are up", func() bool { return len(m.list("hosts", "--state", "up")) == 8 })
	m.unplug("register/pos3")
	open := m.expect(wait, "demo", "pos3", "host-missing open")[0]
	m.in(wait, "it is told on both channels", func() bool {
		told := m.list("incidents")
		return len(told) == 1 && len(told[0].Told) == 2
	})
	m.quiet(2*time.Second, 1) // and the marks are written: what a backup does not know is told again
	m.hbctl("backup", file)
	// What the backup does not know.
	m.plug("register/pos3")
	m.expect(wait, "demo", "pos3", "host-missing open", "host-missing recovered")
	m.unplug("register/pos4")
	m.expect(wait, "demo", "pos4", "host-missing open")
	m.plug("register/pos4")
	m.expect(wait, "demo", "pos4", "host-missing open", "host-missing recovered")
	m.end()

	restored := filepath.Join(data, "table")
	if err := os.RemoveAll(restored); err != nil {
		t.Fatal(err)
	}
	m.hbctl("restore", file, "--data-dir", restored)
	again := startMesh(t, keep)
	again.in(wait, "eight hosts are up", func() bool { return len(again.list("hosts", "--state", "up")) == 8 })
	end := again.expect(wait, "demo", "pos3", "host-missing recovered")[0]
	if end.Incident != open.Incident || end.K != 2 {
		t.Errorf("its end is told as %s, k %d; its fault was %s", end.Incident, end.K, open.Incident)
	}
	again.quiet(20*time.Second, 1) // takeover and an ask more, by either region
	if left := again.list("incidents"); len(left) > 0 {
		t.Errorf("still open: %v", left)
	}
	// And it goes on: the next fault is told, by a name of its own.
	again.unplug("register/pos3")
	next := again.expect(wait, "demo", "pos3", "host-missing recovered", "host-missing open")[1]
	if next.Incident == open.Incident {
		t.Errorf("the next fault has the name of the first one, %s", next.Incident)
	}
}
