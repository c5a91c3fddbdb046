package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// readers bounds the partitions that are read at once.
const readers = 16

// head is what a region says of its changes: for each partition a stamp, which
// is another one after each change.
type head [table.Buckets]int64

type headDoc struct {
	V      int     `json:"v"`
	Stamps []int64 `json:"stamps"`
}

// again is when a partition is read once more. A head may arrive before the
// documents that it speaks of: the pauses double from RefreshEvery to half of
// ReadAllEvery, so that a document that is late by t is known after 2t.
type again struct {
	at    time.Time
	pause time.Duration
}

// Load reads all settings, and makes the first snapshot.
func (d *Desk) Load(ctx context.Context) error {
	d.work.Lock()
	defer d.work.Unlock()
	if err := d.readHeads(ctx); err != nil {
		return err
	}
	var all []int
	for b := range table.Buckets {
		all = append(all, b)
	}
	return d.read(ctx, all)
}

// Refresh reads what changed since the last reading.
func (d *Desk) Refresh(ctx context.Context) error {
	d.work.Lock()
	defer d.work.Unlock()
	if err := d.readHeads(ctx); err != nil {
		return err
	}
	now := d.o.Now()
	var due []int
	for b := range d.again {
		if a := d.again[b]; now.Sub(d.readAll) >= d.o.ReadAllEvery || a.pause > 0 && !now.Before(a.at) {
			due = append(due, b)
		}
	}
	if len(due) == 0 {
		return nil
	}
	return d.read(ctx, due)
}

// readHeads finds the partitions that a region changed. d.work is held.
func (d *Desk) readHeads(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.o.TableTimeout)
	defer cancel()
	items, err := table.QueryAll(ctx, d.o.Table, table.OperatorHeadPK, "")
	if err != nil {
		d.m.Reads.WithLabelValues("failed").Inc()
		return fmt.Errorf("read what operators changed: %w", err)
	}
	for _, it := range items {
		var doc headDoc
		if json.Unmarshal(it.Doc, &doc) != nil || len(doc.Stamps) != table.Buckets {
			d.m.Unread.WithLabelValues("head").Inc()
			continue
		}
		h := d.heads[it.Writer()]
		for b, stamp := range doc.Stamps {
			if h[b] != stamp {
				h[b] = stamp
				d.readSoon(b)
			}
		}
		d.heads[it.Writer()] = h
	}
	return nil
}

// read reads partitions whole. d.work is held.
func (d *Desk) read(ctx context.Context, buckets []int) error {
	began := d.o.Now()
	var mu sync.Mutex
	found := make(map[int][]table.Item, len(buckets))
	g, reads := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for _, b := range buckets {
		g.Go(func() error {
			reads, cancel := context.WithTimeout(reads, d.o.TableTimeout)
			defer cancel()
			items, err := table.QueryAll(reads, d.o.Table, table.OperatorPK(b), "")
			mu.Lock()
			defer mu.Unlock()
			found[b] = items
			return err
		})
	}
	if err := g.Wait(); err != nil {
		d.m.Reads.WithLabelValues("failed").Inc()
		return fmt.Errorf("read operators' settings: %w", err)
	}
	d.m.Reads.WithLabelValues("ok").Inc()
	news := d.told == nil
	for b, items := range found {
		news = d.take(b, items) || news
		if a := &d.again[b]; a.pause > 0 && !a.at.After(began) {
			a.at, a.pause = began.Add(a.pause), a.pause*2
			if a.pause > d.o.ReadAllEvery {
				*a = again{}
			}
		}
	}
	if len(buckets) == table.Buckets {
		d.readAll = began
	}
	if news {
		d.publish()
	}
	return nil
}

// take replaces what is known of a partition, and says whether that is another.
// d.work is held.
func (d *Desk) take(b int, items []table.Item) (news bool) {
	known := make(map[owned]kept, len(items))
	for _, it := range items {
		s, err := d.compiler.Decode(it.Doc)
		if err == nil && string(s.Kind)+"#"+s.ID != strings.TrimPrefix(it.SK, string(it.Writer())+"#") {
			err = fmt.Errorf("%w: it says it were %s %s", setting.ErrSpoilt, s.Kind, s.ID)
		}
		if err != nil {
			// One item that cannot be read must not hide all others.
			reason := "spoilt"
			if errors.Is(err, setting.ErrNewer) {
				reason = "newer"
			}
			d.m.Unread.WithLabelValues(reason).Inc()
			d.log.Warn("an operator's setting is set aside", "item", it.SK, "err", err)
			continue
		}
		known[owned{it.Writer(), s.Key()}] = keep(s)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	same := maps.EqualFunc(d.known[b], known, func(x, y kept) bool { return x.Version == y.Version && x.Deleted == y.Deleted })
	d.known[b] = known
	return !same
}

// keep drops a declaration's long form: what a Fleet needs of it is compiled.
func keep(s setting.Setting) kept {
	k := kept{Setting: s}
	if s.Store != nil {
		text, err := json.Marshal(s.Store)
		if err != nil {
			panic(fmt.Sprintf("operator: encode: %v", err)) // strings and maps of them cannot fail
		}
		k.declared, k.Store = text, nil
	}
	return k
}

// Stores are those of which something is said, by id.
func (d *Desk) Stores() []beat.StoreID {
	var out []beat.StoreID
	for s := range d.Fleet().Stores() {
		out = append(out, s.ID)
	}
	return out
}

// Declared is what was declared of a store, by whom and when; false: nothing.
func (d *Desk) Declared(id beat.StoreID) (Declared, bool) {
	it, text, ok := d.latest(setting.Key{Kind: setting.Declared, ID: string(id)})
	pin, _, pinned := d.latest(setting.Key{Kind: setting.Pin, ID: string(id)})
	pinned = pinned && !pin.Deleted
	ok = ok && !it.Deleted
	if !ok && !pinned {
		return Declared{}, false
	}
	out := Declared{Store: id}
	if ok {
		out.Version, out.At, out.By = it.Version, it.At, it.By
		if json.Unmarshal(text, &out.Declaration) != nil {
			return Declared{}, false
		}
	}
	if pinned {
		out.Pin = string(pin.Pin)
	}
	return out, true
}

// Declared is a store's declaration as people see it.
type Declared struct {
	Store beat.StoreID `json:"store"`
	setting.Entry
	// Version is 0 where the store is only pinned.
	Version int64     `json:"version"`
	At      time.Time `json:"at,omitzero"`
	By      string    `json:"by,omitempty"`
}
