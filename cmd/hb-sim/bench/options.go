package bench

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Options are the settings of a Bench; start from DefaultOptions.
type Options struct {
	// Quick proves that every row can be measured, in seconds. Its figures say
	// nothing.
	Quick bool
	// Only is the rows to measure: ingest, touch, notice, relay; none is all.
	Only []string
	// Mosquitto is the mosquitto server to run, and MosquittoLibraries the
	// folders of the libraries that it needs besides the system's, if any.
	Mosquitto, MosquittoLibraries string
	// Relay is the hb-relay to run.
	Relay string
	// Out is where progress and the table go.
	Out io.Writer
}

// DefaultOptions measures with what .ci/mosquitto and make build leave in
// .cache and bin.
func DefaultOptions() Options {
	o := Options{Out: os.Stdout}
	const root = ".cache/mosquitto"
	if libraries, err := os.ReadFile(filepath.Join(root, ".done")); err == nil {
		o.Mosquitto = filepath.Join(root, "usr/sbin/mosquitto")
		o.MosquittoLibraries = string(libraries)
	}
	if self, err := os.Executable(); err == nil {
		o.Relay = filepath.Join(filepath.Dir(self), "hb-relay")
	}
	return o
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
}

// full is under five minutes in all, of the ten that it may take.
func (o *Options) plan() plan {
	if o.Quick {
		return plan{
			runs: 1, warm: 50 * time.Millisecond, measure: 200 * time.Millisecond, stores: 500, passes: 2,
			rounds: 5, settle: 3 * time.Second, watch: 2 * time.Second,
		}
	}
	return plan{
		runs: 3, warm: time.Second, measure: 5 * time.Second, stores: 50_000, passes: 10,
		rounds: 400, settle: 5 * time.Second, watch: time.Minute,
	}
}
