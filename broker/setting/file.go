package setting

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Entry is one store of a stores file, with the file's defaults in it. Its JSON
// is what the API takes.
type Entry struct {
	Declaration
	// Pin is the region that tells the store's incidents, or none; "" leaves
	// the pin as it is.
	Pin string `json:"pin,omitempty"`
}

// NoPin is a Pin that ends the pin.
const NoPin = "none"

// MaxStores bounds a stores file.
const MaxStores = 50_000

// Check says what is wrong with an entry; it names the key.
func (e *Entry) Check(c *Compiler, id beat.StoreID) error {
	if e.Pin != "" && e.Pin != NoPin {
		if _, err := beat.ParseRegion(e.Pin); err != nil {
			return fmt.Errorf("pin: %w (or %s)", err, NoPin)
		}
	}
	_, err := c.Compile(id, &e.Declaration)
	return err
}

// ParseFile reads a stores file: YAML, or JSON, with the keys defaults and
// stores. It returns every error in it (the first 20); each names the file, the
// line and the key.
func ParseFile(name string, raw []byte) (map[beat.StoreID]Entry, error) {
	f := &fileReader{yamlReader: yamlReader{name: name}, c: NewCompiler(), stores: map[beat.StoreID]Entry{}}
	if body := f.parse(raw); body != nil {
		f.file(body)
	}
	if len(f.errs) > 0 {
		return nil, errors.Join(f.errs...)
	}
	return f.stores, nil
}

type fileReader struct {
	yamlReader
	c        *Compiler
	defaults Entry
	stores   map[beat.StoreID]Entry
}

func (f *fileReader) file(body ast.Node) {
	values := f.keys(body, nil, "defaults", "stores")
	if n := values["defaults"]; n != nil {
		f.defaults = f.entry(n.Value, []string{"defaults"}, Entry{}, false)
	}
	n := values["stores"]
	if n == nil {
		f.fail(body, nil, "there is no key stores")
		return
	}
	way := []string{"stores"}
	for _, kv := range f.pairs(n.Value, way) {
		key := kv.Key.GetToken().Value
		id, err := beat.ParseStoreID(key)
		switch at := join(way, key); {
		case err != nil:
			f.fail(kv.Key, at, "%v", err)
		case len(f.stores) == MaxStores:
			f.fail(kv.Key, at, "a file has at most %d stores", MaxStores)
			return
		default:
			f.store(kv, at, id)
		}
	}
}

func (f *fileReader) store(kv *ast.MappingValueNode, way []string, id beat.StoreID) {
	before := len(f.errs)
	e := f.entry(kv.Value, way, f.defaults, true)
	if len(f.errs) == before {
		if err := e.Check(f.c, id); err != nil {
			f.fail(kv.Key, way, "%v", err)
		}
	}
	f.stores[id] = e
}

// entry reads a store, or what all stores have where they say nothing else.
// Tags are added to those of the defaults; every other key replaces theirs.
func (f *fileReader) entry(n ast.Node, way []string, base Entry, hosts bool) Entry {
	e := base
	known := []string{"tags", "timezone", "hours", "dates", "comeUp", "autoAdopt", "pin"}
	if hosts {
		known = append(known, "hosts")
	}
	values := f.keys(n, way, known...)
	if v := values["tags"]; v != nil {
		e.Tags = f.tags(v.Value, join(way, "tags"), base.Tags)
	}
	if v := values["timezone"]; v != nil {
		e.Timezone = f.checked(v.Value, join(way, "timezone"), func(s string) error { _, err := f.c.zone(s); return err })
	}
	if v := values["hours"]; v != nil {
		e.Hours = f.hours(v.Value, join(way, "hours"))
	}
	if v := values["dates"]; v != nil {
		e.Dates = f.dates(v.Value, join(way, "dates"))
	}
	if v := values["comeUp"]; v != nil {
		e.ComeUp = f.checked(v.Value, join(way, "comeUp"), func(s string) error { _, err := parseLength(s, 0, maxComeUp); return err })
	}
	if v := values["autoAdopt"]; v != nil {
		e.AutoAdopt = f.truth(v.Value, join(way, "autoAdopt"))
	}
	if v := values["pin"]; v != nil {
		e.Pin = f.checked(v.Value, join(way, "pin"), func(s string) error { _, err := beat.ParseRegion(s); return err })
	}
	if v := values["hosts"]; v != nil {
		e.Hosts = f.hosts(v.Value, join(way, "hosts"))
	}
	return e
}

