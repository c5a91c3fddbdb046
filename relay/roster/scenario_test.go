package roster_test

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

// update rewrites the outcomes in testdata with what the code does now.
var update = flag.Bool("update", false, "rewrite the outcomes of the scenarios")

// A scenario is a text: a line is a time and what happens then, and below it,
// after "->", all that the roster does about it. See testdata/README.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("find scenarios: %v, %d found", err, len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(raw), false)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got != string(raw) {
				t.Errorf("outcomes differ; got:\n%s", got)
			}
			punctual := play(t, string(raw), true)
			if outcomes(punctual) != outcomes(got) {
				t.Errorf("one Step over many deadlines differs from many Steps; many:\n%s", punctual)
			}
		})
	}
}

// outcomes is every outcome of a script, without the moments of their Steps.
func outcomes(script string) string {
	var b strings.Builder
	for line := range strings.Lines(script) {
		if strings.HasPrefix(strings.TrimSpace(line), "->") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// stage is a roster on a stage, with what a journal would keep.
type stage struct {
	t       *testing.T
	r       *roster.Roster
	o       roster.Options
	journal map[beat.HostID]roster.Record
	lan     *roster.LanRecord
	epoch   time.Duration // script time of the present start
	many    bool
	out     strings.Builder
}

// play runs a script and returns it with the outcomes of this run. many calls
// Step at each deadline as well.
func play(t *testing.T, script string, many bool) string {
	t.Helper()
	s := &stage{t: t, journal: map[beat.HostID]roster.Record{}, many: many,
		o: roster.Options{Blip: 2 * time.Second, WarmUp: 5 * time.Minute, NewHostsPerHour: 20}}
	s.r = roster.New(s.o)
	for line := range strings.Lines(script) {
		line = strings.TrimRight(line, "\n")
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "->") {
			continue
		}
		s.out.WriteString(line + "\n")
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		s.line(trimmed)
	}
	return s.out.String()
}

func (s *stage) line(line string) {
	s.t.Helper()
	when, what, ok := strings.Cut(line, ": ")
	at, err := time.ParseDuration(when)
	if !ok || err != nil {
		s.t.Fatalf("line %q: want a time, a colon and what happens", line)
	}
	f := strings.Fields(what)
	if f[0] == "options" {
		s.options(f[1:])
		return
	}
	now := s.now(at)
	if s.many && what != "the relay wakes up" { // it stood still: there was no Step
		for {
			next, ok := s.r.Next()
			if !ok || next >= now.Mono {
				break
			}
			s.tell(s.r.Step(s.now(next+s.epoch), nil, nil))
		}
	}
	switch what {
	case "the relay restarts":
		s.restart(at)
	case "picture":
		s.picture(now)
	default:
		s.tell(s.r.Step(now, s.event(what, f), nil))
	}
}

func (s *stage) now(at time.Duration) beat.Now {
	return beat.Now{Mono: at - s.epoch, Wall: time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC).Add(at)}
}

func (s *stage) options(f []string) {
	for _, kv := range f {
		k, v, _ := strings.Cut(kv, "=")
		d, err := time.ParseDuration(v)
		n, errN := strconv.Atoi(v)
		switch {
		case k == "blip" && err == nil:
			s.o.Blip = d
		case k == "warmUp" && err == nil:
			s.o.WarmUp = d
		case k == "newHostsPerHour" && errN == nil:
			s.o.NewHostsPerHour = n
		case k == "newHostsPerAddress" && errN == nil:
			s.o.NewHostsPerAddress = n
		case k == "maxChanges" && errN == nil:
			s.o.MaxChanges = n
		case k == "exemptLoopback":
			s.o.ExemptLoopback = v == "true"
		default:
			s.t.Fatalf("option %q", kv)
		}
	}
	s.r = roster.New(s.o)
}

func (s *stage) restart(at time.Duration) {
	s.r, s.epoch = roster.New(s.o), at
	var hosts []roster.Record
	for _, rec := range s.journal {
		hosts = append(hosts, rec)
	}
	slices.SortFunc(hosts, func(a, b roster.Record) int { return strings.Compare(string(a.Host), string(b.Host)) })
	s.tell(s.r.Step(s.now(at), &roster.Loaded{Hosts: hosts, Lan: s.lan}, nil))
}

