package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
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

// word is one word for a column; what is wrong stands in DETAIL.
func (h *health) word(bad string) string {
	switch {
	case h == nil:
		return ""
	case h.OK:
		return "ok"
	default:
		return bad
	}
}

// maxDetail is how much of an error stands in a table, in characters; --json
// has all of it.
const maxDetail = 80

// details are what is wrong with a region, in words.
func (r *regionRow) details() string {
	var parts []string
	if r.Detail != "" {
		parts = append(parts, r.Detail)
	}
	if r.Table != nil && !r.Table.OK && r.Table.Detail != "" {
		parts = append(parts, "table: "+r.Table.Detail)
	}
	if r.Link != nil && !r.Link.OK && r.Link.Detail != "" && r.Link.Detail != r.Detail {
		parts = append(parts, "link: "+r.Link.Detail)
	}
	return shorten(strings.Join(parts, "; "))
}

// shorten leaves out the middle: an error begins with what was tried and ends
// with its cause.
func shorten(s string) string {
	text := []rune(s)
	if len(text) <= maxDetail {
		return s
	}
	const head = maxDetail / 3
	return string(text[:head]) + "…" + string(text[len(text)-(maxDetail-1-head):])
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
		rows = append(rows, []string{n.Addr, shorten(n.Message)})
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
		return []string{r.Region, r.State, s.out.ago(r.Since), relays, r.Table.word("failing"), r.Link.word("cut"), r.Version, r.details()}
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
