package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// storesCmd lists stores, declares them, and shows what is declared.
type storesCmd struct {
	List  storesListCmd  `cmd:"" default:"withargs" help:"List the stores and their states (the default)."`
	Apply storesApplyCmd `cmd:"" help:"Declare stores: opening hours, hosts, tags, from one file."`
	Show  storesShowCmd  `cmd:"" help:"Show what is declared of a store, or of all."`
}

type storesListCmd struct {
	State string `help:"Only stores in this state: up, suspect, down, stopped, direct, relay-dead, degraded, conflict, unknown." placeholder:"STATE"`
}

type storeRow struct {
	Store  string    `json:"store"`
	State  string    `json:"state"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
	Home   string    `json:"home"`
	Relay  string    `json:"relay"`
	Paths  []struct {
		Region string `json:"region"`
		View   string `json:"view"`
	} `json:"paths"`
	Hosts struct {
		Up, Failing, Missing, Stopped, Unknown, Covered int
	} `json:"hosts"`
}

// Run lists the stores.
func (c *storesListCmd) Run(s *session) error {
	items, err := s.api.list(s.ctx, "/v1/stores", filter("state", c.State))
	if err != nil {
		return err
	}
	head := []string{"STORE", "STATE", "SINCE", "HOSTS", "PATHS", "HOME", "WHY"}
	none := "no stores yet: a store appears when its relay connects, or a host beats directly"
	if c.State != "" {
		none = "no such stores"
	}
	return show(s.out, items, head, none, func(r storeRow) []string {
		paths := make([]string, 0, len(r.Paths))
		for _, p := range r.Paths {
			paths = append(paths, p.Region+" "+cmp.Or(p.View, "not asked"))
		}
		return []string{r.Store, r.State, s.out.ago(r.Since), hostCounts(r), strings.Join(paths, ", "), r.Home, r.Reason}
	})
}

func hostCounts(r storeRow) string {
	var parts []string
	for _, c := range []struct {
		n    int
		name string
	}{
		{r.Hosts.Up, "up"}, {r.Hosts.Failing, "failing"}, {r.Hosts.Missing, "missing"},
		{r.Hosts.Stopped, "stopped"}, {r.Hosts.Covered, "covered"}, {r.Hosts.Unknown, "unknown"},
	} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.name))
		}
	}
	return strings.Join(parts, ", ")
}

// incidentsCmd lists incidents.
type incidentsCmd struct {
	All bool `help:"Also those that ended lately."`
}

type incidentRow struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`
	Store    string    `json:"store"`
	Host     string    `json:"host"`
	Open     bool      `json:"open"`
	Since    time.Time `json:"since"`
	EndedAt  time.Time `json:"endedAt"`
	SeenFrom []string  `json:"seenFrom"`
	Told     []string  `json:"told"`
	// Suppressed says that those were programs.
	Suppressed bool   `json:"suppressed"`
	Region     string `json:"region"`
	Waits      string `json:"waits"`
	Message    string `json:"message"`
	Held       *struct {
		Why string `json:"why"`
	} `json:"held"`
}

// Run lists the incidents.
func (c *incidentsCmd) Run(s *session) error {
	query := url.Values{"open": {"true"}}
	none := "no open incidents"
	if c.All {
		query, none = nil, "no incidents"
	}
	items, err := s.api.listBoth(s.ctx, "/v1/incidents", query)
	if err != nil {
		return err
	}
	head := []string{"KIND", "WHAT", "SINCE", "STATE", "SEEN FROM", "TOLD", "INCIDENT"}
	return show(s.out, items, head, none, func(r incidentRow) []string {
		state := "open"
		if !r.Open {
			state = "ended " + s.out.ago(r.EndedAt)
		}
		told := strings.Join(r.Told, ", ")
		if r.Suppressed {
			told += " (programs)"
		}
		if told == "" && r.Waits != "" {
			told = "no: " + r.Waits
		}
		if r.Held != nil && r.Open {
			if len(r.Told) == 0 {
				told = ""
			}
			told = strings.TrimPrefix(told+"; ", "; ") + r.Held.Why
		}
		return []string{r.Kind, cmp.Or(subject(r.Store, r.Host), r.Region), s.out.ago(r.Since), state, strings.Join(r.SeenFrom, ", "), told, r.ID}
	})
}

