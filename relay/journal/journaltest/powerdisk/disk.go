package powerdisk

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Disk is a disk that forgets what was not synced. It is a file system of its
// own (FUSE) over two folders: one has all that a process wrote, the other one
// (Synced) what a power cut leaves. An fsync or msync of a file carries that file over as
// it is then, dirty mapped pages included, which the kernel writes back before;
// what no sync followed is cut off. Names (a rename, a removal) are carried over
// at once or with the next sync of any file, as journaling file systems do; which of
// the two is drawn anew for each mount.
type Disk struct {
	// Mount is where processes read and write; Synced is what a power cut left,
	// from Cut to Restore.
	Mount, Synced string

	t       testing.TB
	written string
	server  *fuse.Server

	mu    sync.Mutex // guards what follows, and the folder Synced
	late  bool       // names wait for the next sync
	names []func()
	syncs int
}

// New makes an empty disk that lasts as long as its test, or returns an error
// where this machine mounts no FUSE.
func New(t testing.TB) (*Disk, error) {
	t.Helper()
	base := t.TempDir()
	d := &Disk{
		t: t, Mount: filepath.Join(base, "mount"), written: filepath.Join(base, "written"), Synced: filepath.Join(base, "synced"),
	}
	for _, dir := range []string{d.Mount, d.written, d.Synced} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.plug(); err != nil {
		return nil, err
	}
	t.Cleanup(func() { d.unplug() })
	return d, nil
}

// plug mounts what the last power cut left.
func (d *Disk) plug() error {
	d.late, d.names = rand.IntN(2) == 0, nil
	root := &fs.LoopbackRoot{Path: d.written}
	root.NewNode = func(data *fs.LoopbackRoot, _ *fs.Inode, _ string, _ *syscall.Stat_t) fs.InodeEmbedder {
		return &diskNode{LoopbackNode: fs.LoopbackNode{RootData: data}, disk: d}
	}
	node := &diskNode{LoopbackNode: fs.LoopbackNode{RootData: root}, disk: d}
	root.RootNode = node
	var err error
	d.server, err = fs.Mount(d.Mount, node, &fs.Options{MountOptions: fuse.MountOptions{DirectMount: true, Name: "powerdisk"}})
	return err
}

func (d *Disk) unplug() {
	if d.server == nil {
		return
	}
	if err := d.server.Unmount(); err != nil {
		d.t.Errorf("unmount: %v", err)
		_ = unix.Unmount(d.Mount, unix.MNT_DETACH)
	}
	d.server = nil
}

// Cut ends the power after the processes are gone, and says whether anything
// was cut off. What is left is in the folder Synced.
func (d *Disk) Cut() (cut bool) {
	d.unplug()
	return !same(d.t, d.written, d.Synced)
}

// Restore makes what was left the disk of the next mount, and mounts it.
func (d *Disk) Restore() {
	err := os.RemoveAll(d.written)
	if err == nil {
		err = filepath.WalkDir(d.Synced, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(d.Synced, path)
			if err != nil {
				return err
			}
			return carry(path, filepath.Join(d.written, rel))
		})
	}
	if err == nil {
		err = d.plug()
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// Syncs is how many files were synced so far.
func (d *Disk) Syncs() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.syncs
}

// sync carries a file over.
func (d *Disk) sync(rel string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.syncs++
	for _, name := range d.names {
		name()
	}
	d.names = nil
	return carry(filepath.Join(d.written, rel), filepath.Join(d.Synced, rel))
}

// name carries a change of names over, now or later.
func (d *Disk) name(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.late {
		d.names = append(d.names, change)
		return
	}
	change()
}

// carry makes to what from is; only what is no hole is copied.
func carry(from, to string) (err error) {
	src, err := os.Open(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it was removed while it was open
	}
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.MkdirAll(to, 0o700)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	if err := dst.Truncate(info.Size()); err != nil {
		return err
	}
	for at := int64(0); at < info.Size(); {
		start, err := unix.Seek(int(src.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil // only a hole is left
		}
		if err != nil {
			return err
		}
		end, err := unix.Seek(int(src.Fd()), start, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.NewOffsetWriter(dst, start), io.NewSectionReader(src, start, end-start)); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// same says whether two folders hold the same files.
func same(t testing.TB, a, b string) bool {
	t.Helper()
	equal := true
	err := filepath.WalkDir(a, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(a, path)
		if err != nil {
			return err
		}
		x, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		y, err := os.ReadFile(filepath.Join(b, rel))
		if equal = err == nil && string(x) == string(y); !equal {
			return filepath.SkipAll
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return equal
}
