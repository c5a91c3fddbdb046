package uplink

import (
	"context"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// ending is why a session ended.
type ending uint8

const (
	going   ending = iota // it has not ended
	failed                // no connection came about
	lost                  // the region or the network closed it
	unacked               // a report had no PUBACK in time
	reborn                // the region ordered a rebirth, or the incarnation is a new one
	parted                // the relay stops: bye was said
)

func (e ending) String() string {
	return [...]string{"open", "no connection", "closed by the region or the network", "no acknowledgement in time", "rebirth", "bye"}[e]
}

// session is one connection's life, from its birth to its end. It belongs to
// its link's goroutine.
type session struct {
	link        *link
	group       *Group
	wire        wire
	incarnation beat.Incarnation
	epoch       beat.Epoch
	seq         beat.Seq

	// acked says that the region acked the birth.
	acked bool
	// waiting is the report that has no PUBACK yet: while there is one, changes
	// gather in the picture, and the newest leaves next.
	waiting *dispatch

	dirtySince time.Time // zero: no change waits
	asked      bool      // the region wants the whole picture
	sent       time.Time // the last report
	pictured   time.Time // the last whole picture
	hash       uint64    // of the picture that the region has; 0 is none
}

// dispatch is a report on its way.
type dispatch struct {
	done    <-chan error
	sent    time.Time
	whole   bool
	hash    uint64
	entries int // bytes of them
}

// serve reports until the session ends. It closes the wire.
func (s *session) serve(ctx context.Context) ending {
	defer s.wire.close(false)
	s.link.dirty.Store(false) // the birth has the newest picture
	s.dispatch(beat.Birth)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		if end := s.act(now); end != going {
			return end
		}
		timer.Reset(max(0, s.deadline().Sub(now)))
		select {
		case <-ctx.Done():
			s.bye()
			return parted
		case <-s.wire.done():
			return s.over()
		case err := <-s.outcome():
			if err != nil {
				return s.over()
			}
			s.pubacked()
		case m := <-s.wire.inbox():
			if end := s.receive(m); end != going {
				return end
			}
		case <-s.link.woken:
		case <-timer.C:
		}
	}
}

// outcome yields when the waiting report is acknowledged, or never will be.
func (s *session) outcome() <-chan error {
	if s.waiting == nil {
		return nil
	}
	return s.waiting.done
}

// act does what is due now.
func (s *session) act(now time.Time) ending {
	if s.group.journal.Incarnation() != s.incarnation {
		s.wire.close(true)
		return reborn
	}
	if s.link.dirty.Swap(false) && s.dirtySince.IsZero() {
		s.dirtySince = now
	}
	if s.waiting != nil {
		if now.Sub(s.waiting.sent) < s.group.options.AckTimeout {
			return going
		}
		s.wire.close(false) // the link is dead: nobody would hear a farewell
		return unacked
	}
	if s.due(now) {
		s.dispatch(beat.Steady)
	}
	return going
}

// due says whether a report should leave now.
func (s *session) due(now time.Time) bool {
	o := s.group.options
	switch {
	case s.asked, now.Sub(s.sent) >= o.ReportEvery:
		return true
	case !s.dirtySince.IsZero():
		return now.Sub(s.dirtySince) >= o.Coalesce // the journal's entries share that report
	default:
		return s.acked && s.group.courier.due(s.link, now)
	}
}

// deadline is when act has to look again.
func (s *session) deadline() time.Time {
	o := s.group.options
	if s.waiting != nil {
		return s.waiting.sent.Add(o.AckTimeout)
	}
	next := s.sent.Add(o.ReportEvery)
	if !s.dirtySince.IsZero() {
		next = earlier(next, s.dirtySince.Add(o.Coalesce))
	}
	if at, ok := s.group.courier.next(); ok {
		next = earlier(next, at)
	}
	return next
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// pubacked takes the PUBACK of the waiting report.
func (s *session) pubacked() {
	d := s.waiting
	s.waiting = nil
	s.link.pubacked(d.sent)
	if d.whole {
		s.hash = d.hash
	}
	if d.entries > 0 {
		s.link.limit.taken()
	}
}

// over is the end of a connection that this side did not want. One that comes
// while entries wait for their PUBACK may be the region's only way to refuse
// them.
func (s *session) over() ending {
	if s.waiting == nil || s.waiting.entries == 0 {
		return lost
	}
	s.group.metrics.refused.WithLabelValues(string(s.link.region.Region)).Inc()
	if s.link.limit.refused(s.waiting.entries) {
		s.silence()
	}
	return lost
}

// silence keeps the journal from a region that refuses it.
func (s *session) silence() {
	s.link.limit = limiter{}
	s.link.log.Warn("the region closes on reports with journal entries: it gets none for a while", "for", silence)
	s.group.courier.block(s.link, time.Now().Add(silence))
}

// receive takes what the region sent down.
func (s *session) receive(m message) ending {
	switch id := s.group.options.Identity; m.topic {
	case id.AckTopic():
		if a, err := beat.DecodeAck(m.payload); err == nil {
			s.ack(a)
			return going
		}
	case id.CommandTopic():
		if c, err := beat.DecodeCommand(m.payload); err == nil {
			return s.obey(c)
		}
	}
	s.group.metrics.unreadable.WithLabelValues(string(s.link.region.Region)).Inc()
	return going
}

// ack takes a region's ack. Any of this incarnation frees entries; the first
// of this epoch opens the session.
func (s *session) ack(a beat.Ack) {
	birth := a.Epoch == s.epoch && !s.acked
	s.group.acked(s.link, a, birth)
	if birth && a.Incarnation == s.incarnation {
		s.acked = true
		s.link.up(s.epoch)
	}
}

// obey does what a region orders.
func (s *session) obey(c beat.Command) ending {
	switch c.Order {
	case beat.Rebirth:
		if c.Exceed < s.epoch {
			return going // it was for a connection before this one
		}
		s.link.log.Info("the region orders a rebirth", "above", uint64(c.Exceed), "epoch", uint64(s.epoch))
		s.link.exceed = max(s.link.exceed, c.Exceed)
		s.group.heardEpoch(s.link, c.Exceed)
		s.wire.close(true)
		return reborn
	case beat.SendPicture:
		s.asked = true
	case beat.Forget:
		s.group.relay.Forget(c.Host)
	default:
		s.group.metrics.unreadable.WithLabelValues(string(s.link.region.Region)).Inc()
	}
	return going
}

// bye says that the relay stops on purpose, and waits for the PUBACK, both
// within ByeTimeout. A report that is on its way is waited for first: a region
// takes reports in their order.
func (s *session) bye() {
	timeout := time.After(s.group.options.ByeTimeout)
	if !s.settle(timeout) {
		return
	}
	s.dispatch(beat.Goodbye)
	if s.settle(timeout) {
		s.wire.close(true)
	}
}

// settle waits for the PUBACK of what is on its way.
func (s *session) settle(timeout <-chan time.Time) bool {
	if s.waiting == nil {
		return true
	}
	select {
	case err := <-s.waiting.done:
		s.waiting = nil
		return err == nil
	case <-timeout:
		return false
	case <-s.wire.done():
		return false
	}
}
