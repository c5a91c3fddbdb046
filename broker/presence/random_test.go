package presence_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// chance makes events of few stores, hosts, boots and epochs, so that they meet.
type chance struct {
	r    *rand.Rand
	now  beat.Now
	asks uint64
}

func (c *chance) store() beat.StoreID { return beat.StoreID(fmt.Sprintf("s%d", c.r.IntN(5))) }
func (c *chance) host() beat.HostID   { return beat.HostID(fmt.Sprintf("h%d", c.r.IntN(4))) }
func (c *chance) conn() presence.Conn { return presence.Conn(c.r.IntN(6)) }
func (c *chance) relay() beat.RelayID { return beat.RelayID(fmt.Sprintf("r%d", c.r.IntN(10)/9)) }
func (c *chance) view() presence.View {
	return []presence.View{presence.ViewOpen, presence.ViewLost, presence.ViewNever, presence.ViewStopped, presence.ViewSettling}[c.r.IntN(5)]
}

func (c *chance) death() beat.Death {
	return beat.Death{V: 1, Incarnation: beat.Incarnation{1}, Boot: beat.Boot{byte(1 + c.r.IntN(3))}, Epoch: beat.Epoch(1 + c.r.IntN(30))}
}

func (c *chance) report() *beat.Report {
	r := report(beat.Kind(1+min(c.r.IntN(10), 2)), beat.Epoch(1+c.r.IntN(30)), beat.Seq(1+c.r.IntN(30)), c.now.Mono)
	if c.r.IntN(3) > 0 {
		r.Kind = beat.Birth
	}
	r.Store, r.Relay, r.Boot, r.Incarnation = c.store(), c.relay(), c.death().Boot, beat.Incarnation{byte(1 + c.r.IntN(10)/9)}
	r.Others = []beat.Witness{{Region: "us-west-2", Session: c.r.IntN(2) == 0, AckAgeMs: uint64(c.r.IntN(100_000))}}
	p := &beat.Picture{}
	for i := range 4 {
		if c.r.IntN(3) > 0 {
			p.Hosts = append(p.Hosts, beat.HostReport{
				Host: beat.HostID(fmt.Sprintf("h%d", i)), State: beat.HostState(c.r.IntN(5)), Number: beat.Number(1 + c.r.IntN(20)),
				IntervalMs: 5000, Flapping: c.r.IntN(5) == 0, AgeMs: uint64(c.r.IntN(10_000)),
			})
		}
	}
	if r.Kind == beat.Birth || c.r.IntN(2) == 0 {
		r.Picture = p
	}
	switch c.r.IntN(40) {
	case 0:
		r.Epoch = 1 << 60
	case 1:
		p.Hosts = append(p.Hosts, beat.HostReport{Host: "a"})
	case 2:
		p.Hosts = make([]beat.HostReport, 300)
	case 3:
		r.MonoMs = 1 << 63
	case 4:
		r.ReportEveryMs = 0
	}
	return r
}

func (c *chance) event() presence.Event {
	id := beat.Identity{Store: c.store(), Relay: c.relay()}
	switch n := c.r.IntN(100); {
	case n < 35:
		return &presence.Report{Conn: c.conn(), Report: c.report()}
	case n < 50:
		return &presence.Ended{Conn: c.conn(), ID: id, Death: c.death()}
	case n < 58:
		return &presence.Direct{Store: c.store(), Beat: beat.Beat{Host: c.host(), Interval: 20 * time.Second}}
	case n < 72:
		return c.answer()
	case n < 76:
		v := presence.StoreView{Store: c.store(), View: c.view(), Epoch: 9}
		return &presence.Asked{Question: presence.Question{Node: "n2", Term: 1, Stores: []presence.StoreView{v}, Hosts: []presence.HostView{{Store: c.store(), Host: c.host(), View: presence.ViewLost}}}}
	case n < 80:
		return &presence.Lease{Term: int64(c.r.IntN(2)), Counter: int64(c.r.IntN(9))}
	case n < 85:
		return &presence.Linked{OK: c.r.IntN(2) == 0}
	case n < 86:
		return &presence.Woke{}
	case n < 88:
		return &presence.Clashed{ID: id, Death: c.death()}
	case n < 90:
		return &presence.Heard{News: []presence.News{{Store: c.store(), Host: c.host(), Forgotten: c.r.IntN(3) == 0}}}
	case n < 94:
		cond := []presence.Condition{presence.Well, presence.StoreDown, presence.HostMissing, presence.HostForgotten, presence.RegionDown}[c.r.IntN(5)]
		return &presence.Forwarded{Verdicts: []presence.Verdict{{Store: c.store(), Host: []beat.HostID{"", c.host()}[c.r.IntN(2)], Condition: cond}}}
	case n < 95:
		return &presence.Forget{Store: c.store(), Host: c.host()}
	case n < 97:
		return c.settings()
	default:
		return nil
	}
}

