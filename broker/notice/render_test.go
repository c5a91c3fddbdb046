package notice_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

var at = time.Date(2025, 11, 24, 8, 12, 23, 0, time.UTC)

func item(kind incident.Kind, change incident.Change, store, host string) incident.Item {
	it := incident.Item{
		Kind: kind, Change: change, Store: beat.StoreID(store), Host: beat.HostID(host),
		Incident: incident.ID("INC01234-" + store + "-" + host), K: 1, Since: at.Add(-14 * time.Second),
	}
	if change == incident.Recovered {
		it.K, it.DurationMs = 2, 252_000
	}
	return it
}

// after is a recovery after some milliseconds.
func after(host string, ms int64) incident.Item {
	it := item(incident.HostMissing, incident.Recovered, "demo", host)
	it.DurationMs = ms
	return it
}

func of(items ...incident.Item) incident.Notice {
	return incident.Notice{
		ID: "01KAV7Z9Q4R3VB2M6D8Y0T5W1X", Region: "us-east-1", At: at.Add(31 * time.Minute), Known: at, Items: items,
		SeenFrom: []beat.Region{"us-east-1", "us-west-2"},
	}
}

func options(t *testing.T) notice.RenderOptions {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	o := notice.DefaultRenderOptions("us-east-1")
	o.Channel, o.Link, o.Zone = "sns", "https://hb.example.com", zone
	return o
}

