package wire_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

func TestBadBodiesAreRefused(t *testing.T) {
	ask := func(raw []byte) error { _, err := wire.DecodeQuestion(raw); return err }
	answer := func(raw []byte) error { _, err := wire.DecodeAnswer(raw); return err }
	told := func(raw []byte) error { _, err := wire.DecodeToldQuestion(raw); return err }
	words := func(raw []byte) error { _, err := wire.DecodeToldAnswer(raw); return err }
	news := func(raw []byte) error { _, err := wire.DecodeNews(raw); return err }
	verdicts := func(raw []byte) error { _, err := wire.DecodeVerdicts(raw); return err }
	for _, tt := range []struct {
		says   string
		decode func([]byte) error
		raw    string
	}{
		{"no JSON", ask, `{`},
		{"no region", ask, `{"from":"","node":"a","term":1}`},
		{"a bad store", ask, `{"from":"a","stores":[{"store":"A B","view":"lost"}]}`},
		{"a bad incarnation", ask, `{"from":"a","stores":[{"store":"a","view":"lost","incarnation":"12"}]}`},
		{"a store's question about no host", ask, `{"from":"a","hosts":[{"store":"a","host":"","view":"lost"}]}`},
		{"a node with a line break", answer, `{"node":"a\nb","term":1}`},
		{"a view that is too long", answer, `{"node":"a","stores":[{"store":"a","view":"` + strings.Repeat("x", 300) + `"}]}`},
		{"a question who tells, about nothing", told, `{"from":"a","items":[{"incident":"x"}]}`},
		{"a word that is too long", words, `{"node":"a","words":["` + strings.Repeat("x", 300) + `"]}`},
		{"news of no host", news, `{"news":[{"store":"a"}]}`},
		{"too many news", news, `{"news":[` + strings.Repeat(`{"store":"a","host":"b"},`, wire.MaxBatch) + `{"store":"a","host":"b"}]}`},
		{"a verdict of nothing", verdicts, `{"verdicts":[{"store":"a"}]}`},
		{"a condition that is no number", verdicts, `{"verdicts":[{"store":"a","condition":999}]}`},
		{"a negative uncertainty", verdicts, `{"verdicts":[{"store":"a","condition":1,"uncertainty":-1}]}`},
		{"seen from no region", verdicts, `{"verdicts":[{"store":"a","condition":1,"seenFrom":[""]}]}`},
	} {
		if tt.decode([]byte(tt.raw)) == nil {
			t.Errorf("%s is accepted: %.100s", tt.says, tt.raw)
		}
	}
}

func TestWhatANewerRegionSaysIsIgnored(t *testing.T) {
	q, err := wire.DecodeQuestion([]byte(`{"from":"us-east-1","node":"a","term":1,"mood":"good","stores":[{"store":"a","view":"pondering","x":{}}]}`))
	if err != nil || q.Stores[0].View != "pondering" {
		t.Errorf("got %v, %v", q, err)
	}
}

func TestAQuestionWhoTellsMayBeAboutARegion(t *testing.T) {
	q, err := wire.DecodeToldQuestion([]byte(`{"from":"us-east-1","node":"a","term":1,"items":[{"incident":"x","k":1,"kind":"region-down","change":"open","region":"us-west-2"}]}`))
	if err != nil || q.Items[0].Region != "us-west-2" {
		t.Errorf("got %v, %v", q, err)
	}
}

func TestAVerdictsMessageIsCut(t *testing.T) {
	raw, err := json.Marshal(map[string]any{"verdicts": []presence.Verdict{{Store: "a", Condition: presence.HostFailing, Host: "b", Message: strings.Repeat("\x1bé", 300)}}})
	if err != nil {
		t.Fatal(err)
	}
	v, err := wire.DecodeVerdicts(raw)
	if err != nil || len(v[0].Message) > 256 || strings.Contains(v[0].Message, "\x1b") {
		t.Errorf("got %+v, %v", v, err)
	}
}