func (f *fileReader) tags(n ast.Node, way []string, base map[string]string) map[string]string {
	tags := maps.Clone(base)
	for _, kv := range f.pairs(n, way) {
		key := kv.Key.GetToken().Value
		if tags == nil {
			tags = map[string]string{}
		}
		tags[key] = f.checked(kv.Value, join(way, key), func(s string) error { return checkTag(key, s) })
	}
	return tags
}

// hosts are ids with keys of their own, or a list of ids alone.
func (f *fileReader) hosts(n ast.Node, way []string) map[beat.HostID]DeclaredHost {
	hosts := map[beat.HostID]DeclaredHost{}
	if list, ok := n.(*ast.SequenceNode); ok {
		for i, e := range list.Values {
			at := join(way, fmt.Sprint(i))
			id := beat.HostID(f.checked(e, at, func(s string) error { _, err := beat.ParseHostID(s); return err }))
			if _, twice := hosts[id]; twice {
				f.fail(e, at, "%s is there twice", id)
			}
			hosts[id] = DeclaredHost{}
		}
		return hosts
	}
	for _, kv := range f.pairs(n, way) {
		key := kv.Key.GetToken().Value
		at := join(way, key)
		id, err := beat.ParseHostID(key)
		if err != nil {
			f.fail(kv.Key, at, "%v", err)
			continue
		}
		var h DeclaredHost
		values := f.keys(kv.Value, at, "interval", "tags")
		if v := values["interval"]; v != nil {
			h.Interval = f.checked(v.Value, join(at, "interval"), func(s string) error {
				_, err := parseLength(s, minInterval, maxInterval)
				return err
			})
		}
		if v := values["tags"]; v != nil {
			h.Tags = f.tags(v.Value, join(at, "tags"), nil)
		}
		hosts[id] = h
	}
	return hosts
}

// hours reads a week: days (mon), ranges of days (mon-fri) and daily, of which
// the more exact stands; every day must be said.
func (f *fileReader) hours(n ast.Node, way []string) map[string][]string {
	hours, exact := map[string][]string{}, map[string]int{}
	for _, kv := range f.pairs(n, way) {
		key := kv.Key.GetToken().Value
		at := join(way, key)
		days := daysOf(key)
		if days == nil {
			f.fail(kv.Key, at, "no day: write %s, a range such as mon-fri, or daily", strings.Join(week(), ", "))
			continue
		}
		spans := f.spans(kv.Value, at)
		for _, day := range days {
			switch n, ok := exact[day]; {
			case ok && n == len(days):
				f.fail(kv.Key, at, "%s is there twice", day)
			case !ok || n > len(days):
				hours[day], exact[day] = spans, len(days)
			}
		}
	}
	if _, err := compileWeek(hours); err != nil && len(f.errs) == 0 {
		f.fail(n, way, "%v", err)
	}
	return hours
}

func (f *fileReader) dates(n ast.Node, way []string) map[string][]string {
	dates := map[string][]string{}
	for _, kv := range f.pairs(n, way) {
		key := kv.Key.GetToken().Value
		at := join(way, key)
		if _, _, err := ParseDates(key); err != nil {
			f.fail(kv.Key, at, "%v", err)
			continue
		}
		dates[key] = f.spans(kv.Value, at)
	}
	return dates
}

// closed is a day without a span.
const closed = "closed"

// spans reads closed, one span, spans that are parted by commas, or a list.
func (f *fileReader) spans(n ast.Node, way []string) []string {
	spans := []string{}
	check := func(text string) error {
		if text == closed {
			return nil
		}
		for part := range strings.SplitSeq(text, ",") {
			s, err := ParseSpan(strings.TrimSpace(part))
			if err != nil {
				return fmt.Errorf("%w; or %s", err, closed)
			}
			spans = append(spans, s.String())
		}
		_, err := parseSpans(spans)
		return err
	}
	if list, ok := n.(*ast.SequenceNode); ok {
		for i, e := range list.Values {
			f.checked(e, join(way, fmt.Sprint(i)), check)
		}
		return spans
	}
	f.checked(n, way, check)
	return spans
}

// week are the days as people count them.
func week() []string { return append(slices.Clone(dayNames[1:]), dayNames[0]) }

// daysOf are the days that a key of hours names; nil: it names none.
func daysOf(key string) []string {
	days := week()
	if key == "daily" {
		return days
	}
	first, last, ranged := strings.Cut(key, "-")
	from := slices.Index(days, first)
	if !ranged {
		last = first
	}
	to := slices.Index(days, last)
	if from < 0 || to < 0 {
		return nil
	}
	if to < from { // fri-mon
		return append(slices.Clone(days[from:]), days[:to+1]...)
	}
	return days[from : to+1]
}
