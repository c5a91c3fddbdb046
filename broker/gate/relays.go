package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/credential"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/guard"
)

// session is one connection of a relay that has authenticated.
type session struct {
	conn  presence.Conn
	id    beat.Identity
	key   string // the credential's id
	since time.Time

	reportTopic string
	downPrefix  string

	// death names the session: from the will, else from the first report. Only
	// the connection's own goroutine reads and writes it.
	death beat.Death
	// report is decoded into again and again.
	report beat.Report

	born atomic.Bool // a birth was handed to the core

	leaving bool // sweep has disconnected it; guarded by Gate.mu
}

func (s *session) named() bool { return s.death.Epoch != 0 }

// relays is the gate as the guard's handler.
type relays struct{ g *Gate }

var _ guard.Handler = relays{}

func (g *Gate) handler() guard.Handler { return relays{g} }

// loginTimeout bounds a login that reads the table, within ConnectTimeout.
const loginTimeout = 3 * time.Second

// Connect authenticates first: who cannot log in learns nothing else.
func (h relays) Connect(c *guard.Client) error {
	s, result, err := h.g.admit(c)
	h.g.m.Logins.WithLabelValues(result).Inc()
	if err != nil {
		return err // the guard logs it
	}
	c.Data = s
	h.g.mu.Lock()
	h.g.sessions[s.conn] = s
	h.g.m.Sessions.Set(float64(len(h.g.sessions)))
	h.g.mu.Unlock()
	return nil
}

// admit judges a CONNECT; result is its label in the metrics.
func (g *Gate) admit(c *guard.Client) (s *session, result string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), loginTimeout)
	defer cancel()
	login, err := g.keys.Login(ctx, c.User, c.Password)
	switch {
	case errors.Is(err, credential.ErrForbidden):
		return nil, "failed", fmt.Errorf("%w: %w", guard.ErrBadCredentials, err)
	case err != nil:
		return nil, "unavailable", fmt.Errorf("%w: %w", guard.ErrUnavailable, err)
	}
	s = &session{
		conn: presence.Conn(c.ID), id: login.ID, key: login.Key, since: time.Now(),
		reportTopic: login.ID.ReportTopic(), downPrefix: strings.TrimSuffix(login.ID.DownFilter(), "#"),
	}
	if c.ClientID != login.ID.String() {
		return nil, "refused", fmt.Errorf("%w: the client id is not the user name", guard.ErrNotAuthorized)
	}
	if c.Will == nil {
		return s, "ok", nil
	}
	if s.death, err = checkWill(login.ID, c.Will); err != nil {
		return nil, "refused", fmt.Errorf("%w: %w", guard.ErrNotAuthorized, err)
	}
	if err := g.core.Admit(s.id, s.death); err != nil {
		return nil, "refused", fmt.Errorf("%w: %w", guard.ErrUnavailable, err) // it is who it says: no failed login
	}
	return s, "ok", nil
}

// checkWill reads a relay's Last-Will.
func checkWill(id beat.Identity, w *guard.Will) (beat.Death, error) {
	switch {
	case w.Topic != id.DeathTopic():
		return beat.Death{}, errors.New("the will is not on the relay's own death topic")
	case w.QoS != 1 || w.Retain:
		return beat.Death{}, errors.New("the will must have QoS 1 and not be retained")
	}
	d, err := beat.DecodeDeath(w.Payload)
	if err != nil {
		return beat.Death{}, fmt.Errorf("the will: %w", err)
	}
	return d, nil
}

// Established has nothing to do: a session opens at its birth.
func (relays) Established(*guard.Client) {}

// Publish hands a report to the core. It allocates for what the envelope holds,
// and for nothing else.
func (h relays) Publish(c *guard.Client, m guard.Message) guard.Verdict {
	s, ok := c.Data.(*session)
	if !ok {
		return guard.Close
	}
	switch {
	case m.Topic != s.reportTopic:
		return h.g.refuse(s, "topic", nil)
	case m.Retain:
		h.g.m.Refused.WithLabelValues("retained").Inc()
		return guard.Ignore
	case len(m.Payload) > beat.MaxReport:
		return h.g.refuse(s, "size", nil)
	}
	r := &s.report
	if err := beat.DecodeReport(m.Payload, r); err != nil {
		return h.g.refuse(s, "envelope", err)
	}
	if r.Store != s.id.Store || r.Relay != s.id.Relay {
		return h.g.refuse(s, "names", nil)
	}
	if !s.named() {
		d := beat.Death{V: r.V, Incarnation: r.Incarnation, Boot: r.Boot, Epoch: r.Epoch}
		if err := h.g.core.Admit(s.id, d); err != nil {
			return h.g.refuse(s, "admission", err)
		}
		s.death = d
	}
	if d := &s.death; r.Epoch != d.Epoch || r.Boot != d.Boot || r.Incarnation != d.Incarnation {
		return h.g.refuse(s, "session", nil)
	}
	h.g.count(s, r.Kind)
	h.g.core.Report(s.conn, r)
	return guard.Accept
}

