package cli

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// keysCmd makes, lists and revokes keys.
type keysCmd struct {
	List   keysListCmd   `cmd:"" default:"withargs" help:"List the keys, without their secrets (the default)."`
	Create keysCreateCmd `cmd:"" help:"Make a key. Its secret is shown once."`
	Revoke keysRevokeCmd `cmd:"" help:"Revoke a key by its id."`
}

type keyRow struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Roles   []string  `json:"roles"`
	Store   string    `json:"store"`
	Relay   string    `json:"relay,omitempty"`
	Created time.Time `json:"created"`
	Static  bool      `json:"static"`
}

type keysListCmd struct{}

// Run lists the keys.
func (c *keysListCmd) Run(s *session) error {
	items, err := s.api.list(s.ctx, "/v1/keys", nil)
	if err != nil {
		return err
	}
	head := []string{"ID", "NAME", "ROLES", "STORE", "MADE"}
	return show(s.out, items, head, "no keys", func(r keyRow) []string {
		store, made := r.Store, s.out.ago(r.Created)
		if store == "" {
			store = "all"
		}
		if r.Relay != "" {
			store += "/" + r.Relay
		}
		if r.Static {
			made = "by configuration"
		}
		return []string{r.ID, r.Name, strings.Join(r.Roles, ", "), store, made}
	})
}

type keysCreateCmd struct {
	Name  string   `help:"What it is for, for people." placeholder:"TEXT"`
	Store string   `help:"Bind it to one store (default: the fleet)." placeholder:"STORE"`
	Role  []string `help:"What it may do: beat, read, admin; or relay alone, the password of relays." enum:"beat,read,admin,relay" default:"beat" placeholder:"ROLE"`
	Relay string   `help:"Bind a relay's password to one relay of the store." placeholder:"RELAY"`
}

// Run makes a key.
func (c *keysCreateCmd) Run(s *session) error {
	body := struct {
		Name  string   `json:"name,omitempty"`
		Store string   `json:"store,omitempty"`
		Roles []string `json:"roles"`
		Relay string   `json:"relay,omitempty"`
	}{c.Name, c.Store, c.Role, c.Relay}
	var made map[string]any
	// It is sent once: a key that was made twice is a key that nobody knows of.
	if err := s.api.do(s.ctx, call{method: http.MethodPost, path: "/v1/keys", body: body, once: true}, &made); err != nil {
		return err
	}
	if s.out.json {
		return s.out.value(made)
	}
	if err := s.out.line("%v", made["secret"]); err != nil {
		return err
	}
	return s.out.line("Keep it: it is not shown again. Revoke it with: hbctl keys revoke %v", made["id"])
}

type keysRevokeCmd struct {
	ID string `arg:"" help:"The key's id, as hbctl keys list shows it."`
}

// Run revokes the key.
func (c *keysRevokeCmd) Run(s *session) error {
	if err := s.api.do(s.ctx, call{method: http.MethodDelete, path: "/v1/keys/" + url.PathEscape(c.ID)}, nil); err != nil {
		return err
	}
	if s.out.json {
		return s.out.value(map[string]string{"revoked": c.ID})
	}
	return s.out.line("%s is revoked; every region refuses it within a minute", c.ID)
}
