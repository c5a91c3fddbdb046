package ingress

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/guard"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

// mqttDoor is what the Ingress is to its MQTT door.
type mqttDoor Ingress

var _ guard.Handler = (*mqttDoor)(nil)

// register is one connection; its own goroutine's.
type register struct {
	from  roster.Source
	will  beat.HostID // whose gone the will is; "" for none
	hosts []beat.HostID
}

// Connect lets in who has a key, where one is asked for.
func (d *mqttDoor) Connect(c *guard.Client) error {
	i := (*Ingress)(d)
	if !i.keyed(c.Password) {
		return guard.ErrBadCredentials
	}
	r := &register{from: roster.Source{Conn: c.ID, Addr: c.Remote.Addr()}}
	if c.Will != nil {
		kind, host, ok := beat.ParseLANTopic(c.Will.Topic)
		if ok && kind == beat.LANGone {
			r.will = host
		} else {
			i.ignore("will")
		}
	}
	c.Data = r
	i.mu.Lock()
	defer i.mu.Unlock()
	i.live[c.ID] = &heir{from: r.from}
	return nil
}

// heir is a connection that may take over another's hosts.
type heir struct {
	from        roster.Source
	established bool
	hosts       []beat.HostID // inherited before it was established
}

// Established says which hosts have a connection again: the will's, and those
// of the connection that this one took over.
func (d *mqttDoor) Established(c *guard.Client) {
	i, r := (*Ingress)(d), registerOf(c)
	i.mu.Lock()
	h := i.live[c.ID]
	h.established = true
	hosts := h.hosts
	i.mu.Unlock()
	if r.will != "" && !slices.Contains(hosts, r.will) {
		hosts = append(hosts, r.will)
	}
	i.connected(r.from, hosts)
}

func (i *Ingress) connected(from roster.Source, hosts []beat.HostID) {
	for _, h := range hosts {
		i.tell(&roster.Connected{From: from, Host: h})
	}
}

// tell delivers what nobody waits for.
func (i *Ingress) tell(e roster.Event) {
	if err := i.sink.Deliver(i.base, e); err != nil {
		i.log.Warn("cannot deliver the end or start of a connection", "error", err.Error())
	}
}

// Publish turns a message into an event.
func (d *mqttDoor) Publish(c *guard.Client, m guard.Message) guard.Verdict {
	i, r := (*Ingress)(d), registerOf(c)
	kind, host, ok := beat.ParseLANTopic(m.Topic)
	switch {
	case !ok:
		i.ignore("topic")
		return guard.Ignore
	case m.Retain:
		i.ignore("retained")
		return guard.Ignore
	}
	var e roster.Event
	switch kind {
	case beat.LANGone:
		e = &roster.Gone{From: r.from, Host: host}
	case beat.LANBye:
		e = &roster.Bye{From: r.from, Host: host}
	default:
		b, err := beat.DecodeMQTT(host, m.Payload)
		if err != nil {
			i.ignore("payload")
			return guard.Ignore
		}
		e = &roster.Beat{From: r.from, Beat: b}
	}
	v := i.verdict(c, i.sink.Deliver(i.base, e))
	if kind == beat.LANBeat && v == guard.Accept {
		i.viaMQTT.Inc()
		r.carries(host)
	}
	return v
}

// verdict is what the register hears. A beat that will never be counted is
// acknowledged: to send it again would not help.
func (i *Ingress) verdict(c *guard.Client, err error) guard.Verdict {
	var refusal *guard.Refusal
	switch {
	case err == nil:
		return guard.Accept
	case errors.As(err, &refusal) && refusal.Status != http.StatusServiceUnavailable:
		i.ignore("refused")
		return guard.Ignore
	}
	i.sparse.Log(slog.LevelWarn, "cannot take a message", "client", guard.Clip(c.ClientID), "error", err.Error())
	return guard.Close
}

// carries notes a host of this connection, for who takes it over.
func (r *register) carries(host beat.HostID) {
	if len(r.hosts) < beat.MaxHosts && !slices.Contains(r.hosts, host) {
		r.hosts = append(r.hosts, host)
	}
}

// Subscribe refuses: a register has nothing to hear.
func (d *mqttDoor) Subscribe(*guard.Client, string) bool { return false }

// Ended delivers the will and the end, unless the door itself ended it.
func (d *mqttDoor) Ended(c *guard.Client, e guard.End) {
	i, r := (*Ingress)(d), registerOf(c)
	i.mu.Lock()
	delete(i.live, c.ID)
	i.mu.Unlock()
	if e.Cause == guard.DoorClosed {
		return
	}
	if r.will != "" && !e.Clean {
		i.tell(&roster.Gone{From: r.from, Host: r.will})
	}
	i.tell(&roster.Closed{From: r.from, Clean: e.Clean})
	if e.Cause == guard.TakenOver {
		i.bequeath(e.By, r.hosts)
	}
	i.log.Debug("register's connection ended", "client", guard.Clip(c.ClientID), "remote", c.Remote.String(), "cause", e.Cause.String(), "detail", e.Detail)
}

// bequeath says that hosts have the connection that took theirs over: now, or
// when it is established.
func (i *Ingress) bequeath(by uint64, hosts []beat.HostID) {
	i.mu.Lock()
	h := i.live[by]
	now := h != nil && h.established
	if h != nil && !now {
		h.hosts = hosts
	}
	i.mu.Unlock()
	if now {
		i.connected(h.from, hosts)
	}
}

func registerOf(c *guard.Client) *register {
	r, ok := c.Data.(*register)
	if !ok { // Connect set it
		return &register{}
	}
	return r
}
