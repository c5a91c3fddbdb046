package journal_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/journal"
)

// A steady relay writes nothing: an hour of an open journal dirties no page.
func TestAnIdleJournalWritesNothing(t *testing.T) {
	if alone(t) {
		return
	}
	o := options(t.TempDir())
	synctest.Test(t, func(t *testing.T) {
		j := open(t, o)
		if _, err := j.NextEpoch(0); err != nil {
			t.Fatal(err)
		}
		appendAll(t, j, 1, 5000)
		if err := j.Free(4000); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // Badger's compactions come to rest
		files, bytes := listing(t, o.Dir), written(t)
		for range 60 {
			time.Sleep(time.Minute)
			if _, err := j.NextEpoch(0); err != nil { // a reconnect a minute, within the block
				t.Fatal(err)
			}
			j.Stats()
			j.Acked()
			batch(t, j, 4900)
		}
		if after := listing(t, o.Dir); after != files {
			t.Fatalf("the folder was\n%sand is\n%s", files, after)
		}
		if after := written(t); after != bytes {
			t.Fatalf("%d bytes were written", after-bytes)
		}
	})
}

// alone runs the test in a process of its own where this one keeps a log of
// the files that it opens, and says whether it did.
func alone(t *testing.T) bool {
	t.Helper()
	if f := flag.Lookup("test.testlogfile"); f == nil || f.Value.String() == "" {
		return false
	}
	out, err := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("%v\n%s", err, out)
	}
	return true
}

// written is what this process wrote to disks, mapped files included. The log of
// opened files that a cacheable `go test` keeps counts too: see alone.
func written(t *testing.T) (n uint64) {
	t.Helper()
	raw, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if _, err := fmt.Sscanf(line, "write_bytes: %d", &n); err == nil {
			return n
		}
	}
	t.Fatalf("no write_bytes in %s", raw)
	return 0
}

// smallDisk is a file system of size bytes: a real one where the test may mount
// one, so that a page too much kills the test, else a quota on a folder.
func smallDisk(t *testing.T, size uint64) journal.Options {
	t.Helper()
	o := options(t.TempDir())
	err := unix.Mount("tmpfs", o.Dir, "tmpfs", 0, fmt.Sprintf("size=%d", size))
	if err == nil {
		t.Cleanup(func() { _ = unix.Unmount(o.Dir, unix.MNT_DETACH) })
		return o
	}
	t.Logf("no file system of its own (%v): a quota instead", err)
	o.FreeSpace = func(dir string) (uint64, error) {
		var used uint64
		err := filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
			if err == nil {
				used += uint64(info.Size())
			}
			return nil
		})
		return size - min(size, used), err
	}
	return o
}

func TestADiskThatRunsFull(t *testing.T) {
	o := smallDisk(t, 128*mib)
	j := open(t, o)
	ballast, err := os.Create(filepath.Join(o.Dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, mib)
	var n beat.Number
	var refused, shed bool
	for range 128 { // the disk fills up under a busy journal
		var entries []journal.Entry
		for range 500 {
			n++
			e := entry(n)
			e.Transition.Message = strings.Repeat("x", 150)
			entries = append(entries, e)
		}
		switch err := j.Append(t.Context(), entries); {
		case errors.Is(err, journal.ErrNoSpace):
			refused = true
		case err != nil:
			t.Fatal(err)
		}
		shed = shed || j.Stats().Lost > 0 && !refused
		if free, err := o.FreeSpace(o.Dir); err != nil {
			t.Fatal(err)
		} else if free > o.Reserve+16*mib {
			if _, err := ballast.Write(block); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !refused || !shed {
		t.Fatalf("refused %v, shed %v: the disk did not fill up", refused, shed)
	}
	if _, err := j.NextEpoch(0); err != nil {
		t.Fatalf("an epoch on a full disk: %v", err)
	}
	for s := j.Stats(); s.Depth > 0; s = j.Stats() { // it drains all the same
		b, err := j.Batch(0, 32<<10, 500)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Free(max(b[len(b)-1].Number, b[len(b)-1].Until)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(ballast.Close(), os.Remove(ballast.Name())); err != nil {
		t.Fatal(err)
	}
	appendAll(t, j, n+1, n+1)
	j = reopen(t, j, o)
	if got := batch(t, j, 0); len(got) != 2 || got[0].Reason != beat.Shed || got[1].Number != n+1 || j.Recovered() != nil {
		t.Fatalf("after all that: %+v, %+v", got, j.Recovered())
	}
}
