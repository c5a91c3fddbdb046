package setting_test

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func store(id beat.StoreID, version int64, d setting.Declaration) setting.Setting {
	return setting.Setting{Kind: setting.Declared, ID: string(id), Version: version, At: noon, By: "anna", Store: &d}
}

func rule(kind setting.Kind, id string, m setting.Match, until time.Time) setting.Setting {
	return setting.Setting{Kind: kind, ID: id, Version: 1, At: noon, Rule: &setting.Rule{
		ID: id, Kind: kind, Match: m, From: noon, Until: until, By: "anna", Why: "floor works",
	}}
}

func ack(id, incident string, until time.Time) setting.Setting {
	s := rule(setting.Ack, id, setting.Match{}, until)
	s.Rule.Incident = incident
	return s
}

// joined is the fleet of settings that one region wrote, each through the codec.
func joined(t testing.TB, all ...setting.Setting) *setting.Fleet {
	t.Helper()
	var items []setting.Item
	for _, s := range all {
		items = append(items, setting.Item{Region: "us-east-1", Setting: coded(t, s)})
	}
	return setting.Join(items)
}

func coded(t testing.TB, s setting.Setting) setting.Setting {
	t.Helper()
	doc, err := setting.Encode(&s)
	if err != nil {
		t.Fatal(err)
	}
	back, err := setting.Decode(doc)
	if err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	return back
}

func TestHush(t *testing.T) {
	berlin := setting.Declaration{
		Timezone: "Europe/Berlin", Tags: map[string]string{"city": "Berlin"},
		Hosts: map[beat.HostID]setting.DeclaredHost{"kds1": {Tags: map[string]string{"kind": "kds"}}},
	}
	six, late := noon.Add(6*time.Hour), noon.Add(20*time.Hour)
	for _, c := range []struct {
		says  string
		rules []setting.Setting
		about setting.Subject
		want  string
	}{
		{"nothing is said", nil, setting.Subject{Store: "alex"}, ""},
		{"a silence of a store holds its hosts too, and speaks its time", []setting.Setting{rule(setting.Silence, "a", setting.Match{Stores: []string{"alex"}}, six)},
			setting.Subject{Store: "alex", Host: "pos1"}, "silenced by anna until 20:00 CEST: floor works"},
		{"the date is said where it is another", []setting.Setting{rule(setting.Silence, "a", setting.Match{Stores: []string{"al*"}}, late)},
			setting.Subject{Store: "alex"}, "silenced by anna until Tue 2026-06-02 10:00 CEST: floor works"},
		{"a silence of a host leaves its store", []setting.Setting{rule(setting.Silence, "a", setting.Match{Stores: []string{"alex"}, Hosts: []string{"pos*"}}, six)},
			setting.Subject{Store: "alex"}, ""},
		{"a silence of kinds", []setting.Setting{rule(setting.Silence, "a", setting.Match{Kinds: []string{"host-failing"}}, six)},
			setting.Subject{Store: "alex", Host: "pos1", Kind: "host-missing"}, ""},
		{"a silence by a host's tag", []setting.Setting{rule(setting.Silence, "a", setting.Match{Tags: map[string]string{"kind": "kds", "city": "Berlin"}}, six)},
			setting.Subject{Store: "alex", Host: "kds1"}, "silenced by anna until 20:00 CEST: floor works"},
		{"another store is told", []setting.Setting{rule(setting.Silence, "a", setting.Match{Tags: map[string]string{"city": "Berlin"}}, six)},
			setting.Subject{Store: "other"}, ""},
		{"a pause holds a region's incident too", []setting.Setting{rule(setting.Pause, "a", setting.Match{}, six)},
			setting.Subject{Kind: "region-down"}, "paused by anna until 18:00 UTC: floor works"},
		{"a silence of a store holds no region's", []setting.Setting{rule(setting.Silence, "a", setting.Match{Stores: []string{"*"}}, six)},
			setting.Subject{Kind: "region-down"}, ""},
		{"maintenance of all stores", []setting.Setting{rule(setting.Maintenance, "a", setting.Match{Stores: []string{"*"}}, six)},
			setting.Subject{Store: "other"}, "in maintenance by anna until 18:00 UTC: floor works"},
		{"the one that ends last is the strongest", []setting.Setting{rule(setting.Pause, "a", setting.Match{}, six), rule(setting.Silence, "b", setting.Match{Stores: []string{"alex"}}, late)},
			setting.Subject{Store: "alex"}, "silenced by anna until Tue 2026-06-02 10:00 CEST: floor works"},
		{"an ack without an end outlasts all", []setting.Setting{rule(setting.Pause, "a", setting.Match{}, six), ack("b", "INC1", time.Time{})},
			setting.Subject{Store: "alex", Incident: "INC1"}, "acknowledged by anna: floor works"},
		{"an ack is of its incident alone", []setting.Setting{ack("b", "INC1", time.Time{})}, setting.Subject{Store: "alex", Incident: "INC2"}, ""},
	} {
		t.Run(c.says, func(t *testing.T) {
			f := joined(t, append(c.rules, store("alex", 1, berlin))...)
			if got := f.Hush(c.about, noon); got.Why != c.want {
				t.Errorf("got %q, want %q", got.Why, c.want)
			}
			if got := f.Hush(c.about, noon.Add(-time.Second)); got.Held() {
				t.Errorf("holds before it begins: %q", got.Why)
			}
			if got := f.Hush(c.about, noon.Add(20*time.Hour)); got.Held() && !got.Until.IsZero() {
				t.Errorf("holds after its end: %q", got.Why)
			}
		})
	}
}

