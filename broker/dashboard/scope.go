package dashboard

import (
	"strings"

	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// scoped is a reading as a key of one store may see it; "" sees all.
func (s *Server) scoped(all *snapshot, store beat.StoreID) *snapshot {
	if store == "" {
		return all
	}
	out := *all
	keep := func(id beat.StoreID) bool { return id == store }
	out.stores = filter(all.stores, func(x Store) bool { return keep(x.Store) })
	out.ranked = out.stores
	out.overview.Incidents = filter(all.overview.Incidents, func(x Incident) bool { return keep(x.Store) })
	for i := range out.overview.Incidents {
		out.overview.Incidents[i].bare()
	}
	out.overview.Activity = filter(all.overview.Activity, func(x Activity) bool { return keep(x.Store) })
	out.overview.Notices = filter(all.overview.Notices, func(n Notice) bool {
		for _, item := range n.Items {
			if !keep(item.Store) {
				return false // its title names what this key may not see
			}
		}
		return len(n.Items) > 0
	})
	for i := range out.overview.Notices {
		out.overview.Notices[i].Text = bare(out.overview.Notices[i].Text)
	}
	out.overview.Rules = s.shown(all.overview.Rules, store)
	out.overview.Regions = make([]Region, 0, len(all.overview.Regions))
	for i := range all.overview.Regions {
		out.overview.Regions = append(out.overview.Regions, all.overview.Regions[i].public())
	}
	out.summary = Summarize(out.overview, out.stores)
	return &out
}

// bare is a text without what operators wrote of rules, which may be of other
// stores too: that a key of one store reads in the rules of its store alone.
func bare(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = setting.Bare(lines[i])
	}
	return strings.Join(lines, "\n")
}

func (i *Incident) bare() {
	i.Waits = bare(i.Waits)
	if i.Held != nil {
		h := *i.Held // the snapshot is everybody's
		h.Why = bare(h.Why)
		i.Held = &h
	}
}

func (e *Explanation) bare() {
	for i := range e.Says {
		e.Says[i] = bare(e.Says[i])
	}
	for _, of := range e.Evidence {
		for i := range of.Facts {
			of.Facts[i].Value = bare(of.Facts[i].Value)
		}
	}
	for i := range e.Next {
		e.Next[i].What = bare(e.Next[i].What)
	}
}

// public is a region without what is the fleet's: how many relays it has, its
// nodes, addresses and channels.
func (r *Region) public() Region {
	return Region{Region: r.Region, Self: r.Self, State: r.State, Since: r.Since, HeardAt: r.HeardAt, Table: r.Table.public(), Link: r.Link.public()}
}

func (h *Health) public() *Health {
	if h == nil {
		return nil
	}
	return &Health{OK: h.OK, Since: h.Since}
}

// shown are the rules that a key of one store may see: those that may be about
// it, without the names of other stores and their hosts; who made them and what
// for only where they are of no other store. Acknowledgements are not among
// them: they name an incident of any store.
func (s *Server) shown(rules []setting.Rule, store beat.StoreID) []setting.Rule {
	if store == "" {
		return rules
	}
	tags, hosts := s.taggedAs(store)
	out := []setting.Rule{}
	for _, r := range rules {
		if r.Kind == setting.Ack || !r.Finds(store, tags, hosts) {
			continue
		}
		if !r.Only(store) {
			r.By, r.Why = "", ""
			r.Hosts = r.HostsOf(hosts)
		}
		if len(r.Stores) > 0 {
			r.Stores = []string{string(store)}
		}
		out = append(out, r)
	}
	return out
}

// taggedAs are the tags that a store and its hosts have, and the hosts' ids.
func (s *Server) taggedAs(store beat.StoreID) (tags []map[string]string, hosts []beat.HostID) {
	known, _ := s.o.Source.Hosts(store)
	for _, h := range known {
		hosts = append(hosts, h.Host)
	}
	if s.o.Declarations == nil {
		return nil, hosts
	}
	d, ok := s.o.Declarations.Declared(store)
	if !ok {
		return nil, hosts
	}
	tags = append(tags, d.Tags)
	for id, h := range d.Hosts {
		hosts = append(hosts, id)
		tags = append(tags, h.Tags)
	}
	return tags, hosts
}
