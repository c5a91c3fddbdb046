package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/dashboard"
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

var _ dashboard.Explainer = (*api)(nil)

// Explain puts into words what both regions know of a store or host.
func (a *api) Explain(ctx context.Context, store beat.StoreID, host beat.HostID) (dashboard.Explanation, error) {
	k, err := a.b.core.known(store, host)
	if err != nil {
		return dashboard.Explanation{}, fmt.Errorf("%w: %w", dashboard.ErrUnavailable, err)
	}
	fleet := a.b.desk.Fleet()
	said := fleet.Store(store)
	declared := said.Declared(host) != nil
	if !k.hasStore && (said == nil || said.Version == 0) || host != "" && !k.hasHost && !declared {
		return dashboard.Explanation{}, fmt.Errorf("nobody of %s was ever seen or declared: %w", subjectName(store, host), dashboard.ErrNotFound)
	}
	var theirs *word
	if a.b.peer != nil {
		w := a.theirs(ctx, store, host)
		theirs = &w
	}
	return k.explain(fleet, store, host, theirs), nil
}

// explain puts into words what this region knows, and what the other one says;
// nil: there is none.
func (k *known) explain(fleet *setting.Fleet, store beat.StoreID, host beat.HostID, theirs *word) dashboard.Explanation {
	said := fleet.Store(store)
	e := dashboard.Explanation{At: k.now, Region: k.region, Store: store, Host: host, State: "unknown"}
	if said != nil && said.Zone() != time.UTC {
		e.Zone = said.Zone().String()
	}
	switch {
	case host != "" && k.hasHost:
		e.State, e.Since = k.host.State.String(), k.host.Since
	case host == "" && k.hasStore:
		e.State, e.Since = k.store.State.String(), k.store.Since
	}
	e.Evidence = []dashboard.Evidence{{Region: k.region, Facts: k.facts()}}
	if theirs != nil {
		k.hear(theirs)
		e.Evidence = append(e.Evidence, theirs.Evidence)
	}
	w := &words{k: k, said: said, zone: said.Zone(), e: &e}
	w.state(host)
	w.incidents(fleet)
	w.hours(fleet)
	w.home()
	w.comings(host)
	return e
}

// theirs is the other region's word, or why there is none.
func (a *api) theirs(ctx context.Context, store beat.StoreID, host beat.HostID) word {
	var w word
	raw, err := a.b.peer.Explain(ctx, store, host)
	if err == nil {
		err = json.Unmarshal(raw, &w)
	}
	if err != nil {
		w = word{}
		w.Missing = err.Error()
	}
	w.Region = a.b.o.other() // whatever it calls itself
	return w
}

// hear adds what the other region told, and the incidents that are open there
// only: here it is known who tells, not what became of it.
func (k *known) hear(theirs *word) {
	k.unheard, k.homeThere = theirs.Missing != "", theirs.Home
	for i := range theirs.Incidents {
		x := &theirs.Incidents[i]
		at := slices.IndexFunc(k.incidents, func(own incident.Incident) bool { return own.ID == x.ID })
		switch {
		case at < 0:
			k.incidents = append(k.incidents, *x)
		case len(x.Told) > 0 && len(k.incidents[at].Told) == 0:
			k.incidents[at].Told, k.incidents[at].Teller, k.incidents[at].Waits = x.Told, x.Teller, ""
		}
	}
}

func subjectName(store beat.StoreID, host beat.HostID) string {
	if host == "" {
		return string(store)
	}
	return string(store) + "/" + string(host)
}

// words makes sentences of what is known.
type words struct {
	k    *known
	said *setting.Store
	zone *time.Location
	e    *dashboard.Explanation
}

func (w *words) say(format string, args ...any) {
	w.e.Says = append(w.e.Says, fmt.Sprintf(format, args...))
}

func (w *words) next(at time.Time, format string, args ...any) {
	w.e.Next = append(w.e.Next, dashboard.Expected{At: at, What: fmt.Sprintf(format, args...)})
}

func (w *words) moment(t time.Time) string { return setting.Moment(t, w.k.now, w.zone) }

func (w *words) state(host beat.HostID) {
	k := w.k
	switch {
	case host != "" && !k.hasHost:
		w.say("It is declared, and no beat of it was ever seen here.")
		return
	case host != "":
		w.host()
		if k.store.State != presence.Up && k.store.State != presence.DirectOnly {
			w.say("Its store is %s%s.", k.store.State, because(string(k.store.Reason)))
		}
		return
	case !k.hasStore:
		w.say("It is declared, and neither a relay nor a host of it was ever seen here.")
		return
	}
	if k.store.Reason != "" {
		w.say("Why: %s.", k.store.Reason)
	}
	if k.store.State == presence.Down {
		w.next(time.Time{}, "when its relay comes back this ends")
	}
	switch n := k.store.Hosts[beat.Missing]; n {
	case 0:
	case 1:
		w.say("One of its hosts is missing.")
	default:
		w.say("%d of its hosts are missing.", n)
	}
	if !k.settled {
		w.say("%s started lately and settles: it opens nothing from silence yet.", k.region)
	}
}