// What is not a rule's is left as it is, and so is an acknowledgement.
func TestBare(t *testing.T) {
	at := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	rule := func(kind setting.Kind, by, why string) string {
		r := setting.Rule{Kind: kind, From: at, Until: at.Add(2 * time.Hour), By: by, Why: why}
		return r.Reason(at, time.UTC)
	}
	for line, want := range map[string]string{
		rule(setting.Silence, "anna", "works at store-7"):                                              "silenced",
		rule(setting.Pause, "", "migration: silenced by hand"):                                         "paused",
		"People are not told: " + rule(setting.Maintenance, "bob until 6", "") + ".":                   "People are not told: in maintenance",
		"People are not told: closed until 06:00 CET, and " + rule(setting.Silence, "a", "x: y") + ".": "People are not told: closed until 06:00 CET, and silenced",
		"demo/pos3 is not told to people yet: then it is " + rule(setting.Silence, "a", "x"):           "demo/pos3 is not told to people yet: then it is silenced",
		"not told: the store is in maintenance until 14:00 UTC":                                        "not told: the store is in maintenance until 14:00 UTC",
		rule(setting.Ack, "anna", "on it"):                                                             "acknowledged by anna until 14:00 UTC: on it",
		"the relay reports here":                                                                       "the relay reports here",
	} {
		if got := setting.Bare(line); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestMaintenance(t *testing.T) {
	window := func(id string, from, until time.Duration, stores ...string) setting.Setting {
		s := rule(setting.Maintenance, id, setting.Match{Stores: stores}, noon.Add(until))
		s.Rule.From = noon.Add(from)
		return s
	}
	f := joined(t, window("a", 0, time.Hour, "alex"), window("b", 30*time.Minute, 2*time.Hour, "alex", "bob"), window("c", 5*time.Hour, 6*time.Hour, "*"),
		store("alex", 1, setting.Declaration{}))
	for _, c := range []struct {
		store        beat.StoreID
		at           time.Duration
		until, ended time.Duration
	}{
		{"alex", -1, 0, 0}, {"alex", 0, 2 * time.Hour, 0}, {"alex", 90 * time.Minute, 2 * time.Hour, 0}, {"alex", 2 * time.Hour, 0, 2 * time.Hour},
		{"bob", 0, 0, 0}, {"bob", time.Hour, 2 * time.Hour, 0}, {"alex", 5 * time.Hour, 6 * time.Hour, 2 * time.Hour},
		{"else", 5 * time.Hour, 6 * time.Hour, 0}, {"else", 29*time.Hour + 59*time.Minute, 0, 6 * time.Hour}, {"else", 30 * time.Hour, 0, 0},
	} {
		until, ended := f.Store(c.store).Maintenance(noon.Add(c.at))
		span := func(d time.Duration) time.Time {
			if d == 0 {
				return time.Time{}
			}
			return noon.Add(d)
		}
		if !until.Equal(span(c.until)) || !ended.Equal(span(c.ended)) {
			t.Errorf("%s at %s: until %s, ended %s", c.store, c.at, until, ended)
		}
	}
}

func TestRulesThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		change func(*setting.Setting)
		says   string
	}{
		{func(s *setting.Setting) { s.Rule.Until = time.Time{} }, "needs an end"},
		{func(s *setting.Setting) { s.Rule.Until = noon }, "after it begins"},
		{func(s *setting.Setting) { s.Rule.Until = noon.AddDate(1, 0, 0) }, "at most 92 days"},
		{func(s *setting.Setting) { s.Rule.Match = setting.Match{} }, "a pause is for everything"},
		{func(s *setting.Setting) { s.Rule.Stores = []string{"a[b"} }, "neither a name nor a pattern"},
		{func(s *setting.Setting) { s.Rule.Why = strings.Repeat("x", 300) }, "why"},
		{func(s *setting.Setting) { s.Rule.Incident = "X" }, "only an ack"},
		{func(s *setting.Setting) {
			s.Kind, s.Rule.Kind = setting.Pause, setting.Pause
			s.Rule.Until = noon.AddDate(0, 0, 8)
		}, "at most 7 days"},
		{func(s *setting.Setting) {
			s.Kind, s.Rule.Kind, s.Rule.Stores = setting.Maintenance, setting.Maintenance, []string{"al*"}
		}, "or * for all"},
		{func(s *setting.Setting) { s.Kind, s.Rule.Kind = setting.Ack, setting.Ack }, "of one incident"},
		{func(s *setting.Setting) { s.Rule.ID = "b" }, "not of"},
		{func(s *setting.Setting) { s.ID, s.Rule.ID = "a#b", "a#b" }, "a-z"},
		{func(s *setting.Setting) { s.Kind = "role" }, "unknown kind"},
	} {
		s := rule(setting.Silence, "a", setting.Match{Stores: []string{"alex"}}, noon.Add(time.Hour))
		c.change(&s)
		if err := setting.NewCompiler().Validate(&s); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("got %v, want %q", err, c.says)
		}
	}
}

