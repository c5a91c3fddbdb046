package broker

import (
	"context"
	"encoding/json"

	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	// noticesBack is how far back notices are looked at: a notice is tried for
	// 24 hours.
	noticesBack = 25
	// readers bounds the partitions that are read at once.
	readers = 16
)

// records turns what the core remembers into items of the table, and back.
type records struct {
	table   table.Table
	region  beat.Region
	term    int64
	keep    time.Duration
	timeout time.Duration
	local   []incident.Channel // they reach nobody
}

func document(v any) []byte {
	doc, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("broker: marshal: %v", err)) // plain structs cannot fail
	}
	return doc
}

// saving is an item to put, or a key to delete.
type saving struct {
	item table.Item
	gone bool
}

func (r *records) store(s presence.StoreItem) saving {
	key := table.PresenceKey(s.Region, s.Store)
	if s.Host != "" {
		key = table.DirectKey(s.Region, s.Store, s.Host)
	}
	return saving{item: table.Item{Key: key, Doc: s.Doc}, gone: s.Gone}
}

func (r *records) incident(i incident.Incident) saving {
	i.Waits = ""
	item := table.Item{Key: table.IncidentKey(r.region, i.Store, string(i.ID)), Doc: document(i), Rev: int64(i.K)}
	if !i.Open {
		item.Expires = i.EndedAt.Add(r.keep)
	}
	return saving{item: item}
}

// writeNotice claims a notice, or writes its marks, fenced by this node's term.
func (r *records) writeNotice(ctx context.Context, n incident.Notice) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	w := table.Write{
		Item: table.Item{
			Key: table.NoticeKey(r.region, n.At, n.ID), Doc: document(n), Rev: n.Rev, Expires: n.At.Add(r.keep),
		},
		Fence: &table.Fence{Key: table.LeaseKey(r.region), Rev: r.term},
	}
	if n.Rev == 1 {
		w.If = table.IfAbsent
	}
	return r.table.Write(ctx, w)
}

// marks says of each item whether any region's mark in the table calls it sent.
func (r *records) marks(ctx context.Context, items []incident.ToldItem, now time.Time) ([]bool, error) {
	notices, err := r.notices(ctx, now)
	if err != nil {
		return nil, err
	}
	out := make([]bool, len(items))
	for i := range notices {
		n := &notices[i]
		sent := false
		for ch, m := range n.Marks {
			sent = sent || m == incident.Sent && !slices.Contains(r.local, ch)
		}
		for k := range items {
			out[k] = out[k] || sent && slices.ContainsFunc(n.Items, func(it incident.Item) bool { return items[k].ToldBy(n, &it) })
		}
	}
	return out, nil
}

// notices are those of the last day, of both regions.
func (r *records) notices(ctx context.Context, now time.Time) ([]incident.Notice, error) {
	var pks []string
	for h := range noticesBack {
		pks = append(pks, table.NoticePK(now.Add(-time.Duration(h)*time.Hour)))
	}
	items, err := r.read(ctx, pks)
	if err != nil {
		return nil, err
	}
	var out []incident.Notice
	for i := range items {
		var n incident.Notice
		if json.Unmarshal(items[i].Doc, &n) == nil && n.ID != "" && n.Region == items[i].Writer() {
			out = append(out, n)
		}
	}
	return out, nil
}

// incidents are all that have not vanished, of both regions.
func (r *records) incidents(ctx context.Context) ([]incident.Incident, error) {
	items, err := r.read(ctx, buckets(table.IncidentPK))
	if err != nil {
		return nil, err
	}
	var out []incident.Incident
	for i := range items {
		var in incident.Incident
		if json.Unmarshal(items[i].Doc, &in) == nil && in.ID != "" {
			out = append(out, in)
		}
	}
	return out, nil
}

// stores are the presence items of both regions, and their direct hosts.
func (r *records) stores(ctx context.Context) ([]presence.StoreItem, error) {
	items, err := r.read(ctx, append(buckets(table.PresencePK), buckets(table.DirectPK)...))
	if err != nil {
		return nil, err
	}
	var out []presence.StoreItem
	for i := range items {
		region, rest, _ := strings.Cut(items[i].SK, "#")
		store, host, direct := strings.Cut(rest, "#")
		id, err := beat.ParseStoreID(store)
		if err != nil {
			continue
		}
		s := presence.StoreItem{Region: beat.Region(region), Store: id, Doc: items[i].Doc}
		if direct {
			if s.Host, err = beat.ParseHostID(host); err != nil {
				continue
			}
		}
		out = append(out, s)
	}
	return out, nil
}

func buckets(pk func(int) string) []string {
	var out []string
	for b := range table.Buckets {
		out = append(out, pk(b))
	}
	return out
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

// lease is what the table says of a region's active node.
type lease struct {
	Node  string    `json:"node"`
	Since time.Time `json:"since"`
}

// takeTerm raises the region's term: from here on, older nodes of the region
// claim nothing any more.
func (r *records) takeTerm(ctx context.Context, node string, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	key := table.LeaseKey(r.region)
	page, err := r.table.Query(ctx, key.PK, key.SK, "", 16)
	if err != nil {
		return fmt.Errorf("read the lease: %w", err)
	}
	w := table.Write{If: table.IfAbsent, Item: table.Item{Key: key, Rev: 1, Doc: document(lease{node, now.UTC()})}}
	for _, item := range page.Items {
		if item.SK == key.SK {
			w.If, w.Rev, w.Item.Rev = table.IfRev, item.Rev, item.Rev+1
		}
	}
	if err := r.table.Write(ctx, w); err != nil {
		return fmt.Errorf("take the lease: %w", err)
	}
	r.term = w.Item.Rev
	return nil
}

// entry is one transition in the history.
type entry struct {
	At         time.Time      `json:"at"`
	Host       beat.HostID    `json:"host,omitempty"`
	State      beat.HostState `json:"state"`
	Reason     string         `json:"reason"`
	SilentMs   uint64         `json:"silentMs,omitempty"`
	IntervalMs uint32         `json:"intervalMs,omitempty"`
	Message    string         `json:"message,omitempty"`
	Until      beat.Number    `json:"until,omitempty"`
}

func (r *records) history(j *presence.Journal) []table.Item {
	items := make([]table.Item, 0, len(j.Entries))
	for i := range j.Entries {
		t, at := &j.Entries[i], j.Dated[i].UTC()
		items = append(items, table.Item{
			Key: table.HistoryKey(r.region, j.ID.Store, at, j.Incarnation, t.Number),
			Doc: document(entry{
				At: at.Truncate(time.Millisecond), Host: t.Host, State: t.State, Reason: t.Reason.String(), SilentMs: t.SilentMs,
				IntervalMs: t.IntervalMs, Message: t.Message, Until: t.Until,
			}),
			Rev: int64(t.Number), Expires: at.Add(r.keep),
		})
	}
	return items
}
