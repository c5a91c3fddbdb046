package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
)

// verify reads every table that the manifest names, in this goroutine: Badger
// does so in others, where a torn one ends the process. The error is of class
// errCorrupt, unless a file could not be read.
func verify(dir string) error {
	f, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a new folder, or one that Badger judges by itself
	}
	if err != nil {
		return classify(err)
	}
	defer func() { _ = f.Close() }()
	manifest, _, err := badger.ReplayManifestFile(f, 0, tuned(dir, nil))
	if err != nil {
		return fmt.Errorf("%w: %w", errCorrupt, err)
	}
	for id := range manifest.Tables {
		raw, err := os.ReadFile(table.NewFilename(id, dir))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %w", errCorrupt, err)
		}
		if err != nil {
			return classify(err)
		}
		if err := verifyTable(raw, id); err != nil {
			return fmt.Errorf("%w: table %d: %w", errCorrupt, id, err)
		}
	}
	return nil
}

// verifyTable checks the sums of one table.
func verifyTable(raw []byte, id uint64) (err error) {
	defer func() {
		if r := recover(); r != nil { // Badger panics where an offset leads out of the file
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	t, err := table.OpenInMemoryTable(raw, id, &table.Options{ChkMode: options.OnTableRead})
	if err != nil {
		return err
	}
	return t.VerifyChecksum()
}
