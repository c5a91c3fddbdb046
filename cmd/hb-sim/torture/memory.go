package torture

import (
	"maps"
	"slices"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/lease"
	"github.com/hb-mesh/hb-mesh/broker/node"
	"github.com/hb-mesh/hb-mesh/broker/peer/link"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/record"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// look reads the leases of both regions, as the replica shows them.
func (p *process) look(o *lease.Look) {
	t := &p.w.tables
	t.read(p, func(ok bool) node.Event {
		r := &lease.Read{Op: o.Op, Failed: !ok}
		if ok {
			r.Own, r.Theirs = t.leases(p.region)
		}
		return r
	})
}

func (p *process) writeLease(o *lease.Write) {
	wr := table.Write{Item: table.Item{Key: p.w.leaseKeys[p.region], Rev: o.Item.Term}, If: o.If, Rev: o.Rev}
	if p.w.rng.one(sample) {
		wr = record.Lease(p.home(), o)
	} else {
		item := o.Item
		wr.Item.Doc, p.w.tables.memo = nothing, &item
	}
	p.w.tables.write(p, &wr, func(err error) { p.step(&lease.Wrote{Op: o.Op, Result: leaseResult(err)}) })
}

func (p *process) claim(o *incident.Write) {
	if marks := slices.Collect(maps.Values(o.Notice.Marks)); slices.Contains(marks, incident.Unsent) && !slices.Contains(marks, incident.Sent) && o.Notice.Rev == 1 {
		p.w.truth.claimed(p, o) // else it is of marks, which need no lease
	}
	wr := record.Notice(o.Notice, p.node.Term(), keep)
	p.w.tables.write(p, &wr, func(err error) { p.step(&incident.Wrote{Op: o.Op, Result: bookResult(err)}) })
}

func (p *process) history(o *presence.Journal) {
	items, _ := record.History(p.home(), o, keep)
	conn, home := o.Conn, p.node.Home(o.ID.Store)
	last := &o.Entries[len(o.Entries)-1]
	through := max(last.Number, last.Until)
	ack := beat.Ack{V: beat.Wire, Epoch: o.Epoch, Seq: o.Seq, Home: home, Incarnation: o.Incarnation, Through: through, Top: through}
	p.w.tables.put(p, items, func(err error) {
		if err == nil {
			p.send(conn, packet{kind: packetAck, raw: ack.Encode()})
		}
	})
}

func (p *process) readMarks(o *incident.ReadMarks) {
	t := &p.w.tables
	t.read(p, func(ok bool) node.Event {
		m := &incident.MarksRead{ID: o.ID, Failed: !ok}
		if ok {
			m.Known = incident.KnownBy(o.Items, t.notices(p.region, p.clock().Wall), nil)
		}
		return m
	})
}

// load reads what the table remembers, until that works.
func (p *process) load(term int64) {
	t := &p.w.tables
	t.read(p, func(ok bool) node.Event {
		if !ok {
			return &retryLoad{term}
		}
		return &node.Loaded{
			Term: term, Fleet: p.fleet(), Incidents: t.incidents(p.region),
			Notices: t.notices(p.region, p.clock().Wall), Stores: t.stores(p.region),
		}
	})
}

// retryLoad is a load that the table refused.
type retryLoad struct{ term int64 }

func (p *process) post(o *link.Post) {
	it := record.Mail(&o.Mail, p.clock().Wall)
	p.w.tables.put(p, []table.Item{it}, func(error) {})
}

func (p *process) readMail(o *link.ReadMail) {
	t := &p.w.tables
	t.read(p, func(ok bool) node.Event {
		m := &link.MailRead{Op: o.Op, Failed: !ok}
		if ok {
			m.Letters = t.mail(p.region)
		}
		return m
	})
}

func (p *process) dropMail(o *link.Drop) {
	w := p.w
	keys := make([]table.Key, 0, len(o.Names))
	for _, n := range o.Names {
		keys = append(keys, record.MailKey(w.names[p.region], w.names[1-p.region], n))
	}
	w.tables.del(p, keys)
}
