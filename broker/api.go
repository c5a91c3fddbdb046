package broker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/credential"
	"github.com/hb-mesh/hb-mesh/broker/dashboard"
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/broker/operator"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/record"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// api shows people what the core knows, and takes what they ask for.
type api struct{ b *Broker }

var (
	_ dashboard.Source   = (*api)(nil)
	_ dashboard.Operator = (*api)(nil)
	_ dashboard.Archive  = (*api)(nil)
	_ dashboard.Keys     = keyDesk{}
)

// Version grows with every change that people see.
func (a *api) Version() uint64 { return a.b.core.version.Load() }

// shownNotices and shownIncidents bound what an overview holds.
const (
	shownNotices   = 200
	shownIncidents = 1000
)

// Overview is all but the stores.
func (a *api) Overview() dashboard.Overview {
	c := a.b.core
	o := dashboard.Overview{Region: a.b.o.Region}
	var notices []incident.Notice
	fleet, now := a.b.desk.Fleet(), c.clock().Wall
	o.Rules = rulesNow(fleet, now)
	sessions, settled := 0, false
	c.mu.Lock()
	ready := c.ready
	if ready {
		sessions, settled = c.presence.Sessions(), c.presence.Settled()
		for _, i := range incident.Folded(c.book.Incidents(false)) {
			if len(o.Incidents) < shownIncidents {
				o.Incidents = append(o.Incidents, dashboard.Incident{Incident: i, Home: c.home(i.Store), Held: held(fleet, &i, now)})
			}
		}
		notices = c.book.Notices(shownNotices)
		o.Activity = c.activity.newest()
	}
	problem := c.problem
	c.mu.Unlock()
	o.Regions = a.regions(ready, settled, sessions, problem)
	for i := range notices {
		o.Notices = append(o.Notices, a.notice(&notices[i]))
	}
	return o
}

func (a *api) regions(ready, settled bool, sessions int, problem string) []dashboard.Region {
	b := a.b
	own := dashboard.Region{Region: b.o.Region, Self: true, State: dashboard.RegionReady, Node: b.o.Node, Version: b.o.Version, Sessions: &sessions}
	ok, since, detail := b.table.health()
	own.Table = &dashboard.Health{OK: ok, Since: since, Detail: detail}
	switch {
	case !ready:
		own.State, own.Detail = dashboard.RegionSettling, problem
	case !settled:
		own.State, own.Detail = dashboard.RegionSettling, "started lately: opens nothing from silence yet"
	}
	for _, ch := range b.o.Channels {
		own.Channels = append(own.Channels, dashboard.Channel{Name: ch.Name(), Health: dashboard.Health{OK: true}})
	}
	regions := []dashboard.Region{own}
	if b.peer == nil {
		return regions
	}
	h := b.peer.Health()
	other := dashboard.Region{
		Region: b.o.other(), State: dashboard.RegionUnknown, HeardAt: h.LastAnswer, URL: b.o.PeerURL,
		Link: &dashboard.Health{OK: h.Problem == "" && !h.LastAnswer.IsZero(), Since: h.LastAnswer, Detail: h.Problem},
	}
	switch {
	case h.Problem != "":
		other.State = dashboard.RegionUnreachable
	case h.State.Node != "":
		other.State = dashboard.RegionReady
		if !h.State.Settled {
			other.State = dashboard.RegionSettling
		}
		other.Node, other.Version, other.Sessions = h.State.Node, h.State.Version, &h.State.Sessions
		other.Table = &dashboard.Health{OK: h.State.TableOK}
	}
	return append(regions, other)
}

