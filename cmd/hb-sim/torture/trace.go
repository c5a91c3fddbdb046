package torture

import (
	"fmt"
	"strings"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/lease"
	"github.com/hb-mesh/hb-mesh/broker/node"
	"github.com/hb-mesh/hb-mesh/broker/peer/link"
	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/broker/presence"
)

// tracef writes one line of the trace: the virtual time, and what happened. It
// must not print what differs between two runs of one seed, such as an address.
func (w *world) tracef(format string, args ...any) {
	if w.tracing {
		w.trace(fmt.Sprintf("%9.3f  %s", w.now.Seconds(), fmt.Sprintf(format, args...)))
	}
}

// traceOut writes what a node asked for.
func (w *world) traceOut(p *process, o node.Out) {
	if text := outText(o); text != "" {
		w.tracef("  %s: %s", p.name, text)
	}
}

// outText is an out for people; "": nothing that people care for.
func outText(o node.Out) string {
	switch o := o.(type) {
	case *presence.Decided:
		return verdictText(&o.Verdict)
	case *incident.Happened:
		i := &o.Incident
		return fmt.Sprintf("incident %s %s %s k=%d: %s (%s)", short(string(i.ID)), i.Kind, o.Change, i.K, subject(string(i.Store), string(i.Host)), i.Reason)
	case *incident.Write:
		return fmt.Sprintf("writes notice %s rev %d: %s", short(o.Notice.ID), o.Notice.Rev, itemsText(o.Notice.Items)+marksText(&o.Notice))
	case *incident.Publish:
		return fmt.Sprintf("publishes notice %s on %s", short(o.Notice.ID), o.Channel)
	case *incident.ReadMarks:
		return fmt.Sprintf("reads the marks of %d transitions", len(o.Items))
	case *incident.GaveUp:
		return fmt.Sprintf("gives up notice %s on %s", short(o.Notice.ID), o.Channel)
	case *incident.Superseded:
		return fmt.Sprintf("a fenced write of notice %s was refused", short(o.Notice.ID))
	case *incident.Save:
		return fmt.Sprintf("saves incident %s open=%v k=%d told=%v", short(string(o.Incident.ID)), o.Incident.Open, o.Incident.K, o.Incident.Told)
	case *presence.Save:
		return fmt.Sprintf("saves %s", subject(string(o.Item.Store), string(o.Item.Host)))
	case *presence.Rebirth:
		return fmt.Sprintf("orders a rebirth of %s above epoch %d", o.ID, o.Exceed)
	case *presence.Acked:
		return fmt.Sprintf("accepts %s, epoch %d", o.ID, o.Ack.Epoch)
	case *presence.Close:
		return fmt.Sprintf("closes connection %d: %s", o.Conn, o.Reason)
	case *presence.Refused:
		return fmt.Sprintf("refuses %s: %s", o.ID, o.Reason)
	case *presence.PeerIs:
		return fmt.Sprintf("the other region %s", o.State)
	case *presence.Journal:
		return fmt.Sprintf("journal of %s, %d entries", o.ID, len(o.Entries))
	default:
		return lifeText(o)
	}
}

// lifeText is an out about the node itself.
func lifeText(o node.Out) string {
	switch o := o.(type) {
	case *lease.Write:
		if o.Item.Counter == 1 || o.Item.Released {
			return fmt.Sprintf("takes or releases the lease, term %d", o.Item.Term)
		}
	case *lease.Call:
		return fmt.Sprintf("tells %s of term %d", o.Address, o.Term)
	case *node.Load:
		return fmt.Sprintf("loads, term %d", o.Term)
	case *node.Ready:
		return fmt.Sprintf("is ready, term %d", o.Term)
	case *node.Woke:
		return fmt.Sprintf("stood still for %v", o.For)
	case *node.Linked:
		return fmt.Sprintf("HTTPS to the other region: %v", o.OK)
	case *node.Over:
		return fmt.Sprintf("is over: %s", o.Reason)
	case *link.Call:
		return callText(o.Request)
	case *link.Ignored:
		return fmt.Sprintf("ignores a letter or an answer: %s", o.Reason)
	case *link.Post:
		return fmt.Sprintf("posts letter %d.%d (%s)", o.Mail.Term, o.Mail.Seq, o.Mail.Kind)
	}
	return ""
}

// callText is a request to the other region, unless it is a probe.
func callText(r *wire.Request) string {
	switch r.Kind {
	case wire.Ask:
		var b strings.Builder
		for i := range r.Ask.Stores {
			fmt.Fprintf(&b, " %s=%s", r.Ask.Stores[i].Store, r.Ask.Stores[i].View)
		}
		for i := range r.Ask.Hosts {
			fmt.Fprintf(&b, " %s=%s", subject(string(r.Ask.Hosts[i].Store), string(r.Ask.Hosts[i].Host)), r.Ask.Hosts[i].View)
		}
		return "asks about" + b.String()
	case wire.Told:
		return fmt.Sprintf("asks who tells of %d transitions", len(r.Told.Items))
	case wire.Forward:
		var b strings.Builder
		for i := range r.Verdicts {
			b.WriteString("; " + verdictText(&r.Verdicts[i]))
		}
		return "forwards" + b.String()
	default:
		return ""
	}
}

func verdictText(v *presence.Verdict) string {
	where := subject(string(v.Store), string(v.Host))
	if v.Store == "" {
		where = string(v.Region)
	}
	s := fmt.Sprintf("%s: %s (%s)", where, v.Condition, v.Reason)
	if v.OneSided {
		s += ", one-sided"
	}
	if v.Old {
		s += ", old"
	}
	return s
}

func itemsText(items []incident.Item) string {
	var b strings.Builder
	for i := range items {
		if i == 4 {
			fmt.Fprintf(&b, " and %d more", len(items)-i)
			break
		}
		it := &items[i]
		fmt.Fprintf(&b, " [%s %s %s %s k=%d]", it.Kind, it.Change, subject(string(it.Store), string(it.Host)), short(string(it.Incident)), it.K)
	}
	return b.String()
}

// marksText are the marks of a notice that are set, in the order of the channels.
func marksText(n *incident.Notice) string {
	var b strings.Builder
	for _, ch := range channelNames {
		if m := n.Marks[ch]; m != incident.Unsent {
			fmt.Fprintf(&b, " %s=%s", ch, m)
		}
	}
	return b.String()
}

func subject(store, host string) string {
	if host == "" {
		return store
	}
	return store + "/" + host
}

// short is the end of an id, enough to tell it apart.
func short(id string) string { return id[max(0, len(id)-6):] }
