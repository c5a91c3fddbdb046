package cli

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// explainCmd says why something is in its state.
type explainCmd struct {
	What string `arg:"" help:"The store, or store/host."`
}

type explanation struct {
	At       time.Time `json:"at"`
	Region   string    `json:"region"`
	Store    string    `json:"store"`
	Host     string    `json:"host"`
	State    string    `json:"state"`
	Since    time.Time `json:"since"`
	Says     []string  `json:"says"`
	Evidence []struct {
		Region  string `json:"region"`
		Missing string `json:"missing"`
		Facts   []struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		} `json:"facts"`
	} `json:"evidence"`
	Next []struct {
		At   time.Time `json:"at"`
		What string    `json:"what"`
	} `json:"next"`
	Zone string `json:"zone"`
}

// Run prints the words first, the evidence of both regions below them, and
// then what comes next.
func (c *explainCmd) Run(s *session) error {
	store, host, isHost := strings.Cut(c.What, "/")
	if store == "" || isHost && host == "" {
		return usage("name a store, or a host as store/host", "%q is neither", c.What)
	}
	query := url.Values{"store": {store}}
	if isHost {
		query.Set("host", host)
	}
	var raw json.RawMessage
	if err := s.api.get(s.ctx, "/v1/explain", query, &raw); err != nil {
		if f := (*failure)(nil); !isHost && errors.As(err, &f) && f.status == http.StatusNotFound {
			f.hint = s.hostsNamed(store)
		}
		return err
	}
	if s.out.json {
		return s.out.value(raw)
	}
	var e explanation
	if err := json.Unmarshal(raw, &e); err != nil {
		return &failure{exit: ExitFailed, what: "read the answer", err: err, hint: "is the region of another version? --json shows what it says"}
	}
	return e.print(s.out)
}

// hostsNamed is what to type where a store that nobody knows may be a host's name.
func (s *session) hostsNamed(name string) string {
	hint := "a host is named with its store: hbctl explain STORE/HOST; hbctl hosts lists them"
	var page struct {
		Items []hostRow `json:"items"`
		Next  string    `json:"next"`
	}
	// One page only: a fleet may have a million hosts.
	if err := s.api.get(s.ctx, "/v1/hosts", url.Values{"limit": {pageLimit}}, &page); err != nil || page.Next != "" {
		return hint
	}
	var stores []string
	for i := range page.Items {
		if page.Items[i].Host == name {
			stores = append(stores, page.Items[i].Store)
		}
	}
	if len(stores) != 1 {
		return hint
	}
	return "a host is named with its store: hbctl explain " + subject(stores[0], name)
}

func (e *explanation) print(p *printer) error {
	zone := p.now.Location()
	if e.Zone != "" {
		if z, err := time.LoadLocation(e.Zone); err == nil {
			zone = z
		}
	}
	first := subject(e.Store, e.Host) + " is " + e.State
	if !e.Since.IsZero() {
		first += " since " + exact(e.Since, p.now, zone) + " (" + p.ago(e.Since) + ")"
	}
	if err := p.line("%s.", first); err != nil {
		return err
	}
	for _, sentence := range e.Says {
		if err := p.line("%s", sentence); err != nil {
			return err
		}
	}
	if err := e.evidence(p); err != nil {
		return err
	}
	for _, n := range e.Next {
		at := ""
		if !n.At.IsZero() {
			at = " at " + exact(n.At, p.now, zone)
			if in := n.At.Sub(p.now); in > 0 {
				at += " (in " + span(in) + ")"
			}
		}
		if err := p.line("next: %s%s", n.What, at); err != nil {
			return err
		}
	}
	return nil
}

// exact is an instant with its seconds, and its date where that is another.
func exact(t, now time.Time, zone *time.Location) string {
	if t.In(zone).Format(time.DateOnly) != now.In(zone).Format(time.DateOnly) {
		return t.In(zone).Format("2006-01-02 15:04:05 MST")
	}
	return t.In(zone).Format("15:04:05 MST")
}

// evidence is a table of facts, one column for each region.
func (e *explanation) evidence(p *printer) error {
	head := []string{"EVIDENCE"}
	var names []string
	for _, r := range e.Evidence {
		head = append(head, r.Region)
		for i, f := range r.Facts {
			if slices.Contains(names, f.Name) {
				continue
			}
			// Behind the fact that precedes it here.
			at := len(names)
			if i > 0 {
				if before := slices.Index(names, r.Facts[i-1].Name); before >= 0 {
					at = before + 1
				}
			}
			names = slices.Insert(names, at, f.Name)
		}
	}
	if len(names) == 0 && len(e.Evidence) == 0 {
		return nil
	}
	rows := make([][]string, 0, len(names)+1)
	for _, name := range names {
		row := []string{name}
		for _, r := range e.Evidence {
			value := ""
			for _, f := range r.Facts {
				if f.Name == name {
					value = f.Value
				}
			}
			row = append(row, value)
		}
		rows = append(rows, row)
	}
	for i, r := range e.Evidence {
		if r.Missing == "" {
			continue
		}
		row := make([]string, len(e.Evidence)+1)
		row[0], row[i+1] = "no answer", r.Missing
		rows = append(rows, row)
	}
	if err := p.line(""); err != nil {
		return err
	}
	if err := p.table(head, rows, "no evidence"); err != nil {
		return err
	}
	return p.line("")
}
