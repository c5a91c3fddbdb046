package broker

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/lease"
	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/record"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// readers bounds the partitions that are read at once.
const readers = 16

// records reads and writes what the node remembers; package record says how.
type records struct {
	table   table.Table
	region  beat.Region
	other   beat.Region
	term    atomic.Int64
	keep    time.Duration
	timeout time.Duration
	local   []incident.Channel // they reach nobody
	log     *slog.Logger
	metrics *metrics
}

// saving is an item to put, or a key to delete.
type saving struct {
	item table.Item
	gone bool
}

// aside counts an item that is set aside.
func (r *records) aside(it table.Item, why record.Reason) bool {
	if why == "" {
		return false
	}
	r.metrics.aside.WithLabelValues(string(why)).Inc()
	r.log.Warn("an item of the table is set aside", "pk", it.PK, "sk", it.SK, "reason", string(why))
	return true
}

// readAll reads partitions, and makes of each item what parse does.
func readAll[T any](ctx context.Context, r *records, pks []string, parse func(table.Item) (T, record.Reason)) ([]T, error) {
	items, err := r.read(ctx, pks)
	if err != nil {
		return nil, err
	}
	out := make([]T, 0, len(items))
	for i := range items {
		if v, why := parse(items[i]); !r.aside(items[i], why) {
			out = append(out, v)
		}
	}
	return out, nil
}

// writeNotice claims a notice, or writes its marks, fenced by this node's term.
func (r *records) writeNotice(ctx context.Context, n incident.Notice) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	return r.table.Write(ctx, record.Notice(n, r.term.Load(), r.keep))
}

// marks says of each item whether any region's mark in the table calls it sent.
func (r *records) marks(ctx context.Context, items []incident.ToldItem, now time.Time) ([]incident.Known, error) {
	notices, err := r.notices(ctx, now)
	if err != nil {
		return nil, err
	}
	return incident.KnownBy(items, notices, r.local), nil
}

// notices are those of the last day, of both regions.
func (r *records) notices(ctx context.Context, now time.Time) ([]incident.Notice, error) {
	return readAll(ctx, r, record.NoticePKs(now), record.ReadNotice)
}

// incidents are all that have not vanished, of both regions.
func (r *records) incidents(ctx context.Context) ([]incident.Incident, error) {
	return readAll(ctx, r, record.IncidentPKs(), record.ReadIncident)
}

// stores are the presence items of both regions, and their direct hosts.
func (r *records) stores(ctx context.Context) ([]presence.StoreItem, error) {
	return readAll(ctx, r, record.StorePKs(), record.ReadStore)
}

// leases are both regions'.
func (r *records) leases(ctx context.Context) (ours, theirs *lease.Item, err error) {
	ctx, cancel := context.WithTimeout(ctx, min(r.timeout, lease.DefaultAnswer))
	defer cancel()
	items, err := table.QueryAll(ctx, r.table, record.LeasePK(), "")
	if err != nil {
		return nil, nil, err
	}
	ours, theirs, aside := record.Leases(items, r.region)
	r.metrics.aside.WithLabelValues("lease").Add(float64(aside))
	return ours, theirs, nil
}

func (r *records) writeLease(ctx context.Context, w *lease.Write) error {
	ctx, cancel := context.WithTimeout(ctx, min(r.timeout, lease.DefaultAnswer))
	defer cancel()
	return r.table.Write(ctx, record.Lease(r.region, w))
}

// post puts a letter to the other region.
func (r *records) post(ctx context.Context, m *wire.Mail, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	return r.table.Put(ctx, []table.Item{record.Mail(m, now)})
}

// letters are those of the other region to this one.
func (r *records) letters(ctx context.Context) ([]wire.Mail, error) {
	return readAll(ctx, r, []string{record.MailPK(r.region)}, record.ReadMail)
}

// drop deletes letters of this region. What stays expires.
func (r *records) drop(ctx context.Context, names []wire.Name) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	keys := make([]table.Key, 0, len(names))
	for _, n := range names {
		keys = append(keys, record.MailKey(r.region, r.other, n))
	}
	if err := r.table.Delete(ctx, keys); err != nil {
		r.log.Debug("letters not deleted", "count", len(keys), "err", err)
	}
}

// read reads whole partitions, several at a time, in their order.
func (r *records) read(ctx context.Context, pks []string) ([]table.Item, error) {
	found := make([][]table.Item, len(pks))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for i, pk := range pks {
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, r.timeout)
			defer cancel()
			items, err := table.QueryAll(ctx, r.table, pk, "")
			found[i] = items
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var out []table.Item
	for _, items := range found {
		out = append(out, items...)
	}
	return out, nil
}