// event reads "pos1 beats on 1 from 10.0.0.5 every 30s saying fail", and its like.
func (s *stage) event(what string, f []string) roster.Event {
	s.t.Helper()
	from := roster.Source{Addr: netip.MustParseAddr("10.0.0.1")}
	var b beat.Beat
	for i := 1; i+1 < len(f); i++ {
		v := f[i+1]
		switch f[i] {
		case "on", "connection":
			from.Conn = s.number(v)
		case "from":
			from.Addr = netip.MustParseAddr(v)
		case "every":
			d, err := time.ParseDuration(v)
			if err != nil {
				s.t.Fatal(err)
			}
			b.Interval = d
		case "saying":
			b.Status = map[string]beat.Status{"ok": beat.OK, "warn": beat.Warn, "fail": beat.Fail}[v]
			b.KeepStatus = v == "nothing"
		}
	}
	verb := strings.Join(f[1:min(2, len(f))], " ")
	host := beat.HostID(f[0])
	switch {
	case what == "time passes":
		return nil
	case what == "the relay wakes up":
		return &roster.Woke{}
	case f[0] == "carrier":
		return &roster.Carrier{Up: f[1] == "returns"}
	case f[0] == "numbers":
		return &roster.Numbers{From: beat.Number(s.number(f[1])), To: beat.Number(s.number(f[3])), Jump: len(f) > 4}
	case f[0] == "connection":
		from.Conn = s.number(f[1])
		return &roster.Closed{From: from, Clean: f[2] == "ends"}
	case f[0] == "forget":
		return &roster.Forget{Host: beat.HostID(f[1])}
	case verb == "beats":
		b.Host = host
		return &roster.Beat{From: from, Beat: b}
	case verb == "gone":
		return &roster.Gone{From: from, Host: host}
	case verb == "bye":
		return &roster.Bye{From: from, Host: host}
	case verb == "connects":
		return &roster.Connected{From: from, Host: host}
	}
	s.t.Fatalf("do not understand %q", what)
	return nil
}

func (s *stage) number(v string) uint64 {
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// tell writes what the roster did, and keeps what a journal would.
func (s *stage) tell(outs []roster.Out) {
	say := func(format string, a ...any) { fmt.Fprintf(&s.out, "    -> "+format+"\n", a...) }
	for _, o := range outs {
		switch o := o.(type) {
		case *roster.Changed:
			tr := o.Transition
			text := fmt.Sprintf("#%d %s is %s at %v: %s", tr.Number, tr.Host, tr.State, s.epoch+span(tr.MonoMs), tr.Reason)
			if tr.SilentMs > 0 {
				text += fmt.Sprintf(", silent for %v", span(tr.SilentMs))
			}
			if o.New {
				text += " (new)"
			}
			say("%s", text)
			s.journal[tr.Host] = o.Record
		case *roster.Forgot:
			say("#%d %s is %s", o.Transition.Number, o.Host, o.Transition.Reason)
			delete(s.journal, o.Host)
		case *roster.Shown:
			say("%s is shown as before the start", o.Host)
		case *roster.Noted:
			say("%s promises %v from now on", o.Record.Host, time.Duration(o.Record.IntervalMs)*time.Millisecond)
			s.journal[o.Record.Host] = o.Record
		case *roster.NeedNumbers:
			say("needs numbers")
		case *roster.Lan:
			tr := o.Transition
			say("#%d the LAN is %s at %v: %s", tr.Number, map[bool]string{true: "dead", false: "well"}[o.Record.Dead], s.epoch+span(tr.MonoMs), tr.Reason)
			s.lan = &o.Record
		case *roster.Flaps:
			say("%s", map[bool]string{true: string(o.Host) + " is held", false: string(o.Host) + " flaps"}[o.Held])
		case *roster.Calm:
			say("%s is calm", o.Host)
		case *roster.Conflict:
			say("conflict: %s beats from %s and %s", o.Host, o.A, o.B)
		case *roster.Ignored:
			say("ignored: %s, %s", o.Host, o.Why)
		}
	}
}

func (s *stage) picture(now beat.Now) {
	p := s.r.Picture(now)
	for _, h := range p.Hosts {
		flaps := ""
		if h.Flapping {
			flaps = ", flapping"
		}
		fmt.Fprintf(&s.out, "    -> picture: %s is %s since #%d, %s, last beat %v ago, every %v%s\n",
			h.Host, h.State, h.Number, h.Reason, h.Age(), h.Interval(), flaps)
	}
	if p.Lan != nil {
		fmt.Fprintf(&s.out, "    -> picture: the LAN is %s since #%d, %s, for %v\n",
			map[bool]string{true: "dead", false: "well"}[p.Lan.Dead], p.Lan.Number, p.Lan.Reason, span(p.Lan.AgeMs))
	}
	if len(p.Hosts) == 0 {
		s.out.WriteString("    -> picture: nobody\n")
	}
}

func span(ms uint64) time.Duration { return time.Duration(ms) * time.Millisecond } //nolint:gosec // a test's time
