package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
)

const (
	healthName = "journal.health"
	crashName  = "journal.crash"

	// badgerPath is in every stack that has a frame of Badger.
	badgerPath = "github.com/dgraph-io/badger"

	// maxCrashes is how many crashes within Badger, without a clean end between
	// them, make the journal distrusted. One may be a disk that was full. Starts
	// that merely end early do not count: a kill is no crash.
	maxCrashes = 2
)

// health is the crash marker beside the folder: corrupt files make Badger panic
// in goroutines, where nothing can recover, so the next start has to know.
type health struct {
	path    string
	Crashes int `json:"crashes"`
}

// openHealth reads the marks of earlier starts. It never fails: a marker that
// cannot be read is none.
func openHealth(dir string) *health {
	h := &health{path: filepath.Join(dir, healthName)}
	if raw, err := os.ReadFile(h.path); err == nil {
		_ = json.Unmarshal(raw, h)
	}
	crash := filepath.Join(dir, crashName)
	if raw, err := os.ReadFile(crash); err == nil && len(raw) > 0 {
		if bytes.Contains(raw, []byte(badgerPath)) {
			h.Crashes++
			h.write()
		}
		_ = os.Truncate(crash, 0) // the process wrote it to its standard error, too
	}
	return h
}

// distrust returns why the folder must not be opened as it is, or nil.
func (h *health) distrust() error {
	if h.Crashes < maxCrashes {
		return nil
	}
	return fmt.Errorf("%w: %d crashes within Badger", errCorrupt, h.Crashes)
}

// reset forgets the crashes: the folder is a new one, or was closed in order.
func (h *health) reset() {
	if h.Crashes > 0 {
		h.Crashes = 0
		h.write()
	}
}

// write keeps the marks. Losing one costs a further crash, no more.
func (h *health) write() {
	raw, err := json.Marshal(h)
	if err == nil {
		_ = os.WriteFile(h.path, raw, 0o600)
	}
}

// WatchCrashes writes the crash of this process, if it comes to one, into the
// data folder too, where the next Open looks for it: that is how a folder
// whose files make Badger panic is found and moved aside. It takes over the
// runtime's crash output and the standard logger's, by which Badger ends a
// process whose assertion failed; so it is for main, once, after slog.SetDefault.
// Errors are of class ErrFolder, or ErrNoSpace on a full disk.
func WatchCrashes(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("watch crashes: %w: %w", ErrFolder, err)
	}
	// Appending: Open has not read it yet.
	f, err := os.OpenFile(filepath.Join(dir, crashName), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("watch crashes: %w: %w", ErrNoSpace, err)
	}
	if err != nil {
		return fmt.Errorf("watch crashes: %w: %w", ErrFolder, err)
	}
	if err := debug.SetCrashOutput(f, debug.CrashOptions{}); err != nil {
		return fmt.Errorf("watch crashes: %w", errors.Join(err, f.Close()))
	}
	log.SetOutput(&lastWords{next: log.Writer(), crash: f})
	return nil
}

// lastWords copies what Badger gives to the standard logger, which it uses for
// log.Fatal only.
type lastWords struct {
	next  io.Writer
	crash *os.File // open as long as the process lives
}

func (w *lastWords) Write(p []byte) (int, error) {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for more := true; more; {
		var f runtime.Frame
		if f, more = frames.Next(); strings.HasPrefix(f.Function, badgerPath) {
			_, _ = fmt.Fprintf(w.crash, "%s: %s", f.Function, p)
			break
		}
	}
	return w.next.Write(p)
}
