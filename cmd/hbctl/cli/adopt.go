package cli

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

type hostsAdoptCmd struct {
	Host string `arg:"" help:"The host's full name: store/host."`
	byFlag
}

// Run adds the host to its store's declaration.
func (c *hostsAdoptCmd) Run(s *session) error {
	store, host, ok := strings.Cut(c.Host, "/")
	if !ok || store == "" || host == "" {
		return usage("give its full name, such as hbctl hosts adopt demo/pos3", "%q is no host's full name", c.Host)
	}
	path := "/v1/stores/" + url.PathEscape(store)
	var was declaredRow
	err := s.api.get(s.ctx, path, nil, &was)
	if f := (*failure)(nil); err != nil && (!errors.As(err, &f) || f.status != http.StatusNotFound) {
		return err
	}
	if _, declared := was.Hosts[beat.HostID(host)]; declared {
		return s.adopted(c.Host, "is declared already")
	}
	// Where a store adopts by itself, one declared host would end that for all
	// others: it goes on as it was.
	if was.Version > 0 && len(was.Hosts) == 0 && was.AutoAdopt == nil {
		return s.adopted(c.Host, "pages people already: its store adopts every host")
	}
	body := struct {
		setting.Entry
		By string `json:"by,omitempty"`
	}{was.Entry, c.by()}
	if body.Hosts == nil {
		body.Hosts = map[beat.HostID]setting.DeclaredHost{}
	}
	body.Hosts[beat.HostID(host)] = setting.DeclaredHost{}
	var raw json.RawMessage
	if err := s.api.do(s.ctx, call{method: http.MethodPut, path: path, body: body, elsewhere: http.StatusConflict}, &raw); err != nil {
		return err
	}
	return s.adopted(c.Host, "is adopted; add it to your stores file too, or the next apply takes it out again")
}

func (s *session) adopted(host, what string) error {
	if s.out.json {
		return s.out.value(map[string]string{"host": host, "state": what})
	}
	return s.out.line("%s %s", host, what)
}
