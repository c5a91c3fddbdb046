package local_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cloud/local"
)

// backedUp is a backup of a store with many items, a large one, one that
// expires, a deleted one, and one that is held on its way.
func backedUp(t *testing.T) (raw []byte, items []string) {
	t.Helper()
	o := local.DefaultOptions(t.TempDir(), east, west)
	o.Passage = func(local.Change) local.Passage { return local.Passage{Held: true} }
	s := open(t, o)
	tb := s.Region(east)
	for i := range 500 {
		put(t, tb, fmt.Sprintf("a#%03d", i), fmt.Sprint("doc ", i))
	}
	large := item("a#large", string(bytes.Repeat([]byte("x"), 200<<10)))
	large.Expires = time.Now().Add(time.Hour)
	if err := tb.Put(t.Context(), []table.Item{large}); err != nil {
		t.Fatal(err)
	}
	if err := tb.Delete(t.Context(), []table.Key{item("a#007", "").Key}); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := s.Backup(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), contents(t, tb)
}

func TestARestoredFolderHoldsWhatWasBackedUp(t *testing.T) {
	raw, items := backedUp(t)
	dir := filepath.Join(t.TempDir(), "new")
	if err := local.Restore(dir, bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	s := open(t, local.DefaultOptions(dir, east, west))
	want(t, s.Region(east), items...)
	await(t, s) // what was on its way goes on
	want(t, s.Region(west), items...)
	if err := s.Region(east).Write(t.Context(), table.Write{Item: item("a#000", "new"), If: table.IfRev, Rev: 1}); err != nil {
		t.Errorf("a restored item is not written again: %v", err)
	}
}

func TestABackupThatIsNotWholeRestoresNothing(t *testing.T) {
	raw, _ := backedUp(t)
	changed := bytes.Clone(raw)
	changed[len(changed)/2] ^= 1
	newer := bytes.Replace(raw, []byte("table 1"), []byte("table 2"), 1)
	for name, bad := range map[string][]byte{
		"empty": nil, "its first bytes": raw[:10], "half of it": raw[:len(raw)/2], "without its sum": raw[:len(raw)-32],
		"without its last byte": raw[:len(raw)-1], "a bit is another": changed, "a newer version": newer, "more than it": append(bytes.Clone(raw), 0),
	} {
		dir := filepath.Join(t.TempDir(), "new")
		if err := local.Restore(dir, bytes.NewReader(bad)); !errors.Is(err, local.ErrNoBackup) {
			t.Errorf("%s: error %v, want %v", name, err, local.ErrNoBackup)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: something was written: %v", name, err)
		}
	}
}

// One whose sum is right and whose content is not leaves nothing either, and
// takes no memory for what it only announces.
func TestAForgedBackupRestoresNothing(t *testing.T) {
	for name, content := range map[string][]byte{
		"a list of 2^62 bytes":   binary.LittleEndian.AppendUint64(nil, 1<<62),
		"a list of 1 TiB":        append(binary.LittleEndian.AppendUint64(nil, 1<<40), "short"...),
		"half a length":          {1, 2, 3},
		"a list that is no list": append(binary.LittleEndian.AppendUint64(nil, 5), "\xff\xff\xff\xff\xff"...),
	} {
		raw := binary.BigEndian.AppendUint32([]byte("hb-mesh table 1\n"), uint32(len(content)))
		raw = append(append(raw, content...), 0, 0, 0, 0)
		sum := sha256.Sum256(raw)
		raw = append(raw, sum[:]...)
		parent := t.TempDir()
		if err := local.Restore(filepath.Join(parent, "new"), bytes.NewReader(raw)); err == nil {
			t.Errorf("%s: it is restored", name)
		}
		if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
			t.Errorf("%s: %v is left, %v", name, left, err)
		}
	}
}

func TestAFolderInUseIsNotRestoredInto(t *testing.T) {
	raw, _ := backedUp(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := local.Restore(dir, bytes.NewReader(raw)); !errors.Is(err, local.ErrNotEmpty) {
		t.Errorf("error %v, want %v", err, local.ErrNotEmpty)
	}
}
