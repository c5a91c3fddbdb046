package record_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/lease"
	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/record"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// released is the table of two regions as the first release that has two wrote
// it: the file never changes. (Of the simulation, 225 s after its start: s1 lost
// its power after pos1 crashed and came back and pos3 failed; s2/pos1, without a
// relay, died; s3 lost its power, silenced; the relay of s4, pinned, was killed
// after both; the link between the regions was cut for a minute, so that there
// are letters.)
func released(t *testing.T) []table.Item {
	t.Helper()
	raw, err := os.ReadFile("testdata/table/v1.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var all []table.Item
	for line := range bytes.Lines(raw) {
		var it struct {
			PK, SK  string
			Rev     int64
			Doc     []byte
			Expires time.Time
		}
		if err := json.Unmarshal(line, &it); err != nil {
			t.Fatal(err)
		}
		all = append(all, table.Item{Key: table.Key{PK: it.PK, SK: it.SK}, Doc: it.Doc, Rev: it.Rev, Expires: it.Expires})
	}
	return all
}

// writtenAgain is an item as this code writes what it read of it; nil: that is
// not this package's.
func writtenAgain(t *testing.T, it table.Item) []byte {
	t.Helper()
	kind, _, _ := strings.Cut(it.PK, "#")
	var why record.Reason
	var doc []byte
	switch kind {
	case "presence", "direct":
		var s presence.StoreItem
		s, why = record.ReadStore(it)
		doc = record.Store(s).Doc
	case "inc":
		var in incident.Incident
		in, why = record.ReadIncident(it)
		doc = record.Incident(it.Writer(), in, time.Hour).Doc
	case "notice":
		var n incident.Notice
		n, why = record.ReadNotice(it)
		doc = record.Notice(n, it.Rev, time.Hour).Item.Doc
	case "lease":
		var l lease.Item
		l, why = record.ReadLease(it)
		doc = record.Lease(it.Writer(), &lease.Write{Item: l}).Item.Doc
	case "mail":
		var m wire.Mail
		m, why = record.ReadMail(it)
		doc = record.Mail(&m, at).Doc
		if err := opened(&m); err != nil {
			t.Errorf("%v: %v", it.Key, err)
		}
	case "set":
		s, err := setting.Decode(it.Doc)
		if err == nil {
			doc, err = setting.Encode(&s)
		}
		if err != nil {
			t.Errorf("%v: %v", it.Key, err)
		}
	case "hist":
		return nil // one document for each entry, that only its relay's journal makes
	default:
		t.Errorf("an item of no kind: %v", it.Key)
	}
	if why != "" {
		t.Errorf("%v is set aside: %s", it.Key, why)
	}
	return doc
}

// opened reads a letter's body.
func opened(m *wire.Mail) error {
	if m.Re != 0 {
		_, err := wire.DecodeResponse(m.Kind, m.Body)
		return err
	}
	_, err := wire.DecodeRequest(m.Kind, m.Body)
	return err
}

// What a release left in the table is read, and what this code writes of the
// same is byte for byte the same: the release reads that too, where one region
// goes before the other, or back.
func TestTheTableOfEveryReleaseIsRead(t *testing.T) {
	kinds := map[string]int{}
	var history []table.Item
	for _, it := range released(t) {
		kind, _, _ := strings.Cut(it.PK, "#")
		kinds[kind+" of "+string(it.Writer())]++
		if kind == "hist" {
			history = append(history, it)
		}
		if again := writtenAgain(t, it); again != nil && !bytes.Equal(again, it.Doc) {
			t.Errorf("%v: this code writes other bytes:\n%q\n%q", it.Key, again, it.Doc)
		}
	}
	for _, kind := range []string{"presence", "direct", "inc", "notice", "lease", "mail", "set"} {
		for _, r := range []string{"us-east-1", "us-west-2"} {
			if kinds[kind+" of "+r] == 0 {
				t.Errorf("no %s of %s is looked at: %v", kind, r, kinds)
			}
		}
	}
	if all, aside := record.JoinHistory(history); aside != 0 || len(all) != len(history) || len(all) == 0 {
		t.Errorf("history: %d entries of %d items, %d set aside", len(all), len(history), aside)
	}
}

// A node of this code that starts on that table goes on: it knows each store,
// has the open incidents under their names, and sets nothing aside.
func TestANodeGoesOnWithTheTableOfEveryRelease(t *testing.T) {
	now := beat.Now{Wall: time.Date(2026, 1, 5, 12, 4, 0, 0, time.UTC)}
	regions := []beat.Region{"us-east-1", "us-west-2"}
	var stores []presence.StoreItem
	var incidents []incident.Incident
	var notices []incident.Notice
	for _, it := range released(t) {
		if s, why := record.ReadStore(it); why == "" {
			stores = append(stores, s)
		} else if in, why := record.ReadIncident(it); why == "" {
			incidents = append(incidents, in)
		} else if n, why := record.ReadNotice(it); why == "" {
			notices = append(notices, n)
		}
	}
	for _, r := range regions {
		po, bo := presence.DefaultOptions(), incident.DefaultOptions()
		po.Region, po.Regions, po.Node, po.Term = r, regions, "n", 9
		bo.Region, bo.Regions, bo.Node, bo.Term, bo.Channels, bo.Programs = r, regions, "n", 9, []incident.Channel{"people", "program"}, []incident.Channel{"program"}
		p, b := presence.New(po, now), incident.New(bo)
		for _, o := range p.Step(now, &presence.Loaded{Stores: stores}, nil) {
			if refused, ok := o.(*presence.Refused); ok {
				t.Errorf("%s refuses an item of %v: %v", r, refused.ID, refused.Reason)
			}
		}
		for _, o := range b.Step(now, &incident.Loaded{Incidents: slices.Clone(incidents), Notices: slices.Clone(notices)}, nil) {
			if i, ok := o.(*incident.Ignored); ok {
				t.Errorf("%s ignores %s: %s", r, i.ID, i.Reason)
			}
		}
		for _, s := range []beat.StoreID{"s1", "s2", "s3", "s4"} {
			if _, known := p.Status(now, s); !known {
				t.Errorf("%s does not know store %s", r, s)
			}
		}
		open := map[string]string{}
		for _, in := range b.Incidents(true) {
			open[strings.TrimSuffix(string(in.Store)+"/"+string(in.Host), "/")] = string(in.ID)
		}
		if want := map[string]string{
			"s1": "D7F2M20RG2CEOUS2M6U44GV0TG", "s1/pos3": "3VLPKQ2FRD3G4L2L9FLNBI87LC", "s2/pos1": "PQC5OVU3NPAAKVE4UMVJM84UQK",
			"s3": "87C0S1R27OGIVGDS3TJIS1GP60", "s4": "7M0D7EUEV5TFCLLQBFCD1SNJ6C",
		}; !reflect.DeepEqual(open, want) {
			t.Errorf("%s has the open incidents %v, want %v", r, open, want)
		}
	}
}