func (a *api) notice(n *incident.Notice) dashboard.Notice {
	d := dashboard.Notice{ID: n.ID, Region: n.Region, At: n.At, Items: n.Items, SeenFrom: n.SeenFrom, OneSided: n.OneSided}
	o := notice.DefaultRenderOptions(n.Region)
	o.Link, o.Zone = a.b.o.Link, a.b.o.Zone
	if m, err := notice.Render(*n, o); err == nil {
		d.Title, d.Text, d.Severity = m.Title, m.Text, string(m.Severity)
	}
	for ch, mark := range n.Marks {
		d.Channels = append(d.Channels, dashboard.Delivery{Name: ch, Mark: mark, SentAt: n.SentAt[ch]})
	}
	slices.SortFunc(d.Channels, func(x, y dashboard.Delivery) int { return strings.Compare(string(x.Name), string(y.Name)) })
	return d
}

// Stores are the rollups of all stores.
func (a *api) Stores() []dashboard.Store {
	c := a.b.core
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready {
		return nil
	}
	var out []dashboard.Store
	other := a.b.o.other()
	fleet, now := a.b.desk.Fleet(), c.clock().Wall
	c.presence.Each(c.clock(), func(s presence.StoreStatus) {
		d := dashboard.Store{
			Store: s.Store, State: s.State.String(), Since: s.Since.UTC(), Reason: string(s.Reason), Home: c.home(s.Store), Relay: s.Relay,
			RelayVersion: s.Software, LastReport: s.LastReport.UTC(), Journal: s.Journal, JournalLost: s.JournalLost,
			Paths: []dashboard.Path{{Region: a.b.o.Region, View: string(s.Mine)}},
			Hosts: dashboard.Counts{
				Up: s.Hosts[beat.Up], Failing: s.Hosts[beat.Failing], Missing: s.Hosts[beat.Missing],
				Stopped: s.Hosts[beat.Stopped], Unknown: s.Hosts[beat.Unknown], Covered: s.Hosts[beat.Covered],
			},
		}
		if other != "" {
			d.Paths = append(d.Paths, dashboard.Path{Region: other, View: string(s.Theirs)})
		}
		say(&d, fleet, now)
		out = append(out, d)
	})
	return out
}

// Hosts are a store's hosts.
func (a *api) Hosts(store beat.StoreID) ([]dashboard.Host, bool) {
	c := a.b.core
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready {
		return nil, false
	}
	hosts, ok := c.presence.Hosts(c.clock(), store)
	var out []dashboard.Host
	for _, h := range hosts {
		out = append(out, dashboard.Host{
			Store: h.Store, Host: h.Host, State: h.State, IntervalMs: h.Interval.Milliseconds(), LastBeat: h.LastBeat.UTC(),
			Via: h.Via.String(), Since: h.Since.UTC(), Reason: h.Reason, Message: h.Message, Flapping: h.Flapping,
			Declared: h.Declared, Unadopted: h.Unadopted, NeverSeen: h.NeverSeen,
		})
	}
	return out, ok
}

// Want asks relays for whole pictures.
func (a *api) Want(stores []beat.StoreID) { a.b.core.do(&presence.Want{Stores: stores}) }

// Forget retires a host.
func (a *api) Forget(ctx context.Context, store beat.StoreID, host beat.HostID, who operator.Actor) error {
	hosts, ok := a.Hosts(store)
	if !ok || !slices.ContainsFunc(hosts, func(h dashboard.Host) bool { return h.Host == host }) {
		return fmt.Errorf("host %s/%s: %w", store, host, dashboard.ErrNotFound)
	}
	a.b.core.do(&presence.Forget{Store: store, Host: host})
	a.b.core.note("forgotten", store, host, fmt.Sprintf("%s/%s was retired (key %s)", store, host, who.Key))
	a.b.desk.Note(ctx, who, "forget host", fmt.Sprintf("%s/%s", store, host))
	return nil
}

func (c *core) note(kind string, store beat.StoreID, host beat.HostID, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.activity.add(c.clock().Wall, kind, store, host, text)
	c.version.Add(1)
}

