package cloudtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
)

// Fault is what Faulty does to a call.
type Fault uint8

// The faults.
const (
	// None lets the call through.
	None Fault = iota
	// Unavailable refuses it at once; nothing is done.
	Unavailable
	// Throttle refuses every second call.
	Throttle
	// Slow delays it by Faulty.Delay, or until its context ends.
	Slow
	// Lost does it and loses the answer of a write: table.ErrUnknown. A query
	// is unavailable.
	Lost
	// LostBefore loses the request on the way: nothing is done, and a write's
	// outcome is table.ErrUnknown all the same. A query is unavailable.
	LostBefore
	// Cut swallows the call: nothing is done, and it ends with its context. A
	// write's outcome is table.ErrUnknown.
	Cut
)

var errInjected = errors.New("injected by the test")

// Faulty injects faults into the table that it wraps.
type Faulty struct {
	inner table.Table
	// Delay is how long Slow lasts; set it before use. Default 1 s.
	Delay time.Duration

	mu     sync.Mutex // guards what follows
	fault  Fault      // of every call
	next   []Fault    // of the next writing calls, before fault
	only   func(table.Key) bool
	odd    bool
	struck int
}

var _ table.Table = (*Faulty)(nil)

// NewFaulty wraps inner; at first it lets everything through.
func NewFaulty(inner table.Table) *Faulty { return &Faulty{inner: inner, Delay: time.Second} }

// Set makes every call from now on meet fault; None heals.
func (f *Faulty) Set(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
	if fault == None {
		f.next = nil
	}
}

// Next makes the next writing calls (Write, Put, Delete) meet these faults,
// one each and in this order, whatever Set says.
func (f *Faulty) Next(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = append(f.next, faults...)
}

// Only restricts faults to writes that touch a key for which hit is true, and
// to queries of a partition for which it is (the key's SK is then the
// prefix); nil lifts the restriction.
func (f *Faulty) Only(hit func(table.Key) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.only = hit
}

// Struck is how many calls met a fault.
func (f *Faulty) Struck() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.struck
}

func (f *Faulty) pick(write bool, keys ...table.Key) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.only != nil {
		hit := false
		for _, k := range keys {
			hit = hit || f.only(k)
		}
		if !hit {
			return None
		}
	}
	fault := f.fault
	if write && len(f.next) > 0 {
		fault, f.next = f.next[0], f.next[1:]
	}
	if fault == Throttle {
		if f.odd = !f.odd; !f.odd {
			return None
		}
	}
	if fault != None {
		f.struck++
	}
	return fault
}

// strike does the call under its fault.
func (f *Faulty) strike(ctx context.Context, fault Fault, write bool, call func() error) error {
	kind := table.ErrUnavailable
	if write {
		kind = table.ErrUnknown
	}
	switch fault {
	case Unavailable, Throttle:
		return fmt.Errorf("%w: %w", table.ErrUnavailable, errInjected)
	case LostBefore:
		return fmt.Errorf("%w: %w", kind, errInjected)
	case Lost:
		if err := call(); err != nil {
			return err
		}
		return fmt.Errorf("%w: %w", kind, errInjected)
	case Cut:
		<-ctx.Done()
		return fmt.Errorf("%w: %w: %w", kind, errInjected, ctx.Err())
	case Slow:
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w: %w", kind, errInjected, ctx.Err())
		case <-timer.C:
		}
	}
	return call()
}

// Write implements table.Table. A Lost write whose condition does not hold is
// lost too: its caller cannot know.
func (f *Faulty) Write(ctx context.Context, w table.Write) error {
	fault := f.pick(true, w.Item.Key)
	err := f.strike(ctx, fault, true, func() error { return f.inner.Write(ctx, w) })
	if fault == Lost && errors.Is(err, table.ErrConflict) {
		return fmt.Errorf("%w: %w", table.ErrUnknown, errInjected)
	}
	return err
}

// Put implements table.Table.
func (f *Faulty) Put(ctx context.Context, items []table.Item) error {
	keys := make([]table.Key, len(items))
	for i, it := range items {
		keys[i] = it.Key
	}
	return f.strike(ctx, f.pick(true, keys...), true, func() error { return f.inner.Put(ctx, items) })
}

// Query implements table.Table.
func (f *Faulty) Query(ctx context.Context, pk, prefix, start string, limit int) (page table.Page, err error) {
	fault := f.pick(false, table.Key{PK: pk, SK: prefix})
	err = f.strike(ctx, fault, false, func() (err error) {
		page, err = f.inner.Query(ctx, pk, prefix, start, limit)
		return err
	})
	if err != nil {
		return table.Page{}, err
	}
	return page, nil
}

// Delete implements table.Table.
func (f *Faulty) Delete(ctx context.Context, keys []table.Key) error {
	return f.strike(ctx, f.pick(true, keys...), true, func() error { return f.inner.Delete(ctx, keys) })
}