func (g *Gate) count(s *session, k beat.Kind) {
	switch k {
	case beat.Birth:
		g.m.births.Inc()
		s.born.Store(true)
	case beat.Goodbye:
		g.m.byes.Inc()
	default:
		g.m.steady.Inc()
	}
}

// refuse ends a connection that did what it may not: without a PUBACK, so the
// relay knows.
func (g *Gate) refuse(s *session, reason string, err error) guard.Verdict {
	g.m.Refused.WithLabelValues(reason).Inc()
	g.sparse.Log(slog.LevelWarn, "relay's message refused, connection closed", "relay", s.id, "reason", reason, "err", err)
	return guard.Close
}

// Subscribe allows what is below the relay's own down/, and nothing else.
func (h relays) Subscribe(c *guard.Client, filter string) bool {
	s, ok := c.Data.(*session)
	if ok && strings.HasPrefix(filter, s.downPrefix) {
		return true
	}
	h.g.m.Refused.WithLabelValues("subscribe").Inc()
	return false
}

// Ended tells the core, unless it never heard of the connection, or the door
// itself closed.
func (h relays) Ended(c *guard.Client, e guard.End) {
	s, ok := c.Data.(*session)
	if !ok {
		return
	}
	h.g.mu.Lock()
	delete(h.g.sessions, s.conn)
	h.g.m.Sessions.Set(float64(len(h.g.sessions)))
	h.g.mu.Unlock()
	h.g.log.Debug("relay disconnected", "relay", s.id, "cause", e.Cause, "detail", e.Detail)
	if s.named() && e.Cause != guard.DoorClosed {
		h.g.core.Ended(s.conn, s.id, s.death)
	}
}

// Send sends a message to a relay with QoS 1, and never waits: its errors are
// guard's (gone, not subscribed, slow). What is lost is asked for again.
func (g *Gate) Send(conn presence.Conn, topic string, payload []byte) error {
	return g.door.Send(uint64(conn), topic, payload, 1)
}

// Close ends a relay's connection; its Ended follows. One that is gone is no
// error.
func (g *Gate) Close(conn presence.Conn, why string) { g.door.Disconnect(uint64(conn), why) }

// RunMQTT serves relays until ctx ends, and returns when every connection has
// ended. Listen comes before.
func (g *Gate) RunMQTT(ctx context.Context) error {
	switch {
	case g.mqttAddr == nil:
		return errors.New("gate: RunMQTT before Listen")
	case g.mqtt == nil: // it was shut
		l, err := g.bind(mqttDoor, g.mqttAddr.String())
		if err != nil {
			return err
		}
		g.mqtt = l
	}
	ctx, cancel := context.WithCancel(ctx)
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		g.sweep(ctx)
	}()
	err := g.door.Serve(ctx, g.secured(mqttDoor, g.mqtt))
	cancel()
	<-swept
	if err != nil {
		return fmt.Errorf("%s door: %w", mqttDoor, err)
	}
	return nil
}

// sweep ends sessions that are not born in time, and those whose key was
// revoked.
func (g *Gate) sweep(ctx context.Context) {
	tick := time.NewTicker(min(time.Second, g.o.BirthWithin/4))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for conn, reason := range g.overdue(now) {
				g.m.Refused.WithLabelValues(reason).Inc()
				g.log.Warn("relay disconnected", "conn", uint64(conn), "reason", reason)
				g.door.Disconnect(uint64(conn), reason)
			}
		}
	}
}

// overdue names each session once.
func (g *Gate) overdue(now time.Time) map[presence.Conn]string {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make(map[presence.Conn]string)
	for conn, s := range g.sessions {
		switch {
		case s.leaving:
			continue
		case !g.keys.Live(s.key):
			out[conn] = "revoked"
		case !s.born.Load() && now.Sub(s.since) >= g.o.BirthWithin:
			out[conn] = "unborn"
		default:
			continue
		}
		s.leaving = true
	}
	return out
}