func TestDecodeSetsAsideWhatItCannotRead(t *testing.T) {
	for doc, want := range map[string]string{
		`{"v":2,"kind":7}`: "written by a newer version", `{`: "not a setting", `{"v":1}`: "not a setting",
		`{"v":1,"kind":"store","id":"alex","version":0,"store":{}}`:                          "no version",
		`{"v":1,"kind":"store","id":"alex","version":1}`:                                     "without its content",
		`{"v":1,"kind":"store","id":"alex","version":1,"store":{"timezone":"Mars/Olympus"}}`: "Mars/Olympus",
		`{"v":1,"kind":"store","id":"alex","version":1,"store":{"hours":{"mon":["1-2"]}}}`:   "timezone",
		`{"v":1,"kind":"silence","id":"a","version":1,"rule":{"id":"a","kind":"silence"}}`:   "from",
		`{"v":1,"kind":"pin","id":"alex","version":1,"pin":"US EAST"}`:                       "region",
		`{"v":1,"kind":"store","id":"alex","version":1,"store":{"hosts":{"a b":{}}}}`:        "host id",
		`{"v":1,"kind":"store","id":"alex","version":1,"store":{"comeUp":"90h"}}`:            "comeUp",
		`{"v":1,"kind":"store","id":"alex","version":1,"store":{"tags":{"a":"b\nc"}}}`:       "tags.a",
	} {
		if _, err := setting.Decode([]byte(doc)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", doc, err, want)
		}
	}
}

// The join is the same for the same items in every order, however often each
// comes, and whichever parts are joined first.
func TestJoinIsIndependentOfTheOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 1))
	for range 300 {
		var items []setting.Item
		for range 3 + r.IntN(12) {
			s := randomSetting(r)
			s.Version, s.Deleted = 1+r.Int64N(3), r.IntN(4) == 0
			if err := setting.NewCompiler().Validate(&s); err != nil {
				t.Fatal(err)
			}
			region := []beat.Region{"us-east-1", "us-west-2"}[r.IntN(2)]
			// One region writes one document of one version.
			if !hasItem(items, region, s) {
				items = append(items, setting.Item{Region: region, Setting: s})
			}
		}
		want := setting.Join(items)
		for range 5 {
			other := append([]setting.Item{items[r.IntN(len(items))]}, items...)
			r.Shuffle(len(other), func(i, j int) { other[i], other[j] = other[j], other[i] })
			if got := setting.Join(other); !reflect.DeepEqual(got, want) {
				t.Fatalf("%+v\nand\n%+v", got, want)
			}
		}
		if changed, all := setting.Changed(want, setting.Join(items)); len(changed) > 0 || all {
			t.Fatalf("changed by itself: %v %v", changed, all)
		}
	}
}

