package setting

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// The bounds of a declaration.
const (
	maxTags     = 32
	maxTagKey   = 64
	maxTagValue = 256
	maxComeUp   = 12 * time.Hour
	// The bounds of an interval are those of intervalMs.
	minInterval = time.Second
	maxInterval = 12 * time.Hour
)

// Declaration is what an operator declares of one store. Its JSON is one
// store's entry of a stores file.
type Declaration struct {
	Tags     map[string]string `json:"tags,omitempty"`
	Timezone string            `json:"timezone,omitempty"`
	// Hours are the spans of each weekday (mon … sun; no span: closed), Dates
	// those of single dates or ranges of dates. Both nil: always open.
	Hours map[string][]string `json:"hours,omitempty"`
	Dates map[string][]string `json:"dates,omitempty"`
	// ComeUp is a duration such as 10m; AutoAdopt nil: see Store.AutoAdopt.
	ComeUp    string                       `json:"comeUp,omitempty"`
	AutoAdopt *bool                        `json:"autoAdopt,omitempty"`
	Hosts     map[beat.HostID]DeclaredHost `json:"hosts,omitempty"`
}

// DeclaredHost is what an operator declares of one host.
type DeclaredHost struct {
	// Interval is a duration such as 30s; "": the host's own word.
	Interval string            `json:"interval,omitempty"`
	Tags     map[string]string `json:"tags,omitempty"`
}

// dayNames are a week's days, as time.Weekday counts them.
var dayNames = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// Compiler checks declarations. It keeps zones and hours, which many stores
// share; it is for one goroutine.
type Compiler struct {
	zones map[string]*time.Location
	hours map[string]*Hours
}

// NewCompiler knows nothing yet.
func NewCompiler() *Compiler {
	return &Compiler{zones: map[string]*time.Location{}, hours: map[string]*Hours{}}
}

// maxKept bounds what a Compiler keeps of each sort.
const maxKept = 4096

func (c *Compiler) zone(name string) (*time.Location, error) {
	if zone := c.zones[name]; zone != nil {
		return zone, nil
	}
	zone, err := loadZone(name)
	if err != nil {
		return nil, err
	}
	if len(c.zones) >= maxKept {
		clear(c.zones)
	}
	c.zones[name] = zone
	return zone, nil
}

// Compile checks a declaration, and makes of it what a Fleet knows of a store;
// Pin and Version are for the caller. The error names the key that is wrong.
func (c *Compiler) Compile(id beat.StoreID, d *Declaration) (*Store, error) {
	if _, err := beat.ParseStoreID(string(id)); err != nil {
		return nil, err
	}
	if err := checkTags(d.Tags); err != nil {
		return nil, err
	}
	s := &Store{ID: id, Tags: d.Tags, ComeUp: DefaultComeUp, AutoAdopt: len(d.Hosts) == 0}
	if d.AutoAdopt != nil {
		s.AutoAdopt = *d.AutoAdopt
	}
	var err error
	if d.ComeUp != "" {
		if s.ComeUp, err = parseLength(d.ComeUp, 0, maxComeUp); err != nil {
			return nil, fmt.Errorf("comeUp: %w", err)
		}
	}
	if s.Hosts, err = compileHosts(d.Hosts); err != nil {
		return nil, err
	}
	if d.Timezone != "" {
		if s.zone, err = c.zone(d.Timezone); err != nil {
			return nil, fmt.Errorf("timezone: %w", err)
		}
	}
	if d.Hours == nil && d.Dates == nil {
		return s, nil
	}
	if s.zone == nil {
		return nil, fmt.Errorf("timezone: opening hours need one, for example Europe/Berlin")
	}
	s.hours, err = c.compileHours(d, s.zone)
	return s, err
}

