package broker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/gate"
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/lease"
	"github.com/hb-mesh/hb-mesh/broker/node"
	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/broker/peer"
	"github.com/hb-mesh/hb-mesh/broker/peer/link"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/record"
	"github.com/hb-mesh/hb-mesh/broker/table"
)

const (
	// maxCalls bounds the calls about notices that are under way at once; what
	// waits for a slot is bounded by what there is to tell.
	maxCalls = 64
	// maxAsks bounds presence's questions. They have slots of their own: a table
	// that hangs must not make the other region look silent.
	maxAsks = 8
	// maxMail bounds letters that are written and read.
	maxMail = 4
	// maxLease bounds calls about the lease: nothing may hold them back.
	maxLease = 4
)

// effects does what the node's steps want done. do is called under the core's
// lock: it queues, and never waits.
type effects struct {
	o       *Options
	log     *slog.Logger
	metrics *metrics
	core    *core
	gate    *gate.Gate
	peer    *peer.Client // nil: there is no other region
	nodes   *peer.Client // calls nodes of this region; nil: there is no secret
	// load reads what the table remembers, and tells the core.
	load    func(ctx context.Context, term int64)
	sender  *notice.Sender
	records *records
	saver   *saver
	history *historian

	// One slot for each call under way, of each sort.
	calls, asks, mail, lease chan struct{}
	wg                       sync.WaitGroup

	mu  sync.Mutex      // guards ctx
	ctx context.Context //nolint:containedctx // the life of Run, for what it starts
}

// begin lets calls start; they end with ctx.
func (e *effects) begin(ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ctx = ctx
}

// call runs f beside the core, in one of slots. It is given up silently when
// the node has stopped: what it would have told is told after the next start.
func (e *effects) call(slots chan struct{}, f func(ctx context.Context)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx == nil || e.ctx.Err() != nil {
		return
	}
	ctx := e.ctx
	e.metrics.calls.Inc()
	e.wg.Go(func() {
		defer e.metrics.calls.Dec()
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			f(ctx)
		case <-ctx.Done():
		}
	})
}

// drain waits for the calls under way, at most for d.
func (e *effects) drain(d time.Duration) {
	done := make(chan struct{})
	go func() {
		e.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(d):
	}
}

// do queues one of the node's commands.
func (e *effects) do(o node.Out) {
	switch o := o.(type) {
	case presence.Out:
		e.presence(o)
	case incident.Out:
		e.incident(o)
	case lease.Out:
		e.leased(o)
	case link.Out:
		e.linked(o)
	case *node.Load:
		e.records.term.Store(o.Term)
		e.call(e.calls, func(ctx context.Context) { e.load(ctx, o.Term) })
	}
}

// presence queues one of presence's outs.
func (e *effects) presence(o presence.Out) {
	switch o := o.(type) {
	case *presence.Rebirth:
		e.metrics.rebirths.Inc()
		e.send(o.Conn, o.ID.CommandTopic(), rebirth(o.Exceed))
	case *presence.Acked:
		e.send(o.Conn, o.ID.AckTopic(), o.Ack.Encode())
	case *presence.Command:
		e.send(o.Conn, o.ID.CommandTopic(), o.Command.Encode())
	case *presence.Close:
		e.call(e.calls, func(context.Context) { e.gate.Close(o.Conn, o.Reason.String()) })
	case *presence.Journal:
		e.history.take(o)
	case *presence.Save:
		e.saver.save(saving{item: record.Store(o.Item), gone: o.Item.Gone})
	}
}

// incident queues one of the book's outs.
func (e *effects) incident(o incident.Out) {
	switch o := o.(type) {
	case *incident.Write:
		e.call(e.calls, func(ctx context.Context) {
			e.core.do(&incident.Wrote{Op: o.Op, Result: result(e.records.writeNotice(ctx, o.Notice))})
		})
	case *incident.Publish:
		err := e.sender.Send(notice.Order{Op: o.Op, Channel: o.Channel, Notice: o.Notice, NotAfter: o.NotAfter})
		if err != nil {
			e.call(e.calls, func(context.Context) { e.published(notice.Result{Op: o.Op, Channel: o.Channel, Err: err}) })
		}
	case *incident.ReadMarks:
		e.call(e.calls, func(ctx context.Context) {
			known, err := e.records.marks(ctx, o.Items, e.core.clock().Wall)
			e.core.do(&incident.MarksRead{ID: o.ID, Known: known, Failed: err != nil})
		})
	case *incident.Save:
		e.saver.save(saving{item: record.Incident(e.records.region, o.Incident, e.records.keep)})
	}
}

