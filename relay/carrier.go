package relay

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/roster"
)

// carrierEvery is how often the LAN port is looked at: a few times in a blip.
const carrierEvery = 500 * time.Millisecond

// readCarrier says whether a network interface of this machine has a carrier.
// One that is switched off has none; the error is one of an interface that
// nobody knows.
func readCarrier(name string) (up bool, err error) {
	dir := filepath.Join("/sys/class/net", name)
	if _, err := os.Stat(dir); err != nil {
		return false, fmt.Errorf("look at the LAN port %s: %w", name, err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "carrier")) //nolint:gosec // below a fixed folder
	if err != nil {
		return false, nil //nolint:nilerr // the kernel's answer (EINVAL) for a port that is switched off
	}
	return strings.TrimSpace(string(raw)) == "1", nil
}

// runCarrier tells the roster of every change of the LAN port, until ctx is done.
func (r *Relay) runCarrier(ctx context.Context) {
	tick := time.NewTicker(carrierEvery)
	defer tick.Stop()
	up, known := true, true
	for {
		now, err := r.o.Carrier(r.o.LANInterface)
		if (err == nil) != known {
			if known = err == nil; !known {
				r.log.Warn("the LAN port is unknown: only beats tell of the LAN", "err", err)
			}
		}
		if err == nil && now != up {
			up = now
			r.log.Info("the LAN port's carrier changed", "interface", r.o.LANInterface, "carrier", up)
			r.core.apply(&roster.Carrier{Up: up})
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
