package journal_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// update writes a folder that is not there yet; it never changes one.
var update = flag.Bool("update", false, "write the folders of releases that are missing")

// Folders that releases wrote are in testdata/release and never change: this
// code opens them, and goes on where they end.
func TestFoldersOfEveryReleaseAreOpened(t *testing.T) {
	file := filepath.Join("testdata", "release", "v1.tar.gz")
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) && *update {
		pack(t, file, asReleased(t))
	}
	o := options(unpack(t, file))
	j := open(t, o)
	if j.Recovered() != nil || !j.Acked() || j.Incarnation().IsZero() {
		t.Fatalf("recovered %+v, acked %v", j.Recovered(), j.Acked())
	}
	if got := numbers(batch(t, j, 0)); len(got) != 7 || got[0] != 4 || got[6] != 10 {
		t.Fatalf("entries %v, want 4 to 10", got)
	}
	if hosts, err := j.Hosts(); err != nil || len(hosts) != 8 || hosts[2].Number != 10 {
		t.Fatalf("hosts %+v, %v", hosts, err)
	}
	if lan, err := j.Lan(); err != nil || lan != nil {
		t.Fatalf("LAN %+v, %v", lan, err)
	}
	if e, err := j.NextEpoch(0); err != nil || e != 65 {
		t.Fatalf("epoch %d, %v; want one above those that were reserved", e, err)
	}
	if from, _, err := j.ReserveNumbers(0); err != nil || from != 1025 {
		t.Fatalf("numbers from %d, %v", from, err)
	}
	appendAll(t, j, 1025, 1030)
}

// asReleased is a data folder as this code leaves one without a LAN that died.
func asReleased(t *testing.T) string {
	t.Helper()
	o := options(t.TempDir())
	j := open(t, o)
	if _, _, err := j.ReserveNumbers(0); err != nil {
		t.Fatal(err)
	}
	if _, err := j.NextEpoch(0); err != nil {
		t.Fatal(err)
	}
	appendAll(t, j, 1, beat.Number(10))
	if err := errors.Join(j.NoteAcked(), j.Free(3), j.Close()); err != nil {
		t.Fatal(err)
	}
	return o.Dir
}

func pack(t *testing.T, file, dir string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // part of the source
		t.Fatal(err)
	}
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	if err := errors.Join(w.AddFS(os.DirFS(dir)), w.Close(), z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func unpack(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, filepath.FromSlash(h.Name)) //nolint:gosec // our own archive
		if h.FileInfo().IsDir() {
			if err := os.MkdirAll(to, 0o700); err != nil {
				t.Fatal(err)
			}
			continue
		}
		raw, err := io.ReadAll(r)
		if err == nil {
			err = errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, raw, 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