func render(t *testing.T, n incident.Notice) notice.Message {
	t.Helper()
	m, err := notice.Render(n, options(t))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTitle(t *testing.T) {
	many := func(n int) []incident.Item {
		var items []incident.Item
		for i := range n {
			items = append(items, item(incident.HostMissing, incident.Opened, "demo", fmt.Sprintf("register-%03d", i)))
		}
		return items
	}
	long := strings.Repeat("x", 100)
	for _, tt := range []struct {
		says  string
		items []incident.Item
		want  string
	}{
		{"a missing host has hb-api's words", []incident.Item{item(incident.HostMissing, incident.Opened, "demo", "pos3")}, "Hosts missing [pos3]"},
		{"so has one that is back", []incident.Item{item(incident.HostMissing, incident.Recovered, "demo", "pos3")}, "Hosts registered [pos3]"},
		{"a failing host", []incident.Item{item(incident.HostFailing, incident.Opened, "demo", "pos3")}, "Hosts failing [pos3]"},
		{"a host that is well again", []incident.Item{item(incident.HostFailing, incident.Recovered, "demo", "pos3")}, "Hosts well [pos3]"},
		{"a store that is down", []incident.Item{item(incident.StoreDown, incident.Opened, "demo", "")}, "Store down [demo]"},
		{"a store that is up", []incident.Item{item(incident.StoreDown, incident.Recovered, "demo", "")}, "Store up [demo]"},
		{"a dead relay", []incident.Item{item(incident.RelayDead, incident.Opened, "demo", "")}, "Relay dead [demo]"},
		{"a store that turned out to live", []incident.Item{item(incident.RelayDead, incident.Changed, "demo", "")}, "Relay dead [demo]"},
		{"a relay that is back", []incident.Item{item(incident.RelayDead, incident.Recovered, "demo", "")}, "Relay back [demo]"},
		{
			"hosts of one store are apart by commas",
			[]incident.Item{item(incident.HostMissing, incident.Opened, "demo", "pos3"), item(incident.HostMissing, incident.Opened, "demo", "pos4")},
			"Hosts missing [pos3, pos4]",
		},
		{
			"hosts of several stores have their full names",
			[]incident.Item{item(incident.HostMissing, incident.Opened, "a", "pos1"), item(incident.HostMissing, incident.Opened, "b", "pos1")},
			"Hosts missing [a/pos1, b/pos1]",
		},
		{"what does not fit is counted", many(40), "Hosts missing [register-000, register-001, register-002, register-003, register-004 +35 more]"},
		{
			"a name that is too long is cut",
			[]incident.Item{item(incident.HostMissing, incident.Opened, "demo", long), item(incident.HostMissing, incident.Opened, "demo", "pos2")},
			"Hosts missing [" + strings.Repeat("x", 72) + "... +1 more]",
		},
		{
			"the worst comes first, whatever the order",
			[]incident.Item{
				item(incident.HostMissing, incident.Recovered, "a", "pos2"), item(incident.HostFailing, incident.Opened, "a", "pos1"),
				item(incident.StoreDown, incident.Opened, "b", ""), item(incident.StoreDown, incident.Opened, "c", ""),
			},
			"Stores down [b, c]; Hosts failing [pos1]; Hosts registered [pos2]",
		},
		{"a kind of a newer region has its own name", []incident.Item{item("store-roof", incident.Opened, "demo", "")}, "store roof [demo]"},
	} {
		t.Run(tt.says, func(t *testing.T) {
			if got := render(t, of(tt.items...)).Title; got != tt.want {
				t.Errorf("title %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTextForAPersonAt3AM(t *testing.T) {
	missing := item(incident.HostMissing, incident.Opened, "demo", "pos3")
	missing.SinceUncertaintyMs = 9_000
	failing := item(incident.HostFailing, incident.Opened, "demo", "pos4")
	failing.Message = "disk \"full\"\r\nPAID BY http://evil.example/x\u202egpj.\x1b[31m"
	oneSided := of(item(incident.StoreDown, incident.Opened, "demo", ""))
	oneSided.SeenFrom, oneSided.OneSided = []beat.Region{"us-east-1"}, true
	for _, tt := range []struct {
		says      string
		n         incident.Notice
		text, sms string
	}{
		{
			"what, where, since when, since when known, seen from, where to look",
			of(missing),
			`Hosts missing in store demo: pos3.
- pos3 [INC01234]: last sign of life Mon 2025-11-24 03:12:09 EST, or up to 9 s later.

Known since Mon 2025-11-24 03:12:23 EST.
Seen from us-east-1 and us-west-2.
To acknowledge: hbctl ack INC01234
https://hb.example.com/#open=demo
`,
			"Hosts missing [pos3] in demo since 03:12:09 EST",
		},
		{
			"of several, each has its id",
			of(missing, item(incident.HostMissing, incident.Opened, "demo", "pos5")),
			`Hosts missing in store demo: pos3, pos5.
- pos3 [INC01234]: last sign of life Mon 2025-11-24 03:12:09 EST, or up to 9 s later.
- pos5 [INC01234]: last sign of life Mon 2025-11-24 03:12:09 EST.

Known since Mon 2025-11-24 03:12:23 EST.
Seen from us-east-1 and us-west-2.
To acknowledge: hbctl ack demo (all of the store), or one by its id: hbctl ack INC01234
https://hb.example.com/#open=demo
`,
			"Hosts missing [pos3, pos5] in demo since 03:12:09 EST",
		},
		{
			"a recovery says how long it lasted",
			of(item(incident.HostMissing, incident.Recovered, "demo", "pos3")),
			`Hosts registered in store demo: pos3.
- pos3: back after 4 min 12 s, was missing since Mon 2025-11-24 03:12:09 EST.

Known since Mon 2025-11-24 03:12:23 EST.
Seen from us-east-1 and us-west-2.
https://hb.example.com/#open=demo
`,
			"Hosts registered [pos3] in demo, lasted 4 min 12 s",
		},
		{
			"recoveries of one duration as people read it have it in one line",
			of(after("pos3", 252_900), after("pos5", 252_000)),
			`Hosts registered in store demo: pos3, pos5.
- pos3: back after 4 min 12 s, was missing since Mon 2025-11-24 03:12:09 EST.
- pos5: back after 4 min 12 s, was missing since Mon 2025-11-24 03:12:09 EST.

Known since Mon 2025-11-24 03:12:23 EST.
Seen from us-east-1 and us-west-2.
https://hb.example.com/#open=demo
`,
			"Hosts registered [pos3, pos5] in demo, lasted 4 min 12 s",
		},
		{
			"recoveries of several durations say the longest",
			of(after("pos3", 12_000), after("pos5", 252_000)),
			`Hosts registered in store demo: pos3, pos5.
- pos3: back after 12 s, was missing since Mon 2025-11-24 03:12:09 EST.
- pos5: back after 4 min 12 s, was missing since Mon 2025-11-24 03:12:09 EST.

Known since Mon 2025-11-24 03:12:23 EST.
Seen from us-east-1 and us-west-2.
https://hb.example.com/#open=demo
`,
			"Hosts registered [pos3, pos5] in demo, lasted up to 4 min 12 s",
		},
		{
			"one-sided is said in words",
			oneSided,
			`Store down: demo.
- demo [INC01234]: last sign of life Mon 2025-11-24 03:12:09 EST.

Known since Mon 2025-11-24 03:12:23 EST.
Seen from us-east-1 only: the other region gave no answer.
To acknowledge: hbctl ack INC01234
https://hb.example.com/#open=demo
`,
			"Store down [demo] since 03:12:09 EST (one region only)",
		},
		{
			"what a host says is quoted, on one line, without links that can be clicked",
			of(failing),
			`Hosts failing in store demo: pos4.
- pos4 [INC01234]: lives, says that it fails since Mon 2025-11-24 03:12:09 EST. It says: "disk 'full' PAID BY http[:]//evil.example/xgpj.[31m"

Known since Mon 2025-11-24 03:12:23 EST.
Seen from us-east-1 and us-west-2.
To acknowledge: hbctl ack INC01234
https://hb.example.com/#open=demo
`,
			"Hosts failing [pos4] in demo since 03:12:09 EST",
		},
	} {
		t.Run(tt.says, func(t *testing.T) {
			m := render(t, tt.n)
			if m.Text != tt.text {
				t.Errorf("text:\n%s\nwant:\n%s", m.Text, tt.text)
			}
			if m.SMS != tt.sms {
				t.Errorf("sms %q, want %q", m.SMS, tt.sms)
			}
		})
	}
}

func TestTextNamesAtMostTwenty(t *testing.T) {
	var items []incident.Item
	for i := range 25 {
		items = append(items, item(incident.StoreDown, incident.Opened, fmt.Sprintf("s%02d", i), ""))
	}
	text := render(t, of(items...)).Text
	if strings.Count(text, "\n- s") != 20 || !strings.Contains(text, "\n- and 5 more\n") {
		t.Errorf("want 20 stores by name and 5 counted, got:\n%s", text)
	}
	if !strings.Contains(text, "\nhttps://hb.example.com\n") {
		t.Errorf("several stores link to the dashboard itself, got:\n%s", text)
	}
}

func TestSeverityIsThatOfTheWorstItem(t *testing.T) {
	for _, tt := range []struct {
		says  string
		items []incident.Item
		want  notice.Severity
	}{
		{"a store down is critical", []incident.Item{item(incident.StoreDown, incident.Opened, "a", "")}, notice.Critical},
		{"a dead relay whose store lives is an error", []incident.Item{item(incident.RelayDead, incident.Changed, "a", "")}, notice.Error},
		{"a missing host is an error", []incident.Item{item(incident.HostMissing, incident.Opened, "a", "p")}, notice.Error},
		{"a failing host is a warning", []incident.Item{item(incident.HostFailing, incident.Opened, "a", "p")}, notice.Warning},
		{"a recovery is information", []incident.Item{item(incident.StoreDown, incident.Recovered, "a", "")}, notice.Info},
		{
			"the worst wins",
			[]incident.Item{item(incident.HostMissing, incident.Recovered, "a", "p"), item(incident.StoreDown, incident.Opened, "b", "")},
			notice.Critical,
		},
	} {
		t.Run(tt.says, func(t *testing.T) {
			if m := render(t, of(tt.items...)); m.Severity != tt.want {
				t.Errorf("severity %q, want %q", m.Severity, tt.want)
			}
		})
	}
}

func TestEventIsTheContracts(t *testing.T) {
	it := item(incident.HostMissing, incident.Opened, "demo", "pos3")
	it.Since = it.Since.In(time.FixedZone("here", 3600))
	var got map[string]any
	if err := json.Unmarshal(render(t, of(it)).Event, &got); err != nil {
		t.Fatal(err)
	}
	key := got["data"].(map[string]any)["channelKey"]
	want := map[string]any{
		"specversion": "1.0", "type": "hb.notice.v1", "source": "/hb-mesh/us-east-1", "id": "01KAV7Z9Q4R3VB2M6D8Y0T5W1X",
		"time": "2025-11-24T08:43:23Z", "datacontenttype": "application/json",
		"data": map[string]any{
			"title": "Hosts missing [pos3]", "text": render(t, of(it)).Text, "severity": "error", "channelKey": key,
			"seenFrom": []any{"us-east-1", "us-west-2"}, "link": "https://hb.example.com/#open=demo",
			"items": []any{map[string]any{
				"kind": "host-missing", "change": "open", "store": "demo", "host": "pos3",
				"incident": "INC01234-demo-pos3", "k": 1.0, "since": "2025-11-24T08:12:09Z",
			}},
		},
	}
	if s, _ := key.(string); len(s) != 32 || !reflect.DeepEqual(got, want) {
		t.Errorf("event\n%v\nwant\n%v", got, want)
	}
}

func TestChannelKeyNamesTheTransitions(t *testing.T) {
	a, b := item(incident.HostMissing, incident.Opened, "demo", "pos3"), item(incident.HostMissing, incident.Opened, "demo", "pos4")
	key := func(channel incident.Channel, n incident.Notice) string {
		o := options(t)
		o.Channel = channel
		m, err := notice.Render(n, o)
		if err != nil {
			t.Fatal(err)
		}
		var e notice.Event
		if err := json.Unmarshal(m.Event, &e); err != nil {
			t.Fatal(err)
		}
		return e.Data.ChannelKey
	}
	base := key("sns", of(a, b))
	elsewhere := of(b, a)
	elsewhere.ID, elsewhere.Region, elsewhere.At = "01KAV7Z9Q4R3VB2M6D8Y0T5W1Y", "us-west-2", at.Add(time.Minute)
	later := a
	later.K = 3
	for _, tt := range []struct {
		says string
		got  string
		same bool
	}{
		{"the other region's notice of the same has the same, in any order", key("sns", elsewhere), true},
		{"another channel has another", key("webhook", of(a, b)), false},
		{"a later transition has another", key("sns", of(later, b)), false},
		{"one transition fewer has another", key("sns", of(a)), false},
	} {
		if (tt.got == base) != tt.same {
			t.Errorf("%s: %s and %s", tt.says, base, tt.got)
		}
	}
}

func TestAListBeyondTheBoundBecomesACount(t *testing.T) {
	var items []incident.Item
	for i := range 10_000 {
		items = append(items, item(incident.HostMissing, incident.Opened, fmt.Sprintf("store-%d", i), "pos1"))
	}
	m := render(t, of(items...))
	var e notice.Event
	if err := json.Unmarshal(m.Event, &e); err != nil {
		t.Fatal(err)
	}
	if e.Data.More == 0 || len(e.Data.Items)+e.Data.More != len(items) || len(m.Event) > notice.MaxEvent {
		t.Errorf("%d items and %d more in %d bytes, want %d together in at most %d", len(e.Data.Items), e.Data.More, len(m.Event), len(items), notice.MaxEvent)
	}
	if got := m.Attributes["store"]; got[0] != "store-0" || got[len(got)-1] != "*" {
		t.Errorf("stores %v, want as many as fit and *", got)
	}
	if got := m.Attributes["host"]; !reflect.DeepEqual(got, []string{"pos1"}) {
		t.Errorf("hosts %v, want each once", got)
	}
}

func TestAttributes(t *testing.T) {
	store := item(incident.StoreDown, incident.Opened, "demo", "")
	store.Tags = map[string]string{"area": "north", "chain": "bread & co", "zip": "10001", "zz": "left out", "bad name": "left out", "aa": ""}
	want := map[string][]string{
		"kind": {"store-down"}, "severity": {"critical"}, "store": {"demo"}, "region": {"us-east-1"}, "incident": {"INC01234-demo-"},
		"tag.area": {"north"}, "tag.chain": {"bread & co"},
	}
	if got := render(t, of(store)).Attributes; !reflect.DeepEqual(got, want) {
		t.Errorf("a store's attributes are %v, want %v", got, want)
	}
	got := render(t, of(item(incident.HostMissing, incident.Opened, "a", "p"), item(incident.HostFailing, incident.Recovered, "b", "p"))).Attributes
	for name, want := range map[string][]string{"kind": {"host-missing", "host-failing"}, "store": {"a", "b"}, "host": {"p"}, "severity": {"error"}} {
		if !reflect.DeepEqual(got[name], want) {
			t.Errorf("two items' %s is %v, want %v", name, got[name], want)
		}
	}
}

func TestANoticeOfNothingIsRefusedForGood(t *testing.T) {
	if _, err := notice.Render(of(), options(t)); !errors.Is(err, notice.ErrPermanent) {
		t.Errorf("got %v, want ErrPermanent", err)
	}
}

// FuzzRender: whatever a host says, and whatever its name would be, the bounds
// and the alphabet hold.
func FuzzRender(f *testing.F) {
	f.Add("pos3", "disk full", int64(12), int64(3), uint8(0), uint16(1))
	f.Add(strings.Repeat("x", 100), "\u202e\x00<script>&\u2028\"\\", int64(-1), int64(1<<62), uint8(7), uint16(3000))
	f.Fuzz(func(t *testing.T, host, message string, uncertainty, duration int64, kinds uint8, count uint16) {
		pick := []incident.Kind{incident.HostMissing, incident.HostFailing, incident.StoreDown, incident.Kind(message)}
		change := []incident.Change{incident.Opened, incident.Recovered, incident.Changed}
		var items []incident.Item
		for i := range int(count%400) + 1 {
			items = append(items, incident.Item{
				Kind: pick[(i+int(kinds))%len(pick)], Change: change[(i/2+int(kinds))%len(change)], Store: beat.StoreID(host), Host: beat.HostID(host),
				Incident: "i", K: i, Since: at, SinceUncertaintyMs: uncertainty, DurationMs: duration, Message: message, Tags: map[string]string{host: message},
			})
		}
		n := of(items...)
		n.OneSided = kinds&1 == 1
		m, err := notice.Render(n, notice.DefaultRenderOptions("us-east-1"))
		if err != nil {
			t.Fatal(err)
		}
		if !line(m.Title, notice.MaxTitle) || !line(m.SMS, notice.MaxSMS) {
			t.Errorf("title %q, sms %q", m.Title, m.SMS)
		}
		var e notice.Event
		if err := json.Unmarshal(m.Event, &e); err != nil || len(m.Event) > notice.MaxEvent+20<<10 {
			t.Errorf("event of %d bytes: %v", len(m.Event), err)
		}
		if strings.ContainsFunc(m.Text, func(r rune) bool { return r != '\n' && (r < ' ' || r == '\u202e' || r == '\u2028') }) {
			t.Errorf("text %q", m.Text)
		}
	})
}

func line(s string, width int) bool {
	return len(s) > 0 && len(s) <= width && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// A host that an operator retired did not register: its notice says so.
func TestRetiredHost(t *testing.T) {
	n := incident.Notice{
		ID: "01J0000000000000000000000A", Region: "us-east-1", At: time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC),
		Items: []incident.Item{{Kind: incident.HostMissing, Change: incident.Recovered, Store: "demo", Host: "typo", Incident: "X", K: 2, Ended: incident.Retired}},
	}
	m, err := notice.Render(n, notice.DefaultRenderOptions("us-east-1"))
	if err != nil || m.Title != "Hosts retired [typo]" {
		t.Fatalf("title %q, %v", m.Title, err)
	}
}
