package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// applyPatience is how long a region may take for a file of 50,000 stores.
const applyPatience = 10 * time.Minute

type storesApplyCmd struct {
	File   string `arg:"" help:"The stores file, YAML or JSON."`
	DryRun bool   `help:"Show what would change, and change nothing."`
	Prune  bool   `help:"Also remove the declarations of stores that are not in the file."`
	byFlag
}

type applied struct {
	DryRun  bool `json:"dryRun"`
	Changes []struct {
		Store  string   `json:"store"`
		Action string   `json:"action"`
		Keys   []string `json:"keys"`
		Error  string   `json:"error"`
	} `json:"changes"`
	Same   int `json:"same"`
	Failed int `json:"failed"`
}

// Run checks the file here, and lets the region make it true.
func (c *storesApplyCmd) Run(s *session) error {
	raw, err := os.ReadFile(c.File)
	if err != nil {
		if pe, ok := errors.AsType[*fs.PathError](err); ok {
			err = pe.Err
		}
		return &failure{exit: ExitUsage, what: "read " + c.File, err: err, hint: "give the path of a stores file"}
	}
	stores, err := setting.ParseFile(c.File, raw)
	if err != nil {
		return &failure{exit: ExitUsage, what: "the file is not valid, nothing was sent:\n" + err.Error(), hint: "docs/how-to/stores-and-hours.md says what each key means"}
	}
	if len(stores) == 0 {
		return usage("write stores below the key stores, or remove them with hbctl's --prune and a file of the ones that stay", "%s has no stores", c.File)
	}
	body := map[string]any{"stores": stores, "dryRun": c.DryRun, "prune": c.Prune, "by": c.by()}
	var raws json.RawMessage
	k := call{method: http.MethodPost, path: "/v1/stores:apply", body: body, patience: applyPatience, elsewhere: http.StatusConflict}
	if err := s.api.do(s.ctx, k, &raws); err != nil {
		return err
	}
	var out applied
	if err := json.Unmarshal(raws, &out); err != nil {
		return &failure{exit: ExitFailed, what: "read the answer", err: err, hint: "is the region of another version?"}
	}
	if err := c.print(s, raws, &out); err != nil {
		return err
	}
	if out.Failed > 0 {
		return &failure{exit: ExitFailed, what: fmt.Sprintf("%d of %d stores were not changed", out.Failed, len(out.Changes)), hint: "apply the file again: what is done already is not touched"}
	}
	return nil
}

func (c *storesApplyCmd) print(s *session, raw json.RawMessage, out *applied) error {
	if s.out.json {
		return s.out.value(raw)
	}
	var rows [][]string
	count := map[string]int{}
	for _, x := range out.Changes {
		count[x.Action]++
		why := strings.Join(x.Keys, ", ")
		if x.Error != "" {
			why = "not done: " + x.Error
		}
		rows = append(rows, []string{x.Store, x.Action, why})
	}
	if len(rows) > 0 {
		if err := s.out.table([]string{"STORE", "CHANGE", "WHAT"}, rows, ""); err != nil {
			return err
		}
	}
	verb := "done"
	if out.DryRun {
		verb = "dry run, nothing was changed"
	}
	return s.out.line("%s: %d created, %d updated, %d removed, %d failed, %d as they were",
		verb, count["create"], count["update"], count["remove"], out.Failed, out.Same)
}

type storesShowCmd struct {
	Store string `arg:"" optional:"" help:"The store (default: all)."`
}

type declaredRow struct {
	Store string `json:"store"`
	setting.Entry
	Version int64     `json:"version"`
	At      time.Time `json:"at"`
	By      string    `json:"by"`
}

// Run shows what was declared.
func (c *storesShowCmd) Run(s *session) error {
	if c.Store == "" {
		return c.all(s)
	}
	var raw json.RawMessage
	if err := s.api.get(s.ctx, "/v1/stores/"+url.PathEscape(c.Store), nil, &raw); err != nil {
		return err
	}
	if s.out.json {
		return s.out.value(raw)
	}
	var d declaredRow
	if err := json.Unmarshal(raw, &d); err != nil {
		return &failure{exit: ExitFailed, what: "read the answer", err: err, hint: "is the region of another version? --json shows what it says"}
	}
	store, err := setting.NewCompiler().Compile(beat.StoreID(d.Store), &d.Declaration)
	if err != nil {
		return &failure{exit: ExitFailed, what: "read the declaration", err: err, hint: "is the region of another version? --json shows what it says"}
	}
	return s.out.sheet(d.sheet(s, store))
}

