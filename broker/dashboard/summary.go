package dashboard

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Level is how much a summary needs a person.
type Level string

// The levels.
const (
	Well Level = "well"
	// Warn works, with less than all of its redundancy or certainty.
	Warn Level = "warn"
	// Bad is a fault that people are told about.
	Bad Level = "bad"
)

// Summary is the top of the page, in words and numbers.
type Summary struct {
	At     time.Time   `json:"at,omitzero"`
	Region beat.Region `json:"region"`
	Level  Level       `json:"level"`
	// Headline says in one line whether all is well.
	Headline string `json:"headline"`
	// Notes say what is wrong with the mesh itself, the gravest first.
	Notes         []Note      `json:"notes"`
	Stores        StoreCounts `json:"stores"`
	Hosts         Counts      `json:"hosts"`
	OpenIncidents int         `json:"openIncidents"`
}

// Note is one thing to know, and since when.
type Note struct {
	Text  string    `json:"text"`
	Since time.Time `json:"since,omitzero"`
}

// StoreCounts is how many stores are in each state.
type StoreCounts struct {
	Total     int `json:"total"`
	Up        int `json:"up"` // with a relay here, or direct
	Down      int `json:"down"`
	RelayDead int `json:"relayDead"`
	Suspect   int `json:"suspect"`
	Degraded  int `json:"degraded"`
	Stopped   int `json:"stopped"`
	Unknown   int `json:"unknown"`
	// Closed are outside their opening hours, or in maintenance: they are in no
	// other count, whatever their state.
	Closed int `json:"closed"`
}

func (c *StoreCounts) add(s *Store) {
	c.Total++
	if s.rests() {
		c.Closed++
		return
	}
	switch s.shown() {
	case presence.Up.String(), presence.DirectOnly.String():
		c.Up++
	case presence.Down.String():
		c.Down++
	case presence.RelayDead.String():
		c.RelayDead++
	case presence.Suspect.String():
		c.Suspect++
	case presence.Degraded.String():
		c.Degraded++
	case presence.Stopped.String():
		c.Stopped++
	default:
		c.Unknown++
	}
}

// Summarize puts an overview and its stores into words. It is pure.
func Summarize(o Overview, stores []Store) Summary {
	s := Summary{Region: o.Region, Notes: notes(o.Regions)}
	var open Counts // the hosts of which people are told
	for i := range stores {
		s.Stores.add(&stores[i])
		s.Hosts.sum(stores[i].Hosts)
		if !stores[i].rests() {
			open.sum(stores[i].Hosts)
		}
	}
	for i := range o.Incidents {
		if o.Incidents[i].Open {
			s.OpenIncidents++
		}
	}
	s.Level, s.Headline = headline(s, open)
	return s
}

// rests says that a store may be off now: what is missing in it wakes nobody.
func (s *Store) rests() bool { return s.Closed || !s.Maintenance.IsZero() }

// shown is the state that people are told: an up store that one region has lost
// reaches one region only, whichever of the two says so.
func (s *Store) shown() string {
	if s.State == presence.Up.String() && slices.ContainsFunc(s.Paths, func(p Path) bool { return p.View == string(presence.ViewLost) }) {
		return presence.Degraded.String()
	}
	return s.State
}

func headline(s Summary, open Counts) (Level, string) {
	if bad := some(
		count(s.Stores.Down, "store down", "stores down"),
		count(s.Stores.RelayDead, "relay dead", "relays dead"),
		count(open.Missing, "host missing", "hosts missing"),
		count(open.Failing, "host failing", "hosts failing"),
	); bad != "" {
		return Bad, noted(bad, "and", s.Notes)
	}
	if s.Stores.Total == 0 {
		return Warn, noted("No store has reported yet", "but", s.Notes)
	}
	level, line := Well, stateLine(s, open)
	doubt := some(
		count(s.Stores.Suspect, "store being checked", "stores being checked"),
		count(s.Stores.Degraded, "store reaches one region only", "stores reach one region only"),
		count(s.Stores.Unknown, "store unknown", "stores unknown"),
	)
	if doubt != "" {
		level, line = Warn, "Nothing known to be down · "+doubt
	}
	if len(s.Notes) > 0 {
		level = Warn
	}
	return level, noted(line, "but", s.Notes)
}

// stateLine says that everything that is expected is up.
func stateLine(s Summary, open Counts) string {
	stores := count(s.Stores.Up, "store up", "stores up")
	if s.Stores.Up == s.Stores.Total && s.Stores.Total > 1 {
		stores = "All " + stores
	}
	if s.Stores.Closed == s.Stores.Total {
		return count(s.Stores.Total, "store, and it is closed", "stores, all closed")
	}
	return some(stores, count(s.Stores.Stopped, "stopped", "stopped"), count(s.Stores.Closed, "closed", "closed")) + " · " +
		some(zero(open.Up, "hosts up"), count(open.Up, "host up", "hosts up"),
			count(open.Stopped, "stopped", "stopped"), count(open.Unknown, "unknown", "unknown"))
}

// noted adds the gravest trouble of the mesh itself to a line.
func noted(line, by string, notes []Note) string {
	if len(notes) == 0 {
		return line
	}
	line += ", " + by + " " + notes[0].Text
	if len(notes) > 1 {
		line += fmt.Sprintf(" (and %d more)", len(notes)-1)
	}
	return line
}

// notes are the troubles of the mesh itself.
func notes(regions []Region) []Note {
	out := []Note{}
	add := func(since time.Time, format string, args ...any) {
		out = append(out, Note{Text: fmt.Sprintf(format, args...), Since: since})
	}
	for _, r := range regions {
		switch {
		case r.State == RegionUnreachable:
			since := r.Since
			if since.IsZero() && r.Link != nil {
				since = r.Link.Since
			}
			add(since, "%s does not answer", r.Region)
		case r.State == RegionSettling:
			add(r.Since, "%s is settling and judges nothing yet", r.Region)
		case r.State == RegionUnknown && !r.Self:
			add(r.Since, "%s was not heard of yet", r.Region)
		case r.Link != nil && !r.Link.OK:
			add(r.Link.Since, "the link to %s is cut", r.Region)
		}
		if r.Table != nil && !r.Table.OK {
			add(r.Table.Since, "the table of %s fails", r.Region)
		}
		for _, c := range r.Channels {
			if !c.OK {
				add(c.Since, "channel %s of %s fails", c.Name, r.Region)
			}
		}
	}
	return out
}

func count(n int, one, many string) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "1 " + one
	}
	return thousands(n) + " " + many
}

func zero(n int, what string) string {
	if n == 0 {
		return "no " + what
	}
	return ""
}

func some(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, ", ")
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
