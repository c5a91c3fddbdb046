package docs_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/hb-mesh/hb-mesh/broker/dashboard"
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/broker/operator"
	said "github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Every topic is there, and no other.
func TestTopicsPage(t *testing.T) {
	p := read(t, "reference/topics.md")
	id := beat.Identity{Store: "{store}", Relay: "{relay}"}
	same(t, p.path+", on the LAN",
		set(beat.TopicBeat+"{host}", beat.TopicGone+"{host}", beat.TopicBye+"{host}"),
		firsts(p.rows(t, "On the LAN: a register and its relay")))
	same(t, p.path+", on the WAN",
		set(id.ReportTopic(), id.DeathTopic(), id.AckTopic(), id.CommandTopic(), id.DownFilter()),
		firsts(p.rows(t, "On the WAN: a relay and a region")))
	for _, f := range codes(p.text) {
		if strings.HasPrefix(f, "hb/v2") {
			t.Errorf("%s names %s", p.path, f)
		}
	}
}

func firsts(rows [][]string) map[string]bool {
	out := map[string]bool{}
	for _, r := range rows {
		out[code(r[0])] = true
	}
	return out
}

// Each table of the envelope has the keys and names of its struct, and no other.
func TestEnvelopePage(t *testing.T) {
	p := read(t, "reference/envelope.md")
	for section, v := range map[string]any{
		"Report": beat.Report{}, "Picture": beat.Picture{}, "Host": beat.HostReport{}, "Transition": beat.Transition{},
		"Witness": beat.Witness{}, "Death": beat.Death{}, "Ack": beat.Ack{}, "Command": beat.Command{},
	} {
		same(t, p.path+", "+section, cborKeys(reflect.TypeOf(v)), numbered(p.rows(t, section)))
	}
}

func numbered(rows [][]string) map[string]bool {
	out := map[string]bool{}
	for _, r := range rows {
		out[r[0]+" "+code(r[1])] = true
	}
	return out
}

func cborKeys(typ reflect.Type) map[string]bool {
	out := map[string]bool{}
	for f := range typ.Fields() {
		key, _, _ := strings.Cut(f.Tag.Get("cbor"), ",")
		out[key+" "+strings.ToLower(f.Name[:1])+f.Name[1:]] = true
	}
	return out
}

// The numbers on the wire have the names that the code gives them.
func TestEnvelopeNumbers(t *testing.T) {
	p := read(t, "reference/envelope.md")
	for _, c := range []struct {
		section string
		from    int
		name    func(uint8) string
	}{
		{"Kinds", 1, func(n uint8) string { return beat.Kind(n).String() }},
		{"States", 0, func(n uint8) string { return beat.HostState(n).String() }},
		{"Reasons", 0, func(n uint8) string { return beat.Reason(n).String() }},
	} {
		names := map[string]bool{}
		for n := uint8(c.from); ; n++ { //nolint:gosec // 0 or 1
			name := c.name(n)
			if strings.HasSuffix(name, fmt.Sprintf(" %d", n)) { // "state 6": no such number
				break
			}
			names[fmt.Sprintf("%d %s", n, name)] = true
		}
		same(t, p.path+", "+c.section, names, numbered(p.rows(t, c.section)))
	}
	same(t, p.path+", Statuses", set("0 "+beat.OK.String(), "1 "+beat.Warn.String(), "2 "+beat.Fail.String()), numbered(p.rows(t, "Statuses")))
	orders := set(fmt.Sprintf("%d rebirth", beat.Rebirth), fmt.Sprintf("%d picture", beat.SendPicture), fmt.Sprintf("%d forget", beat.Forget))
	same(t, p.path+", Orders", orders, numbered(p.rows(t, "Orders")))
}

// Each table of JSON has the fields of its struct, and no other.
func TestJSONTables(t *testing.T) {
	for _, c := range []struct {
		page, section string
		v             any
	}{
		{"reference/event.md", "Envelope", notice.Event{}},
		{"reference/event.md", "data", notice.Data{}},
		{"reference/event.md", "items", incident.Item{}},
		{"reference/http.md", "A region", dashboard.Region{}},
		{"reference/http.md", "Health", dashboard.Health{}},
		{"reference/http.md", "A channel", dashboard.Channel{}},
		{"reference/http.md", "A store", dashboard.Store{}},
		{"reference/http.md", "A path", dashboard.Path{}},
		{"reference/http.md", "A host", dashboard.Host{}},
		{"reference/http.md", "An incident", dashboard.Incident{}},
		{"reference/http.md", "A notice", dashboard.Notice{}},
		{"reference/http.md", "A delivery", dashboard.Delivery{}},
		{"reference/http.md", "An activity", dashboard.Activity{}},
		{"reference/http.md", "An entry", dashboard.Entry{}},
		{"reference/http.md", "A key", dashboard.NewKey{}},
		{"reference/http.md", "A summary", dashboard.Summary{}},
		{"reference/http.md", "A declaration", operator.Declared{}},
		{"reference/http.md", "An apply", operator.Applied{}},
		{"reference/http.md", "A rule", said.Rule{}},
		{"reference/http.md", "An audit line", operator.Audit{}},
		{"reference/http.md", "An explanation", dashboard.Explanation{}},
		{"reference/http.md", "A problem", dashboard.Problem{}},
		{"reference/http.md", "A view", dashboard.View{}},
		{"reference/http.md", "Times", dashboard.Times{}},
	} {
		p := read(t, c.page)
		same(t, p.path+", "+c.section, jsonFields(reflect.TypeOf(c.v)), firsts(p.rows(t, c.section)))
	}
}

func jsonFields(typ reflect.Type) map[string]bool {
	out := map[string]bool{}
	for f := range typ.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			for inner := range jsonFields(f.Type) {
				out[inner] = true
			}
		case name != "" && name != "-":
			out[name] = true
		}
	}
	return out
}

// The kinds of incidents, and their titles and severities, are those of the code.
func TestEventKinds(t *testing.T) {
	p := read(t, "reference/event.md")
	documented := map[string]bool{}
	for _, r := range p.rows(t, "Kinds") {
		documented[strings.Join(r, " | ")] = true
	}
	kinds := map[string]bool{}
	for _, k := range incident.Kinds() {
		title := func(c incident.Change) string {
			n := incident.Notice{ID: "01KB8ZJ4M3V0Q6Y1T7RHN2E5XC", Region: "r", Items: []incident.Item{{Kind: k, Change: c, Store: "s", Host: "h"}}}
			m, err := notice.Render(n, notice.DefaultRenderOptions("r"))
			if err != nil {
				t.Fatal(err)
			}
			words, _, _ := strings.Cut(m.Title, " [")
			return words
		}
		kinds[fmt.Sprintf("`%s` | %s | %s | %s", k, title(incident.Opened), title(incident.Recovered), notice.SeverityOf(k, incident.Opened))] = true
	}
	same(t, p.path+", Kinds", kinds, documented)
	if !strings.Contains(p.text, "`"+notice.EventType+"`") {
		t.Errorf("%s does not name the type %s", p.path, notice.EventType)
	}
}