func (c *chance) answer() presence.Event {
	id := uint64(c.r.IntN(8)) + max(c.asks, 7) - 7
	if c.r.IntN(3) == 0 {
		return &presence.Unanswered{ID: id}
	}
	a := presence.Answer{Node: "n2", Term: 1, Settles: c.r.IntN(5) == 0}
	for range c.r.IntN(3) {
		a.Stores = append(a.Stores, presence.StoreView{View: c.view(), Epoch: beat.Epoch(c.r.IntN(40))})
	}
	for range c.r.IntN(2) {
		a.Hosts = append(a.Hosts, presence.HostView{View: c.view()})
	}
	return &presence.Answered{ID: id, Answer: a}
}

func (c *chance) settings() presence.Event {
	var items []setting.Item
	for range c.r.IntN(3) {
		d := setting.Declaration{Timezone: "Europe/Berlin", Hosts: map[beat.HostID]setting.DeclaredHost{}}
		if c.r.IntN(2) == 0 {
			d.Hours = map[string][]string{}
			for _, day := range []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} {
				d.Hours[day] = []string{"09:00-18:00"}
			}
		}
		for range c.r.IntN(3) {
			d.Hosts[c.host()] = setting.DeclaredHost{}
		}
		doc := setting.Setting{Kind: setting.Declared, ID: string(c.store()), Version: 1, At: c.now.Wall, Store: &d}
		if setting.NewCompiler().Validate(&doc) == nil {
			items = append(items, setting.Item{Region: "us-east-1", Setting: doc})
		}
	}
	return &presence.Settings{Fleet: setting.Join(items)}
}

func (c *chance) pause() time.Duration {
	switch c.r.IntN(20) {
	case 0:
		return time.Duration(c.r.IntN(36)) * time.Hour
	case 1, 2:
		return time.Duration(c.r.IntN(900)) * time.Second
	default:
		return time.Duration(c.r.IntN(12_000)) * time.Millisecond
	}
}

func started() (*presence.Presence, beat.Now) {
	o := presence.DefaultOptions()
	o.Region, o.Regions, o.Node, o.Term = "us-east-1", []beat.Region{"us-east-1", "us-west-2"}, "n1", 1
	now := beat.Now{Wall: time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)}
	return presence.New(o, now), now
}

// One Step over many deadlines equals many Steps (P12); Next is always ahead;
// and what is refused as impossible changes nothing.
func TestAnyScheduleKeepsTheRules(t *testing.T) {
	for seed := range uint64(100) {
		once, now := started()
		often, _ := started()
		c := &chance{r: rand.New(rand.NewPCG(seed, 1)), now: now}
		for range 150 {
			c.now = c.now.Add(c.pause())
			e := c.event()
			var many []presence.Out
			if _, woke := e.(*presence.Woke); !woke { // the stall is one for both
				many = stepOften(t, often, now, c.now)
			}
			many = often.Step(c.now, e, many)
			single := once.Step(c.now, e, nil)
			now = c.now
			if !reflect.DeepEqual(many, single) {
				t.Fatalf("seed %d: %T at %v: many Steps %s\none Step %s", seed, e, now.Mono, describe(many), describe(single))
			}
			if at, ok := once.Next(); ok && at <= now.Mono {
				t.Fatalf("seed %d: Next is %v at %v", seed, at, now.Mono)
			}
			for _, o := range single {
				if a, ok := o.(*presence.Ask); ok {
					c.asks = a.ID
				}
			}
			again(t, seed, once, now, e)
			often.Step(now, e, nil)
		}
	}
}

func stepOften(t *testing.T, p *presence.Presence, from, to beat.Now) (out []presence.Out) {
	t.Helper()
	for range 1_000_000 {
		at, ok := p.Next()
		if !ok || at > to.Mono {
			return out
		}
		out = p.Step(to.Add(max(at, from.Mono)-to.Mono), nil, out)
	}
	t.Fatal("it never gets there")
	return nil
}

// again steps an event a second time. What is refused as impossible, stale or a
// duplicate changes nothing.
func again(t *testing.T, seed uint64, p *presence.Presence, now beat.Now, e presence.Event) {
	t.Helper()
	before := everything(t, p, now)
	outs := p.Step(now, e, nil)
	refused, ok := find[*presence.Refused](outs)
	if !ok {
		return
	}
	switch refused.Reason {
	case presence.BadReport, presence.BadPicture, presence.FutureEpoch, presence.Duplicate, presence.StaleEnd,
		presence.Replaced, presence.Retired, presence.UnknownSubject, presence.TooMany:
		if after := everything(t, p, now); after != before {
			t.Fatalf("seed %d: %T was refused (%v) and changed\n%s\nto\n%s", seed, e, refused.Reason, before, after)
		}
	}
}

func everything(t *testing.T, p *presence.Presence, now beat.Now) string {
	t.Helper()
	var all []presence.Explanation
	p.Each(now, func(s presence.StoreStatus) {
		e, _ := p.Explain(now, s.Store)
		all = append(all, e)
	})
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func describe(outs []presence.Out) string {
	s := ""
	for _, o := range outs {
		s += fmt.Sprintf("\n  %T %+v", o, o)
	}
	return s
}
