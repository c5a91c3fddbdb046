package powerdisk

import (
	"context"
	"os"
	"path/filepath"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// diskNode is a file or folder of a Disk.
type diskNode struct {
	fs.LoopbackNode
	disk *Disk
}

var (
	_ fs.NodeOpener   = (*diskNode)(nil)
	_ fs.NodeCreater  = (*diskNode)(nil)
	_ fs.NodeFsyncer  = (*diskNode)(nil)
	_ fs.NodeUnlinker = (*diskNode)(nil)
	_ fs.NodeRenamer  = (*diskNode)(nil)
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

type diskFile struct{ handle }

func wrap(f fs.FileHandle, errno syscall.Errno) fs.FileHandle {
	if errno != 0 {
		return f
	}
	return diskFile{f.(handle)}
}

func (n *diskNode) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	f, fuseFlags, errno := n.LoopbackNode.Open(ctx, flags)
	return wrap(f, errno), fuseFlags, errno
}

func (n *diskNode) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	inode, f, fuseFlags, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	return inode, wrap(f, errno), fuseFlags, errno
}

func (n *diskNode) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	return fs.ToErrno(n.disk.sync(n.Path(nil)))
}

func (n *diskNode) Unlink(ctx context.Context, name string) syscall.Errno {
	errno := n.LoopbackNode.Unlink(ctx, name)
	if errno == 0 {
		gone := filepath.Join(n.disk.Synced, n.Path(nil), name)
		n.disk.name(func() { _ = os.Remove(gone) }) // it may never have been there
	}
	return errno
}

func (n *diskNode) Rename(ctx context.Context, name string, parent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	from := filepath.Join(n.disk.Synced, n.Path(nil), name)
	to := filepath.Join(n.disk.Synced, parent.EmbeddedInode().Path(nil), newName)
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
