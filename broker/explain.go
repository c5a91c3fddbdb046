package broker

import (
	"context"
	"encoding/json"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Explain is all that this region knows of a store or host, for the other
// region's people.
func (c *core) Explain(context.Context, beat.StoreID, beat.HostID) (json.RawMessage, error) {
	return nil, c.Status()
}