// FuzzDecode: no body ends the process, and what is accepted has valid names
// and survives the way back.
func FuzzDecode(f *testing.F) {
	seed := func(v any) {
		raw, err := json.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	seed(question())
	seed(presence.Answer{Node: "w1", Term: 7, Stores: question().Stores, Hosts: question().Hosts})
	seed(incident.ToldQuestion{From: "us-east-1", Items: []incident.ToldItem{{Incident: "a", K: 1, Kind: incident.StoreDown, Change: incident.Opened, Store: "demo"}}})
	seed(incident.ToldAnswer{Node: "w1", Words: []incident.Telling{incident.TellingMine}})
	seed(map[string]any{"news": []presence.News{{Store: "demo", Host: "pos1"}}})
	seed(map[string]any{"verdicts": []presence.Verdict{verdict(1)}})
	f.Add([]byte(`{"verdicts":[{"store":"a","condition":1e99}]}`))
	f.Add([]byte(strings.Repeat(`[`, 20_000)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if q, err := wire.DecodeQuestion(raw); err == nil {
			for _, s := range q.Stores {
				if _, err := beat.ParseStoreID(string(s.Store)); err != nil {
					t.Error(err)
				}
			}
			again(t, q, wire.DecodeQuestion)
		}
		if a, err := wire.DecodeAnswer(raw); err == nil {
			again(t, a, wire.DecodeAnswer)
		}
		if q, err := wire.DecodeToldQuestion(raw); err == nil {
			again(t, q, wire.DecodeToldQuestion)
		}
		if a, err := wire.DecodeToldAnswer(raw); err == nil {
			again(t, a, wire.DecodeToldAnswer)
		}
		if n, err := wire.DecodeNews(raw); err == nil {
			for _, it := range n {
				if _, err := beat.ParseHostID(string(it.Host)); err != nil {
					t.Error(err)
				}
			}
		}
		if v, err := wire.DecodeVerdicts(raw); err == nil {
			again(t, map[string]any{"verdicts": v}, wire.DecodeVerdicts)
		}
		for _, kind := range []wire.Kind{wire.Ask, wire.Told, wire.Heard, wire.Forward} {
			if r, err := wire.DecodeRequest(kind, raw); err == nil {
				body, err := r.Encode()
				if _, err2 := wire.DecodeRequest(kind, body); err != nil || err2 != nil {
					t.Errorf("request %s: %v, %v", body, err, err2)
				}
			}
			if r, err := wire.DecodeResponse(kind, raw); err == nil {
				body, err := r.Encode(kind)
				if _, err2 := wire.DecodeResponse(kind, body); err != nil || err2 != nil {
					t.Errorf("response %s: %v, %v", body, err, err2)
				}
			}
		}
	})
}

func again[T any](t *testing.T, v any, decode func([]byte) (T, error)) {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("encode %v: %v", v, err)
	}
	if _, err := decode(raw); err != nil {
		t.Fatalf("decode %s: %v", raw, err)
	}
}

var since = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func question() presence.Question {
	return presence.Question{
		From: "us-east-1", Node: "e1", Term: 3,
		Stores: []presence.StoreView{{Store: "demo", View: presence.ViewLost, Incarnation: beat.Incarnation{1, 2}, Epoch: 9, Since: since}},
		Hosts:  []presence.HostView{{Store: "demo", Host: "pos1", View: presence.ViewNever}},
	}
}

func verdict(i int) presence.Verdict {
	return presence.Verdict{
		Store: "demo", Host: beat.HostID(fmt.Sprintf("pos%d", i)), Condition: presence.HostMissing,
		Cause: presence.Cause{Incarnation: beat.Incarnation{1}, Number: uint64(i)}, Since: since,
		SeenFrom: []beat.Region{"us-east-1"}, Reason: presence.RelaySays, Message: "no paper",
	}
}
