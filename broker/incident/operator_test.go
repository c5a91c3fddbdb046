package incident_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the scenarios name zones

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// setClock does "clock is 2026-03-29T01:30:00+01:00": before anything else.
func (m *mesh) setClock(text string) error {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return err
	}
	if len(m.relays) > 0 {
		return errors.New("the clock is set before anything happens")
	}
	m.now.Wall = at.UTC().Add(-m.now.Mono).Add(m.now.Mono)
	return nil
}

// operatorLine does what operators say:
//
//	store demo Europe/Berlin 06:00-22:00
//	silence demo/pos1 30m         maintenance demo 1h
//	ack demo/pos1                 end silence
func (m *mesh) operatorLine(w []string) error {
	switch w[0] {
	case "store":
		return m.say(setting.Setting{Kind: setting.Declared, ID: w[1], Store: &setting.Declaration{Timezone: w[2], Hours: everyDay(w[3])}})
	case "end":
		i := slices.IndexFunc(m.settings, func(s setting.Item) bool { return string(s.Kind) == w[1] })
		if i < 0 {
			return fmt.Errorf("there is no %s", w[1])
		}
		return m.say(setting.Setting{Kind: m.settings[i].Kind, ID: m.settings[i].ID, Deleted: true})
	case "ack":
		for _, inc := range m.regions[0].book.Incidents(true) {
			if store, host, _ := strings.Cut(w[1], "/"); string(inc.Store) == store && string(inc.Host) == host {
				return m.say(setting.Setting{Kind: setting.Ack, ID: string(inc.ID), Rule: &setting.Rule{
					ID: string(inc.ID), Kind: setting.Ack, Incident: string(inc.ID), From: m.now.Wall, By: "anna",
				}})
			}
		}
		return errors.New("no such incident is open")
	default:
		d, err := time.ParseDuration(w[2])
		if err != nil {
			return err
		}
		store, host, isHost := strings.Cut(w[1], "/")
		r := &setting.Rule{ID: "r1", Kind: setting.Kind(w[0]), Match: setting.Match{Stores: []string{store}}, From: m.now.Wall, Until: m.now.Wall.Add(d), By: "anna"}
		if isHost {
			r.Hosts = []string{host}
		}
		return m.say(setting.Setting{Kind: r.Kind, ID: r.ID, Rule: r})
	}
}

func everyDay(span string) map[string][]string {
	week := map[string][]string{}
	for _, day := range []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} {
		week[day] = []string{span}
	}
	return week
}

// verdictLine does "verdict of us-east-1 region-down us-west-2": what that
// region's presence decided.
func (m *mesh) verdictLine(w []string) error {
	v := presence.Verdict{At: m.now.Wall, Since: m.now.Wall, SeenFrom: []beat.Region{beat.Region(w[2])}, Cause: presence.Cause{Number: 1, Term: 1}}
	v.Condition = conditions[w[3]]
	if v.Condition == 0 {
		return fmt.Errorf("no verdict %s", w[3])
	}
	v.Store = beat.StoreID(w[4])
	if strings.HasPrefix(w[3], "region-") {
		v.Store, v.Region = "", beat.Region(w[4])
	}
	if store, host, ok := strings.Cut(w[4], "/"); ok {
		v.Store, v.Host = beat.StoreID(store), beat.HostID(host)
	}
	if len(w) > 5 { // what it knows of the cause
		n, err := strconv.ParseUint(w[5], 10, 64)
		if err != nil {
			return err
		}
		v.Cause.Number = n
	}
	m.node(beat.Region(w[2])).tell(&incident.Decided{Verdict: v})
	return nil
}

// expectName does "one name demo": both regions know what is open by one id.
func (m *mesh) expectName(store beat.StoreID) error {
	ids := make(map[incident.ID]int)
	for _, n := range m.regions {
		for _, i := range n.book.Incidents(true) {
			if i.Store == store {
				ids[i.ID]++
			}
		}
	}
	if len(ids) != 1 {
		return fmt.Errorf("it has the names %v", ids)
	}
	return nil
}

var conditions = map[string]presence.Condition{
	"region-down": presence.RegionDown, "region-path": presence.RegionPath, "region-blind": presence.RegionBlind, "region-well": presence.RegionWell,
	"store-down": presence.StoreDown, "store-lan": presence.StoreLan, "lan-well": presence.LanWell, "conflict": presence.StoreConflict, "conflict-over": presence.ConflictOver,
	"host-flaps": presence.HostFlaps, "host-calm": presence.HostCalm, "never-seen": presence.HostNeverSeen, "well": presence.Well,
}
