package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cloud/local"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/demo/wire"
)

// cable is the switch of one or more lines: why names it, because several
// switches may cut a line.
type cable struct {
	why   string
	lines []*wire.Trunk
}

func (c cable) plug(context.Context) error {
	for _, l := range c.lines {
		l.HealBy(c.why)
	}
	return nil
}

func (c cable) unplug(context.Context) error {
	for _, l := range c.lines {
		l.CutBy(c.why)
	}
	return nil
}

// errTable is what a region's table answers while it is unplugged.
var errTable = errors.New("the region's table is unplugged")

// fuse is the switch of a region's table: without it every call is refused.
type fuse struct{ blown atomic.Bool }

func (f *fuse) plug(context.Context) error {
	f.blown.Store(false)
	return nil
}

func (f *fuse) unplug(context.Context) error {
	f.blown.Store(true)
	return nil
}

// fusedTable is a region's table behind its fuse.
type fusedTable struct {
	table.Table
	fuse *fuse
}

func (t *fusedTable) check() error {
	if t.fuse.blown.Load() {
		return fmt.Errorf("%w: %w", table.ErrUnavailable, errTable)
	}
	return nil
}

func (t *fusedTable) Write(ctx context.Context, w table.Write) error {
	if err := t.check(); err != nil {
		return err
	}
	return t.Table.Write(ctx, w)
}

func (t *fusedTable) Put(ctx context.Context, items []table.Item) error {
	if err := t.check(); err != nil {
		return err
	}
	return t.Table.Put(ctx, items)
}

func (t *fusedTable) Delete(ctx context.Context, keys []table.Key) error {
	if err := t.check(); err != nil {
		return err
	}
	return t.Table.Delete(ctx, keys)
}

func (t *fusedTable) Query(ctx context.Context, pk, prefix, start string, limit int) (table.Page, error) {
	if err := t.check(); err != nil {
		return table.Page{}, err
	}
	return t.Table.Query(ctx, pk, prefix, start, limit)
}

// maxLag is how late an item arrives at most while "replication/lag" is pulled:
// each at its own time, so that they overtake each other.
const maxLag = 20 * time.Second

// joint is the replication between the two tables.
type joint struct {
	mu        sync.Mutex // guards what follows
	store     *local.Store
	cut, late bool
}

// set gives the switches a store to work on.
func (j *joint) set(s *local.Store) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.store = s
}

func (j *joint) turn(change func(*joint)) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.store == nil {
		return errors.New("the tables are not open yet")
	}
	change(j)
	cut, late := j.cut, j.late
	j.store.SetPassage(func(local.Change) (p local.Passage) {
		if late {
			p.Lag = rand.N(maxLag)
		}
		p.Held = cut
		return p
	})
	return nil
}

// jointSwitch is one switch of it.
type jointSwitch struct {
	joint *joint
	set   func(j *joint, off bool)
}

func (s jointSwitch) plug(context.Context) error {
	return s.joint.turn(func(j *joint) { s.set(j, false) })
}

func (s jointSwitch) unplug(context.Context) error {
	return s.joint.turn(func(j *joint) { s.set(j, true) })
}
