package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
)

const (
	healthName = "journal.health"
	crashName  = "journal.crash"

	// maxOpenings is how many starts in a row may end while the journal opens
	// before it is distrusted. A kill can hit an opening by chance; five in a row
	// are no chance.
	maxOpenings = 5
	// maxCrashes is how many crashes within Badger, without a clean end between
	// them, make the journal distrusted. One may be a disk that was full.
	maxCrashes = 2
)

// health is the crash marker beside the folder: corrupt files make Badger panic
// in goroutines, where nothing can recover, so the next start has to know.
type health struct {
	path, crash string
	marks       marks
}

type marks struct {
	Openings int `json:"openings"`
	Crashes  int `json:"crashes"`
}

// openHealth reads the marks of earlier starts. It never fails: a marker that
// cannot be read is none.
func openHealth(dir string) *health {
	h := &health{path: filepath.Join(dir, healthName), crash: filepath.Join(dir, crashName)}
	if raw, err := os.ReadFile(h.path); err == nil {
		_ = json.Unmarshal(raw, &h.marks)
	}
	if raw, err := os.ReadFile(h.crash); err == nil && len(raw) > 0 {
		if bytes.Contains(raw, []byte("dgraph-io/badger")) {
			h.marks.Crashes++
			h.write()
		}
		_ = os.Truncate(h.crash, 0) // the process wrote it to its standard error, too
	}
	return h
}

// distrust returns why the folder must not be opened as it is, or nil.
func (h *health) distrust() error {
	switch {
	case h.marks.Crashes >= maxCrashes:
		return fmt.Errorf("%w: %d crashes within Badger", errCorrupt, h.marks.Crashes)
	case h.marks.Openings >= maxOpenings:
		return fmt.Errorf("%w: %d starts ended while it was opened", errCorrupt, h.marks.Openings)
	}
	return nil
}

func (h *health) opening() { h.marks.Openings++; h.write() }
func (h *health) opened()  { h.marks.Openings = 0; h.write() }
func (h *health) reset()   { h.marks = marks{}; h.write() }

func (h *health) closed() {
	if h.marks != (marks{}) {
		h.reset()
	}
}

// write keeps the marks. Losing one costs a further crash, no more.
func (h *health) write() {
	if h.path == "" {
		return
	}
	raw, err := json.Marshal(h.marks)
	if err == nil {
		_ = os.WriteFile(h.path, raw, 0o600)
	}
}

// WatchCrashes writes the crash of this process, if it comes to one, into the
// data folder too, where the next Open looks for it: that is how a folder
// whose files make Badger panic is found and moved aside. It holds for the whole
// process, so main calls it, once.
func WatchCrashes(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("watch crashes: %w: %w", ErrFolder, err)
	}
	// Appending: Open has not read it yet.
	f, err := os.OpenFile(filepath.Join(dir, crashName), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("watch crashes: %w: %w", ErrFolder, err)
	}
	if err := errors.Join(debug.SetCrashOutput(f, debug.CrashOptions{}), f.Close()); err != nil {
		return fmt.Errorf("watch crashes: %w", err)
	}
	return nil
}
