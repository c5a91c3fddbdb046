package broker_test

import (
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hb-mesh/hb-mesh/cloud/local"
)

// openFolder starts a node on the store's folder, and waits until it is ready.
func (r *region) openFolder(dir string) *running {
	r.t.Helper()
	var err error
	if r.table, err = local.Open(local.DefaultOptions(dir, "us-east-1")); err != nil {
		r.t.Fatal(err)
	}
	n := r.start("a", "127.0.0.1:1", "127.0.0.1:2", r.table.Region("us-east-1"))
	<-n.b.Ready()
	return n
}

// shutFolder ends the node and closes the folder.
func (r *region) shutFolder(n *running) {
	r.t.Helper()
	if err := n.stop(); err != nil {
		r.t.Error(err)
	}
	if err := r.table.Close(); err != nil {
		r.t.Error(err)
	}
}

// A restored copy of the store's folder is from before: what ended since is not
// told again as if it were, and nothing is told that is not so.
func TestARestoredFolderTellsNothingFalse(t *testing.T) {
	dir, copied := t.TempDir()+"/table", t.TempDir()+"/copy"
	synctest.Test(t, func(t *testing.T) {
		r := &region{t: t, wires: &wires{listeners: map[string]*pipeListener{}}, kept: &keeper{}}
		open := func() *running { return r.openFolder(dir) }
		shut := r.shutFolder
		// minutes beat for the hosts of a list, and let a minute pass each time.
		minutes := func(n int, hosts ...string) {
			for range n {
				for _, h := range hosts {
					r.beat(h)
				}
				time.Sleep(time.Minute)
			}
		}
		want := func(told string) {
			t.Helper()
			if got := r.kept.take(); got != told {
				t.Fatalf("told %q, want %q", got, told)
			}
		}

		n := open()
		minutes(5, "pos1", "pos2", "pos3")
		minutes(5, "pos1", "pos2")
		want("Hosts missing [pos3]")
		shut(n)
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		// What the copy does not know: pos3 comes back, pos1 goes and comes back,
		// pos4 is new.
		n = open()
		minutes(5, "pos1", "pos2", "pos3")
		want("Hosts registered [pos3]")
		minutes(5, "pos2", "pos3", "pos4")
		want("Hosts missing [pos1]")
		minutes(5, "pos1", "pos2", "pos3", "pos4")
		want("Hosts registered [pos1]")
		shut(n)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(dir, os.DirFS(copied)); err != nil {
			t.Fatal(err)
		}
		// The copy holds an open fault of pos3, told. That it ended was told too,
		// but the copy does not know it: its end may be told once more.
		n = open()
		minutes(10, "pos1", "pos2", "pos3", "pos4")
		want("Hosts registered [pos3]")
		minutes(30, "pos1", "pos2", "pos3", "pos4")
		want("")
		minutes(5, "pos1", "pos2", "pos3")
		want("Hosts missing [pos4]")
		shut(n)
	})
}

// A notice that was not sent when the copy was made may have been taken, for
// all that the copy knows: the fault is told, dated as it was, and its end.
func TestARestoredFolderWithAnUnsentNotice(t *testing.T) {
	dir, copied := t.TempDir()+"/table", t.TempDir()+"/copy"
	synctest.Test(t, func(t *testing.T) {
		r := &region{t: t, wires: &wires{listeners: map[string]*pipeListener{}}, kept: &keeper{}}
		open := func() *running { return r.openFolder(dir) }
		shut := r.shutFolder
		n := open()
		for range 5 {
			r.beat("pos1")
			r.beat("pos2")
			time.Sleep(time.Minute)
		}
		r.kept.fail(true)
		for range 5 {
			r.beat("pos1")
			time.Sleep(time.Minute)
		}
		shut(n)
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		r.kept.fail(false)
		time.Sleep(3 * time.Hour)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(dir, os.DirFS(copied)); err != nil {
			t.Fatal(err)
		}
		n = open()
		for range 5 {
			r.beat("pos1")
			r.beat("pos2")
			time.Sleep(time.Minute)
		}
		if got := r.kept.take(); got != "Hosts missing [pos2]; Hosts registered [pos2]" {
			t.Errorf("told %q", got)
		}
		shut(n)
	})
}

// beat posts a beat that promises the next within a minute.
func (r *region) beat(host string) {
	r.t.Helper()
	client := r.client()
	defer client.CloseIdleConnections()
	post(r.t, client, "127.0.0.1:2", fmt.Sprintf(`{"hostId":%q,"intervalMs":60000}`, host))
}
