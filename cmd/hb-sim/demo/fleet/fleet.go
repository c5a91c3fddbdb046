package fleet

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// dialing is how many connections to one region are opened at once.
const dialing = 64

// uptime is for how long the machines of the relays were on when the fleet was
// made: their hosts' last beats came while they were.
const uptime = time.Hour

// Fleet is many stores. Make it with New, start it with Start.
type Fleet struct {
	o      Options
	stores []*store
	began  time.Time
	hosts  []beat.HostID // of every store, in the order of their ids
	doors  []chan struct{}
	open   atomic.Int64 // sessions whose birth is acked
}

// New makes the stores; it starts nothing.
func New(o Options) (*Fleet, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	f := &Fleet{o: o, began: time.Now().Add(-uptime), hosts: hostNames(o.Hosts)}
	for range o.Regions {
		f.doors = append(f.doors, make(chan struct{}, dialing))
	}
	for i := range o.Stores {
		f.stores = append(f.stores, newStore(f, i))
	}
	return f, nil
}

// Name is the id of store i.
func Name(i int) beat.StoreID { return beat.StoreID(fmt.Sprintf("s%05d", i+1)) }

// Open is how many sessions are open, of Stores × Regions.
func (f *Fleet) Open() (open, of int) { return int(f.open.Load()), f.o.Stores * len(f.o.Regions) }

// Start starts all stores and waits until each has a session in each region.
// Progress is told how many have, now and then; it may be nil.
func (f *Fleet) Start(ctx context.Context, progress func(open, of int)) error {
	const every = 2 * time.Second
	f.Revive(f.o.Stores)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for told := time.Now(); ; {
		open, of := f.Open()
		if open >= of {
			return nil
		}
		if progress != nil && time.Since(told) >= every {
			told = time.Now()
			progress(open, of)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("start of the stores: %d of %d sessions are open: %w", open, of, ctx.Err())
		case <-tick.C:
		}
	}
}

// Kill cuts the power of the first k stores, all at once.
func (f *Fleet) Kill(k int) {
	dying := f.stores[:min(k, len(f.stores))]
	for _, s := range dying {
		s.kill()
	}
	for _, s := range dying {
		s.wait()
	}
}

// Revive gives the first k stores their power back.
func (f *Fleet) Revive(k int) {
	for _, s := range f.stores[:min(k, len(f.stores))] {
		s.start()
	}
}

// Alive says whether the first k stores all have power.
func (f *Fleet) Alive(k int) bool {
	for _, s := range f.stores[:min(k, len(f.stores))] {
		if !s.alive() {
			return false
		}
	}
	return true
}

// Close lets all relays say goodbye until ctx ends, and then cuts their power.
func (f *Fleet) Close(ctx context.Context) {
	var all sync.WaitGroup
	done := make(chan struct{})
	for _, s := range f.stores {
		all.Add(1)
		s.leave(all.Done)
	}
	go func() {
		defer close(done)
		all.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	f.Kill(f.o.Stores)
	<-done
}