func compileHosts(declared map[beat.HostID]DeclaredHost) ([]Host, error) {
	if len(declared) > beat.MaxHosts {
		return nil, fmt.Errorf("hosts: %d, a relay watches at most %d", len(declared), beat.MaxHosts)
	}
	var hosts []Host
	for _, id := range slices.Sorted(maps.Keys(declared)) {
		if _, err := beat.ParseHostID(string(id)); err != nil {
			return nil, fmt.Errorf("hosts: %w", err)
		}
		d := declared[id]
		h := Host{ID: id, Tags: d.Tags}
		if err := checkTags(d.Tags); err != nil {
			return nil, fmt.Errorf("hosts.%s.%w", id, err)
		}
		if d.Interval != "" {
			var err error
			if h.Interval, err = parseLength(d.Interval, minInterval, maxInterval); err != nil {
				return nil, fmt.Errorf("hosts.%s.interval: %w", id, err)
			}
		}
		hosts = append(hosts, h)
	}
	return hosts, nil
}

func (c *Compiler) compileHours(d *Declaration, zone *time.Location) (*Hours, error) {
	// encoding/json sorts keys: equal hours have one text.
	text, err := json.Marshal([]any{d.Timezone, d.Hours, d.Dates})
	if err != nil {
		return nil, fmt.Errorf("hours: %w", err)
	}
	if h := c.hours[string(text)]; h != nil {
		return h, nil
	}
	week, err := compileWeek(d.Hours)
	if err != nil {
		return nil, fmt.Errorf("hours: %w", err)
	}
	var dates []Dates
	for _, key := range slices.Sorted(maps.Keys(d.Dates)) {
		from, to, err := ParseDates(key)
		if err != nil {
			return nil, fmt.Errorf("dates: %w", err)
		}
		spans, err := parseSpans(d.Dates[key])
		if err != nil {
			return nil, fmt.Errorf("dates.%s: %w", clip(key), err)
		}
		dates = append(dates, Dates{From: from, To: to, Spans: spans})
	}
	h, err := NewHours(zone, week, dates)
	if err != nil {
		return nil, fmt.Errorf("hours: %w", err)
	}
	if len(c.hours) >= maxKept {
		clear(c.hours)
	}
	c.hours[string(text)] = h
	return h, nil
}

// compileWeek reads a week of which each day must be said: a day that somebody
// forgot would hide every outage on it.
func compileWeek(hours map[string][]string) ([7][]Span, error) {
	var week [7][]Span
	if hours == nil {
		for i := range week {
			week[i] = []Span{{0, dayMinutes}}
		}
		return week, nil
	}
	for i, day := range dayNames {
		texts, ok := hours[day]
		if !ok {
			return week, fmt.Errorf("%s is not said: write its spans, or closed", day)
		}
		spans, err := parseSpans(texts)
		if err != nil {
			return week, fmt.Errorf("%s: %w", day, err)
		}
		week[i] = spans
	}
	if len(hours) != len(week) {
		return week, fmt.Errorf("the days are %s", strings.Join(dayNames[:], ", "))
	}
	return week, nil
}

func parseSpans(texts []string) ([]Span, error) {
	var spans []Span
	for _, text := range texts {
		s, err := ParseSpan(text)
		if err != nil {
			return nil, err
		}
		spans = append(spans, s)
	}
	return spans, sortSpans(spans)
}

// parseLength reads a duration within bounds.
func parseLength(text string, least, most time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		return 0, fmt.Errorf("%q is no duration from %s to %s: write a number and s, m or h, for example 10m", clip(text), short(least), short(most))
	}
	return d, nil
}

// short is a duration without the units that are 0: 12h, not 12h0m0s.
func short(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return fmt.Errorf("tags: %d, at most %d are known", len(tags), maxTags)
	}
	for _, key := range slices.SortedFunc(maps.Keys(tags), cmp.Compare) {
		if err := checkTag(key, tags[key]); err != nil {
			return fmt.Errorf("tags.%s: %w", clip(key), err)
		}
	}
	return nil
}

func checkTag(key, value string) error {
	if key == "" || len(key) > maxTagKey || strings.IndexFunc(key, func(r rune) bool {
		return r != '-' && r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) >= 0 {
		return fmt.Errorf("a tag's name is 1 to %d of A-Z, a-z, 0-9, ., _ and -", maxTagKey)
	}
	if value == "" || value != beat.CutText(value, maxTagValue) {
		return fmt.Errorf("a tag's value is 1 to %d bytes of plain text", maxTagValue)
	}
	return nil
}
