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
	doc, err := json.Marshal(k.word())
	if err != nil {
		return nil, fmt.Errorf("encode what is known of %s: %w", store, err)
	}
	return doc, nil
}

// word is what one region says to the other: its evidence, the incidents as it
// knows them, and which region it takes for the home.
type word struct {
	dashboard.Evidence
	Incidents []incident.Incident `json:"incidents"`
	Home      beat.Region         `json:"home,omitempty"`
}

func (k *known) word() word {
	return word{Evidence: dashboard.Evidence{Region: k.region, Facts: k.facts()}, Incidents: k.incidents, Home: k.home}
}

// known is what this region knows of a subject at an instant.
type known struct {
	now     time.Time
	region  beat.Region
	node    string
	term    int64
	settled bool
	peer    presence.PeerState
	// other is the other region, or "". home is by pin, where an operator set one.
	other, home, pin beat.Region
	// hasStore is false where nobody of it ever came; hasHost likewise.
	hasStore, hasHost bool
	store             presence.StoreStatus
	seen              presence.Explanation
	host              presence.HostExplained
	// telling is what the book says; incidents are its open ones, a host's
	// store's too, and those that only the other region knows.
	telling   incident.Explanation
	incidents []incident.Incident
	// unheard says that the other region did not answer; homeThere is the home
	// as that one knows it, "" where it did not say so.
	unheard   bool
	homeThere beat.Region
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
		now: now.Wall, region: c.effects.o.Region, node: c.effects.o.Node, term: c.node.Term(), settled: c.presence.Settled(),
		other: c.effects.o.other(), home: c.home(store), pin: c.pin(store),
	}
	k.peer, _ = c.node.Peer()
	k.look(now, c.presence, c.book, store, host)
	return k, nil
}

// look is what presence and book know of a subject.
func (k *known) look(now beat.Now, p *presence.Presence, b *incident.Book, store beat.StoreID, host beat.HostID) {
	k.store, k.hasStore = p.Status(now, store)
	k.seen, _ = p.Explain(now, store)
	if i := slices.IndexFunc(k.seen.Hosts, func(h presence.HostExplained) bool { return h.Host == host }); i >= 0 {
		k.host, k.hasHost = k.seen.Hosts[i], true
	}
	k.telling = b.Explain(now, store, host, "")
	for i := range k.telling.Incidents {
		if x := &k.telling.Incidents[i]; x.Open {
			k.incidents = append(k.incidents, x.Incident)
		}
	}
}
