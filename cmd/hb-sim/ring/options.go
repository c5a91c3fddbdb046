package ring

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/hb-mesh/hb-mesh/cloud/dynamo"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Options are the settings of a ring; start from DefaultOptions.
type Options struct {
	// Regions are where it runs a DynamoDB and an SNS, each once.
	Regions []beat.Region
	// Ports are where they listen on 127.0.0.1, one for each region; 0 takes a
	// free one.
	Ports []int
	// Proxy puts a Proxy in front of each region, for faults. It then has the
	// region's port.
	Proxy bool
	// Table and Topic are what is made in each region.
	Table, Topic string
	// Passage says how each change crosses to another region; nil means at once.
	// It is called from several goroutines, and again after SetPassage.
	Passage func(Change) Passage
	// Program is the path of ministack; "" looks for it, see FindProgram.
	Program string
	// Logger gets what happens; nil is silent.
	Logger *slog.Logger
}

const (
	// DefaultTopic is the topic's name where the configuration names none.
	DefaultTopic = "hb-mesh-alerts"

	eastPort = 4566
	westPort = 4567
)

// DefaultOptions are those of make aws: two regions on their usual ports.
func DefaultOptions() Options {
	return Options{
		Regions: []beat.Region{"us-east-1", "us-west-2"},
		Ports:   []int{eastPort, westPort},
		Table:   dynamo.DefaultName,
		Topic:   DefaultTopic,
	}
}

// TestOptions are those of a test: free ports, with a Proxy in front.
func TestOptions() Options {
	o := DefaultOptions()
	o.Ports = []int{0, 0}
	o.Proxy = true
	return o
}

func (o Options) validate() error {
	if len(o.Regions) == 0 || len(o.Ports) != len(o.Regions) {
		return fmt.Errorf("%d regions and %d ports, want a port for each region", len(o.Regions), len(o.Ports))
	}
	regions, ports := map[beat.Region]bool{}, map[int]bool{}
	for i, r := range o.Regions {
		if _, err := beat.ParseRegion(string(r)); err != nil {
			return err
		}
		if regions[r] {
			return fmt.Errorf("region %s is named twice", r)
		}
		regions[r] = true
		p := o.Ports[i]
		if p != 0 && ports[p] || p < 0 || p > 65535 {
			return fmt.Errorf("port %d of region %s cannot be used", p, r)
		}
		ports[p] = true
	}
	if o.Table == "" || o.Topic == "" {
		return errors.New("the table and the topic need names")
	}
	return nil
}

// ErrNotInstalled says that there is no ministack, and how to get it.
var ErrNotInstalled = errors.New("ministack is not installed: run `make tools` (it makes .venv from deploy/aws-local/requirements.txt)")

// FindProgram looks for ministack: in the .venv of the working directory or of
// one above it, then in PATH. It returns ErrNotInstalled where there is none.
func FindProgram() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("look for ministack: %w", err)
	}
	for {
		path := filepath.Join(dir, ".venv", "bin", "ministack")
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	if path, err := exec.LookPath("ministack"); err == nil {
		return path, nil
	}
	return "", ErrNotInstalled
}
