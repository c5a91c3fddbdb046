package torture

import (
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/schedule"
)

// cover is what one schedule came to: which faults struck, at which moments,
// and which states the regions decided.
type cover struct {
	struck  []schedule.Kind
	moments [schedule.Moments]uint64
	reached map[string]struct{}
}

func (c *cover) reset() {
	c.struck, c.moments = c.struck[:0], [schedule.Moments]uint64{}
	if c.reached == nil {
		c.reached = make(map[string]struct{})
	}
	clear(c.reached)
}

// reach notes a state that was reached.
func (c *cover) reach(what string) { c.reached[what] = struct{}{} }

// decided notes what a region decided.
func (c *cover) decided(v *presence.Verdict) {
	c.reach(decisions[v.Condition%presence.Condition(len(decisions))])
}

// told notes what a channel took.
func (c *cover) told(it *incident.Item) {
	if it.Change == incident.Opened {
		c.reach(toldNames[it.Kind])
	}
}

var toldNames = func() map[incident.Kind]string { //nolint:gochecknoglobals // a constant list
	names := make(map[incident.Kind]string)
	for _, k := range []incident.Kind{
		incident.HostMissing, incident.HostFailing, incident.StoreDown, incident.RelayDead, incident.StoreLan, incident.DidNotComeUp,
		incident.NeverSeen, incident.Flapping, incident.Conflict, incident.RegionDown, incident.RegionPath, incident.RegionBlind,
	} {
		names[k] = "told: " + string(k)
	}
	return names
}()

// decisions spare the worlds the making of names.
var decisions = func() (names [32]string) { //nolint:gochecknoglobals // a constant list
	for i := range names {
		names[i] = "decided: " + presence.Condition(i).String() //nolint:gosec // a few
	}
	return names
}()
