package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// statusCmd shows the regions.
type statusCmd struct{}

// nodeStatus is what one address says of itself.
type nodeStatus struct {
	Addr string `json:"addr"`
	// OK says that it can do its job; Message is its own word, or why it did
	// not give one.
	OK      bool   `json:"ok"`
	Message string `json:"message"`
}

type regionRow struct {
	Region   string    `json:"region"`
	State    string    `json:"state"`
	Since    time.Time `json:"since"`
	Detail   string    `json:"detail"`
	Version  string    `json:"version"`
	Sessions *int      `json:"sessions"`
	Table    *health   `json:"table"`
	Link     *health   `json:"link"`
}

type health struct {
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

func (h *health) String() string {
	switch {
	case h == nil:
		return ""
	case h.OK:
		return "ok"
	case h.Detail == "":
		return "failing"
	default:
		return h.Detail
	}
}

// Run asks every address for its own status, and the first that answers for
// what it knows of the regions.
func (c *statusCmd) Run(s *session) error {
	nodes := s.askNodes()
	regions, err := s.api.list(s.ctx, "/v1/regions", url.Values{})
	if err != nil {
		return err
	}
	if s.out.json {
		return s.out.value(struct {
			Nodes   []nodeStatus      `json:"nodes"`
			Regions []json.RawMessage `json:"regions"`
		}{nodes, regions})
	}
	rows := make([][]string, 0, len(nodes))
	for _, n := range nodes {
		rows = append(rows, []string{n.Addr, n.Message})
	}
	if err := s.out.table([]string{"ADDRESS", "STATUS"}, rows, ""); err != nil {
		return err
	}
	if err := s.out.line(""); err != nil {
		return err
	}
	head := []string{"REGION", "STATE", "SINCE", "RELAYS", "TABLE", "LINK", "VERSION", "DETAIL"}
	return show(s.out, regions, head, "no regions", func(r regionRow) []string {
		relays := ""
		if r.Sessions != nil {
			relays = fmt.Sprint(*r.Sessions)
		}
		return []string{r.Region, r.State, s.out.ago(r.Since), relays, r.Table.String(), r.Link.String(), r.Version, r.Detail}
	})
}

// askNodes asks each address by itself.
func (s *session) askNodes() []nodeStatus {
	nodes := make([]nodeStatus, 0, len(s.api.bases))
	for _, base := range s.api.bases {
		var word struct {
			Message string `json:"message"`
		}
		n := nodeStatus{Addr: base}
		err := s.api.ask(s.ctx, base, call{method: "GET", path: "/v1/status"}, &word)
		var none *noAnswer
		switch {
		case err == nil:
			n.OK, n.Message = true, word.Message
		case errors.As(err, &none):
			n.Message = "no answer: " + none.err.Error()
		default:
			n.Message = err.Error()
		}
		nodes = append(nodes, n)
	}
	return nodes
}
