package setting

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// The bounds of a rule.
const (
	// MaxPause is short: a pause is for everything, and is forgotten easily.
	MaxPause = 7 * 24 * time.Hour
	// MaxRule is how long a silence or a maintenance window may last.
	MaxRule = 92 * 24 * time.Hour
	// maxMatches bounds each list of a Match, maxWhy a reason in bytes.
	maxMatches = 1000
	maxWhy     = 256
	maxBy      = 64
)

// Match says what a rule is about: what satisfies each of its fields that are
// not empty. The zero Match is everything.
type Match struct {
	// Stores and Hosts are ids, or patterns with * and ?; one must fit. Where
	// there are Hosts, the store itself is not matched.
	Stores []string `json:"stores,omitempty"`
	Hosts  []string `json:"hosts,omitempty"`
	// Kinds are incidents' kinds, such as host-missing; one must be it.
	Kinds []string `json:"kinds,omitempty"`
	// Tags must all be there, by these values (a host's stand before its store's).
	Tags map[string]string `json:"tags,omitempty"`
}

// Equal says whether two are of the same, in the same words.
func (m *Match) Equal(o *Match) bool {
	return slices.Equal(m.Stores, o.Stores) && slices.Equal(m.Hosts, o.Hosts) && slices.Equal(m.Kinds, o.Kinds) && maps.Equal(m.Tags, o.Tags)
}

// Rule is one silence, pause, maintenance window or acknowledgement.
type Rule struct {
	ID   string `json:"id"`
	Kind Kind   `json:"kind"`
	Match
	// Incident is the one that an acknowledgement is of; it ends with it.
	Incident string `json:"incident,omitempty"`
	// From is when the rule begins, Until when it ends (zero: an
	// acknowledgement without an end of its own).
	From  time.Time `json:"from"`
	Until time.Time `json:"until,omitzero"`
	// By is who made it, Why what for.
	By  string `json:"by,omitempty"`
	Why string `json:"why,omitempty"`
}

// Validate says what is wrong with a rule.
func (r *Rule) Validate() error {
	if !plainID(r.ID) {
		return fmt.Errorf("id %q: a rule's id is 1 to 64 of a-z, A-Z, 0-9 and -", clip(r.ID))
	}
	if r.Why != beat.CutText(r.Why, maxWhy) || r.By != beat.CutText(r.By, maxBy) {
		return fmt.Errorf("why is at most %d bytes of plain text, by at most %d", maxWhy, maxBy)
	}
	if r.From.IsZero() {
		return fmt.Errorf("from: when the rule begins is not said")
	}
	if err := r.validateSpan(); err != nil {
		return err
	}
	if err := r.validateMatch(); err != nil {
		return err
	}
	return r.validateKind()
}

