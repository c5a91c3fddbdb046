package torture

import (
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
)

// replicated is how old a write must be to have reached the other replica.
const replicated = 10 * time.Second

// finish tells the truth what both regions know at the end.
func (t *witness) finish() {
	w := t.w
	t.truth.Now(w.now)
	for g := range w.names {
		p := w.active(g)
		if p == nil || p.stalled || !p.node.Ready() {
			continue
		}
		now := p.clock()
		p.node.Presence().Each(now, func(s presence.StoreStatus) {
			i, _ := w.find(s.Store, "")
			if i < 0 {
				return
			}
			t.truth.See(truth.Seen{Region: g, Store: i, Host: -1, State: s.State.String()})
			hosts, _ := p.node.Presence().Hosts(now, s.Store)
			for k := range hosts {
				if _, h := w.find(s.Store, hosts[k].Host); h >= 0 {
					t.truth.See(truth.Seen{Region: g, Store: i, Host: h, State: hosts[k].State.String()})
				}
			}
		})
		_, _, outbox := p.node.Book().Counts()
		t.truth.Waits(g, outbox, w.tables.letters(g, needless))
		for _, in := range p.node.Book().Incidents(true) {
			s, h := w.find(in.Store, in.Host)
			t.truth.Opened(truth.Open{Region: g, Store: s, Host: h, Kind: string(in.Kind), Incident: string(in.ID)})
		}
	}
	t.merge()
	t.history()
}

// merge compares the replicas, where nothing is on its way any more.
func (t *witness) merge() {
	w := t.w
	for g := range w.tables.carriage {
		if c := &w.tables.carriage[g]; c.cut || c.part > 0 || len(c.held) > 0 {
			return
		}
	}
	if w.truth.truth.Quiet > w.now-3*replicated {
		return
	}
	limit := w.wall().Add(-replicated).UnixNano()
	a, b := w.tables.replicas[0], w.tables.replicas[1]
	for _, pair := range [...][2]*replica{{a, b}, {b, a}} {
		if what := pair[0].differs(pair[1], limit); what != "" {
			t.truth.Merged(false, what)
			return
		}
	}
	t.truth.Merged(true, "")
}

// differs names an item written before limit that the other replica has not; "":
// there is none.
func (t *replica) differs(o *replica, limit int64) string {
	found := ""
	for pk, p := range t.parts { // any of them will do: the least is named
		if pk == "lease" || strings.HasPrefix(pk, "mail#") {
			continue
		}
		for _, r := range p.rows {
			if r.stamp.at > limit {
				continue
			}
			q := o.parts[pk]
			if q != nil {
				if i, ok := q.find(r.item.SK); ok && !q.rows[i].stamp.less(r.stamp) {
					continue
				}
			}
			if what := pk + " " + r.item.SK; found == "" || what < found {
				found = what
			}
		}
	}
	return found
}
