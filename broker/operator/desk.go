package operator

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	// DefaultRefreshEvery is how late a setting of the other region is known
	// here, the table's own delay apart: one small query each. Until then the
	// regions may differ about a store's home or a silence.
	DefaultRefreshEvery = 3 * time.Second
	// DefaultReadAllEvery finds what a head did not say, because one of two
	// writes failed.
	DefaultReadAllEvery = time.Hour
	// DefaultTableTimeout bounds one call of the table.
	DefaultTableTimeout = 5 * time.Second
	// DefaultAuditFor is how long the audit is kept.
	DefaultAuditFor = 400 * 24 * time.Hour
)

// Errors of a Desk, wrapped.
var (
	// ErrElsewhere is a change that is made in another region.
	ErrElsewhere = errors.New("another region writes this")
	// ErrInvalid is a change that can never succeed, with its words.
	ErrInvalid = errors.New("invalid setting")
	// ErrNotFound is a setting that nobody made.
	ErrNotFound = errors.New("no such setting")
	// ErrConflict is a setting that somebody else changed meanwhile.
	ErrConflict = errors.New("changed meanwhile: look again, then repeat")
	// ErrUnavailable is a table that does not answer; a retry helps.
	ErrUnavailable = errors.New("the table does not answer")
)

// Options are what a Desk is made of.
type Options struct {
	// Region is the head of the sort keys that this node writes.
	Region beat.Region
	// SettingsRegion is where stores and pins are written.
	SettingsRegion beat.Region
	// Regions are all, which a pin may name.
	Regions []beat.Region
	Table   table.Table

	RefreshEvery, ReadAllEvery, TableTimeout, AuditFor time.Duration

	// OnFleet takes each new snapshot, and the stores of which it says something
	// else than the one before; all says that any store may be among them. It
	// is called by one goroutine at a time, and returns soon.
	OnFleet func(f *setting.Fleet, changed []beat.StoreID, all bool)
	Logger  *slog.Logger
	Metrics *Metrics
	// Now is the wall clock; nil is time.Now.
	Now func() time.Time
}

// DefaultOptions lack the regions and the table.
func DefaultOptions() Options {
	return Options{
		RefreshEvery: DefaultRefreshEvery, ReadAllEvery: DefaultReadAllEvery, TableTimeout: DefaultTableTimeout, AuditFor: DefaultAuditFor,
	}
}

// Desk takes what operators say, and knows what they said. Its methods may be
// called from any goroutine.
type Desk struct {
	o   Options
	log *slog.Logger
	m   *Metrics

	fleet atomic.Pointer[setting.Fleet]

	// work is held by one reading or change of the table at a time, and guards
	// what follows but for what the other locks guard. A change may write
	// several items at once.
	work    sync.Mutex
	heads   map[beat.Region]head
	readAll time.Time
	told    *setting.Fleet
	// ids makes ulids of one millisecond rise too.
	ids *ulid.MonotonicEntropy

	// writing guards compiler and again among the writers of one change; who
	// holds work and has none needs it not.
	writing  sync.Mutex
	compiler *setting.Compiler
	again    [table.Buckets]again

	mu    sync.RWMutex // guards known
	known [table.Buckets]map[owned]kept
}

// owned names one region's document.
type owned struct {
	region beat.Region
	setting.Key
}

// kept is one region's document in memory. A declaration's text is there once,
// as it was written.
type kept struct {
	setting.Setting
	declared []byte
}

// New checks the options; the desk knows nothing before Load.
func New(o Options) (*Desk, error) {
	for _, r := range []beat.Region{o.Region, o.SettingsRegion} {
		if _, err := beat.ParseRegion(string(r)); err != nil {
			return nil, fmt.Errorf("operator: %w", err)
		}
	}
	if o.Table == nil || o.RefreshEvery <= 0 || o.ReadAllEvery <= 0 || o.TableTimeout <= 0 || o.AuditFor <= 0 {
		return nil, errors.New("operator: a table, and times above 0")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.OnFleet == nil {
		o.OnFleet = func(*setting.Fleet, []beat.StoreID, bool) {}
	}
	return &Desk{
		o: o, log: o.Logger, m: o.Metrics, compiler: setting.NewCompiler(), heads: map[beat.Region]head{},
		ids: ulid.Monotonic(crand.Reader, 0),
	}, nil
}

// Fleet is the newest snapshot; nil before Load.
func (d *Desk) Fleet() *setting.Fleet { return d.fleet.Load() }

// Run refreshes until ctx ends. While the table does not answer, what is known
// stays.
func (d *Desk) Run(ctx context.Context) error {
	timer := time.NewTimer(d.pause())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if err := d.Refresh(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("operators' settings not refreshed", "err", err)
		}
		timer.Reset(d.pause())
	}
}

// pause spreads the nodes over a fifth of RefreshEvery.
func (d *Desk) pause() time.Duration {
	fifth := d.o.RefreshEvery / 5
	return d.o.RefreshEvery - fifth/2 + rand.N(fifth+1) //nolint:gosec // it only spreads
}

// publish makes a snapshot of what is known. d.work is held.
func (d *Desk) publish() {
	var items []setting.Item
	d.mu.RLock()
	for b := range d.known {
		for who, k := range d.known[b] {
			items = append(items, setting.Item{Region: who.region, Setting: k.Setting})
		}
	}
	d.mu.RUnlock()
	f := setting.Join(items)
	d.fleet.Store(f)
	d.m.Stores.Set(float64(f.Len()))
	changed, all := setting.Changed(d.told, f)
	d.told = f
	d.o.OnFleet(f, changed, all)
}

// latest is the document of a setting that counts; false: there is none.
func (d *Desk) latest(key setting.Key) (setting.Item, []byte, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var best setting.Item
	var text []byte
	found := false
	for who, k := range d.known[table.Bucket(key.ID)] {
		it := setting.Item{Region: who.region, Setting: k.Setting}
		if who.Key == key && (!found || it.Later(&best)) {
			best, text, found = it, k.declared, true
		}
	}
	return best, text, found
}
