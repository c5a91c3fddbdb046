package demo

import (
	"context"
	"errors"
	"fmt"

	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/broker/table"
)

// errDead is what a killed process gets of whatever it still asks for.
var errDead = errors.New("the process was killed")

// tap is what one life of a region has of the table and the channels. A killed
// process writes nothing, not even while its goroutines end.
type tap struct {
	alive context.Context
	close context.CancelFunc
}

func newTap() *tap {
	alive, stop := context.WithCancel(context.Background())
	return &tap{alive: alive, close: stop}
}

// flow is ctx while the tap is open.
func (t *tap) flow(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(t.alive, func() { cancel(errDead) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

func (t *tap) dead() bool { return t.alive.Err() != nil }

// tappedTable is a region's client of the table.
type tappedTable struct {
	to  table.Table
	tap *tap
}

var _ table.Table = (*tappedTable)(nil)

// through does one call, unless the tap is closed.
func (t *tappedTable) through(ctx context.Context, do func(context.Context) error) error {
	if t.tap.dead() {
		return fmt.Errorf("%w: %w", table.ErrUnavailable, errDead)
	}
	ctx, done := t.tap.flow(ctx)
	defer done()
	return do(ctx)
}

func (t *tappedTable) Write(ctx context.Context, w table.Write) error {
	return t.through(ctx, func(ctx context.Context) error { return t.to.Write(ctx, w) })
}

func (t *tappedTable) Put(ctx context.Context, items []table.Item) error {
	return t.through(ctx, func(ctx context.Context) error { return t.to.Put(ctx, items) })
}

func (t *tappedTable) Delete(ctx context.Context, keys []table.Key) error {
	return t.through(ctx, func(ctx context.Context) error { return t.to.Delete(ctx, keys) })
}

func (t *tappedTable) Query(ctx context.Context, pk, prefix, start string, limit int) (page table.Page, err error) {
	err = t.through(ctx, func(ctx context.Context) error {
		page, err = t.to.Query(ctx, pk, prefix, start, limit)
		return err
	})
	return page, err
}

// tappedChannel is a region's way to one channel.
type tappedChannel struct {
	notice.Channel
	tap *tap
}

// Local says what the channel behind it says.
func (c *tappedChannel) Local() bool {
	l, ok := c.Channel.(interface{ Local() bool })
	return ok && l.Local()
}

// Publish is the channel's, until the tap closes.
func (c *tappedChannel) Publish(ctx context.Context, m notice.Message) error {
	if c.tap.dead() {
		return errDead
	}
	ctx, done := c.tap.flow(ctx)
	defer done()
	return c.Channel.Publish(ctx, m)
}
