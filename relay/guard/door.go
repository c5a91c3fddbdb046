package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
)

// Door is an MQTT server for one Handler.
type Door struct {
	opt     Options
	handler Handler
	log     *slog.Logger
	sparse  *Sparse // for what strangers cause
	metrics *Metrics
	verdict [Close + 1]interface{ Inc() }
	library *mqtt.Server
	lobby   *lobby
	logins  *Logins

	mu      sync.Mutex // guards what follows
	lastID  uint64
	all     map[*conn]*serving
	byID    map[uint64]*conn
	byName  map[string]*conn // by client id: who has it now
	closing bool
	open    sync.WaitGroup
}

// serving is one call of Serve.
type serving struct{ open sync.WaitGroup }

// New wires a door; it starts nothing. log and m may be nil.
func New(o Options, h Handler, log *slog.Logger, m *Metrics) (*Door, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	library, err := newLibrary()
	if err != nil {
		return nil, fmt.Errorf("guard: make the MQTT server: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if m == nil {
		m = NewMetrics(nil, "hbmesh")
	}
	d := &Door{
		opt: o, handler: h, log: log, sparse: NewSparse(log), metrics: m, library: library, lobby: newLobby(o, m), logins: o.Logins,
		all: make(map[*conn]*serving), byID: make(map[uint64]*conn), byName: make(map[string]*conn),
	}
	if d.logins == nil {
		d.logins = NewLogins(DefaultLoginsPerMinute, DefaultLoginDelay)
	}
	for v := Accept; v <= Close; v++ {
		d.verdict[v] = m.Messages.WithLabelValues(v.String())
	}
	return d, nil
}

// Serve accepts connections from ln until ctx is done, then closes ln, ends
// the connections that it accepted (Cause DoorClosed) and waits for their
// Ended. It returns nil then, and an error only if ln is closed by another. An
// error of Accept is logged, counted and tried again. Several listeners may be
// served at once.
func (d *Door) Serve(ctx context.Context, ln net.Listener) error {
	s := new(serving)
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() }) // Accept tells
	defer stop()
	var err error
	for a := (&acceptor{ln: ln, log: d.log, metrics: d.metrics, evict: d.lobby.evict}); ; {
		var raw net.Conn
		if raw, err = a.accept(ctx); err != nil {
			break
		}
		if c := d.enter(raw, s); c != nil {
			s.open.Go(func() { d.serve(c) })
		}
	}
	d.dismiss(s)
	s.open.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("guard: accept: %w", err)
}

// ServeConn serves one connection, as from Accept, until it ends.
func (d *Door) ServeConn(raw net.Conn) {
	if c := d.enter(raw, nil); c != nil {
		d.serve(c)
	}
}

// Close ends all connections (Cause DoorClosed) and waits for their Ended.
// The door lets nobody in any more. It is idempotent.
func (d *Door) Close() {
	d.mu.Lock()
	d.closing = true
	d.mu.Unlock()
	d.dismiss(nil)
	d.open.Wait()
}

// dismiss ends the connections of s, or all.
func (d *Door) dismiss(s *serving) {
	d.mu.Lock()
	var ending []*conn
	for c, of := range d.all {
		if s == nil || of == s {
			ending = append(ending, c)
		}
	}
	d.mu.Unlock()
	for _, c := range ending {
		c.fail(End{Cause: DoorClosed})
	}
}

// enter gives a new connection its place and its deadline, or closes it.
func (d *Door) enter(raw net.Conn, s *serving) *conn {
	c := newConn(d, raw)
	d.metrics.Accepted.Inc()
	var why string
	if c.slot, why = d.lobby.enter(remoteOf(raw.RemoteAddr()).Addr(), func() { c.fail(End{Cause: Dismissed}) }); why != "" {
		c.shut()
		return nil
	}
	_ = raw.SetDeadline(time.Now().Add(d.opt.ConnectTimeout)) // a dead connection shows in Read
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closing {
		c.slot.leave()
		c.shut()
		return nil
	}
	d.open.Add(1)
	d.all[c] = s
	d.metrics.Connections.Inc()
	return c
}

// leave is the end of what enter began.
func (d *Door) leave(c *conn) {
	c.fail(End{Cause: Lost}) // if nothing else ended it
	c.shut()
	d.mu.Lock()
	delete(d.all, c)
	d.mu.Unlock()
	d.metrics.Connections.Dec()
	c.slot.leave()
	d.open.Done()
}

// serve is a connection's whole life: CONNECT, the handler's word, the
// takeover, the library, the end.
func (d *Door) serve(c *conn) {
	defer d.leave(c)
	k, err := c.readConnect()
	if err != nil {
		d.turnAway(c, k, err)
		return
	}
	c.introduce(k)
	err = d.handler.Connect(c.client)
	c.client.Password = nil
	if err != nil {
		d.reject(c, err)
		return
	}
	defer close(c.done)
	d.register(c)
	err = d.converse(c, k)
	c.closeLibrary()
	end := c.ending(err)
	c.parting.Wait()
	c.shut()
	c.closeDesk()
	d.unregister(c)
	d.metrics.Ends.WithLabelValues(end.Cause.String()).Inc()
	d.handler.Ended(c.client, end)
}

