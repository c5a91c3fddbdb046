package ingress

import (
	"errors"
	"fmt"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/guard"
)

// DefaultNewHosts is how many new host ids an hour are taken: a store's
// renewal of its tills in an evening, not a script's loop.
const DefaultNewHosts = 20

// proveWithin is how long a register may be connected without a beat before it
// makes room where the door is full: on an open LAN a CONNECT proves nothing.
const proveWithin = time.Minute

// Options are the LAN door's settings. Start from DefaultOptions.
type Options struct {
	// Keyed asks for a key of Keys: as MQTT password (any user) and in HTTP's
	// x-api-key. Else any key or none will do.
	Keyed bool
	Keys  []string
	// NewHosts bounds the new host ids an hour; 0 is no bound. Beyond
	// beat.MaxHosts none is taken in any case.
	NewHosts int
	// ExemptLoopback lifts NewHosts and the limits per address on loopback.
	ExemptLoopback bool
	// Guard are the limits of both doors; its ExemptLoopback follows the one
	// above.
	Guard guard.Options
}

// DefaultOptions are an open LAN's.
func DefaultOptions() Options {
	o := Options{NewHosts: DefaultNewHosts, Guard: guard.DefaultOptions()}
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
	if o.NewHosts < 0 {
		return fmt.Errorf("ingress: %d new hosts an hour: want 0 or more", o.NewHosts)
	}
	return nil
}
