package incident

import (
	"slices"

	"github.com/hb-mesh/hb-mesh/broker/presence"
)

// Each region names a fault by what it knows, and may know less than the other
// one while they are apart. Then the name of the region that tells it stands
// (I1): who leaves the telling to the other region takes over its name, as long
// as nobody was told from here.

// adopt takes the name by which the other region, or a mark, knows a transition.
func (b *Book) adopt(s *step, id ID, k int) {
	inc := s.inc
	if id == "" || id == inc.ID || k < 1 || b.byID[id] != nil || b.toldFromHere(inc) {
		return
	}
	delete(b.byID, inc.ID)
	by, was := k-s.k, inc.ID
	inc.ID, inc.K, inc.ByRelay = id, inc.K+by, false
	b.byID[id] = inc
	inc.fault.k = max(1, inc.fault.k+by)
	if inc.recovery != nil {
		inc.recovery.k += by
		b.after(keepEnded, func() { b.purge(id) })
	}
	for _, o := range inc.notices() {
		o.rename(was, id, by)
	}
	b.emit(&Happened{Incident: inc.Incident, Change: Changed})
}

// rename gives an incident of a notice that nobody saw yet another name.
func (o *outgoing) rename(was, id ID, by int) {
	for i := range o.notice.Items {
		if it := &o.notice.Items[i]; it.Incident == was {
			it.Incident, it.K = id, max(1, it.K+by)
		}
	}
}

// notices are those of this region that name an incident.
func (i *incident) notices() (all []*outgoing) {
	for _, s := range [...]*step{i.fault, i.recovery} {
		if s == nil {
			continue
		}
		for _, o := range [...]*outgoing{s.notice, s.side} {
			if o != nil {
				all = append(all, o)
			}
		}
	}
	return all
}

// toldFromHere says whether a notice of this region names an incident, but for one
// that looks at the marks once more before it is claimed.
func (b *Book) toldFromHere(inc *incident) bool {
	return len(inc.Told) > 0 || slices.ContainsFunc(inc.notices(), func(o *outgoing) bool { return !o.looks })
}

// another says whether the name by which the other region, or a mark, knows a
// transition is that of another incident of its subject here: one was over before
// the other began. What was told by that name is none of it.
func (b *Book) another(s *step, k *Known) bool {
	o := b.byID[k.Incident]
	return o != nil && o != s.inc && o.subject() == s.inc.subject() && (o.overBefore(s.inc) || s.inc.overBefore(o))
}

func (i *incident) overBefore(next *incident) bool {
	return !i.Open && !i.EndedAt.After(next.OpenedAt)
}

// isOf says whether an incident is the fault that an item is of, or an earlier
// one of the same cause: that had ended before this one was known.
func (i *incident) isOf(item *ToldItem) bool {
	switch {
	case i.Open:
		return true
	case item.Change == Opened:
		return item.K <= i.fault.k
	default:
		return item.K <= i.K || !i.EndedAt.Before(item.Since)
	}
}

// endOthers ends a host's fault that only the table remembers where the relay, by
// whose word both regions named it, saw another one: the host was well between
// them, and the node before this one may have heard that, or nobody here. A relay
// that starts may have forgotten the fault, and names it anew.
func (b *Book) endOthers(sub subject, id ID, v *presence.Verdict) {
	inc := b.open[sub]
	if inc == nil {
		return
	}
	saw := sub.class == missingClass && v.Reason == presence.RelaySays && byRelay(sub.class, &v.Cause)
	if inc.remembered && inc.ByRelay && inc.ID != id && saw {
		well := *v
		well.Condition, well.Message = presence.Well, ""
		b.end(inc, &well)
	}
	inc.remembered = false
}

// outlived says whether the relay of a host said here that the host is well, after
// the fault that the other region opens again: it has an old word of that relay.
func (b *Book) outlived(item ToldItem) bool {
	inc := b.byID[item.Incident]
	return inc != nil && !inc.Open && inc.ByRelay && item.Change == Opened && older(&inc.cause, &inc.endedBy)
}