// sheet are the lines of one declaration.
func (d *declaredRow) sheet(s *session, store *setting.Store) [][2]string {
	lines := [][2]string{{"store", d.Store}}
	add := func(name, value string) {
		if value != "" {
			lines = append(lines, [2]string{name, value})
		}
	}
	now := s.now()
	switch open, edge := store.Open(now); {
	case d.Hours == nil && d.Dates == nil:
		add("now", "always open")
	case open:
		add("now", "open"+until(edge, now, store.Zone()))
	default:
		add("now", "closed"+until(edge, now, store.Zone()))
	}
	add("timezone", d.Timezone)
	for _, day := range []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} {
		if spans, ok := d.Hours[day]; ok {
			add(day, spansText(spans))
		}
	}
	for _, date := range slices.Sorted(maps.Keys(d.Dates)) {
		add(date, spansText(d.Dates[date]))
	}
	add("come up", "within "+span(store.ComeUp)+" of opening")
	add("tags", tagsText(d.Tags))
	add("pin", d.Pin)
	add("adopts", map[bool]string{true: "hosts that nobody declared, at once", false: "no host by itself"}[store.AutoAdopt])
	for i := range store.Hosts {
		h := &store.Hosts[i]
		what := tagsText(h.Tags)
		if h.Interval > 0 {
			what = strings.TrimSpace("every " + span(h.Interval) + " " + what)
		}
		add("host "+string(h.ID), cmp.Or(what, "declared"))
	}
	if d.Version > 0 {
		add("version", fmt.Sprintf("%d, %s by %s", d.Version, s.out.ago(d.At), cmp.Or(d.By, "somebody")))
	}
	return lines
}

func until(edge, now time.Time, zone *time.Location) string {
	if edge.IsZero() {
		return ", and stays so"
	}
	return " until " + setting.Moment(edge, now, zone)
}

func spansText(spans []string) string {
	if len(spans) == 0 {
		return "closed"
	}
	return strings.Join(spans, ", ")
}

func tagsText(tags map[string]string) string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, key+"="+tags[key])
	}
	return strings.Join(out, " ")
}

func (c *storesShowCmd) all(s *session) error {
	items, err := s.api.list(s.ctx, "/v1/declared", nil)
	if err != nil {
		return err
	}
	head := []string{"STORE", "ZONE", "NOW", "HOSTS", "TAGS", "PIN", "VERSION", "BY"}
	none := "nothing is declared: hbctl stores apply FILE declares stores"
	now, compiler := s.now(), setting.NewCompiler()
	return show(s.out, items, head, none, func(d declaredRow) []string {
		state := "?"
		if store, err := compiler.Compile(beat.StoreID(d.Store), &d.Declaration); err == nil {
			state = "closed"
			if open, _ := store.Open(now); open {
				state = "open"
			}
		}
		return []string{d.Store, d.Timezone, state, fmt.Sprint(len(d.Hosts)), tagsText(d.Tags), d.Pin, fmt.Sprint(d.Version), d.By}
	})
}

// pinCmd chooses the region that tells a store.
type pinCmd struct {
	Store  string `arg:"" help:"The store."`
	Region string `arg:"" help:"The region that tells its incidents; none: the one that the mesh chooses."`
	byFlag
}

// Run sets or ends the pin.
func (c *pinCmd) Run(s *session) error {
	k := call{
		method: http.MethodPut, path: "/v1/stores/" + url.PathEscape(c.Store) + "/pin", elsewhere: http.StatusConflict,
		body: map[string]string{"region": c.Region, "by": c.by()},
	}
	if err := s.api.do(s.ctx, k, nil); err != nil {
		return err
	}
	if s.out.json {
		return s.out.value(map[string]string{"store": c.Store, "pin": c.Region})
	}
	if c.Region == setting.NoPin {
		return s.out.line("%s is told by the region that the mesh chooses", c.Store)
	}
	return s.out.line("%s is told by %s", c.Store, c.Region)
}
