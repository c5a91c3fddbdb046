package broker

import (
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/dashboard"
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/operator"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

func (b *Broker) wireSettings(*metrics) error {
	o := operator.DefaultOptions()
	o.Region, o.SettingsRegion, o.Regions = b.o.Region, b.o.SettingsRegion, b.o.Regions
	o.Table, o.TableTimeout, o.Logger = b.table, b.o.TableTimeout, b.log
	o.Metrics = operator.NewMetrics(b.o.Registry)
	o.OnFleet = func(f *setting.Fleet, changed []beat.StoreID, all bool) {
		switch {
		case all:
			changed = nil // any
		case changed == nil:
			changed = []beat.StoreID{}
		}
		b.core.settings(f, changed)
	}
	desk, err := operator.New(o)
	b.desk = desk
	return err
}

// closedKind is the Held of a store outside its opening hours.
const closedKind = "closed"

// held says why people are not told of an open incident now; nil: they are. A
// store that is closed says so before any silence does, as in the book.
func held(f *setting.Fleet, i *incident.Incident, now time.Time) *dashboard.Held {
	if !i.Open {
		return nil
	}
	if i.Store != "" {
		s := f.Store(i.Store)
		if open, edge := s.Open(now); !open {
			why := "closed"
			if !edge.IsZero() {
				why = "closed until " + setting.Moment(edge, now, s.Zone())
			}
			return &dashboard.Held{Kind: closedKind, Why: why, Until: edge}
		}
	}
	h := f.Hush(setting.Subject{Store: i.Store, Host: i.Host, Kind: string(i.Kind), Incident: string(i.ID)}, now)
	if !h.Held() {
		return nil
	}
	return &dashboard.Held{Kind: string(h.Kind), Why: h.Why, Until: h.Until}
}

// say adds what operators say of a store.
func say(d *dashboard.Store, f *setting.Fleet, now time.Time) {
	s := f.Store(d.Store)
	if s == nil {
		return
	}
	open, edge := s.Open(now)
	if !open {
		d.Closed, d.Opens = true, edge
	}
	d.Maintenance, _ = s.Maintenance(now)
	d.Tags, d.Pinned = s.Tags, s.Pin != "" && s.Pin == d.Home
	if zone := s.Zone(); zone != time.UTC {
		d.Zone = zone.String()
	}
}

// rulesNow are the rules in force at an instant.
func rulesNow(f *setting.Fleet, now time.Time) []setting.Rule {
	return slices.DeleteFunc(f.Rules(now), func(r setting.Rule) bool { return !r.Holds(now) })
}
