package dashboard

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// begun is a rule that was made, and what is odd about it.
type begun struct {
	setting.Rule
	// Warning says that nothing is matched now: a name may be mistyped, or its
	// store is still to come.
	Warning string `json:"warning,omitempty"`
}

// knownKinds refuses kinds of incidents that there are not.
func knownKinds(m *setting.Match) error {
	var kinds []string
	for _, k := range incident.Kinds() {
		kinds = append(kinds, string(k))
	}
	if k := m.Misfit(kinds); k != "" {
		return problem(http.StatusUnprocessableEntity, fmt.Sprintf("kinds: %q is no kind of incident; there are %s", k, strings.Join(kinds, ", ")))
	}
	return nil
}

// warning is what is odd about what a rule matches; "" is nothing.
func (s *Server) warning(m *setting.Match) string {
	if len(m.Stores)+len(m.Hosts)+len(m.Tags) == 0 {
		return ""
	}
	for _, st := range s.snaps.get(s.o.Coalesce).stores {
		if s.finds(m, st.Store, st.Tags) {
			return ""
		}
	}
	if s.o.Declarations != nil {
		for _, id := range s.o.Declarations.Stores() {
			if s.finds(m, id, nil) {
				return ""
			}
		}
	}
	if len(m.Hosts) > 0 {
		return "it matches no host now"
	}
	return "it matches no store now"
}

func (s *Server) finds(m *setting.Match, store beat.StoreID, tags map[string]string) bool {
	if !m.About(store) {
		return false
	}
	all := []map[string]string{tags}
	var hosts []beat.HostID
	if s.o.Declarations != nil {
		if d, ok := s.o.Declarations.Declared(store); ok {
			all = append(all, d.Tags)
			for id, h := range d.Hosts {
				hosts, all = append(hosts, id), append(all, h.Tags)
			}
		}
	}
	if len(m.Hosts) > 0 {
		seen, _ := s.o.Source.Hosts(store)
		for i := range seen {
			hosts = append(hosts, seen[i].Host)
		}
	}
	return m.Finds(store, all, hosts)
}
