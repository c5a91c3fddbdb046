package dashboard_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/dashboard"
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/operator"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// fake is a node's memory that a test sets as it likes.
type fake struct {
	version atomic.Uint64

	mu       sync.Mutex // guards what follows
	overview dashboard.Overview
	stores   []dashboard.Store
	hosts    map[beat.StoreID][]dashboard.Host
	wants    [][]beat.StoreID
	forgot   []string
	history  []dashboard.Entry
	keys     []dashboard.Key
	err      error
}

var (
	_ dashboard.Source   = (*fake)(nil)
	_ dashboard.Operator = (*fake)(nil)
	_ dashboard.Archive  = (*fake)(nil)
	_ dashboard.Keys     = (*fake)(nil)
)

// set changes the memory, and says so.
func (f *fake) set(change func(*fake)) {
	f.quietly(change)
	f.version.Add(1)
}

// quietly changes times alone.
func (f *fake) quietly(change func(*fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fake) Version() uint64 { return f.version.Load() }

func (f *fake) Overview() dashboard.Overview {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := f.overview
	o.Regions, o.Incidents = slices.Clone(o.Regions), slices.Clone(o.Incidents)
	o.Notices, o.Activity = slices.Clone(o.Notices), slices.Clone(o.Activity)
	return o
}

func (f *fake) Stores() []dashboard.Store {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.stores)
}

func (f *fake) Hosts(store beat.StoreID) ([]dashboard.Host, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	hosts, ok := f.hosts[store]
	return slices.Clone(hosts), ok
}

func (f *fake) Want(stores []beat.StoreID) {
	f.quietly(func(f *fake) { f.wants = append(f.wants, slices.Clone(stores)) })
}

func (f *fake) wanted() [][]beat.StoreID {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.wants)
}

func (f *fake) Forget(_ context.Context, store beat.StoreID, host beat.HostID, who operator.Actor) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	if !slices.ContainsFunc(f.hosts[store], func(h dashboard.Host) bool { return h.Host == host }) {
		return dashboard.ErrNotFound
	}
	f.forgot = append(f.forgot, fmt.Sprintf("%s/%s by %s", store, host, who.Key))
	return nil
}

func (f *fake) History(_ context.Context, store beat.StoreID, day time.Time, start string, limit int) ([]dashboard.Entry, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, "", f.err
	}
	var all []dashboard.Entry
	for _, e := range f.history {
		if e.Store == store && e.At.Format(time.DateOnly) == day.Format(time.DateOnly) && e.At.Format(time.RFC3339) > start {
			all = append(all, e)
		}
	}
	if len(all) > limit {
		return all[:limit], all[limit-1].At.Format(time.RFC3339), nil
	}
	return all, "", nil
}

func (f *fake) List(context.Context) ([]dashboard.Key, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.keys), f.err
}

func (f *fake) Create(_ context.Context, k dashboard.Key, who operator.Actor) (dashboard.Key, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return dashboard.Key{}, "", f.err
	}
	k.ID = fmt.Sprintf("k%d-by-%s", len(f.keys)+1, who.Key)
	f.keys = append(f.keys, k)
	return k, "s3cret", nil
}

func (f *fake) Revoke(_ context.Context, id string, _ operator.Actor) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.keys)
	f.keys = slices.DeleteFunc(f.keys, func(k dashboard.Key) bool { return k.ID == id })
	if len(f.keys) == n {
		return dashboard.ErrNotFound
	}
	return f.err
}

// open lets everybody read, and the keys of the test do what their names say.
func open(r *http.Request) dashboard.Access {
	a := keyed(r)
	a.Read = true
	return a
}

func keyed(r *http.Request) dashboard.Access {
	switch r.Header.Get("X-Api-Key") {
	case "reader":
		return dashboard.Access{Read: true, Who: "reader"}
	case "admin":
		return dashboard.Access{Admin: true, Who: "admin"}
	case "store-admin":
		return dashboard.Access{Admin: true, Store: "demo", Who: "store-admin"}
	}
	return dashboard.Access{}
}

