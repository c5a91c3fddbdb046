package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/dashboard"
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Explain is all that this region knows of a store or host, for the other
// region's people: a word.
func (c *core) Explain(_ context.Context, store beat.StoreID, host beat.HostID) (json.RawMessage, error) {
	k, err := c.known(store, host)
	if err != nil {
		return nil, err
	}
	doc, err := json.Marshal(word{Evidence: dashboard.Evidence{Region: k.region, Facts: k.facts()}, Incidents: k.incidents})
	if err != nil {
		return nil, fmt.Errorf("encode what is known of %s: %w", store, err)
	}
	return doc, nil
}

// word is what one region says to the other: its evidence, and the incidents
// as it knows them.
type word struct {
	dashboard.Evidence
	Incidents []incident.Incident `json:"incidents"`
}

// known is what this region knows of a subject at an instant.
type known struct {
	now     time.Time
	region  beat.Region
	node    string
	term    int64
	settled bool
	peer    presence.PeerState
	home    beat.Region
	// hasStore is false where nobody of it ever came; hasHost likewise.
	hasStore, hasHost bool
	store             presence.StoreStatus
	seen              presence.Explanation
	host              presence.HostExplained
	// telling is what the book says; incidents are its open ones, a host's
	// store's too, and those that only the other region knows.
	telling   incident.Explanation
	incidents []incident.Incident
	// unheard says that the other region did not answer.
	unheard bool
}

// known looks at a subject; host "" is the store itself.
func (c *core) known(store beat.StoreID, host beat.HostID) (known, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.blocked(); err != nil {
		return known{}, err
	}
	now := c.clock()
	k := known{
		now: now.Wall, region: c.effects.o.Region, node: c.effects.o.Node, term: c.node.Term(), settled: c.presence.Settled(), home: c.home(store),
	}
	k.peer, _ = c.node.Peer()
	k.store, k.hasStore = c.presence.Status(now, store)
	k.seen, _ = c.presence.Explain(now, store)
	if i := slices.IndexFunc(k.seen.Hosts, func(h presence.HostExplained) bool { return h.Host == host }); i >= 0 {
		k.host, k.hasHost = k.seen.Hosts[i], true
	}
	k.telling = c.book.Explain(now, store, host, "")
	for i := range k.telling.Incidents {
		if x := &k.telling.Incidents[i]; x.Open {
			k.incidents = append(k.incidents, x.Incident)
		}
	}
	return k, nil
}
