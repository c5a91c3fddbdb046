package operator

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Plan is a whole stores file, to be made true.
type Plan struct {
	Stores map[beat.StoreID]setting.Entry
	// DryRun says what would change, and changes nothing.
	DryRun bool
	// Prune removes the declarations of stores that are not in the file.
	Prune bool
}

// Change is what an Apply did, or would do, to one store.
type Change struct {
	Store beat.StoreID `json:"store"`
	// Action is create, update or remove.
	Action string `json:"action"`
	// Keys are those that become another value.
	Keys []string `json:"keys,omitempty"`
	// Error is why it was not done; the other stores are not touched by it.
	Error string `json:"error,omitempty"`
	err   error
}

// Applied is what an Apply did.
type Applied struct {
	DryRun  bool     `json:"dryRun"`
	Changes []Change `json:"changes"`
	// Same is how many stores of the file were as it says, Failed how many
	// changes have an Error.
	Same   int `json:"same"`
	Failed int `json:"failed"`
}

// Apply makes a stores file true, store by store: each is changed whole or not
// at all. An error is of the file as a whole, and nothing was done.
func (d *Desk) Apply(ctx context.Context, who Actor, p Plan) (Applied, error) {
	if err := d.here(); err != nil {
		return Applied{}, err
	}
	d.work.Lock()
	defer d.work.Unlock()
	out := Applied{DryRun: p.DryRun, Changes: []Change{}}
	for _, id := range slices.Sorted(maps.Keys(p.Stores)) {
		e := p.Stores[id]
		if err := e.Check(d.compiler, id); err != nil {
			return out, fmt.Errorf("%w: stores.%s: %w", ErrInvalid, id, err)
		}
		if c, ok := d.compare(id, &e); ok {
			out.Changes = append(out.Changes, c)
		} else {
			out.Same++
		}
	}
	if p.Prune {
		out.Changes = append(out.Changes, d.beyond(p.Stores)...)
	}
	if !p.DryRun {
		d.carryOut(ctx, who, p.Stores, &out)
	}
	return out, nil
}

// compare says what an entry changes.
func (d *Desk) compare(id beat.StoreID, e *setting.Entry) (Change, bool) {
	old, ok := d.Declared(id)
	c := Change{Store: id, Action: "update"}
	if !ok || old.Version == 0 {
		c.Action = "create"
	}
	if e.Pin == "" || e.Pin == setting.NoPin && old.Pin == "" {
		e.Pin = old.Pin // as it is
	}
	a, b := fieldsOf(&old.Entry), fieldsOf(e)
	for _, key := range slices.Sorted(maps.Keys(b)) {
		if !reflect.DeepEqual(a[key], b[key]) {
			c.Keys = append(c.Keys, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(a)) {
		if _, ok := b[key]; !ok {
			c.Keys = append(c.Keys, key)
		}
	}
	return c, c.Action == "create" || len(c.Keys) > 0
}

// fieldsOf are an entry's keys, as JSON has them.
func fieldsOf(e *setting.Entry) map[string]any {
	text, err := json.Marshal(e)
	if err != nil {
		return nil
	}
	var fields map[string]any
	if json.NewDecoder(bytes.NewReader(text)).Decode(&fields) != nil {
		return nil
	}
	return fields
}

// beyond are the removals of the stores that a file does not have.
func (d *Desk) beyond(stores map[beat.StoreID]setting.Entry) []Change {
	var out []Change
	for s := range d.Fleet().Stores() {
		if _, ok := stores[s.ID]; !ok && s.Version > 0 {
			out = append(out, Change{Store: s.ID, Action: "remove"})
		}
	}
	return out
}

// writers bounds the stores that are written at once: one after another,
// 50,000 of them would take DynamoDB ten minutes.
const writers = 16

// carryOut writes changes. d.work is held.
func (d *Desk) carryOut(ctx context.Context, who Actor, stores map[beat.StoreID]setting.Entry, out *Applied) {
	changed := make([][]setting.Key, len(out.Changes))
	var g errgroup.Group
	g.SetLimit(writers)
	for i := range out.Changes {
		c := &out.Changes[i]
		if ctx.Err() != nil {
			c.Error = "the caller went away"
			continue
		}
		g.Go(func() (err error) {
			if changed[i], err = d.change(ctx, who, c, stores[c.Store]); err != nil {
				c.Error, c.err = err.Error(), err
			}
			return nil
		})
	}
	_ = g.Wait() // each change has its own error
	var what []string
	keys := slices.Concat(changed...)
	for i := range out.Changes {
		if c := &out.Changes[i]; c.Error != "" {
			out.Failed++
		} else {
			what = append(what, fmt.Sprintf("%s %s", c.Action, c.Store))
		}
	}
	if len(keys) > 0 {
		d.finish(context.WithoutCancel(ctx), who, "apply stores", what, keys)
	}
}

// change writes one store. d.work is held.
func (d *Desk) change(ctx context.Context, who Actor, c *Change, e setting.Entry) ([]setting.Key, error) {
	var changed []setting.Key
	pin := beat.Region(e.Pin)
	if e.Pin == setting.NoPin {
		pin = ""
	}
	if e.Pin != "" || c.Action == "remove" {
		did, err := d.pin(ctx, who, c.Store, pin)
		if err != nil {
			return nil, err
		}
		if did {
			changed = append(changed, setting.Key{Kind: setting.Pin, ID: string(c.Store)})
		}
	}
	if len(c.Keys) == 1 && c.Keys[0] == "pin" && c.Action == "update" {
		return changed, nil
	}
	s := setting.Setting{Kind: setting.Declared, ID: string(c.Store)}
	if c.Action == "remove" {
		s.Deleted = true
	} else {
		s.Store = &e.Declaration
	}
	if _, err := d.put(ctx, who, s); err != nil {
		return changed, err
	}
	return append(changed, s.Key()), nil
}

// Declare declares one store. The error is that of its change.
func (d *Desk) Declare(ctx context.Context, who Actor, id beat.StoreID, e setting.Entry) (Declared, error) {
	out, err := d.Apply(ctx, who, Plan{Stores: map[beat.StoreID]setting.Entry{id: e}})
	if err != nil {
		return Declared{}, err
	}
	if out.Failed > 0 {
		return Declared{}, cmp.Or(out.Changes[0].err, ErrUnavailable)
	}
	is, _ := d.Declared(id)
	return is, nil
}
