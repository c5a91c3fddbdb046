package broker

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/node"
	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/broker/peer/link"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/guard"
)

// did takes one out of the node: news are told here, commands go to the
// effects. c.mu is held.
func (c *core) did(now beat.Now, o node.Out) {
	switch o := o.(type) {
	case *node.Respond:
		c.responded = o
	case *node.Ready:
		c.ready, c.problem = true, ""
		c.metrics.active.Set(1)
		c.presence, c.book = c.node.Presence(), c.node.Book()
		close(c.opened)
	case *node.Over:
		c.over = *o
		c.metrics.active.Set(0)
		close(c.ended)
	case *node.Woke:
		c.metrics.stalls.Inc()
		c.log.Warn("this node stood still: it settles again", "for", o.For)
	case *node.Linked:
		c.log.Debug("link to the other region", "ok", o.OK)
	case *link.Ignored:
		c.metrics.letters.WithLabelValues(string(o.Reason)).Inc()
	case *presence.Decided:
		c.log.Debug("decided", "store", o.Verdict.Store, "host", o.Verdict.Host, "condition", o.Verdict.Condition.String(), "reason", o.Verdict.Reason)
	case *presence.PeerIs:
		c.log.Info("the other region", "state", o.State.String())
	case *presence.Adopted:
		c.metrics.adopted.Inc()
		c.log.Info("host adopted", "store", o.Store, "host", o.Host, "via", o.Via.String())
		c.activity.add(now.Wall, "adopted", o.Store, o.Host, fmt.Sprintf("%s/%s beats for the first time (%s)", o.Store, o.Host, o.Via))
	case *presence.RelayChanged:
		c.log.Warn("the store has another relay", "store", o.Store, "from", o.From, "to", o.To)
		c.activity.add(now.Wall, "relay-changed", o.Store, "", fmt.Sprintf("%s: relay %s was replaced by %s", o.Store, o.From, o.To))
	case *presence.Refused:
		c.turnedDown = o.Reason
		c.metrics.refused.WithLabelValues(o.Reason.String()).Inc()
		c.log.Debug("refused", "id", o.ID.String(), "reason", o.Reason.String())
	case *presence.SetAside:
		c.setAside(slog.LevelDebug, o.Reason.String(), strings.TrimSuffix(string(o.Subject.Store)+"/"+string(o.Subject.Host), "/"))
	case *incident.Ignored:
		c.setAside(slog.LevelWarn, string(o.Reason), o.ID)
	case *incident.Happened:
		c.happened(now, o)
	case *incident.GaveUp:
		c.log.Error("notice given up", "notice", o.Notice.ID, "channel", o.Channel)
		c.activity.add(now.Wall, "given-up", "", "", fmt.Sprintf("notice %s was given up on channel %s", o.Notice.ID, o.Channel))
	case *incident.Superseded:
		c.log.Warn("the table refused a claim: another node of this region may be active", "notice", o.Notice.ID)
	default:
		c.effects.do(o)
	}
}

// setAside counts a word of the other region, or an incident or a notice of the
// table, that does not count, and says so: sparsely, for there may be many.
func (c *core) setAside(level slog.Level, reason, what string) {
	c.metrics.setAside.WithLabelValues(reason).Inc()
	if c.log.Enabled(context.Background(), level) {
		c.sparse.Log(level, "a word of the other region or of the table is set aside", "reason", reason, "what", guard.Clip(what))
	}
}

func (c *core) happened(now beat.Now, o *incident.Happened) {
	i := &o.Incident
	c.metrics.incidents.WithLabelValues(string(i.Kind), string(o.Change)).Inc()
	c.log.Info("incident", "change", string(o.Change), "kind", string(i.Kind), "store", i.Store, "host", i.Host, "id", string(i.ID), "reason", i.Reason)
	c.activity.add(now.Wall, string(i.Kind), i.Store, i.Host, notice.Says(i, o.Change))
}