func (w *words) host() {
	h := &w.k.host
	if h.LastBeat.IsZero() {
		w.say("No beat of it is known here.")
	}
	if why := hostReason(h); why != "" {
		w.say("Why: %s.", why)
	}
	if h.Message != "" {
		w.say("It says of itself: “%s”.", h.Message)
	}
	switch h.State {
	case beat.Covered:
		w.say("Its store cannot be seen, so nobody can say how it is: one incident for the store, none for it.")
	case beat.Missing:
		w.next(time.Time{}, "its next beat ends this")
	}
}

// hostReason is why a host is in its state. Its relay's reason is of the relay's
// word, which may be older than what the other region said.
func hostReason(h *presence.HostExplained) string {
	if h.Reason != "" && h.State == h.Relay {
		return h.Reason
	}
	if h.State.Alive() || h.State == beat.Covered || h.State == beat.Unknown || h.State == h.Relay {
		return ""
	}
	return "by what the other region, or its direct beats, say"
}

// comings add what presence and book do by themselves, and order all by time: what has
// none, last.
func (w *words) comings(host beat.HostID) {
	for _, n := range w.k.seen.Next {
		if n.What != presence.ComesForgotten && (n.Host == "" || n.Host == host) {
			w.next(n.At, "%s", n.What)
		}
	}
	for i := range w.k.telling.Incidents {
		x := &w.k.telling.Incidents[i]
		if step := &x.Fault; x.Open && step.Next != "" && !step.At.IsZero() {
			w.next(step.At, "%s: %s", x.Kind, step.Next)
		}
	}
	slices.SortStableFunc(w.e.Next, func(a, b dashboard.Expected) int {
		if a.At.IsZero() != b.At.IsZero() {
			return b.At.Compare(a.At) // the zero one is the earlier instant
		}
		return a.At.Compare(b.At)
	})
}

// incidents say what people were told, and what holds notices back.
func (w *words) incidents(fleet *setting.Fleet) {
	if len(w.k.incidents) == 0 {
		of := "it"
		if w.e.Host == "" {
			of = "the store itself"
		}
		w.say("No incident of %s is open.", of)
	}
	for i := range w.k.incidents {
		x := &w.k.incidents[i]
		w.telling(x)
		w.holding(fleet, x)
	}
}

func (w *words) telling(x *incident.Incident) {
	what := fmt.Sprintf("Incident %s (%s) is open since %s", x.ID, x.Kind, w.moment(x.Since))
	switch {
	case x.Suppressed:
		w.say("%s; people were not told, programs were, on %s.", what, join(x.Told))
	case len(x.Told) > 0:
		w.say("%s; %s told it on %s.", what, x.Teller, join(x.Told))
	case w.k.unheard:
		w.say("%s; it was not told from here, and the other region does not say whether it told it.", what)
	default:
		w.say("%s; nobody was told yet.", what)
	}
	switch {
	case strings.HasPrefix(x.Waits, "is "):
		w.say("It %s.", x.Waits)
	case x.Waits != "" && !strings.HasPrefix(x.Waits, "not told"): // what holds it back is said below
		w.say("It waits: %s.", x.Waits)
	}
	if x.OneSided {
		w.say("It is seen from %s only: the other region gave no answer.", join(x.SeenFrom))
	}
}

// hours say whether the store is open.
func (w *words) hours(fleet *setting.Fleet) {
	if w.said == nil {
		return
	}
	if until, _ := w.said.Maintenance(w.k.now); !until.IsZero() {
		w.say("The store is in maintenance until %s.", w.moment(until))
		w.comeUp(fleet, until, "what is still missing after the maintenance")
	}
	open, edge := w.said.Open(w.k.now)
	switch {
	case !open && !edge.IsZero():
		w.say("The store is closed until %s.", w.moment(edge))
		w.comeUp(fleet, edge, fmt.Sprintf("the store has been open for %s; what is missing then", w.said.ComeUp))
	case !open:
		w.say("The store is closed.")
	case !edge.IsZero():
		w.say("The store is open until %s.", w.moment(edge))
	}
}

func (w *words) home() {
	k := w.k
	if k.other == "" {
		return
	}
	how := "Its home is"
	if k.pin == k.home {
		how = "An operator pinned it to"
	}
	w.say("%s %s, which tells its incidents first.", how, k.home)
	if k.homeThere != "" && k.homeThere != k.home {
		w.say("%s takes %s for its home: what an operator pinned has reached only one of the two regions.", k.other, k.homeThere)
	}
	if k.peer != presence.PeerLives {
		w.say("%s is %s from here.", k.other, k.peer)
	}
}
