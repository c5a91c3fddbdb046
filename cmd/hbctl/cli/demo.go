package cli

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
)

// demoCmd works the switches of the demo.
type demoCmd struct {
	Unplug demoUnplugCmd `cmd:"" help:"Pull a plug: a register, the relay, a region, a way between them, a table, many stores."`
	Plug   demoPlugCmd   `cmd:"" help:"Put a plug back."`
	Status demoStatusCmd `cmd:"" help:"List the switches."`
}

// switchRow is one switch, as the demo's control says it.
type switchRow struct {
	Target  string    `json:"target"`
	Plugged bool      `json:"plugged"`
	Since   time.Time `json:"since"`
	Text    string    `json:"text"`
}

func (r switchRow) word() string {
	if r.Plugged {
		return "plugged"
	}
	return "unplugged"
}

type demoUnplugCmd struct {
	Target string `arg:"" help:"What to unplug: register/HOST (such as register/pos3), relay, wan/REGION, region/REGION, link (between the regions), uplink/REGION (all of its ways), table/REGION, replication, replication/lag, or stores/K (the first K stores at once). hbctl demo status lists them."`
}

// Run pulls the plug.
func (c *demoUnplugCmd) Run(s *session) error { return s.turn("unplug", c.Target) }

type demoPlugCmd struct {
	Target string `arg:"" help:"What to plug in again; hbctl demo status lists what is unplugged."`
}

// Run puts the plug back.
func (c *demoPlugCmd) Run(s *session) error { return s.turn("plug", c.Target) }

type demoStatusCmd struct{}

// Run lists the switches.
func (c *demoStatusCmd) Run(s *session) error {
	control, err := s.control()
	if err != nil {
		return err
	}
	items, err := control.list(s.ctx, "/v1/switches", nil)
	if err != nil {
		return noDemo(err)
	}
	head := []string{"TARGET", "STATE", "SINCE", "UNPLUGGED MEANS"}
	return show(s.out, items, head, "no switches", func(r switchRow) []string {
		return []string{r.Target, r.word(), s.out.ago(r.Since), r.Text}
	})
}

// turn sets one switch and shows what it is now.
func (s *session) turn(verb, target string) error {
	control, err := s.control()
	if err != nil {
		return err
	}
	var raw json.RawMessage
	err = control.do(s.ctx, call{
		method: http.MethodPost, path: "/v1/" + verb + "/" + strings.Trim(target, "/"),
		header: http.Header{"X-Hb-Request": {"1"}}, // the control takes no orders of web pages: they cannot send it
	}, &raw)
	if err != nil {
		return noDemo(err)
	}
	if s.out.json {
		return s.out.value(raw)
	}
	var row switchRow
	if err := json.Unmarshal(raw, &row); err != nil {
		return &failure{exit: ExitFailed, what: "read the answer", err: err}
	}
	return s.out.line("%s is %s", row.Target, row.word())
}

// control speaks with the demo's control, which has its own port and no key.
// It waits for as long as a part takes to start or die.
func (s *session) control() (*client, error) {
	base, err := loopback(portControl, s.offset)
	if err != nil {
		return nil, err
	}
	return &client{bases: []string{base}, timeout: max(s.timeout, controlTimeout), http: s.api.http, defaults: true}, nil
}

// controlTimeout covers the start of a region.
const controlTimeout = 30 * time.Second

// noDemo tells that the switches are the demo's only.
func noDemo(err error) error {
	var f *failure
	if !errors.As(err, &f) {
		return err
	}
	switch f.exit {
	case ExitNoAnswer:
		f.hint = "the switches exist in the demo only: start it with `make run` (and give hbctl its --port-offset)"
	default:
		f.hint = "hbctl demo status lists the switches"
	}
	return f
}
