package schedule

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// String is the schedule as a text that Parse reads.
func (s *Schedule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d\n", s.Seed)
	for i := range s.Stores {
		st := &s.Stores[i]
		fmt.Fprintf(&b, "store s%d", i+1)
		if st.Relay {
			b.WriteString(" relay")
		}
		for _, h := range st.Hosts {
			fmt.Fprintf(&b, " %s:%v", h.Way, h.Interval)
		}
		b.WriteByte('\n')
	}
	for i := range s.Faults {
		fmt.Fprintf(&b, "%s\n", &s.Faults[i])
	}
	return b.String()
}

// String is the fault's line.
func (f *Fault) String() string {
	s := fmt.Sprintf("at %v %s store s%d host pos%d region %d node %d channel %d arg %d", f.At, f.Kind, f.Store+1, f.Host+1, f.Region, f.Node, f.Channel, f.Arg)
	if f.For > 0 {
		s += fmt.Sprintf(" for %v", f.For)
	}
	return s
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
		case "store":
			err = s.parseStore(words[1:])
		case "at":
			err = s.parseFault(words[1:])
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
		if f.Store < 0 || f.Store >= len(s.Stores) || f.Host < 0 || f.Host >= len(s.Stores[f.Store].Hosts) || f.Region&^1 != 0 || f.Node&^1 != 0 || f.Channel&^1 != 0 {
			return fmt.Errorf("fault %d (%s) is about something that is not there", i+1, f.Kind)
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
		way, err := index(wayNames[:], name)
		if err != nil {
			return err
		}
		d, err := time.ParseDuration(interval)
		if err != nil {
			return err
		}
		st.Hosts = append(st.Hosts, Host{Way: Way(way), Interval: d}) //nolint:gosec // one of four
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

func (s *Schedule) parseFault(words []string) error {
	if len(words) < 2 || len(words)%2 != 0 {
		return fmt.Errorf("a fault has an instant, a kind, and pairs of words")
	}
	var f Fault
	var err error
	if f.At, err = time.ParseDuration(words[0]); err != nil {
		return err
	}
	kind, err := index(kindNames[:], words[1])
	if err != nil {
		return err
	}
	f.Kind = Kind(kind) //nolint:gosec // one of the alphabet
	for i := 2; i < len(words); i += 2 {
		if err := f.set(words[i], words[i+1]); err != nil {
			return fmt.Errorf("%s: %w", words[i], err)
		}
	}
	s.Faults = append(s.Faults, f)
	return nil
}

func (f *Fault) set(key, value string) (err error) {
	number := func(prefix string, from int) (int, error) {
		n, err := strconv.Atoi(strings.TrimPrefix(value, prefix))
		return n - from, err
	}
	switch key {
	case "store":
		f.Store, err = number("s", 1)
	case "host":
		f.Host, err = number("pos", 1)
	case "region":
		f.Region, err = number("", 0)
	case "node":
		f.Node, err = number("", 0)
	case "channel":
		f.Channel, err = number("", 0)
	case "arg":
		f.Arg, err = number("", 0)
	case "for":
		f.For, err = time.ParseDuration(value)
	default:
		err = fmt.Errorf("unknown word")
	}
	return err
}
