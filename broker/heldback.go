package broker

import (
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/setting"
)

// holding says why people are not told of an incident, and what ends that: a store
// that is closed, and then a silence, where both hold.
func (w *words) holding(fleet *setting.Fleet, x *incident.Incident) {
	h := held(fleet, x, w.k.now)
	if h == nil {
		return
	}
	rule := fleet.Hush(setting.Subject{Store: x.Store, Host: x.Host, Kind: string(x.Kind), Incident: string(x.ID)}, w.k.now)
	why := h.Why
	if h.Kind == closedKind && rule.Held() {
		why += ", and " + rule.Why
	}
	if len(x.Told) > 0 && !x.Suppressed {
		w.say("What follows is held back: %s.", why)
	} else {
		w.say("People are not told: %s.", why)
	}
	switch {
	case rule.Kind == setting.Ack:
		w.next(rule.Until, "the acknowledgement ends with the incident")
	case rule.Until.IsZero(), rule.Kind == setting.Maintenance && w.said != nil: // hours says that
	case w.restsAt(rule.Until, x.OpenedAt):
		w.next(rule.Until, "the %s ends, and the store is closed or has just opened: what is still wrong when it has been open for %s is told then", rule.Kind, w.said.ComeUp)
	default:
		w.next(rule.Until, "the %s ends; what is still wrong is told then", rule.Kind)
	}
}

// restsAt says whether a fault is held back at an instant, since its store is closed
// or in maintenance, or was until shortly before.
func (w *words) restsAt(at, opened time.Time) bool {
	if w.said == nil {
		return false
	}
	until, ended := w.said.Maintenance(at)
	open, _ := w.said.Open(at)
	for _, began := range []time.Time{ended, w.said.Opened(at)} {
		if !began.IsZero() && opened.Before(began) && at.Before(began.Add(w.said.ComeUp)) {
			return true
		}
	}
	return !open || !until.IsZero()
}

// comeUp says what becomes of what is missing when the store had its time to come
// up, after an instant.
func (w *words) comeUp(fleet *setting.Fleet, after time.Time, what string) {
	at := after.Add(w.said.ComeUp)
	for _, kind := range []incident.Kind{incident.HostMissing, incident.DidNotComeUp} {
		if h := fleet.Hush(setting.Subject{Store: w.e.Store, Host: w.e.Host, Kind: string(kind)}, at); h.Held() {
			w.next(at, "%s is not told to people yet: then it is %s", what, h.Why)
			return
		}
	}
	w.next(at, "%s is told as “did not come up”", what)
}
