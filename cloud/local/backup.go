package local

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	badger "github.com/dgraph-io/badger/v4"
)

// A backup is
//
//	magic (with its version), then chunks: length (4 bytes, big endian, 1 to
//	maxChunk), that many bytes of Badger's backup; a length of 0; SHA-256 of all
//	before it.
//
// so a torn one is told before anything of it is used.
const (
	backupMagic = "hb-mesh table 1\n"
	maxChunk    = 64 << 10
)

var (
	// ErrNoBackup is a file that is no backup of this version, or was not
	// written to its end, or has changed since.
	ErrNoBackup = errors.New("no whole backup")
	// ErrNotEmpty is a folder that already holds something.
	ErrNotEmpty = errors.New("the data folder is not empty")
)

// Backup writes all that the store holds at one instant, also what is on its
// way to other regions. Writes go on meanwhile.
func (s *Store) Backup(w io.Writer) error {
	s.reads.RLock()
	defer s.reads.RUnlock()
	if s.closed() {
		return fmt.Errorf("backup: %w", unavailable(errClosed))
	}
	sum := sha256.New()
	both := io.MultiWriter(w, sum)
	if _, err := io.WriteString(both, backupMagic); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	if _, err := s.db.Backup(chunks{both}, 0); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	if _, err := both.Write(make([]byte, 4)); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	if _, err := w.Write(sum.Sum(nil)); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	return nil
}

// chunks writes what it gets as chunks.
type chunks struct{ w io.Writer }

func (c chunks) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		part := b[:min(len(b), maxChunk)]
		head := binary.BigEndian.AppendUint32(nil, uint32(len(part)))
		if _, err := c.w.Write(head); err != nil {
			return n, err
		}
		if _, err := c.w.Write(part); err != nil {
			return n, err
		}
		n, b = n+len(part), b[len(part):]
	}
	return n, nil
}

// unchunk reads chunks; after the last one its error is io.EOF.
type unchunk struct {
	r    io.Reader
	left uint32
	done bool
}

func (u *unchunk) Read(b []byte) (int, error) {
	if u.done || len(b) == 0 {
		return 0, eofIf(u.done)
	}
	if u.left == 0 {
		var head [4]byte
		if _, err := io.ReadFull(u.r, head[:]); err != nil {
			return 0, fmt.Errorf("%w: it ends within", ErrNoBackup)
		}
		if u.left = binary.BigEndian.Uint32(head[:]); u.left == 0 {
			u.done = true
			return 0, io.EOF
		}
		if u.left > maxChunk {
			return 0, fmt.Errorf("%w: a part of %d bytes", ErrNoBackup, u.left)
		}
	}
	n, err := u.r.Read(b[:min(uint32(len(b)), u.left)])
	u.left -= uint32(n)
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: it ends within", ErrNoBackup)
	}
	return n, err
}

func eofIf(done bool) error {
	if done {
		return io.EOF
	}
	return nil
}

// Check reads a backup to its end and returns ErrNoBackup, wrapped, where it is
// not whole.
func Check(r io.Reader) error {
	sum := sha256.New()
	summed := io.TeeReader(r, sum)
	if err := readMagic(summed); err != nil {
		return err
	}
	var lists frames
	if _, err := io.Copy(&lists, &unchunk{r: summed}); err != nil {
		return err
	}
	if lists.within() {
		return fmt.Errorf("%w: a list of %d bytes has fewer", ErrNoBackup, lists.size)
	}
	want := make([]byte, sha256.Size)
	if _, err := io.ReadFull(r, want); err != nil {
		return fmt.Errorf("%w: it ends before its sum", ErrNoBackup)
	}
	if !bytes.Equal(want, sum.Sum(nil)) {
		return fmt.Errorf("%w: its sum is wrong", ErrNoBackup)
	}
	if n, _ := r.Read(make([]byte, 1)); n > 0 {
		return fmt.Errorf("%w: something follows its end", ErrNoBackup)
	}
	return nil
}

func readMagic(r io.Reader) error {
	magic := make([]byte, len(backupMagic))
	if _, err := io.ReadFull(r, magic); err != nil || string(magic) != backupMagic {
		return fmt.Errorf("%w: it is of another kind or version", ErrNoBackup)
	}
	return nil
}

// frames follows the lists of Badger's backup: each is a length (8 bytes, little
// endian) and that many bytes. Badger makes room for what a length announces, so
// one that was forged must not reach it.
type frames struct {
	head []byte
	size uint64 // of the list, and how much of it is still to come
	left uint64
}

func (f *frames) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		if f.left > 0 {
			part := min(f.left, uint64(len(b)))
			b, f.left = b[part:], f.left-part
			continue
		}
		part := min(8-len(f.head), len(b))
		f.head, b = append(f.head, b[:part]...), b[part:]
		if len(f.head) == 8 {
			f.size = binary.LittleEndian.Uint64(f.head)
			f.left, f.head = f.size, f.head[:0]
		}
	}
	return n, nil
}

// within says whether a list, or its length, is not whole.
func (f *frames) within() bool { return f.left > 0 || len(f.head) > 0 }

// Restore makes the folder dir from a backup, offline. It checks all of the
// backup first: of one that is not whole nothing is written (ErrNoBackup), nor into a
// folder that holds anything (ErrNotEmpty). The folder is made beside dir, and
// takes its place when it is whole: a restore that fails leaves nothing.
func Restore(dir string, backup io.ReadSeeker) (err error) {
	if err := Check(backup); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if _, err := backup.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if held, err := os.ReadDir(dir); err == nil && len(held) > 0 {
		return fmt.Errorf("restore: %w: %s", ErrNotEmpty, dir)
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("restore: %w", err)
	}
	dir = filepath.Clean(dir)
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	beside, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+"-restoring-")
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer func() { // where it took dir's place, there is nothing left of it
		err = errors.Join(err, os.RemoveAll(beside))
	}()
	if err := load(beside, backup); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := os.Rename(beside, dir); err != nil { // over an empty folder, too
		return fmt.Errorf("restore: %w", err)
	}
	return syncFolder(filepath.Dir(dir))
}

// load fills a new folder from a backup that Check has seen.
func load(dir string, backup io.Reader) (err error) {
	lock, err := lockFolder(dir)
	if err != nil {
		return err
	}
	defer lock.release()
	db, err := badger.Open(badgerOptions(Options{Dir: dir}).WithLogger(nil))
	if err != nil {
		return classify(err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	defer func() {
		if bad := recover(); bad != nil { // Badger trusts what it reads
			err = fmt.Errorf("%w: %v", ErrNoBackup, bad)
		}
	}()
	if err := readMagic(backup); err != nil {
		return err
	}
	return db.Load(&unchunk{r: backup}, runtime.GOMAXPROCS(0))
}

func syncFolder(dir string) (err error) {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
