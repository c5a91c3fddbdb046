package cli

import (
	"cmp"
	"encoding/json"
	"net/url"
	"strings"
)

type ackCmd struct {
	Add  ackAddCmd  `cmd:"" default:"withargs" help:"Say that somebody deals with an incident (the default)."`
	List ackListCmd `cmd:"" help:"List the acknowledgements."`
	End  ackEndCmd  `cmd:"" help:"Take an acknowledgement back."`
}

type ackAddCmd struct {
	What string `arg:"" name:"incident" help:"The incident's id, or its first characters, as a notice and hbctl incidents show it; or STORE or STORE/HOST: all that is open of it."`
	whenFlags
}

// Run acknowledges an incident, or all that are open of a store or host.
func (c *ackAddCmd) Run(s *session) error {
	body := map[string]any{}
	if err := c.into(body, false); err != nil {
		return err
	}
	ids, err := c.incidents(s)
	if err != nil {
		return err
	}
	if len(ids) == 1 {
		return s.begin(ackPath(ids[0]), "ack", body)
	}
	made := make([]json.RawMessage, len(ids))
	for i, id := range ids {
		if made[i], err = s.make(ackPath(id), body); err != nil {
			return err
		}
	}
	head := []string{"ACKNOWLEDGED", "UNTIL", "TAKE BACK WITH"}
	return show(s.out, made, head, "", func(r ruleRow) []string {
		until := "it ends"
		if !r.Until.IsZero() {
			until = s.out.clock(r.Until)
		}
		return []string{r.about(), until, "hbctl ack end " + r.ID}
	})
}

func ackPath(id string) string { return "/v1/incidents/" + url.PathEscape(id) + "/ack" }

// minPrefix is how many characters of an incident's id name it at least.
const minPrefix = 4

// incidents are the ids of the open incidents that the argument names.
func (c *ackAddCmd) incidents(s *session) ([]string, error) {
	items, err := s.api.listBoth(s.ctx, "/v1/incidents", url.Values{"open": {"true"}})
	if err != nil {
		return nil, err
	}
	var of, named, list []string
	for _, raw := range items {
		var r incidentRow
		if err := json.Unmarshal(raw, &r); err != nil {
			return nil, &failure{exit: ExitFailed, what: "read the answer", err: err, hint: "is the region of another version?"}
		}
		isOf := r.Store != "" && (r.Store == c.What || subject(r.Store, r.Host) == c.What)
		isNamed := len(c.What) >= minPrefix && len(c.What) <= len(r.ID) && strings.EqualFold(r.ID[:len(c.What)], c.What)
		if isOf {
			of = append(of, r.ID)
		}
		if isNamed {
			named = append(named, r.ID)
		}
		if isOf || isNamed {
			list = append(list, r.ID+" ("+r.Kind+" "+cmp.Or(subject(r.Store, r.Host), r.Region)+")")
		}
	}
	switch {
	case len(of) > 0 && len(named) == 0:
		return of, nil
	case len(of) == 0 && len(named) == 1:
		return named, nil
	case len(list) > 0:
		return nil, usage("name one by more of its id, or a store as STORE/HOST", "%q may be each of these open incidents: %s", c.What, strings.Join(list, ", "))
	default:
		return nil, usage("hbctl incidents lists what is open; an id is named by 4 of its characters at least", "%q names no open incident, and no store or host that has one", c.What)
	}
}

type ackListCmd struct{}

// Run lists the acknowledgements.
func (*ackListCmd) Run(s *session) error { return s.rules("/v1/acks", "nothing is acknowledged") }

type ackEndCmd struct {
	ID string `arg:"" help:"The acknowledgement's id, as hbctl ack list shows it."`
	byFlag
}

// Run takes an acknowledgement back.
func (c *ackEndCmd) Run(s *session) error { return s.end("/v1/acks", "ack", c.ID, c.by()) }
