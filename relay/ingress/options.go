package ingress

import (
	"errors"
	"fmt"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/guard"
)

// proveWithin is how long a register may be connected without a beat before it
// makes room where the door is full: on an open LAN a CONNECT proves nothing.
const proveWithin = time.Minute

// Options are the LAN door's settings. Start from DefaultOptions.
type Options struct {
	// Keyed asks for a key of Keys: as MQTT password (any user) and in HTTP's
	// x-api-key. Else any key or none will do.
	Keyed bool
	Keys  []string
	// ExemptLoopback lifts the limits per address on loopback.
	ExemptLoopback bool
	// Guard are the limits of both doors; its ExemptLoopback follows the one
	// above.
	Guard guard.Options
}

// DefaultOptions are an open LAN's.
func DefaultOptions() Options {
	o := Options{Guard: guard.DefaultOptions()}
	o.Guard.ProveWithin = proveWithin
	return o
}

func (o Options) validate() error {
	if o.Keyed && len(o.Keys) == 0 {
		return errors.New("ingress: a keyed LAN door needs a key")
	}
	for n, k := range o.Keys {
		if k == "" {
			return fmt.Errorf("ingress: key %d is empty", n+1)
		}
	}
	return nil
}
