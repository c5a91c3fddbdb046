package cli

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// hostsCmd lists hosts and retires them.
type hostsCmd struct {
	List   hostsListCmd   `cmd:"" default:"withargs" help:"List hosts (the default)."`
	Forget hostsForgetCmd `cmd:"" help:"Retire a host that does not exist any more."`
	Adopt  hostsAdoptCmd  `cmd:"" help:"Declare a host that is new: from now on it pages people."`
}

type hostsListCmd struct {
	Store string `help:"Only hosts of this store." placeholder:"STORE"`
	State string `help:"Only hosts in this state: up, failing, missing, stopped, unknown, covered." placeholder:"STATE"`
}

type hostRow struct {
	Store      string    `json:"store"`
	Host       string    `json:"host"`
	State      string    `json:"state"`
	IntervalMs int64     `json:"intervalMs"`
	LastBeat   time.Time `json:"lastBeat"`
	Via        string    `json:"via"`
	Since      time.Time `json:"since"`
	Reason     string    `json:"reason"`
	Message    string    `json:"message"`
	Unadopted  bool      `json:"unadopted"`
	NeverSeen  bool      `json:"neverSeen"`
}

// Run lists the hosts.
func (c *hostsListCmd) Run(s *session) error {
	query := filter("store", c.Store)
	if c.State != "" {
		query.Set("state", c.State)
	}
	items, err := s.api.list(s.ctx, "/v1/hosts", query)
	if err != nil {
		return err
	}
	reports := map[string]time.Time{}
	if !s.out.json {
		if reports, err = s.reports(c.Store); err != nil {
			return err
		}
	}
	head := []string{"HOST", "STATE", "SINCE", "LAST BEAT", "INTERVAL", "VIA", "WHY"}
	return show(s.out, items, head, "no such hosts", func(r hostRow) []string {
		why := r.Reason
		if r.Message != "" {
			why = strings.TrimPrefix(why+": "+r.Message, ": ")
		}
		switch {
		case r.Unadopted:
			why = strings.TrimPrefix(why+"; new, pages nobody: hbctl hosts adopt "+subject(r.Store, r.Host), "; ")
		case r.NeverSeen:
			why = strings.TrimPrefix(why+"; declared, never seen", "; ")
		}
		return []string{
			subject(r.Store, r.Host), r.State, s.out.ago(r.Since), s.out.lastBeat(r, reports[r.Store]),
			millis(r.IntervalMs), r.Via, why,
		}
	})
}

// reports are when the stores' relays last reported; store narrows the search.
func (s *session) reports(store string) (map[string]time.Time, error) {
	last := map[string]time.Time{}
	items, err := s.api.list(s.ctx, "/v1/stores", filter("q", store))
	if err != nil {
		return nil, err
	}
	for _, raw := range items {
		var r struct {
			Store      string    `json:"store"`
			LastReport time.Time `json:"lastReport"`
		}
		if err := json.Unmarshal(raw, &r); err != nil {
			return nil, &failure{exit: ExitFailed, what: "read the answer", err: err, hint: "is the region of another version?"}
		}
		last[r.Store] = r.LastReport
	}
	return last, nil
}

// lastBeat is how fresh a host's state is. Behind a relay a beat is only as new
// as the last whole picture, and each report says that the picture still stands:
// a living host is confirmed as of then, as the page says it too.
func (p *printer) lastBeat(r hostRow, report time.Time) string {
	alive := r.State == "up" || r.State == "failing"
	if alive && r.Via == "relay" && report.After(r.LastBeat) {
		return strings.Replace("confirmed "+p.ago(report), "confirmed now", "confirmed just now", 1)
	}
	return p.ago(r.LastBeat)
}

type hostsForgetCmd struct {
	Host string `arg:"" help:"The host's full name: store/host."`
}

// Run retires the host.
func (c *hostsForgetCmd) Run(s *session) error {
	store, host, ok := strings.Cut(c.Host, "/")
	if !ok || store == "" || host == "" {
		return usage("give its full name, such as hbctl hosts forget demo/pos3", "%q is no host's full name", c.Host)
	}
	path := "/v1/stores/" + url.PathEscape(store) + "/hosts/" + url.PathEscape(host)
	if err := s.api.do(s.ctx, call{method: http.MethodDelete, path: path}, nil); err != nil {
		return err
	}
	if s.out.json {
		return s.out.value(map[string]string{"forgotten": c.Host})
	}
	return s.out.line("%s is retired; if it beats again it is a new host", c.Host)
}
