package torture

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

const (
	// maxPast is how many closed connections of a relay are kept, to come again.
	maxPast = 4
	// blipped is when a word on the LAN would have done its harm: blip, and a
	// little.
	blipped = 2500 * time.Millisecond
)

// past is a connection that is over: what it brought may come once more.
type past struct {
	conn   presence.Conn
	region int
	who    beat.Identity
	death  beat.Death
	birth  []byte // its first report
	report []byte // its last
}

// remember keeps what a closed connection brought.
func (s *store) remember(c *conn) {
	if len(s.past) == maxPast {
		s.past = append(s.past[:0], s.past[1:]...)
	}
	s.past = append(s.past, past{c.id, c.path.to, c.who, c.death, c.birth, c.report})
}

// staleWill replays the wills, ends and reports of a store's closed sessions:
// none may change what a region sees.
func (w *world) staleWill(s *store) {
	for g := range w.names {
		p := w.active(g)
		if p == nil || p.stalled || !p.node.Ready() {
			continue
		}
		p.step(nil)
		for i := range s.past {
			x := &s.past[i]
			if x.region != g || !p.up || s.relay == nil || x.who != s.relay.who {
				continue
			}
			before := p.sight(s)
			p.step(&presence.Ended{Conn: x.conn, ID: x.who, Death: x.death})
			for _, raw := range [...][]byte{x.report, x.birth} {
				r := &beat.Report{}
				if raw != nil && p.up && beat.DecodeReport(raw, r) == nil {
					p.step(&presence.Report{Conn: x.conn, Report: r})
				}
			}
			if !p.up {
				return
			}
			after := p.sight(s)
			w.inert(after != before, func() string {
				return fmt.Sprintf("what came once more of epoch %d of %s changed what %s sees from %q to %q", x.death.Epoch, s.id, p.home(), before, after)
			})
		}
	}
}

// inert says whether stale input changed anything.
func (w *world) inert(changed bool, what func() string) {
	w.truth.truth.Now(w.now)
	text := ""
	if changed {
		text = what()
	}
	w.truth.truth.Inert(changed, text)
}

// sight is what a region sees of a store, as a text.
func (p *process) sight(s *store) string {
	now := p.clock()
	st, ok := p.node.Presence().Status(now, s.id)
	if !ok {
		return "nothing"
	}
	var text strings.Builder
	fmt.Fprint(&text, st.State, " ", st.Mine, " ", st.Relay)
	hosts, _ := p.node.Presence().Hosts(now, s.id)
	for i := range hosts {
		fmt.Fprint(&text, " ", hosts[i].Host, "=", hosts[i].State)
	}
	return text.String()
}

// staleLan says once more what closed LAN connections of a till said, and what
// a stranger says of it: neither may change its state, at once or after blip.
func (w *world) staleLan(t *till) {
	r := t.store.relay
	if r == nil || !r.up || r.stalled || !t.alive || t.failing || t.cut || t.way.direct() || len(t.store.doubles) > 0 || len(t.store.twins) > 0 {
		return
	}
	before, ok := r.number(t.id)
	if !ok {
		return
	}
	stranger := roster.Source{Addr: netip.AddrFrom4([4]byte{10, 9, 9, 9})}
	if t.way == byMQTT {
		w.lastLan++
		stranger.Conn = w.lastLan
	}
	words := []roster.Event{&roster.Gone{From: stranger, Host: t.id}, &roster.Bye{From: stranger, Host: t.id}, &roster.Closed{From: stranger}}
	for _, old := range t.past {
		if old == t.conn {
			continue
		}
		from := roster.Source{Conn: old, Addr: t.addr}
		words = append(words, &roster.Closed{From: from}, &roster.Gone{From: from, Host: t.id})
	}
	life, conn, relayLife, way := t.life, t.conn, r.life, t.way
	for _, e := range words {
		r.deliver(e)
	}
	w.after(blipped, func() {
		if t.life != life || t.conn != conn || r.life != relayLife || t.way != way || t.failing || t.cut || r.stalled || len(t.store.doubles) > 0 {
			return
		}
		after, _ := r.number(t.id)
		w.inert(after != before, func() string {
			return fmt.Sprintf("a word of a closed connection, or of a stranger, changed %s of %s", t.id, t.store.id)
		})
	})
}

// number is the transition that put a host in its state; it must be up.
func (r *relay) number(id beat.HostID) (beat.Number, bool) {
	p := r.roster.Picture(r.clock())
	for i := range p.Hosts {
		if h := &p.Hosts[i]; h.Host == id {
			return h.Number, h.State == beat.Up
		}
	}
	return 0, false
}

// flap lets a till die and return n times.
func (w *world) flap(t *till, n int) {
	for i := range n {
		w.after(time.Duration(i)*12*time.Second, func() { t.die(true) })
		w.after(time.Duration(i)*12*time.Second+6*time.Second, func() {
			if !t.alive {
				t.start()
			}
		})
	}
}
