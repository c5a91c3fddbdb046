package schedule

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// The names of what is in every mesh.
var (
	regionNames    = []string{"us-east-1", "us-west-2"}
	hereNames      = []string{"here", "there"} // of a fault that waits for a moment
	nodeNames      = []string{"a", "b"}
	channelNames   = []string{"people", "program"}
	directionNames = []string{"both", "up", "down"}
	bootNames      = []string{"other-boot", "same-boot"}
	leaveNames     = []string{"for-good", "to-restart"}
)

// strayMark is behind a host that nobody declared.
const strayMark = ":stray"

// String is the schedule as a text that Parse reads.
func (s *Schedule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d\n", s.Seed)
	if !s.Wall.IsZero() {
		fmt.Fprintf(&b, "clock %s\n", s.Wall.UTC().Format(time.RFC3339))
	}
	for i := range s.Stores {
		st := &s.Stores[i]
		fmt.Fprintf(&b, "store s%d", i+1)
		if st.Relay {
			b.WriteString(" relay")
		}
		if st.Opens.Closes() {
			fmt.Fprintf(&b, " open:%s", st.Opens)
		}
		for _, h := range st.Hosts {
			fmt.Fprintf(&b, " %s:%v", h.Way, h.Interval)
			if h.Stray {
				b.WriteString(strayMark)
			}
		}
		b.WriteByte('\n')
	}
	for i := range s.Faults {
		fmt.Fprintf(&b, "%s\n", &s.Faults[i])
	}
	if s.Linger > 0 {
		fmt.Fprintf(&b, "linger %v\n", s.Linger)
	}
	return b.String()
}

// String is the zone, and from when to when: "Europe/Berlin:02:30-23:00".
func (h Opening) String() string {
	return fmt.Sprintf("%s:%02d:%02d-%02d:%02d", h.Zone, h.From/60, h.From%60, h.To/60, h.To%60)
}

// String is the fault's line: "at 1m45s relay-kill s2 for 30s", or "from 1m20s
// on 2. claim late 12ms node-kill here for 4s".
func (f *Fault) String() string {
	var b strings.Builder
	regions := regionNames
	if f.On == 0 {
		fmt.Fprintf(&b, "at %v", f.At)
	} else {
		regions = hereNames
		fmt.Fprintf(&b, "from %v on %d. %s", f.At, f.Nth, f.On)
		if f.Late > 0 {
			fmt.Fprintf(&b, " late %v", f.Late)
		}
	}
	fmt.Fprintf(&b, " %s", f.Kind)
	for _, what := range shapes[f.Kind%Kinds].has {
		b.WriteByte(' ')
		switch what {
		case 'r':
			b.WriteString(regions[f.Region&1])
		case 'n':
			b.WriteString(regions[f.Region&1] + "-" + nodeNames[f.Node&1])
		case 's':
			fmt.Fprintf(&b, "s%d", f.Store+1)
		case 'h':
			fmt.Fprintf(&b, "s%d/pos%d", f.Store+1, f.Host+1)
		case 'c':
			b.WriteString(channelNames[f.Channel&1])
		case 'w':
			b.WriteString(wayNames[f.Arg%int(allWays)])
		case 'd':
			b.WriteString(directionNames[f.Arg%len(directionNames)])
		case 'b':
			b.WriteString(bootNames[f.Arg&1])
		case 'l':
			b.WriteString(leaveNames[f.Arg&1])
		default:
			b.WriteString(strconv.Itoa(f.Arg))
		}
	}
	if f.For > 0 {
		fmt.Fprintf(&b, " for %v", f.For)
	}
	return b.String()
}

// Parse reads a schedule. Lines that begin with # are comments.
func Parse(in io.Reader) (*Schedule, error) {
	s := &Schedule{}
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		var err error
		switch words[0] {
		case "seed":
			err = s.parseSeed(words[1:])
		case "clock":
			err = s.parseClock(words[1:])
		case "store":
			err = s.parseStore(words[1:])
		case "linger":
			p := line{words: words[1:]}
			s.Linger, err = p.duration(), p.err
		case "at", "from":
			err = s.parseFault(words)
		default:
			err = fmt.Errorf("unknown word %q", words[0])
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read schedule: %w", err)
	}
	s.settle()
	return s, s.check()
}

func (s *Schedule) check() error {
	if len(s.Stores) == 0 {
		return fmt.Errorf("a schedule has a store at least")
	}
	for i := range s.Faults {
		f := &s.Faults[i]
		if f.Store < 0 || f.Store >= len(s.Stores) || f.Host < 0 || f.Host >= len(s.Stores[f.Store].Hosts) || f.Kind == Mass && (f.Arg < 1 || f.Arg > len(s.Stores)) {
			return fmt.Errorf("fault %d (%s) is about something that is not there", i+1, f.Kind)
		}
		if f.Kind == Hours && s.Stores[f.Store].Opens.Closes() {
			return fmt.Errorf("fault %d (%s) is about a store that has hours", i+1, f.Kind)
		}
		if f.Kind == ReplicationPart && (f.Arg < 1 || f.Arg > Parts) {
			return fmt.Errorf("fault %d (%s) is about a part of %d", i+1, f.Kind, Parts)
		}
	}
	return nil
}

func (s *Schedule) parseSeed(words []string) (err error) {
	if len(words) != 1 {
		return fmt.Errorf("seed has one number")
	}
	s.Seed, err = strconv.ParseUint(words[0], 10, 64)
	return err
}

func (s *Schedule) parseClock(words []string) (err error) {
	if len(words) != 1 {
		return fmt.Errorf("clock has one time")
	}
	s.Wall, err = time.Parse(time.RFC3339, words[0])
	return err
}

func (h *Opening) parse(text string) error {
	zone, span, _ := strings.Cut(text, ":")
	h.Zone = zone
	var fromH, fromM, toH, toM int
	if _, err := fmt.Sscanf(span, "%d:%d-%d:%d", &fromH, &fromM, &toH, &toM); err != nil || zone == "" {
		return fmt.Errorf("%q are no hours", text)
	}
	h.From, h.To = fromH*60+fromM, toH*60+toM
	return nil
}

func (s *Schedule) parseStore(words []string) error {
	if len(words) < 2 {
		return fmt.Errorf("a store has a name and a host at least")
	}
	var st Store
	for _, w := range words[1:] {
		if w == "relay" {
			st.Relay = true
			continue
		}
		name, interval, _ := strings.Cut(w, ":")
		if name == "open" {
			if err := st.Opens.parse(interval); err != nil {
				return err
			}
			continue
		}
		interval, stray := strings.CutSuffix(interval, strayMark)
		way, err := index(wayNames[:], name)
		if err != nil {
			return err
		}
		d, err := time.ParseDuration(interval)
		if err != nil {
			return err
		}
		st.Hosts = append(st.Hosts, Host{Way: Way(way), Interval: d, Stray: stray}) //nolint:gosec // one of four
	}
	s.Stores = append(s.Stores, st)
	return nil
}

func index(names []string, name string) (int, error) {
	for i, n := range names {
		if n == name && n != "" {
			return i, nil
		}
	}
	return 0, fmt.Errorf("unknown %q", name)
}
