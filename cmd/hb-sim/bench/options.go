package bench

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Options are the settings of a Bench; start from DefaultOptions.
type Options struct {
	// Quick proves that every row can be measured, in seconds. Its figures say
	// nothing.
	Quick bool
	// Only is the rows to measure: ingest, touch, notice, relay, fleet, cost; none is all.
	Only []string
	// Mosquitto is the mosquitto server to run, and MosquittoLibraries the
	// folders of the libraries that it needs besides the system's, if any, with
	// colons between them.
	Mosquitto, MosquittoLibraries string
	// Relay is the hb-relay to run.
	Relay string
	// Out is where progress and the table go.
	Out io.Writer
}

// DefaultOptions measures with what make build and .ci/mosquitto leave in bin
// and .cache.
func DefaultOptions() Options {
	o := Options{Out: os.Stdout}
	bin := "bin"
	if self, err := os.Executable(); err == nil {
		bin = filepath.Dir(self)
	}
	o.Relay = filepath.Join(bin, "hb-relay")
	for _, root := range []string{".", filepath.Dir(bin)} {
		if o.unpacked(filepath.Join(root, ".cache", "mosquitto")) {
			return o
		}
	}
	o.Mosquitto, _ = exec.LookPath("mosquitto") // else validate says so
	return o
}

// unpacked looks for what .ci/mosquitto made.
func (o *Options) unpacked(root string) bool {
	root, err := filepath.Abs(root)
	if err != nil {
		return false
	}
	server := filepath.Join(root, "usr", "sbin", "mosquitto")
	if _, err := os.Stat(server); err != nil {
		return false
	}
	var libraries []string
	for _, pattern := range []string{"lib/*-linux-*", "usr/lib/*-linux-*"} {
		found, _ := filepath.Glob(filepath.Join(root, pattern)) // the pattern is good
		libraries = append(libraries, found...)
	}
	o.Mosquitto, o.MosquittoLibraries = server, strings.Join(libraries, ":")
	return true
}

func (o *Options) validate() error {
	if o.Mosquitto == "" {
		return errors.New("no mosquitto to compare with: .ci/mosquitto unpacks one from its Debian package, --mosquitto PATH names another")
	}
	if _, err := os.Stat(o.Relay); err != nil {
		return errors.New("no hb-relay beside this program: make build makes it, --relay PATH names another")
	}
	if o.Out == nil {
		return errors.New("no output")
	}
	return nil
}

// plan is how much is measured.
type plan struct {
	runs          int           // of each server, in turn
	warm, measure time.Duration // of a run of the generator
	stores        int           // of 20 hosts each
	passes        int           // over all hosts, in a run
	rounds        int           // of a register that is killed
	settle, watch time.Duration // of the relay's process
	steps         int           // of presence, for one report
}

// full is under five minutes in all, of the ten that it may take.
func (o *Options) plan() plan {
	if o.Quick {
		return plan{
			runs: 1, warm: 50 * time.Millisecond, measure: 200 * time.Millisecond, stores: 500, passes: 2,
			rounds: 5, settle: 3 * time.Second, watch: 2 * time.Second, steps: 1000,
		}
	}
	return plan{
		runs: 3, warm: time.Second, measure: 5 * time.Second, stores: 50_000, passes: 10,
		rounds: 400, settle: 5 * time.Second, watch: time.Minute, steps: 1_000_000,
	}
}
