package link_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/peer/link"
	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// pair is both regions' links, the calls between them, and the mail.
type pair struct {
	t    *testing.T
	now  time.Duration
	east *end
	west *end
	// lag is how late a letter, and a lease, is seen.
	lag    time.Duration
	noMail bool
	post   []letter
}

type letter struct {
	mail    wire.Mail
	at      time.Duration
	dropped bool
}

// end is one region's.
type end struct {
	region beat.Region
	l      *link.Link
	// cut: its calls are not answered.
	cut     bool
	counter int64
	leases  []time.Duration // when each counter was written
	got     []string        // what came out, in words
	asked   []*wire.Request
	posted  int
	reads   int
	late    []late
}

type late struct {
	id uint64
	at time.Duration
}

func newPair(t *testing.T) *pair {
	p := &pair{t: t, lag: 300 * time.Millisecond}
	for _, r := range []beat.Region{"us-east-1", "us-west-2"} {
		o := link.DefaultOptions()
		o.Region, o.Other, o.Node, o.Term = r, "us-west-2", "n-"+string(r), 5
		e := &end{region: r}
		if r == "us-west-2" {
			o.Other = "us-east-1"
			p.west = e
		} else {
			p.east = e
		}
		e.l = link.New(o, beat.Now{})
	}
	return p
}

func (p *pair) other(e *end) *end {
	if e == p.east {
		return p.west
	}
	return p.east
}

func (p *pair) step(e *end, ev link.Event) {
	for _, o := range e.l.Step(beat.Now{Mono: p.now}, ev, nil) {
		p.did(e, o)
	}
}

func (p *pair) did(e *end, o link.Out) {
	say := func(format string, args ...any) { e.got = append(e.got, fmt.Sprintf(format, args...)) }
	switch o := o.(type) {
	case *link.Call:
		if e.cut {
			e.late = append(e.late, late{o.ID, p.now + 5*time.Second})
			return
		}
		q := p.other(e)
		p.step(q, &link.Heard{})
		p.step(e, &link.Called{ID: o.ID, Response: q.answer(o.Request)})
	case *link.Post:
		e.posted++
		if !p.noMail {
			p.post = append(p.post, letter{mail: o.Mail, at: p.now})
		}
	case *link.ReadMail:
		e.reads++
		r := &link.MailRead{Op: o.Op}
		for _, l := range p.post {
			if l.mail.To == e.region && p.now >= l.at+p.lag && !l.dropped {
				r.Letters = append(r.Letters, l.mail)
			}
		}
		slices.Reverse(r.Letters) // their order says nothing
		p.step(e, r)
	case *link.Drop:
		for i := range p.post {
			if p.post[i].mail.From == e.region && slices.Contains(o.Names, p.post[i].mail.Name()) {
				p.post[i].dropped = true
			}
		}
	case *link.Received:
		a := e.answer(o.Request)
		p.step(e, &link.Reply{Name: o.Name, Kind: o.Request.Kind, Response: a})
	case *link.Answered:
		say("answered %d by %s", o.ID, o.Answer.Node)
	case *link.ToldAnswered:
		say("told %d by %s", o.ID, o.Answer.Node)
	case *link.Unanswered:
		say("unanswered %d", o.ID)
	case *link.Ignored:
		say("ignored: %s", o.Reason)
	}
}

func (e *end) answer(r *wire.Request) *wire.Response {
	if r.Kind != wire.Heard || len(r.News) > 0 {
		e.asked = append(e.asked, r)
	}
	a := &wire.Response{State: wire.State{Node: string(e.region), Term: 5}}
	switch r.Kind {
	case wire.Ask:
		a.Ask = &presence.Answer{Node: string(e.region), Term: 5, Stores: r.Ask.Stores}
	case wire.Told:
		a.Told = &incident.ToldAnswer{Node: string(e.region), Term: 5}
	}
	return a
}

// run lets time pass, in steps of 100 ms; both renew their leases.
func (p *pair) run(d time.Duration) {
	for stop := p.now + d; p.now < stop; {
		p.now += 100 * time.Millisecond
		for _, e := range []*end{p.east, p.west} {
			if p.now%(3*time.Second) == 0 {
				e.counter++
				e.leases = append(e.leases, p.now)
				p.step(e, &link.Renewed{Lease: wire.Moment{Term: 5, Counter: e.counter}, At: p.now})
				seen := int64(0)
				for i, at := range p.other(e).leases {
					if p.now >= at+p.lag {
						seen = int64(i + 1)
					}
				}
				p.step(e, &link.Seen{Lease: wire.Moment{Term: 5, Counter: seen}})
			}
			e.late = slices.DeleteFunc(e.late, func(l late) bool {
				if p.now < l.at {
					return false
				}
				p.step(e, &link.Called{ID: l.id})
				return true
			})
			if at, _ := e.l.Next(); at <= p.now {
				p.step(e, nil)
			}
		}
	}
}

func (p *pair) want(e *end, words ...string) {
	p.t.Helper()
	if !slices.Equal(e.got, words) {
		p.t.Fatalf("%v: %s got %q, want %q", p.now, e.region, e.got, words)
	}
	e.got = nil
}
