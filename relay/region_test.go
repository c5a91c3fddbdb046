package relay_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/guard"
)

// region is a twin of a regional broker's gate: it takes reports, acks births
// and journals, and sends commands.
type region struct {
	t    testing.TB
	name beat.Region
	addr string
	door *guard.Door
	stop func()

	mu      sync.Mutex // guards what follows
	mute    bool       // do not ack journals
	conn    uint64     // the relay's newest connection
	top     beat.Number
	reports []beat.Report
	history []beat.Transition
	news    chan struct{} // closed and renewed at each report
}

var home = beat.Identity{Store: "demo", Relay: "r1"}

func (g *region) Connect(c *guard.Client) error {
	if c.User != home.String() || c.ClientID != c.User || string(c.Password) != "geheim" {
		return guard.ErrBadCredentials
	}
	if c.Will == nil || c.Will.Topic != home.DeathTopic() {
		return errors.New("no will")
	}
	_, err := beat.DecodeDeath(c.Will.Payload)
	return err
}

func (g *region) Established(*guard.Client)                     {}
func (g *region) Subscribe(_ *guard.Client, filter string) bool { return filter == home.DownFilter() }
func (g *region) Ended(*guard.Client, guard.End)                {}

func (g *region) Publish(c *guard.Client, m guard.Message) guard.Verdict {
	var r beat.Report
	if err := beat.DecodeReport(m.Payload, &r); err != nil || m.Topic != home.ReportTopic() {
		g.t.Errorf("region %s: a bad report on %s: %v", g.name, m.Topic, err)
		return guard.Close
	}
	g.mu.Lock()
	g.conn = c.ID
	g.reports = append(g.reports, r)
	ack := beat.Ack{V: beat.Wire, Epoch: r.Epoch, Seq: r.Seq, Home: "us-east-1", Incarnation: r.Incarnation, Top: g.top}
	if n := len(r.Journal); n > 0 && !g.mute {
		g.history = append(g.history, r.Journal...)
		ack.Through = max(r.Journal[n-1].Number, r.Journal[n-1].Until)
		g.top = max(g.top, ack.Through)
		ack.Top = g.top
	}
	answer := r.Kind == beat.Birth || ack.Through > 0
	close(g.news)
	g.news = make(chan struct{})
	g.mu.Unlock()
	if answer {
		go g.send(c.ID, home.AckTopic(), ack.Encode())
	}
	return guard.Accept
}

// send sends as soon as the relay has subscribed.
func (g *region) send(conn uint64, topic string, payload []byte) {
	for range 1000 {
		if err := g.door.Send(conn, topic, payload, 1); !errors.Is(err, guard.ErrNotSubscribed) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func (g *region) command(c beat.Command) {
	g.mu.Lock()
	conn := g.conn
	g.mu.Unlock()
	c.V = beat.Wire
	g.send(conn, home.CommandTopic(), c.Encode())
}

// wait returns the first report, or list of reports, that pleases.
func (g *region) wait(what string, pleases func(all []beat.Report, history []beat.Transition) bool) {
	g.t.Helper()
	deadline := time.After(patience)
	for {
		g.mu.Lock()
		ok, news := pleases(g.reports, g.history), g.news
		g.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-news:
		case <-deadline:
			g.mu.Lock()
			defer g.mu.Unlock()
			g.t.Fatalf("region %s: waited for %s; %d reports, history %v, last %+v", g.name, what, len(g.reports), g.history, lastOf(g.reports))
		}
	}
}

func lastOf(all []beat.Report) any {
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1]
}

// picture is the newest whole picture of the region, as "pos1:up#1 …".
func picture(all []beat.Report) string {
	for _, r := range slices.Backward(all) {
		if p := r.Picture; p != nil {
			var words []string
			for j := range p.Hosts {
				words = append(words, string(p.Hosts[j].Host)+":"+p.Hosts[j].State.String())
			}
			return strings.Join(words, " ")
		}
	}
	return "none"
}

// shows waits for a picture.
func (g *region) shows(want string) {
	g.t.Helper()
	g.wait("the picture "+want, func(all []beat.Report, _ []beat.Transition) bool { return picture(all) == want })
}

// clear forgets what came until now.
func (g *region) clear() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reports, g.history = nil, nil
}
