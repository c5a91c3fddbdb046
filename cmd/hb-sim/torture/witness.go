package torture

import (
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/table"
)

// witness tells the ground truth what really happens.
type witness struct {
	w      *world
	onTold func(region int, ch incident.Channel, n *incident.Notice)
}

func (t *witness) nodeDown(p *process)                   {}
func (t *witness) nodeStalls(p *process)                 {}
func (t *witness) nodeReady(p *process)                  {}
func (t *witness) relayUp(r *relay)                      {}
func (t *witness) relayDown(r *relay)                    {}
func (t *witness) connects(r *relay, to int)             {}
func (t *witness) cable(h *till, cut bool)               {}
func (t *witness) hostUp(h *till)                        {}
func (t *witness) hostDown(h *till)                      {}
func (t *witness) hostBye(h *till)                       {}
func (t *witness) refused(c *conn, why presence.Refusal) {}
func (t *witness) twoWriters(region int, k table.Key)    {}
func (t *witness) told(region int, ch incident.Channel, n *incident.Notice) {
	if t.onTold != nil {
		t.onTold(region, ch, n)
	}
	if !t.w.tracing {
		return
	}
	for _, it := range n.Items {
		side := ""
		if n.OneSided {
			side = ", seen from one side"
		}
		t.w.tracef("TOLD on %s by %s: %s %s, %s (%s k=%d, notice %s%s)", ch, t.w.names[region], it.Kind, it.Change, subject(string(it.Store), string(it.Host)), short(string(it.Incident)), it.K, short(n.ID), side)
	}
}

func (t *witness) answerLost(region int, ch incident.Channel, n *incident.Notice) {}