// introduce makes the Client of a CONNECT.
func (c *conn) introduce(k *connect) {
	asked := k.keepalive
	k.keepalive = clampKeepalive(asked, c.door.opt.MaxKeepalive)
	c.clamped, c.assigned = k.keepalive != asked, k.assigned
	inForce := time.Duration(k.keepalive) * time.Second
	c.keepalive = inForce + inForce/2 // MQTT-3.1.2-22
	c.open(k)
	c.client = &Client{
		ID: c.door.nextID(), ClientID: k.clientID, User: k.user, Password: k.password,
		Remote: remoteOf(c.raw.RemoteAddr()), Will: k.will, Keepalive: inForce, Version: k.version,
	}
}

func (d *Door) nextID() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lastID++
	return d.lastID
}

// turnAway ends a connection that sent no good CONNECT.
func (d *Door) turnAway(c *conn, k *connect, err error) {
	var refused *refusedConnect
	var bad badFrame
	switch {
	case errors.As(err, &refused):
		var version byte
		if k != nil {
			version = k.version
		}
		d.metrics.Frames.WithLabelValues(string(refused.badFrame)).Inc()
		_, _ = c.Write(connack(version, refused.v3, refused.v5)) // it is turned away in any case
	case errors.As(err, &bad):
		d.metrics.Frames.WithLabelValues(string(bad)).Inc()
	default:
		d.metrics.Turned.WithLabelValues("no CONNECT").Inc()
	}
	d.log.Debug("MQTT connection turned away", "remote", c.raw.RemoteAddr().String(), "reason", err.Error())
}

// reject answers a CONNECT that the handler refused.
func (d *Door) reject(c *conn, err error) {
	why, v3, v5 := "refused", byte(5), byte(0x87)
	switch {
	case errors.Is(err, ErrUnavailable):
		why, v3, v5 = "unavailable", 3, 0x88
	case errors.Is(err, ErrBadCredentials):
		why, v5 = "credentials", 0x86
		d.failedLogin(c)
	case errors.Is(err, ErrNotAuthorized):
		why = "not authorized"
		d.failedLogin(c)
	}
	d.metrics.Turned.WithLabelValues(why).Inc()
	d.sparse.Log(slog.LevelInfo, "MQTT client refused",
		"client", Clip(c.client.ClientID), "user", Clip(c.client.User), "remote", c.client.Remote.String(), "reason", err.Error())
	_, _ = c.Write(connack(c.client.Version, v3, v5)) // it is refused in any case
}

// failedLogin counts, and makes an address that guesses wait.
func (d *Door) failedLogin(c *conn) {
	d.metrics.Logins.Inc()
	if c.slot.exempt {
		return
	}
	if delay := d.logins.Failed(c.client.Remote.Addr()); delay > 0 {
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-c.dead:
		}
	}
}

// takeoverWait bounds how long a new connection waits for the end of the old
// one with its client id, whose handler may be stuck.
const takeoverWait = time.Second

// register makes c the one that has its client id, and ends who had it.
func (d *Door) register(c *conn) {
	c.slot.admit()
	d.mu.Lock()
	old := d.byName[c.client.ClientID]
	d.byName[c.client.ClientID] = c
	d.byID[c.client.ID] = c
	d.mu.Unlock()
	if old == nil {
		return
	}
	old.fail(End{Cause: TakenOver, By: c.client.ID})
	t := time.NewTimer(takeoverWait)
	defer t.Stop()
	select {
	case <-old.done:
	case <-t.C:
	case <-c.dead:
	}
}

func (d *Door) unregister(c *conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.byID, c.client.ID)
	if d.byName[c.client.ClientID] == c {
		delete(d.byName, c.client.ClientID)
	}
}

// converse lets the library talk with the client. A fault in the library ends
// this connection and no other; a fault in the handler is not the door's to
// hide.
func (d *Door) converse(c *conn, k *connect) (err error) {
	c.replay(k.forLibrary())
	defer func() {
		if c.inHandler {
			return
		}
		if fault := recover(); fault != nil {
			d.metrics.Panics.Inc()
			d.log.Error("MQTT library failed; its connection is closed", "client", Clip(c.client.ClientID), "remote", c.client.Remote.String(), "fault", fmt.Sprint(fault))
			c.fail(End{Cause: Broken, Detail: fmt.Sprint(fault)})
		}
	}()
	return d.library.EstablishConnection("door", c)
}

// closeLibrary takes the client out of the library, however it ended there.
func (c *conn) closeLibrary() {
	if c.lib == nil {
		return
	}
	c.door.library.UnsubscribeClient(c.lib)
	c.door.library.Clients.Delete(c.lib.ID)
}
