package journal_test

import (
	"context"
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

// powerDisk is a disk that forgets what was not synced. It is a file system of
// its own (FUSE) over two folders: written has all that a process wrote, synced
// what a power cut leaves. An fsync or msync of a file carries that file over as
// it is then, dirty mapped pages included, which the kernel writes back before;
// what no sync followed is cut off. Names (a rename, a removal) are carried over
// at once or with the next sync of any file, as journaling file systems do; which of
// the two is drawn anew for each mount.
type powerDisk struct {
	t               testing.TB
	mount           string
	written, synced string
	server          *fuse.Server

	mu    sync.Mutex // guards what follows, and the folder synced
	late  bool       // names wait for the next sync
	names []func()
	syncs int
}

// newPowerDisk makes an empty disk, or returns an error where this machine
// mounts no FUSE.
func newPowerDisk(t testing.TB) (*powerDisk, error) {
	t.Helper()
	base := t.TempDir()
	d := &powerDisk{
		t: t, mount: filepath.Join(base, "mount"), written: filepath.Join(base, "written"), synced: filepath.Join(base, "synced"),
	}
	for _, dir := range []string{d.mount, d.written, d.synced} {
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
func (d *powerDisk) plug() error {
	d.late, d.names = rand.IntN(2) == 0, nil
	root := &fs.LoopbackRoot{Path: d.written}
	root.NewNode = func(data *fs.LoopbackRoot, _ *fs.Inode, _ string, _ *syscall.Stat_t) fs.InodeEmbedder {
		return &powerNode{LoopbackNode: fs.LoopbackNode{RootData: data}, disk: d}
	}
	node := &powerNode{LoopbackNode: fs.LoopbackNode{RootData: root}, disk: d}
	root.RootNode = node
	var err error
	d.server, err = fs.Mount(d.mount, node, &fs.Options{MountOptions: fuse.MountOptions{DirectMount: true, Name: "powerdisk"}})
	return err
}

func (d *powerDisk) unplug() {
	if d.server == nil {
		return
	}
	if err := d.server.Unmount(); err != nil {
		d.t.Errorf("unmount: %v", err)
		_ = unix.Unmount(d.mount, unix.MNT_DETACH)
	}
	d.server = nil
}

// cut ends the power after the processes are gone, and says whether anything
// was cut off. What is left is in the folder synced.
func (d *powerDisk) cut() (cut bool) {
	d.unplug()
	return !same(d.t, d.written, d.synced)
}

// restore makes what was left the disk of the next mount.
func (d *powerDisk) restore() {
	err := os.RemoveAll(d.written)
	if err == nil {
		err = filepath.WalkDir(d.synced, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(d.synced, path)
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

// sync carries a file over.
func (d *powerDisk) sync(rel string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.syncs++
	for _, name := range d.names {
		name()
	}
	d.names = nil
	return carry(filepath.Join(d.written, rel), filepath.Join(d.synced, rel))
}

// name carries a change of names over, now or later.
func (d *powerDisk) name(change func()) {
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

// powerNode is a file or folder of a powerDisk.
type powerNode struct {
	fs.LoopbackNode
	disk *powerDisk
}

var (
	_ fs.NodeOpener   = (*powerNode)(nil)
	_ fs.NodeCreater  = (*powerNode)(nil)
	_ fs.NodeFsyncer  = (*powerNode)(nil)
	_ fs.NodeUnlinker = (*powerNode)(nil)
	_ fs.NodeRenamer  = (*powerNode)(nil)
)

// handle is what an open file does. It leaves out what would let the kernel go
// past this file system, to the one below (passthrough): no msync would be seen.
type handle interface {
	fs.FileReader
	fs.FileWriter
	fs.FileReleaser
	fs.FileFlusher
	fs.FileGetattrer
	fs.FileSetattrer
	fs.FileAllocater
	fs.FileLseeker
}

type powerFile struct{ handle }

func wrap(f fs.FileHandle, errno syscall.Errno) fs.FileHandle {
	if errno != 0 {
		return f
	}
	return powerFile{f.(handle)}
}

func (n *powerNode) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	f, fuseFlags, errno := n.LoopbackNode.Open(ctx, flags)
	return wrap(f, errno), fuseFlags, errno
}

func (n *powerNode) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	inode, f, fuseFlags, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	return inode, wrap(f, errno), fuseFlags, errno
}

func (n *powerNode) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	return fs.ToErrno(n.disk.sync(n.Path(nil)))
}

func (n *powerNode) Unlink(ctx context.Context, name string) syscall.Errno {
	errno := n.LoopbackNode.Unlink(ctx, name)
	if errno == 0 {
		gone := filepath.Join(n.disk.synced, n.Path(nil), name)
		n.disk.name(func() { _ = os.Remove(gone) }) // it may never have been there
	}
	return errno
}

func (n *powerNode) Rename(ctx context.Context, name string, parent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	from := filepath.Join(n.disk.synced, n.Path(nil), name)
	to := filepath.Join(n.disk.synced, parent.EmbeddedInode().Path(nil), newName)
	errno := n.LoopbackNode.Rename(ctx, name, parent, newName, flags)
	if errno == 0 {
		n.disk.name(func() {
			if os.Rename(from, to) != nil { // never synced: the new name has nothing
				_ = os.Truncate(to, 0)
			}
		})
	}
	return errno
}