func plainID(id string) bool {
	return id != "" && len(id) <= 64 && strings.IndexFunc(id, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0
}

func (r *Rule) validateSpan() error {
	most := MaxRule
	if r.Kind == Pause {
		most = MaxPause
	}
	switch {
	case r.Until.IsZero() && r.Kind == Ack:
		return nil
	case r.Until.IsZero():
		return fmt.Errorf("until: a %s needs an end", r.Kind)
	case !r.Until.After(r.From):
		return fmt.Errorf("until: a %s ends after it begins", r.Kind)
	case r.Until.Sub(r.From) > most:
		return fmt.Errorf("until: a %s lasts at most %d days", r.Kind, most/(24*time.Hour))
	}
	return nil
}

func (r *Rule) validateKind() error {
	m := &r.Match
	switch r.Kind {
	case Ack:
		if !plainID(r.Incident) || !m.empty() {
			return fmt.Errorf("incident: an ack is of one incident, and of nothing else")
		}
		return nil
	case Silence:
		if m.empty() {
			return fmt.Errorf("a silence names stores, hosts, kinds or tags; a pause is for everything")
		}
	case Maintenance:
		if len(m.Hosts)+len(m.Kinds) > 0 {
			return fmt.Errorf("maintenance is of stores, by id or by tags")
		}
		for _, s := range m.Stores {
			if _, err := beat.ParseStoreID(s); err != nil && s != "*" {
				return fmt.Errorf("stores: %w (or * for all)", err)
			}
		}
		if m.empty() {
			return fmt.Errorf("maintenance names stores or tags; * is all stores")
		}
	case Pause:
		if len(m.Hosts)+len(m.Kinds) > 0 {
			return fmt.Errorf("a pause is of everything, or of stores, by id or by tags")
		}
	default:
		return fmt.Errorf("kind %q is no rule's", clip(string(r.Kind)))
	}
	if r.Incident != "" {
		return fmt.Errorf("incident: only an ack is of an incident")
	}
	return nil
}

func (m *Match) empty() bool { return len(m.Stores)+len(m.Hosts)+len(m.Kinds)+len(m.Tags) == 0 }

func (m *Match) validateMatch() error {
	for _, list := range [...]struct {
		name  string
		texts []string
	}{{"stores", m.Stores}, {"hosts", m.Hosts}, {"kinds", m.Kinds}} {
		if len(list.texts) > maxMatches {
			return fmt.Errorf("%s: %d, at most %d are known", list.name, len(list.texts), maxMatches)
		}
		for _, text := range list.texts {
			if text == "" || len(text) > 100 || strings.IndexFunc(text, func(r rune) bool {
				return !strings.ContainsRune("-_.*?", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
			}) >= 0 {
				return fmt.Errorf("%s: %q is neither a name nor a pattern with * and ?", list.name, clip(text))
			}
		}
	}
	return checkTags(m.Tags)
}

// Words say what a rule is about, for people: demo/pos3, or everything.
func (m *Match) Words() string {
	var parts []string
	add := func(name string, texts []string) {
		if len(texts) > 0 {
			parts = append(parts, name+strings.Join(texts, ", "))
		}
	}
	if len(m.Stores) == 1 && len(m.Hosts) == 1 {
		parts = append(parts, m.Stores[0]+"/"+m.Hosts[0])
	} else {
		add("", m.Stores)
		add("hosts ", m.Hosts)
	}
	add("kinds ", m.Kinds)
	for _, key := range slices.Sorted(maps.Keys(m.Tags)) {
		parts = append(parts, key+"="+m.Tags[key])
	}
	if len(parts) == 0 {
		return "everything"
	}
	return strings.Join(parts, "; ")
}

// About says whether a rule may be about a store, by the names of stores alone.
func (m *Match) About(store beat.StoreID) bool {
	return len(m.Stores) == 0 || fitsOne(m.Stores, string(store))
}

// Misfit is the first of the rule's kinds that fits none of those that there are;
// "" is none.
func (m *Match) Misfit(kinds []string) string {
	for _, k := range m.Kinds {
		if !slices.ContainsFunc(kinds, func(there string) bool { return fitsOne([]string{k}, there) }) {
			return k
		}
	}
	return ""
}

// Finds says whether a rule may be about something of a store, which has these
// hosts, and, itself or one of its hosts, these tags.
func (m *Match) Finds(store beat.StoreID, tags []map[string]string, hosts []beat.HostID) bool {
	if !m.About(store) {
		return false
	}
	for key, want := range m.Tags {
		if !slices.ContainsFunc(tags, func(t map[string]string) bool { return t[key] == want }) {
			return false
		}
	}
	return len(m.Hosts) == 0 || slices.ContainsFunc(hosts, func(h beat.HostID) bool { return fitsOne(m.Hosts, string(h)) })
}

// HostsOf are those of the rule's hosts, and patterns, that fit one of some hosts.
func (m *Match) HostsOf(hosts []beat.HostID) []string {
	return slices.DeleteFunc(slices.Clone(m.Hosts), func(p string) bool {
		return !slices.ContainsFunc(hosts, func(h beat.HostID) bool { return fitsOne([]string{p}, string(h)) })
	})
}

// fits says whether a subject is matched. A region's own incident has no store,
// and is matched where no store, host or tag is named.
func (m *Match) fits(s *Store, x *Subject) bool {
	if len(m.Stores) > 0 && (x.Store == "" || !fitsOne(m.Stores, string(x.Store))) {
		return false
	}
	if len(m.Hosts) > 0 && (x.Host == "" || !fitsOne(m.Hosts, string(x.Host))) {
		return false
	}
	if len(m.Kinds) > 0 && !fitsOne(m.Kinds, x.Kind) {
		return false
	}
	for key, want := range m.Tags {
		if tagOf(s, x.Host, key) != want {
			return false
		}
	}
	return true
}

func tagOf(s *Store, host beat.HostID, key string) string {
	if host != "" {
		if h := s.Declared(host); h != nil && h.Tags[key] != "" {
			return h.Tags[key]
		}
	}
	if s == nil {
		return ""
	}
	return s.Tags[key]
}

func fitsOne(patterns []string, name string) bool {
	for _, p := range patterns {
		if p == name {
			return true
		}
		if ok, err := path.Match(p, name); ok && err == nil {
			return true
		}
	}
	return false
}

// Holds says whether a rule is in force at an instant.
func (r *Rule) Holds(at time.Time) bool {
	return !at.Before(r.From) && !r.Over(at)
}

// Over says whether a rule has ended by an instant.
func (r *Rule) Over(at time.Time) bool { return !r.Until.IsZero() && !at.Before(r.Until) }

// outlasts orders rules by when they end: one without an end last, and of two
// that end together the one with the lower id.
func (r *Rule) outlasts(other *Rule) bool {
	switch {
	case r.Until.Equal(other.Until):
		return r.ID < other.ID
	case r.Until.IsZero() || other.Until.IsZero():
		return r.Until.IsZero()
	default:
		return r.Until.After(other.Until)
	}
}

// Reason completes "not told: …" for people who look at an instant, in a zone.
func (r *Rule) Reason(at time.Time, zone *time.Location) string {
	var b strings.Builder
	b.WriteString(r.Kind.past())
	if r.By != "" {
		b.WriteString(" by " + r.By)
	}
	if !r.Until.IsZero() {
		b.WriteString(" until " + Moment(r.Until, at, zone))
	}
	if r.Why != "" {
		b.WriteString(": " + r.Why)
	}
	return b.String()
}

// past is what a rule of the kind has done to its subject.
func (k Kind) past() string {
	switch k {
	case Silence:
		return "silenced"
	case Pause:
		return "paused"
	case Maintenance:
		return "in maintenance"
	case Ack:
		return "acknowledged"
	default:
		return string(k)
	}
}

// Bare is a line of text without what it says of a rule beyond its kind: who made
// it, until when, and what for, as a Reason has it. What follows in the line goes
// with it, since whoever made the rule wrote of that as they liked. An
// acknowledgement is of one incident, and stays whole.
func Bare(line string) string {
	for _, kind := range []Kind{Silence, Pause, Maintenance} {
		for _, before := range []string{"", ": ", "and ", "it is "} {
			for _, after := range []string{" by ", " until ", ": "} {
				told := before + kind.past() + after
				at := strings.Index(line, told)
				if before == "" && at > 0 { // another word's end, or a sentence of ours
					continue
				}
				if at >= 0 {
					line = line[:at+len(told)-len(after)]
				}
			}
		}
	}
	return line
}

// Only says whether a rule names that store and no other.
func (m *Match) Only(store beat.StoreID) bool {
	return len(m.Stores) == 1 && m.Stores[0] == string(store)
}

// Moment writes an instant for people who look at another instant: the time of
// day and its zone, and the date where that is another.
func Moment(t, at time.Time, zone *time.Location) string {
	t, at = t.In(zone), at.In(zone)
	layout := "15:04 MST"
	if t.Format(time.DateOnly) != at.Format(time.DateOnly) {
		layout = "Mon 2006-01-02 15:04 MST"
	}
	return t.Format(layout)
}
