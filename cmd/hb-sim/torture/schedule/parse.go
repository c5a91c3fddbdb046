package schedule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// parseFault reads what String wrote.
func (s *Schedule) parseFault(words []string) error {
	var f Fault
	p := line{words: words}
	if p.next() == "from" {
		f.At = p.duration()
		p.want("on")
		f.Nth = p.number("", ".", 0)
		f.On = Moment(p.index(momentNames[:])) //nolint:gosec // a few
		if p.peek() == "late" {
			p.next()
			f.Late = p.duration()
		}
	} else {
		f.At = p.duration()
	}
	name := p.next()
	for k := Kind(1); k < Kinds; k++ {
		if shapes[k].name == name {
			f.Kind = k
		}
	}
	if f.Kind == 0 {
		return fmt.Errorf("unknown fault %q", name)
	}
	for _, what := range shapes[f.Kind].has {
		p.field(&f, what)
	}
	if p.peek() == "for" {
		p.next()
		f.For = p.duration()
	}
	if p.err == nil && len(p.words) > 0 {
		p.err = fmt.Errorf("%q is too much", p.words[0])
	}
	s.Faults = append(s.Faults, f)
	return p.err
}

// line are the words of a line that are still to be read, and the first thing
// that was wrong.
type line struct {
	words []string
	err   error
}

func (p *line) peek() string {
	if len(p.words) == 0 {
		return ""
	}
	return p.words[0]
}

func (p *line) next() string {
	w := p.peek()
	if len(p.words) > 0 {
		p.words = p.words[1:]
	}
	return w
}

func (p *line) fail(err error) {
	if err != nil && p.err == nil {
		p.err = err
	}
}

func (p *line) want(word string) {
	if w := p.next(); w != word {
		p.fail(fmt.Errorf("%q should be %q", w, word))
	}
}

func (p *line) duration() time.Duration {
	d, err := time.ParseDuration(p.next())
	p.fail(err)
	return d
}

func (p *line) index(names []string) int {
	i, err := index(names, p.next())
	p.fail(err)
	return i
}

func (p *line) number(prefix, suffix string, from int) int {
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(p.next(), prefix), suffix))
	p.fail(err)
	return n - from
}

// field reads one thing that a fault is about.
func (p *line) field(f *Fault, what rune) {
	regions := regionNames
	if f.On != 0 {
		regions = hereNames
	}
	switch what {
	case 'r':
		f.Region = p.index(regions)
	case 'n':
		w := p.next()
		i := strings.LastIndexByte(w, '-')
		var err, err2 error
		f.Region, err = index(regions, w[:max(i, 0)])
		f.Node, err2 = index(nodeNames, w[i+1:])
		p.fail(err)
		p.fail(err2)
	case 's':
		f.Store = p.number("s", "", 1)
	case 'h':
		store, host, _ := strings.Cut(p.next(), "/")
		p.words = append([]string{store, host}, p.words...)
		f.Store, f.Host = p.number("s", "", 1), p.number("pos", "", 1)
	case 'c':
		f.Channel = p.index(channelNames)
	case 'w':
		f.Arg = p.index(wayNames[:])
	case 'd':
		f.Arg = p.index(directionNames)
	case 'b':
		f.Arg = p.index(bootNames)
	case 'l':
		f.Arg = p.index(leaveNames)
	default:
		f.Arg = p.number("", "", 0)
	}
}
