package incident_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// FuzzBook hands a book whatever the table and the other region may hold, in
// any order and with any results: it says why it sets something aside, and
// never panics, and what it wants written can be.
func FuzzBook(f *testing.F) {
	f.Add([]byte{0, 7, 2, 1, 3, 9, 4, 4, 5, 200, 6, 1}, `{"items":[{"kind":"host-missing","change":"open","store":"demo","host":"pos1","incident":"A","k":1}],"id":"01","region":"us-east-1","rev":1,"marks":{"sns":"unsent"}}`)
	f.Add([]byte{2, 0, 2, 1, 9, 9, 7, 7, 7}, `{"id":"A","kind":"store-down","store":"demo","k":1,"open":true}`)
	f.Add([]byte{3, 1, 1, 8, 8, 5, 5}, `{"from":"us-west-2","items":[{"incident":"A","k":-1,"kind":"?","change":"open"}]}`)
	f.Add([]byte{4, 4, 5, 5, 1}, `{"store":"demo","host":"pos1","condition":2,"at":"9999-12-31T23:59:59-14:00"}`)
	f.Fuzz(func(t *testing.T, script []byte, doc string) {
		p := newPrey(t)
		for i := 0; i+1 < min(len(script), 200); i += 2 {
			p.strike(script[i], script[i+1], doc)
		}
	})
}

// prey is a book whose shell answers at random.
type prey struct {
	t      *testing.T
	b      *incident.Book
	now    beat.Now
	ops    []uint64
	pubs   []uint64
	asks   []uint64
	number uint64
}

func newPrey(t *testing.T) *prey {
	o := incident.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Term = "us-east-1", []beat.Region{"us-east-1", "us-west-2"}, "n", 1
	o.Channels, o.Programs, o.Local = []incident.Channel{"sns", "bot", "log"}, []incident.Channel{"bot"}, []incident.Channel{"log"}
	return &prey{t: t, b: incident.New(o), now: beat.Now{Mono: time.Minute, Wall: time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)}}
}

func (p *prey) strike(what, how byte, doc string) {
	p.now.Mono += time.Duration(how) * 300 * time.Millisecond
	p.now.Wall = p.now.Wall.Add(time.Duration(how) * 300 * time.Millisecond)
	switch what % 12 {
	case 0:
		p.do(&incident.Decided{Verdict: p.verdict(how)})
	case 1:
		v := p.verdict(how)
		_ = json.Unmarshal([]byte(doc), &v)
		p.do(&incident.Forwarded{From: "us-west-2", Verdicts: []presence.Verdict{v}})
	case 2:
		var n incident.Notice
		var i incident.Incident
		if json.Unmarshal([]byte(doc), &n) == nil && json.Unmarshal([]byte(doc), &i) == nil {
			p.do(&incident.Loaded{Incidents: []incident.Incident{i}, Notices: []incident.Notice{n}})
		}
	case 3:
		var q incident.ToldQuestion
		_ = json.Unmarshal([]byte(doc), &q)
		p.do(&incident.Asked{Question: q})
	case 4:
		p.result(&p.ops, func(id uint64) incident.Event {
			return &incident.Wrote{Op: id, Result: incident.Result(how % 4)}
		})
	case 5:
		p.result(&p.pubs, func(id uint64) incident.Event {
			return &incident.Published{Op: id, Result: incident.Result(how % 4)}
		})
	case 6:
		words := []incident.Telling{incident.TellingSent, incident.TellingMine, incident.TellingYours, incident.TellingOver, "?"}
		p.result(&p.asks, func(id uint64) incident.Event {
			return &incident.Answered{ID: id, Answer: incident.ToldAnswer{Words: words[how%5 : how%5+1]}}
		})
	case 7:
		p.result(&p.asks, func(id uint64) incident.Event { return &incident.Unanswered{ID: id} })
	case 8:
		p.result(&p.asks, func(id uint64) incident.Event {
			return &incident.MarksRead{ID: id, Failed: how%2 == 0, Known: make([]incident.Known, how%3)}
		})
	case 9:
		p.do(&incident.Lease{Until: p.now.Mono + time.Duration(how%3)*10*time.Second})
	case 10:
		p.do(&incident.PeerIs{State: presence.PeerState(how % 5)})
	case 11:
		p.do(nil)
	}
}

// result answers one of the commands that wait, or one that nobody gave.
func (p *prey) result(ids *[]uint64, answer func(uint64) incident.Event) {
	id := uint64(1 << 40)
	if len(*ids) > 0 {
		id, *ids = (*ids)[0], (*ids)[1:]
	}
	p.do(answer(id))
}

func (p *prey) verdict(how byte) presence.Verdict {
	p.number++
	v := presence.Verdict{
		Store: beat.StoreID(fmt.Sprintf("s%d", how%3)), Condition: presence.Condition(how % 24), Cause: presence.Cause{Number: p.number},
		At: p.now.Wall, Since: p.now.Wall, SeenFrom: []beat.Region{"us-east-1"}, Old: how%7 == 0, Unadopted: how%11 == 0,
	}
	if how%2 == 0 {
		v.Host = "pos1"
	}
	return v
}

func (p *prey) do(e incident.Event) {
	for _, o := range p.b.Step(p.now, e, nil) {
		switch o := o.(type) {
		case *incident.Write:
			p.ops = append(p.ops, o.Op)
			p.writable(o.Notice)
		case *incident.Publish:
			p.pubs = append(p.pubs, o.Op)
			if len(o.Notice.Items) == 0 {
				p.t.Fatal("a notice of nothing")
			}
		case *incident.Ask:
			p.asks = append(p.asks, o.ID)
		case *incident.ReadMarks:
			p.asks = append(p.asks, o.ID)
		case *incident.Save:
			p.writable(o.Incident)
		case *incident.Ignored:
			if o.Reason == "" {
				p.t.Fatal("set aside without a reason")
			}
		}
	}
	p.b.Explain(p.now, "s0", "pos1", "")
	if at, ok := p.b.Next(); ok && at <= p.now.Mono {
		p.t.Fatalf("due at %v, and it is %v", at, p.now.Mono)
	}
}

func (p *prey) writable(doc any) {
	if _, err := json.Marshal(doc); err != nil {
		p.t.Fatal(err)
	}
}