func hasItem(items []setting.Item, region beat.Region, s setting.Setting) bool {
	for i := range items {
		if items[i].Region == region && items[i].Key() == s.Key() && items[i].Version == s.Version {
			return true
		}
	}
	return false
}

func randomSetting(r *rand.Rand) setting.Setting {
	id := []beat.StoreID{"alex", "bob"}[r.IntN(2)]
	until := noon.Add(time.Duration(1+r.IntN(3)) * time.Hour)
	switch r.IntN(6) {
	case 0:
		return setting.Setting{Kind: setting.Pin, ID: string(id), Pin: []beat.Region{"us-east-1", "us-west-2"}[r.IntN(2)]}
	case 1:
		return rule(setting.Silence, string(id), setting.Match{Stores: []string{string(id)}}, until)
	case 2:
		return rule(setting.Maintenance, string(id), setting.Match{Stores: []string{string(id), "*"}}, until)
	case 3:
		return rule(setting.Pause, string(id), setting.Match{}, until)
	case 4:
		return ack(string(id), "INC", until)
	default:
		return store(id, 1, setting.Declaration{Tags: map[string]string{"n": string(rune('a' + r.IntN(9)))}})
	}
}

func TestADeletionOutlivesWhatComesLate(t *testing.T) {
	old, gone := store("alex", 4, setting.Declaration{}), setting.Setting{Kind: setting.Declared, ID: "alex", Version: 4, Deleted: true}
	f := setting.Join([]setting.Item{{Region: "us-east-1", Setting: coded(t, old)}, {Region: "us-west-2", Setting: coded(t, gone)}})
	if f.Store("alex") != nil {
		t.Error("the deletion did not win over the same version")
	}
	again := store("alex", 5, setting.Declaration{})
	f = setting.Join([]setting.Item{{Region: "us-east-1", Setting: coded(t, again)}, {Region: "us-west-2", Setting: coded(t, gone)}})
	if f.Store("alex") == nil || f.Store("alex").Version != 5 {
		t.Error("a later declaration did not win over the deletion")
	}
}

func TestAdoption(t *testing.T) {
	yes := true
	hosts := map[beat.HostID]setting.DeclaredHost{"pos1": {}}
	var none *setting.Fleet
	f := joined(t, store("plain", 1, setting.Declaration{}), store("listed", 1, setting.Declaration{Hosts: hosts}),
		store("both", 1, setting.Declaration{Hosts: hosts, AutoAdopt: &yes}))
	for id, want := range map[beat.StoreID]bool{"plain": true, "listed": false, "both": true, "unknown": false} {
		if got := f.Adopts(id); got != want {
			t.Errorf("%s adopts: %v", id, got)
		}
		if !none.Adopts(id) {
			t.Errorf("without an inventory %s does not adopt", id)
		}
	}
	if f.Store("listed").Declared("pos1") == nil || f.Store("listed").Declared("pos2") != nil {
		t.Error("declared hosts are mixed up")
	}
}

// A store that is known by its maintenance alone takes the fleet's way with new
// hosts, as any other undeclared one.
func TestMaintenanceChangesNoAdoption(t *testing.T) {
	works := rule(setting.Maintenance, "m1", setting.Match{Stores: []string{"unknown", "*"}}, noon.Add(time.Hour))
	for _, id := range []beat.StoreID{"unknown", "other"} {
		if f := joined(t, works); !f.Adopts(id) {
			t.Errorf("%s: adopts %v", id, f.Adopts(id))
		}
		if f := joined(t, works, store("listed", 1, setting.Declaration{Hosts: map[beat.HostID]setting.DeclaredHost{"pos1": {}}})); f.Adopts(id) {
			t.Errorf("%s adopts beside an inventory", id)
		}
	}
}

func TestChanged(t *testing.T) {
	before := joined(t, store("alex", 1, setting.Declaration{}), store("bob", 1, setting.Declaration{}))
	after := joined(t, store("alex", 2, setting.Declaration{}), rule(setting.Maintenance, "m", setting.Match{Stores: []string{"carl"}}, noon.Add(time.Hour)))
	if got, all := setting.Changed(before, after); !reflect.DeepEqual(got, []beat.StoreID{"alex", "bob", "carl"}) || all {
		t.Errorf("changed %v, all %v", got, all)
	}
	if got, all := setting.Changed(nil, before); len(got) != 2 || all {
		t.Errorf("changed %v, all %v", got, all)
	}
}