// newServer is a server over f, for which everything is switched on.
func newServer(t *testing.T, f *fake, change func(*dashboard.Options)) *dashboard.Server {
	t.Helper()
	o := dashboard.DefaultOptions()
	o.Source, o.Operator, o.Archive, o.Keys = f, f, f, f
	o.Authorize, o.Version = open, "0.1.0-test"
	o.Logger = discard()
	if change != nil {
		change(&o)
	}
	s, err := dashboard.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// demo is one store with eight hosts, in two regions, all well.
func demo(now time.Time) *fake {
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	f := &fake{hosts: map[beat.StoreID][]dashboard.Host{}}
	f.overview = dashboard.Overview{
		Region: "us-east-1",
		Regions: []dashboard.Region{
			{
				Region: "us-east-1", Self: true, State: dashboard.RegionReady, Since: ago(26 * time.Hour), Node: "a1", Sessions: new(1),
				Table: &dashboard.Health{OK: true}, Channels: []dashboard.Channel{{Name: "sns", Health: dashboard.Health{OK: true}}, {Name: "log", Health: dashboard.Health{OK: true}}},
			},
			{
				Region: "us-west-2", State: dashboard.RegionReady, Since: ago(3 * time.Hour), Node: "b1", Sessions: new(1),
				Table: &dashboard.Health{OK: true}, Link: &dashboard.Health{OK: true}, HeardAt: ago(time.Second),
			},
		},
		Activity: []dashboard.Activity{
			{At: ago(4 * time.Minute), Kind: "adopted", Store: "demo", Host: "pos8", Text: "demo/pos8 beat for the first time, by its relay: adopted"},
			{At: ago(5 * time.Minute), Kind: "adopted", Store: "demo", Host: "pos7", Text: "demo/pos7 beat for the first time, by its relay: adopted"},
		},
	}
	f.stores = []dashboard.Store{store(now, "demo", 8)}
	for i := range 8 {
		f.hosts["demo"] = append(f.hosts["demo"], dashboard.Host{
			Store: "demo", Host: beat.HostID(fmt.Sprintf("pos%d", i+1)), State: beat.Up, IntervalMs: 5000,
			LastBeat: ago(time.Duration(i) * time.Second), Via: "relay", Since: ago(3 * time.Hour),
		})
	}
	return f
}

func store(now time.Time, id beat.StoreID, up int) dashboard.Store {
	return dashboard.Store{
		Store: id, State: "up", Since: now.Add(-3 * time.Hour), Home: "us-east-1", Relay: "relay", RelayVersion: "0.1.0",
		LastReport: now.Add(-time.Second), Hosts: dashboard.Counts{Up: up},
		Paths: []dashboard.Path{{Region: "us-east-1", View: "open"}, {Region: "us-west-2", View: "open"}},
	}
}

// lose takes hosts of store demo away, and tells people about the first.
func (f *fake) lose(now time.Time, lost ...int) {
	f.set(func(f *fake) {
		for _, i := range lost {
			h := &f.hosts["demo"][i]
			h.State, h.Since, h.Reason = beat.Missing, now.Add(-4*time.Minute), "connection lost"
			h.LastBeat = h.Since.Add(-2 * time.Second)
			f.stores[0].Hosts.Up--
			f.stores[0].Hosts.Missing++
			inc := dashboard.Incident{Home: "us-east-1"}
			inc.ID, inc.Kind, inc.Store, inc.Host = incident.ID("i-"+string(h.Host)), incident.HostMissing, "demo", h.Host
			inc.K, inc.Open, inc.Since, inc.OpenedAt = 1, true, h.Since, h.Since.Add(time.Duration(i)*time.Second)
			inc.Reason, inc.SeenFrom = "the relay says so", []beat.Region{"us-east-1"}
			if i == lost[0] {
				inc.Teller, inc.Told = "us-east-1", []incident.Channel{"sns", "log"}
			} else {
				inc.Waits = "gathers with others of its store for 2 s"
			}
			f.overview.Incidents = append(f.overview.Incidents, inc)
		}
		at := now.Add(-4 * time.Minute)
		name := f.hosts["demo"][lost[0]].Host
		f.overview.Notices = append(f.overview.Notices, dashboard.Notice{
			ID: fmt.Sprintf("01JD%022d", len(f.overview.Notices)), Region: "us-east-1", At: at, Title: fmt.Sprintf("Hosts missing [%s]", name),
			Text: fmt.Sprintf("%s of store demo is missing since 03:12:07 UTC.", name), Severity: "critical",
			Items:    []incident.Item{{Kind: incident.HostMissing, Change: incident.Opened, Store: "demo", Host: name, K: 1}},
			Channels: []dashboard.Delivery{{Name: "sns", Mark: incident.Sent, SentAt: at}, {Name: "webhook", Mark: incident.Unsent, Detail: "connection refused"}, {Name: "log", Mark: incident.Sent, SentAt: at}},
		})
	})
}
