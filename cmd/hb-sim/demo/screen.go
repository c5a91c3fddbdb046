package demo

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/hb-mesh/hb-mesh/broker"
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/demo/fleet"
)

// screenName is the channel of notices that is the terminal.
const screenName incident.Channel = "terminal"

const (
	// maxSeen bounds how many lines the screen knows again.
	maxSeen = 4096
	// sameFor is how long the same line is the other region's echo, or a retry.
	sameFor = time.Hour
)

// screen is what a visitor reads: the banner, then one line per notice, and per
// new host.
type screen struct {
	// mu guards the fields below.
	mu   sync.Mutex
	w    io.Writer
	seen map[string]time.Time // what was printed, and when
}

var _ notice.Channel = (*screen)(nil)

func newScreen(w io.Writer) *screen { return &screen{w: w, seen: map[string]time.Time{}} }

// Name is the channel's.
func (s *screen) Name() incident.Channel { return screenName }

// Local says that the terminal reaches nobody who is away.
func (s *screen) Local() bool { return true }

// Publish prints one line, once for each notice: both regions share the screen.
func (s *screen) Publish(_ context.Context, m notice.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.again(m.ID) {
		return nil
	}
	return s.print(string(m.Severity), m.SMS)
}

// again says whether what key names was printed within sameFor.
func (s *screen) again(key string) bool {
	now := time.Now()
	at, ok := s.seen[key]
	if ok && now.Sub(at) < sameFor {
		return true
	}
	if len(s.seen) >= maxSeen {
		clear(s.seen)
	}
	s.seen[key] = now
	return false
}

// note prints a line that is no notice; both regions may say it.
func (s *screen) note(word, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.again(word + text) {
		return
	}
	_ = s.print(word, text) // a terminal that is gone is no reason to stop
}

// say prints a line that only the demo itself says.
func (s *screen) say(word, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.print(word, text) // a terminal that is gone is no reason to stop
}

func (s *screen) print(word, text string) error {
	_, err := fmt.Fprintf(s.w, "%s  %-8s  %s\n", time.Now().Format(time.TimeOnly), word, strings.ReplaceAll(text, "\n", " "))
	return err
}

// banner says where everything is, and three things to try.
func (s *screen) banner(d *Demo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := d.ports
	fmt.Fprintf(s.w, "hb-mesh demo: store %s with %d registers and a relay, and two regions that watch it.\n\n", store, registers)
	if n := d.light(); n > 0 {
		fmt.Fprintf(s.w, "With it, %d light stores of %d hosts each (%s to %s): a relay's session with both regions, and no LAN.\n", n, d.o.Registers, fleet.Name(0), fleet.Name(n-1))
		if piped := n - maxSockets; piped > 0 {
			fmt.Fprintf(s.w, "%d of them are on real sockets; the other %d enter the same doors through pipes in this process (net.Pipe).\n", maxSockets, piped)
		}
		fmt.Fprintln(s.w)
	}
	table := func(rows [][]string) {
		tw := tabwriter.NewWriter(s.w, 0, 0, 3, ' ', 0)
		for _, row := range rows {
			fmt.Fprintln(tw, "  "+strings.Join(row, "\t"))
		}
		_ = tw.Flush()
	}
	table([][]string{
		{"dashboard", p.url(portEastHTTP), "region " + string(east) + ", MQTT " + p.address(portEastMQTT)},
		{"", p.url(portWestHTTP), "region " + string(west) + ", MQTT " + p.address(portWestMQTT)},
		{"relay", p.url(portRelayHTTP), "its local page; registers beat here, or by MQTT at " + p.address(portRelayMQTT)},
		{"control", p.url(portControl), "the switches: hbctl demo status"},
		{"data", d.dir, d.kept()},
	})
	hbctl := "bin/hbctl" + p.flag() + " demo unplug "
	fmt.Fprint(s.w, "\nTry (and plug it in again with `demo plug`):\n")
	table([][]string{
		{hbctl + "register/pos3", "a register dies: one message"},
		{hbctl + "relay", "the store goes dark: one message, none for its registers"},
		{hbctl + "wan/" + string(east), "one path is cut: nobody is woken"},
	})
	if n := d.o.Stores; n > 1 {
		table([][]string{{hbctl + storesPrefix + strconv.Itoa(n), fmt.Sprintf("all %d stores lose power at once: a few messages that list them", n)}})
	}
	fmt.Fprint(s.w, "\nThe mesh is quicker here than by its defaults, which the README tells.")
	if d.o.Stores <= fewStores {
		fmt.Fprintf(s.w, " And %d messages of a minute go at once (there: %d; the others wait for a digest).", visitorBurst, broker.DefaultOptions().Burst)
	}
	fmt.Fprint(s.w, "\nNotices appear here, on the dashboard, and with --webhook URL. Ctrl-C ends the demo.\n\n")
}
