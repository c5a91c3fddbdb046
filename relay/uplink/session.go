package uplink

import (
	"context"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/wan"
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
// its link's goroutine. What leaves when, wan.Session decides.
type session struct {
	*wan.Session
	link  *link
	group *Group
	wire  wire
	// outcome yields when the report on its way is acknowledged, or never will
	// be; nil if there is none.
	outcome <-chan error
	sentAt  time.Time
}

// serve reports until the session ends. It closes the wire.
func (s *session) serve(ctx context.Context) ending {
	defer s.wire.close(false)
	s.link.dirty.Store(false) // the birth has the newest picture
	s.dispatch(beat.Birth)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := s.group.now()
		if end := s.act(now); end != going {
			return end
		}
		timer.Reset(max(0, s.deadline()-now))
		select {
		case <-ctx.Done():
			s.bye()
			return parted
		case <-s.wire.done():
			return s.over()
		case err := <-s.outcome:
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

// act does what is due now.
func (s *session) act(now time.Duration) ending {
	if s.group.journal.Incarnation() != s.Incarnation {
		s.wire.close(true)
		return reborn
	}
	if s.link.dirty.Swap(false) {
		s.Changed(now)
	}
	if s.Overdue(now) {
		s.wire.close(false) // the link is dead: nobody would hear a farewell
		return unacked
	}
	if s.Due(now, func() bool { return s.group.courier.due(s.link, now) }) {
		s.dispatch(beat.Steady)
	}
	return going
}

// deadline is when act has to look again.
func (s *session) deadline() time.Duration {
	next := s.Next()
	if at, ok := s.group.courier.next(); ok && s.Gathers() {
		next = min(next, at)
	}
	return next
}

// pubacked takes the PUBACK of the report on its way.
func (s *session) pubacked() {
	s.outcome = nil
	s.link.pubacked(s.sentAt)
	if _, entries := s.Pubacked(); entries > 0 {
		s.link.limit.Taken()
	}
}

// over is the end of a connection that this side did not want. It may be the
// region's only way to refuse entries that wait for their PUBACK.
func (s *session) over() ending {
	entries := s.Refused(s.group.now())
	if entries == 0 {
		return lost
	}
	s.group.metrics.refused.WithLabelValues(string(s.link.region.Region)).Inc()
	if s.link.limit.Refused(entries) {
		s.silence()
	}
	return lost
}

// silence keeps the journal from a region that refuses it.
func (s *session) silence() {
	s.link.limit = wan.Limiter{}
	s.link.log.Warn("the region closes on reports with journal entries: it gets none for a while", "for", wan.Silence)
	s.group.courier.block(s.link, s.group.now()+wan.Silence)
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
	birth := s.Births(a)
	s.group.acked(s.link, a, birth)
	if birth && a.Incarnation == s.Incarnation {
		s.Opened()
		s.link.up(s.Epoch)
	}
}

// obey does what a region orders.
func (s *session) obey(c beat.Command) ending {
	switch c.Order {
	case beat.Rebirth:
		if !s.Obeys(c) {
			return going // it was for a connection before this one
		}
		s.link.log.Info("the region orders a rebirth", "above", uint64(c.Exceed), "epoch", uint64(s.Epoch))
		s.link.exceed = max(s.link.exceed, c.Exceed)
		s.group.heardEpoch(s.link, c.Exceed)
		s.wire.close(true)
		return reborn
	case beat.SendPicture:
		s.Ask()
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
	if s.outcome == nil {
		return true
	}
	select {
	case err := <-s.outcome:
		s.outcome = nil
		s.Pubacked()
		return err == nil
	case <-timeout:
		return false
	case <-s.wire.done():
		return false
	}
}
