package torture

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/record"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// joined is how seldom the joins of a world are judged: one of so many seeds, for
// speed.
const joined = 16

// joins reads all that both replicas hold, in one order and in another one, as a
// node that starts now would: what it knows then must be the same, whichever item
// the replication brings first. It is called while the replicas differ, too.
func (t *witness) joins() {
	if t.w.failure != nil {
		return
	}
	order := chance{t.w.rng.x} // what is drawn here changes nothing else
	g := order.below(len(t.w.names))
	first, second := t.w.union(), t.w.union()
	for _, list := range second.lists() {
		for i := len(*list) - 1; i > 0; i-- {
			k := order.below(i + 1)
			(*list)[i], (*list)[k] = (*list)[k], (*list)[i]
		}
	}
	a, b := t.w.view(g, first), t.w.view(g, second)
	t.truth.Now(t.w.now)
	t.truth.Joined(difference(a, b))
}

// difference is the first line in which two views differ; "": none.
func difference(a, b []string) string {
	for i := range max(len(a), len(b)) {
		var x, y string
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			return x + " or " + y
		}
	}
	return ""
}

// remains are the items that a node reads: the newest of each key, of both
// replicas.
type remains struct{ incidents, notices, stores, settings, history []table.Item }

func (r *remains) lists() []*[]table.Item {
	return []*[]table.Item{&r.incidents, &r.notices, &r.stores, &r.settings, &r.history}
}

func (w *world) union() *remains {
	t := &w.tables
	r := &remains{
		incidents: t.union(t.incidentPKs), notices: t.union(record.NoticePKs(w.wall())),
		stores: t.union(t.storePKs), settings: t.union(t.settingPKs),
	}
	for _, s := range w.stores {
		r.history = append(r.history, t.history(s.id)...)
	}
	return r
}

// union are the living items of some partitions, in both replicas.
func (t *tables) union(pks []string) (items []table.Item) {
	for _, pk := range pks {
		for g := range t.replicas {
			t.replicas[g].rows(pk, func(r *row) {
				if o := t.replicas[1-g].get(r.item.Key); o == nil || o.stamp.less(r.stamp) || g == 0 && o.stamp == r.stamp {
					items = append(items, r.item)
				}
			})
		}
	}
	return items
}

func readAll[T any](items []table.Item, read func(table.Item) (T, record.Reason)) (all []T) {
	for i := range items {
		if v, why := read(items[i]); why == "" {
			all = append(all, v)
		}
	}
	return all
}

// view is what a node of a region makes of items, line by line.
func (w *world) view(region int, r *remains) (lines []string) {
	now := beat.Now{Mono: time.Hour, Wall: w.wall()}
	incidents, notices := readAll(r.incidents, record.ReadIncident), readAll(r.notices, record.ReadNotice)
	var told []incident.ToldItem
	for i := range incidents {
		x := &incidents[i]
		told = append(told, incident.ToldItem{Incident: x.ID, K: x.K, Kind: x.Kind, Change: incident.Opened, Store: x.Store, Host: x.Host, Region: x.Region, Since: x.Since})
	}
	slices.SortFunc(told, func(a, b incident.ToldItem) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	for i, k := range incident.KnownBy(told, notices, nil) {
		lines = append(lines, fmt.Sprint("known of ", told[i].Incident, ": ", k))
	}
	lines = append(lines, w.bookView(region, now, incidents, notices)...)
	lines = append(lines, w.presenceView(region, now, readAll(r.stores, record.ReadStore))...)
	lines = append(lines, settingsView(now, r.settings)...)
	history, _ := record.JoinHistory(r.history)
	for i := range history {
		lines = append(lines, fmt.Sprintf("history: %+v", history[i]))
	}
	return lines
}

func (w *world) bookView(region int, now beat.Now, incidents []incident.Incident, notices []incident.Notice) (lines []string) {
	o := w.nodeOptions.Incident
	o.Region, o.Regions, o.Node, o.Term = w.names[region], w.names, "judge", 1<<20
	b := incident.New(o)
	b.Step(now, &incident.Loaded{Incidents: incidents, Notices: notices}, nil)
	for _, in := range b.Incidents(false) {
		slices.Sort(in.Told)
		lines = append(lines, fmt.Sprintf("incident: %+v", in))
	}
	open, hushed, outbox := b.Counts()
	return append(lines, fmt.Sprint("open ", open, ", hushed ", hushed, ", outbox ", outbox))
}

func (w *world) presenceView(region int, now beat.Now, items []presence.StoreItem) (lines []string) {
	o := w.nodeOptions.Presence
	o.Region, o.Regions, o.Node, o.Term = w.names[region], w.names, "judge", 1<<20
	p := presence.New(o, now)
	p.Step(now, &presence.Loaded{Stores: items}, nil)
	p.Each(now, func(s presence.StoreStatus) {
		lines = append(lines, fmt.Sprintf("store: %+v", s))
		hosts, _ := p.Hosts(now, s.Store)
		for i := range hosts {
			lines = append(lines, fmt.Sprintf("host: %+v", hosts[i]))
		}
	})
	slices.Sort(lines) // hosts are listed in the order in which they were seen
	return lines
}

func settingsView(now beat.Now, items []table.Item) (lines []string) {
	var all []setting.Item
	for i := range items {
		if s, err := setting.Decode(items[i].Doc); err == nil {
			all = append(all, setting.Item{Region: items[i].Writer(), Setting: s})
		}
	}
	f := setting.Join(all)
	for s := range f.Stores() {
		open, edge := s.Open(now.Wall)
		until, ended := s.Maintenance(now.Wall)
		lines = append(lines, fmt.Sprint("settings of ", s.ID, ": ", s.Version, s.Pin, s.AutoAdopt, s.ComeUp, open, edge, until, ended, f.Hush(setting.Subject{Store: s.ID}, now.Wall).Why))
	}
	for _, r := range f.Rules(now.Wall) {
		lines = append(lines, fmt.Sprintf("rule: %+v", r))
	}
	return lines
}