// History is a page of a store's transitions of one UTC day, joined over the
// regions: an entry that both took is one.
func (a *api) History(ctx context.Context, store beat.StoreID, day time.Time, start string, limit int) ([]dashboard.Entry, string, error) {
	items, err := a.b.records.read(ctx, []string{table.HistoryPK(store, day)})
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", dashboard.ErrUnavailable, err)
	}
	all, aside := record.JoinHistory(items)
	if aside > 0 {
		a.b.log.Warn("entries of the history cannot be read, and are left out", "store", store, "day", day.Format(time.DateOnly), "entries", aside)
	}
	from, _ := strconv.Atoi(start)
	from = min(max(from, 0), len(all))
	to := min(from+limit, len(all))
	next := ""
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	page := make([]dashboard.Entry, 0, to-from)
	for _, e := range all[from:to] {
		page = append(page, dashboard.Entry{
			At: e.At, Store: store, Host: e.Host, State: e.State, Reason: e.Reason, Incarnation: e.Incarnation,
			Number: e.Number, Until: e.Until, Regions: e.Regions, Message: e.Message,
		})
	}
	return page, next, nil
}

// authorize says what a request may do: by its key, or from loopback where
// reads are open.
func (a *api) authorize(r *http.Request) dashboard.Access {
	if r.Header.Get("X-Api-Key") == "" {
		open := a.b.o.OpenReads && fromLoopback(r.RemoteAddr)
		return dashboard.Access{Read: open}
	}
	g, err := a.b.gate.Grant(r)
	if err != nil {
		return dashboard.Access{}
	}
	return dashboard.Access{Read: g.Read || g.Admin, Admin: g.Admin, Store: g.Store, Who: g.Key}
}

func fromLoopback(remote string) bool {
	addr, err := netip.ParseAddrPort(remote)
	return err == nil && addr.Addr().Unmap().IsLoopback()
}

// keyDesk is the API's view of the keyring.
type keyDesk struct {
	keys *credential.Keyring
	desk *operator.Desk
}

// List are the keys that are not revoked.
func (d keyDesk) List(context.Context) ([]dashboard.Key, error) {
	var out []dashboard.Key
	for _, k := range d.keys.List() {
		if k.Live() {
			out = append(out, shownKey(k))
		}
	}
	return out, nil
}

func shownKey(k credential.Key) dashboard.Key {
	d := dashboard.Key{ID: k.ID, Name: k.Name, Store: k.Store, Relay: k.Relay, Created: k.Created, Static: k.Static}
	for _, r := range k.Roles {
		d.Roles = append(d.Roles, dashboard.Role(r))
	}
	return d
}

// Create makes a key.
func (d keyDesk) Create(ctx context.Context, k dashboard.Key, who operator.Actor) (dashboard.Key, string, error) {
	req := credential.Request{Name: k.Name, Store: k.Store, Relay: k.Relay}
	for _, r := range k.Roles {
		req.Roles = append(req.Roles, credential.Role(r))
	}
	made, text, err := d.keys.Create(ctx, req)
	if err == nil {
		d.desk.Note(ctx, who, "create key", aboutKey(&made))
	}
	return shownKey(made), text, keyError(err)
}

// aboutKey is a key for the audit: who finds it there knows what it opens.
func aboutKey(k *credential.Key) string {
	what := fmt.Sprintf("%s %q, roles %v", k.ID, k.Name, k.Roles)
	if k.Store != "" {
		what += ", store " + string(k.Store)
	}
	return what
}

// Revoke ends a key.
func (d keyDesk) Revoke(ctx context.Context, id string, who operator.Actor) error {
	err := d.keys.Revoke(ctx, id)
	if err == nil {
		d.desk.Note(ctx, who, "revoke key", id)
	}
	return keyError(err)
}

func keyError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, credential.ErrNotFound):
		return fmt.Errorf("%w: %w", dashboard.ErrNotFound, err)
	case errors.Is(err, credential.ErrInvalid), errors.Is(err, credential.ErrStatic):
		return fmt.Errorf("%w: %w", dashboard.ErrInvalid, err)
	default:
		return fmt.Errorf("%w: %w", dashboard.ErrUnavailable, err)
	}
}
