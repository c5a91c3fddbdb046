package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
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
	// store is false where nobody of it ever came; host likewise.
	hasStore, hasHost bool
	store             presence.StoreStatus
	host              presence.HostStatus
	// incidents are the subject's open ones, a host's store's too.
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
	if host != "" && k.hasStore {
		hosts, _ := c.presence.Hosts(now, store)
		if i := slices.IndexFunc(hosts, func(h presence.HostStatus) bool { return h.Host == host }); i >= 0 {
			k.host, k.hasHost = hosts[i], true
		}
	}
	for _, i := range c.book.Incidents(true) {
		if i.Store == store && (i.Host == host || i.Host == "") {
			k.incidents = append(k.incidents, i)
		}
	}
	return k, nil
}

// facts are the evidence, in the order in which people read it.
func (k *known) facts() []dashboard.Fact {
	var out []dashboard.Fact
	add := func(name, value string) {
		if value != "" {
			out = append(out, dashboard.Fact{Name: name, Value: value})
		}
	}
	node := fmt.Sprintf("%s, term %d", k.node, k.term)
	if !k.settled {
		node += ", settling: opens nothing from silence"
	}
	add("node", node)
	if !k.hasStore {
		add("store", "never seen here")
		return out
	}
	s := &k.store
	add("store", fmt.Sprintf("%s for %s%s", s.State, age(k.now, s.Since), because(string(s.Reason))))
	add("its own view", string(s.Mine))
	add("relay", strings.TrimSpace(fmt.Sprintf("%s %s", s.Relay, s.Software)))
	if !s.LastReport.IsZero() {
		add("last report", age(k.now, s.LastReport)+" ago")
	}
	if s.Journal > 0 || s.JournalLost > 0 {
		add("journal", fmt.Sprintf("%d to come, %d lost", s.Journal, s.JournalLost))
	}
	if k.hasHost {
		k.hostFacts(add)
	}
	for i := range k.incidents {
		x := &k.incidents[i]
		told := "not told"
		switch {
		case len(x.Told) > 0:
			told = fmt.Sprintf("told %s by %s", join(x.Told), x.Teller)
		case x.Waits != "":
			told = x.Waits
		}
		add(string(x.Kind), fmt.Sprintf("%s, k %d, %s", x.ID, x.K, told))
	}
	return out
}

func (k *known) hostFacts(add func(name, value string)) {
	h := &k.host
	add("host", fmt.Sprintf("%s for %s%s", h.State, age(k.now, h.Since), because(h.Reason)))
	if !h.LastBeat.IsZero() {
		add("last beat", age(k.now, h.LastBeat)+" ago")
	}
	if h.Interval > 0 {
		add("promise", "a beat every "+h.Interval.String())
	}
	if h.Via != presence.NoWay {
		add("way", h.Via.String())
	}
	add("it says", h.Message)
	if h.Flapping {
		add("flapping", "shown in the worse of its states")
	}
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// age is how long ago t was, to the second.
func age(now, t time.Time) string {
	if t.IsZero() {
		return "?"
	}
	return max(now.Sub(t), 0).Round(time.Second).String()
}

func join[T ~string](list []T) string {
	texts := make([]string, len(list))
	for i, x := range list {
		texts[i] = string(x)
	}
	return strings.Join(texts, ", ")
}