// leased queues one of the lease's outs.
func (e *effects) leased(o lease.Out) {
	switch o := o.(type) {
	case *lease.Look:
		e.call(e.lease, func(ctx context.Context) {
			ours, theirs, err := e.records.leases(ctx)
			e.core.do(&lease.Read{Op: o.Op, Own: ours, Theirs: theirs, Failed: err != nil})
		})
	case *lease.Write:
		e.call(e.lease, func(ctx context.Context) {
			err := e.records.writeLease(ctx, o)
			if err != nil {
				e.log.Debug("lease not written", "term", o.Item.Term, "err", err)
			}
			e.core.do(&lease.Wrote{Op: o.Op, Result: leaseResult(err)})
		})
	case *lease.Call:
		e.call(e.lease, func(ctx context.Context) {
			ctx, cancel := context.WithTimeout(ctx, drainCall)
			defer cancel()
			if e.nodes != nil {
				if err := e.nodes.Drain(ctx, o.Address, o.Term); err != nil {
					e.log.Info("the node that held the lease does not answer", "address", o.Address, "err", err)
				}
			}
			e.core.do(&lease.Called{Op: o.Op})
		})
	}
}

// drainCall bounds the call to the node that held the lease: it is dead, or
// answers at once.
const drainCall = 2 * time.Second

// linked queues one of the link's outs.
func (e *effects) linked(o link.Out) {
	switch o := o.(type) {
	case *link.Call:
		e.call(e.asks, func(ctx context.Context) {
			ctx, cancel := context.WithTimeout(ctx, e.o.AskTimeout)
			defer cancel()
			a, err := e.peer.Call(ctx, o.Request)
			if err != nil {
				a = nil
			}
			e.core.do(&link.Called{ID: o.ID, Response: a})
		})
	case *link.Post:
		e.metrics.letters.WithLabelValues("posted").Inc()
		e.call(e.mail, func(ctx context.Context) {
			if err := e.records.post(ctx, &o.Mail, e.core.clock().Wall); err != nil {
				e.metrics.letters.WithLabelValues("unposted").Inc()
				e.log.Debug("letter not posted", "kind", string(o.Mail.Kind), "err", err)
			}
		})
	case *link.ReadMail:
		e.call(e.mail, func(ctx context.Context) {
			letters, err := e.records.letters(ctx)
			e.core.do(&link.MailRead{Op: o.Op, Letters: letters, Failed: err != nil})
		})
	case *link.Drop:
		e.call(e.mail, func(ctx context.Context) { e.records.drop(ctx, o.Names) })
	}
}

// send sends to a relay. What is lost is asked for again, by either side.
func (e *effects) send(conn presence.Conn, topic string, payload []byte) {
	if err := e.gate.Send(conn, topic, payload); err != nil {
		e.metrics.unsent.Inc()
		e.log.Debug("not sent to relay", "topic", topic, "err", err)
	}
}

// published takes a channel's result.
func (e *effects) published(r notice.Result) {
	p := &incident.Published{Op: r.Op, Result: incident.Failed}
	switch {
	case r.Err == nil:
		p.Result = incident.Done
	case r.Permanent():
		p.Result = incident.Refused
	case r.Unknown():
		p.Result = incident.Uncertain
	}
	e.core.do(p)
}

// result is what the book makes of a table's error.
func result(err error) incident.Result {
	return outcome(err, incident.Done, incident.Refused, incident.Failed, incident.Uncertain)
}

// leaseResult is what the lease makes of a table's error.
func leaseResult(err error) lease.Result {
	return outcome(err, lease.Done, lease.Refused, lease.Failed, lease.Uncertain)
}

// outcome is what is known of a write by its error: what timed out may have
// been done.
func outcome[R any](err error, done, refused, failed, uncertain R) R {
	switch {
	case err == nil:
		return done
	case errors.Is(err, table.ErrConflict):
		return refused
	case errors.Is(err, table.ErrUnavailable), errors.Is(err, table.ErrInvalid):
		return failed
	default:
		return uncertain
	}
}
