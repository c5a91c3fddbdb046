package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// update writes fixtures that are not there yet; it never changes one.
var update = flag.Bool("update", false, "write the wire fixtures that are missing")

// said is a request or an answer of a release. Letters through the table carry
// the same bodies.
type said struct {
	kind     wire.Kind
	request  *wire.Request
	response *wire.Response
}

func (s *said) encode() ([]byte, error) {
	if s.request != nil {
		return s.request.Encode()
	}
	return s.response.Encode(s.kind)
}

func (s *said) decode(raw []byte) (any, error) {
	if s.request != nil {
		return wire.DecodeRequest(s.kind, raw)
	}
	return wire.DecodeResponse(s.kind, raw)
}

func (s *said) want() any {
	if s.request != nil {
		return s.request
	}
	return s.response
}

// fixed is what the regions of the first release that has two say to each other.
func fixed() map[string]*said {
	boot, inc := beat.Boot{3}, beat.Incarnation{1, 2}
	stores := []presence.StoreView{
		{Store: "demo", View: presence.ViewLost, Incarnation: inc, Boot: boot, Epoch: 9, Since: since}, {Store: "mall", View: presence.ViewNever},
	}
	hosts := []presence.HostView{{Store: "street", Host: "kiosk", View: presence.ViewLost, Since: since, Node: "e1", Term: 3, Number: 5}}
	state := wire.State{Node: "w1", Version: "0.1.0", Term: 7, Knows: 3, Settled: true, Sessions: 12, TableOK: true}
	item := incident.ToldItem{Incident: "Q8LMHS60LO7B9TSE7DL87VDKFG", K: 2, Kind: incident.StoreDown, Change: incident.Recovered, Store: "demo", Since: since}
	asker := item
	asker.Store, asker.Host, asker.Kind, asker.Held, asker.Over, asker.Sending, asker.ByRelay = "mall", "pos1", incident.HostMissing, true, true, true, true
	one := presence.Verdict{
		Store: "demo", Host: "pos1", Condition: presence.HostFailing, Cause: presence.Cause{Incarnation: inc, Number: 8}, At: since.Add(time.Minute),
		Since: since, Uncertainty: 30 * time.Second, SeenFrom: []beat.Region{"us-east-1"}, Unadopted: true, Old: true, Reason: presence.RelaySays, Message: "no paper",
	}
	two := presence.Verdict{
		Region: "us-east-1", Lost: []beat.StoreID{"demo", "mall"}, Condition: presence.RegionPath, Cause: presence.Cause{Node: "e1", Term: 3, Number: 1},
		At: since, Since: since, SeenFrom: []beat.Region{"us-east-1", "us-west-2"}, OneSided: true, FleetWide: true, Reason: presence.LostInBoth,
	}
	ask := presence.Question{From: "us-east-1", Node: "e1", Term: 3, Stores: stores, Hosts: hosts}
	answer := presence.Answer{Node: "w1", Term: 7, Stores: stores, Hosts: hosts, Settles: true}
	told := incident.ToldQuestion{From: "us-east-1", Node: "e1", Term: 3, Items: []incident.ToldItem{item, asker}}
	words := incident.ToldAnswer{Node: "w1", Term: 7, Words: []incident.Telling{incident.TellingSent, incident.TellingMine}, Known: []incident.Known{
		{On: []incident.Channel{"sns"}, Fault: []incident.Channel{"sns", "webhook"}, Incident: item.Incident, K: 2}, {},
	}}
	return map[string]*said{
		"ask":            {kind: wire.Ask, request: &wire.Request{Kind: wire.Ask, Ask: &ask}},
		"ask-answer":     {kind: wire.Ask, response: &wire.Response{Ask: &answer}},
		"told":           {kind: wire.Told, request: &wire.Request{Kind: wire.Told, Told: &told}},
		"told-answer":    {kind: wire.Told, response: &wire.Response{Told: &words}},
		"heard":          {kind: wire.Heard, request: &wire.Request{Kind: wire.Heard, News: []presence.News{{Store: "street", Host: "kiosk"}, {Store: "street", Host: "old", Forgotten: true, Cause: two.Cause}}}},
		"forward":        {kind: wire.Forward, request: &wire.Request{Kind: wire.Forward, Verdicts: []presence.Verdict{one, two}}},
		"forward-answer": {kind: wire.Forward, response: &wire.Response{State: state}},
	}
}

// What the other region's release says is read as it was meant, and what this
// code says of the same is byte for byte the same, so that the release reads it
// too.
func TestWhatEveryReleaseSaysIsRead(t *testing.T) {
	for name, s := range fixed() {
		t.Run(name, func(t *testing.T) {
			now, err := s.encode()
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", "wire", "v1", name+".json")
			raw, err := os.ReadFile(file)
			if errors.Is(err, os.ErrNotExist) && *update {
				raw, err = now, os.WriteFile(file, now, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := s.decode(raw); err != nil || !reflect.DeepEqual(got, s.want()) {
				t.Errorf("got %+v, %v; want %+v", got, err, s.want())
			}
			if !bytes.Equal(now, raw) {
				t.Errorf("this code says it in other bytes:\n%s\n%s", now, raw)
			}
		})
	}
}

// A later version only adds fields: this one ignores them, wherever they are.
func TestFieldsOfLaterVersionsAreIgnored(t *testing.T) {
	for name, s := range fixed() {
		raw, err := s.encode()
		if err != nil {
			t.Fatal(err)
		}
		var tree any
		if err := json.Unmarshal(raw, &tree); err != nil {
			t.Fatal(err)
		}
		if raw, err = json.Marshal(extended(tree)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.decode(raw); err != nil || !reflect.DeepEqual(got, s.want()) {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, s.want())
		}
	}
}

// extended adds fields that nobody knows to every object.
func extended(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = extended(e)
		}
		v["later"], v["muchLater"] = "news", []any{1, map[string]any{"x": true}}
	case []any:
		for i := range v {
			v[i] = extended(v[i])
		}
	}
	return v
}

// A verdict of a later version's condition keeps the others of its batch from
// nothing: the incidents set it aside.
func TestAConditionOfALaterVersionSpoilsNoBatch(t *testing.T) {
	all := []presence.Verdict{verdict(1), {Store: "demo", Condition: 99, At: since, Since: since}, verdict(2)}
	raw, err := (&wire.Request{Kind: wire.Forward, Verdicts: all}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := wire.DecodeVerdicts(raw); err != nil || !reflect.DeepEqual(got, all) {
		t.Errorf("got %+v, %v", got, err)
	}
}
