package local_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cloud/local"
)

func TestFolderThatCannotBeUsedIsAClearError(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T, dir string) string
		want error
	}{
		{"another store has it open", func(t *testing.T, dir string) string {
			open(t, local.DefaultOptions(dir, east))
			return dir
		}, local.ErrInUse},
		{"it holds the database of something else", func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "MANIFEST"), "x")
			return dir
		}, local.ErrForeign},
		{"it is a file", func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "file"), "x")
			return filepath.Join(dir, "file")
		}, nil},
		{"it cannot be written", func(*testing.T, string) string { return "/proc/hb-mesh" }, nil},
		{"its list of tables is torn", func(t *testing.T, dir string) string {
			s := open(t, local.DefaultOptions(dir, east))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "MANIFEST"), "torn")
			return dir
		}, local.ErrDamaged},
		{"a table of it is torn", func(t *testing.T, dir string) string {
			s := open(t, local.DefaultOptions(dir, east))
			put(t, s.Region(east), "a#1", "one")
			if err := s.Close(); err != nil { // writes a sorted table
				t.Fatal(err)
			}
			tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
			if err != nil || len(tables) == 0 {
				t.Fatalf("sorted tables: %v, %v", tables, err)
			}
			raw, err := os.ReadFile(tables[0])
			if err != nil {
				t.Fatal(err)
			}
			raw[len(raw)/2] ^= 0xff
			write(t, tables[0], string(raw))
			return dir
		}, local.ErrDamaged},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := c.make(t, t.TempDir())
			s, err := local.Open(local.DefaultOptions(dir, east))
			if err == nil {
				t.Fatalf("it was opened; closed with %v", s.Close())
			}
			if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFolderCanBeOpenedAgainAfterClose(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		s := open(t, local.DefaultOptions(dir, east))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEmptyLogThatAKillLeftIsNoDamage(t *testing.T) {
	dir := t.TempDir()
	s := open(t, local.DefaultOptions(dir, east))
	put(t, s.Region(east), "a#1", "one")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "000099.vlog"), "")
	write(t, filepath.Join(dir, "00099.mem"), "")
	want(t, open(t, local.DefaultOptions(dir, east)).Region(east), "a#1=one")
}

func TestFullDiskRefusesWritesBeforeItRefusesDeletes(t *testing.T) {
	free := uint64(1 << 30)
	o := local.DefaultOptions(t.TempDir(), east)
	o.FreeSpace = func(string) (uint64, error) { return free, nil }
	s := open(t, o)
	tb := s.Region(east)
	put(t, tb, "a#1", "one")
	put(t, tb, "a#2", "two")

	free = o.Refuse - 1
	err := tb.Put(t.Context(), []table.Item{item("a#3", "three")})
	if !errors.Is(err, table.ErrUnavailable) || !errors.Is(err, local.ErrNoSpace) {
		t.Errorf("put on a full disk: error %v, want unavailable because of the disk", err)
	}
	if err := tb.Delete(t.Context(), []table.Key{item("a#1", "").Key}); err != nil {
		t.Errorf("delete on a full disk: %v", err)
	}
	want(t, tb, "a#2=two")

	free = o.Reserve - 1
	if err := tb.Delete(t.Context(), []table.Key{item("a#2", "").Key}); !errors.Is(err, local.ErrNoSpace) {
		t.Errorf("delete on the last of a disk: error %v, want no space", err)
	}
	want(t, tb, "a#2=two")
	_, err = local.Open(func() local.Options { o := o; o.Dir = t.TempDir(); return o }())
	if !errors.Is(err, local.ErrNoSpace) {
		t.Errorf("open on a full disk: error %v, want no space", err)
	}

	free = 1 << 30
	put(t, tb, "a#3", "three")
	want(t, tb, "a#2=two", "a#3=three")
}

func TestOptionsAreChecked(t *testing.T) {
	for name, change := range map[string]func(*local.Options){
		"no folder":                func(o *local.Options) { o.Dir = "" },
		"a folder for memory":      func(o *local.Options) { o.InMemory = true },
		"no region":                func(o *local.Options) { o.Regions = nil },
		"a region twice":           func(o *local.Options) { o.Regions = append(o.Regions, east) },
		"a name that is no region": func(o *local.Options) { o.Regions[0] = "US East" },
		"no room for two items":    func(o *local.Options) { o.MaxPending = table.MaxItem },
		"reserve above refuse":     func(o *local.Options) { o.Reserve = o.Refuse + 1 },
		"no way to ask for space":  func(o *local.Options) { o.FreeSpace = nil },
	} {
		o := local.DefaultOptions(t.TempDir(), east, west)
		change(&o)
		if s, err := local.Open(o); err == nil {
			t.Errorf("options with %s were taken; closed with %v", name, s.Close())
		}
	}
}