// noticesCmd lists notices.
type noticesCmd struct{}

type noticeRow struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
	Region   string    `json:"region"`
	Title    string    `json:"title"`
	Severity string    `json:"severity"`
	Channels []struct {
		Name   string `json:"name"`
		Mark   string `json:"mark"`
		Detail string `json:"detail"`
	} `json:"channels"`
}

// Run lists the notices.
func (c *noticesCmd) Run(s *session) error {
	items, err := s.api.listBoth(s.ctx, "/v1/notices", nil)
	if err != nil {
		return err
	}
	head := []string{"WHEN", "TITLE", "SEVERITY", "TOLD BY", "CHANNELS", "NOTICE"}
	return show(s.out, items, head, "no notices yet", func(r noticeRow) []string {
		marks := make([]string, 0, len(r.Channels))
		for _, ch := range r.Channels {
			marks = append(marks, ch.Name+" "+ch.Mark)
		}
		return []string{s.out.ago(r.At), r.Title, r.Severity, r.Region, strings.Join(marks, ", "), r.ID}
	})
}

// historyCmd lists a store's transitions.
type historyCmd struct {
	Store string `arg:"" help:"The store, or store/host."`
	Day   string `help:"The day in UTC (default: today)." placeholder:"YYYY-MM-DD"`
}

type entryRow struct {
	At      time.Time `json:"at"`
	Host    string    `json:"host"`
	State   string    `json:"state"`
	Reason  string    `json:"reason"`
	Number  uint64    `json:"number"`
	Regions []string  `json:"regions"`
	Message string    `json:"message"`
}

// Run lists what happened.
func (c *historyCmd) Run(s *session) error {
	store, host, _ := strings.Cut(c.Store, "/")
	day := c.Day
	if day == "" {
		day = s.now().UTC().Format(time.DateOnly)
	}
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return usage("write the day as in --day 2026-01-31", "%q is no day", day)
	}
	items, err := s.api.list(s.ctx, "/v1/history", url.Values{"store": {store}, "day": {day}})
	if err != nil {
		return err
	}
	if host != "" {
		if items, err = keep(items, func(r entryRow) bool { return r.Host == host }); err != nil {
			return err
		}
	}
	head := []string{"AT (UTC)", "HOST", "STATE", "WHY", "NUMBER", "TAKEN BY"}
	return show(s.out, items, head, "nothing happened to "+c.Store+" on "+day+" (UTC), or no store has that name; hbctl stores lists them", func(r entryRow) []string {
		why := r.Reason
		if r.Message != "" {
			why += ": " + r.Message
		}
		return []string{r.At.UTC().Format("15:04:05.000"), r.Host, r.State, why, fmt.Sprint(r.Number), strings.Join(r.Regions, ", ")}
	})
}

// keep is the items that ok says yes to, as they came.
func keep[T any](items []json.RawMessage, ok func(T) bool) ([]json.RawMessage, error) {
	kept := []json.RawMessage{}
	for _, raw := range items {
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			return nil, &failure{exit: ExitFailed, what: "read the answer", err: err, hint: "is the region of another version?"}
		}
		if ok(v) {
			kept = append(kept, raw)
		}
	}
	return kept, nil
}

// filter is a query of one value; empty where it is "".
func filter(name, value string) url.Values {
	if value == "" {
		return url.Values{}
	}
	return url.Values{name: {value}}
}

func subject(store, host string) string {
	if host == "" {
		return store
	}
	return store + "/" + host
}
