package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/hb-mesh/hb-mesh/relay"
	"github.com/hb-mesh/hb-mesh/relay/journal"
)

// serve runs the relay until ctx ends.
func serve(ctx context.Context, c *config) error {
	if _, set := os.LookupEnv("GOMEMLIMIT"); !set && c.MemoryMB > 0 {
		debug.SetMemoryLimit(int64(c.MemoryMB) << 20)
	}
	o, err := c.options()
	if err != nil {
		return err
	}
	if o.Logger, err = c.Log.Logger(os.Stderr); err != nil {
		return err
	}
	o.Registry = prometheus.NewRegistry()
	o.Registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	r, err := relay.New(o)
	if err != nil {
		return err //nolint:wrapcheck // main names the program
	}
	switch err := journal.WatchCrashes(c.Data); {
	case errors.Is(err, journal.ErrNoSpace): // it runs on, from memory
		o.Logger.Error("no room in the data folder: crashes are not watched", "err", err)
	case err != nil:
		return dataError(c.Data, err)
	}
	return dataError(c.Data, r.Run(ctx))
}

// dataError says what to do about a data folder that cannot be written.
func dataError(dir string, err error) error {
	if !errors.Is(err, journal.ErrFolder) {
		return err
	}
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		err = path // the rest says the same in more words
	}
	return fmt.Errorf("the data folder %s cannot be written (%w): make it writable for this user, or name another one with --data", dir, err)
}
