package broker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/gate"
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/broker/peer"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/table"
)

const (
	// maxCalls bounds the calls about notices that are under way at once; what
	// waits for a slot is bounded by what there is to tell.
	maxCalls = 64
	// maxAsks bounds presence's questions. They have slots of their own: a table
	// that hangs must not make the other region look silent.
	maxAsks = 8
)

// effects does what the core's steps want done. Its methods presence and
// incident are called under the core's lock: they queue, and never wait.
type effects struct {
	o       *Options
	log     *slog.Logger
	metrics *metrics
	core    *core
	gate    *gate.Gate
	peer    *peer.Client // nil: there is no other region
	sender  *notice.Sender
	records *records
	saver   *saver
	history *historian

	// reply and replyTold take the answer of the step that is under way.
	reply     func(presence.Out)
	replyTold func(*incident.Reply)

	calls, asks chan struct{} // one slot for each call under way
	wg          sync.WaitGroup

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

// presence queues one of presence's outs.
func (e *effects) presence(o presence.Out) {
	switch o := o.(type) {
	case *presence.Ask:
		e.call(e.asks, func(ctx context.Context) { e.ask(ctx, o) })
	case *presence.Reply:
		if e.reply != nil {
			e.reply(o)
		}
	case *presence.Tell:
		if e.peer != nil {
			e.peer.Tell(o.News)
		}
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
		e.saver.save(e.records.store(o.Item))
	}
}

// incident queues one of the book's outs.
func (e *effects) incident(o incident.Out) {
	switch o := o.(type) {
	case *incident.Write:
		e.call(e.calls, func(ctx context.Context) {
			e.core.tell(&incident.Wrote{Op: o.Op, Result: result(e.records.writeNotice(ctx, o.Notice))})
		})
	case *incident.Publish:
		err := e.sender.Send(notice.Order{Op: o.Op, Channel: o.Channel, Notice: o.Notice})
		if err != nil {
			e.call(e.calls, func(context.Context) { e.published(notice.Result{Op: o.Op, Channel: o.Channel, Err: err}) })
		}
	case *incident.Ask:
		e.call(e.calls, func(ctx context.Context) { e.askTold(ctx, o) })
	case *incident.ReadMarks:
		e.call(e.calls, func(ctx context.Context) {
			sent, err := e.records.marks(ctx, o.Items, e.core.clock().Wall)
			e.core.tell(&incident.MarksRead{ID: o.ID, Sent: sent, Failed: err != nil})
		})
	case *incident.Reply:
		if e.replyTold != nil {
			e.replyTold(o)
		}
	case *incident.Forward:
		if e.peer != nil {
			e.peer.Forward(o.Verdicts)
		}
	case *incident.Save:
		e.saver.save(e.records.incident(o.Incident))
	}
}

func (e *effects) ask(ctx context.Context, o *presence.Ask) {
	if e.peer != nil {
		ctx, cancel := context.WithTimeout(ctx, e.o.AskTimeout)
		defer cancel()
		if answer, err := e.peer.Ask(ctx, o.Question); err == nil {
			e.core.do(&presence.Answered{ID: o.ID, Answer: answer})
			return
		}
	}
	e.core.do(&presence.Unanswered{ID: o.ID})
}

func (e *effects) askTold(ctx context.Context, o *incident.Ask) {
	if e.peer != nil {
		ctx, cancel := context.WithTimeout(ctx, e.o.AskTimeout)
		defer cancel()
		if answer, err := e.peer.Told(ctx, o.Question); err == nil {
			e.core.tell(&incident.Answered{ID: o.ID, Answer: answer})
			return
		}
	}
	e.core.tell(&incident.Unanswered{ID: o.ID})
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
	e.core.tell(p)
}

// result is what the book makes of a table's error.
func result(err error) incident.Result {
	switch {
	case err == nil:
		return incident.Done
	case errors.Is(err, table.ErrConflict):
		return incident.Refused
	case errors.Is(err, table.ErrUnavailable), errors.Is(err, table.ErrInvalid):
		return incident.Failed
	default:
		return incident.Uncertain
	}
}
